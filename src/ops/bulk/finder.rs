//! By what a bulk request finds the record that a line describes: its address, or one of its attributes.
//!
//! An address has an index in the database. An attribute has none, and a scan for each line would take hours. So one pass
//! at the start of the request notes the hash of each value with the id of its record, 16 bytes each. What others write
//! meanwhile is read from the changes. A record that is found by a hash is compared before it counts.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::base::error::{Error, Result, quoted};
use crate::model::attributes::Attributes;
use crate::model::draft::Draft;
use crate::model::email::email;
use crate::model::field::Field;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::any::AnyStore;
use crate::store::sql::bulk::with_addresses;
use crate::store::sql::ledger::Ledger;
use crate::store::sql::statements::statements;
use crate::store::transaction::Transaction;

/// The most values that are noted, which take 64 MiB.
const MOST: usize = 4 << 20;

/// How many records the pass reads at a time.
const CHUNK: usize = 2_000;

/// How many changes are read at a time.
const CHANGES: usize = 5_000;

/// How a record is found.
#[derive(Clone)]
pub(super) enum Finder {
    /// Not at all.
    Nothing,
    /// By its address.
    Address(&'static Field),
    /// By one of its attributes.
    Attribute(Arc<KeyIndex>),
}

/// What a parameter names to find records by.
#[derive(Clone, Debug)]
pub(super) enum KeyName {
    Nothing,
    Address(&'static Field),
    Attribute(String),
}

impl KeyName {
    /// Reads the parameter `key`.
    pub(super) fn parse(noun: &'static Noun, text: Option<&str>) -> Result<KeyName> {
        let attribute = text.and_then(|text| text.strip_prefix("attributes."));
        match (text, noun.email(), attribute) {
            (None, Some(field), _) => Ok(KeyName::Address(field)),
            (None, None, _) => Ok(KeyName::Nothing),
            (Some(text), Some(field), _) if text == field.name => Ok(KeyName::Address(field)),
            (_, _, Some(key)) if !key.is_empty() && noun.has_attributes() => {
                Ok(KeyName::Attribute(key.into()))
            }
            (Some(text), field, _) => {
                let field = field.map_or(String::new(), |field| format!("{} or ", field.name));
                let got = quoted(text);
                Err(Error::field(
                    "key",
                    format!(
                        "expected {field}attributes. and a key, such as attributes.customer_number, got {got}"
                    ),
                ))
            }
        }
    }
}

/// The values of an attribute, by their hashes.
pub(super) struct KeyIndex {
    noun: &'static Noun,
    key: String,
    hasher: RandomState,
    /// What the pass has found, in the order of the hashes.
    found: Vec<(u64, i64)>,
    /// What was written since.
    news: Mutex<News>,
}

/// What was written since the pass.
#[derive(Default)]
struct News {
    ids: HashMap<u64, Vec<i64>>,
    count: usize,
    /// All changes up to this number are in it.
    place: i64,
}

impl Finder {
    /// Prepares to find records.
    pub(super) async fn new(
        store: &AnyStore,
        noun: &'static Noun,
        name: KeyName,
    ) -> Result<Finder> {
        Ok(match name {
            KeyName::Nothing => Finder::Nothing,
            KeyName::Address(field) => Finder::Address(field),
            KeyName::Attribute(key) => {
                Finder::Attribute(Arc::new(KeyIndex::read(store, noun, key).await?))
            }
        })
    }

    /// The name of what it finds by.
    pub(super) fn name(&self) -> String {
        match self {
            Finder::Nothing => String::new(),
            Finder::Address(field) => field.name.into(),
            Finder::Attribute(index) => format!("attributes.{}", index.key),
        }
    }

    /// The value by which the record of a draft is found.
    pub(super) fn key(&self, draft: &Draft) -> Option<String> {
        match self {
            Finder::Nothing => None,
            Finder::Address(field) => draft.text(field.name).and_then(email),
            Finder::Attribute(index) => draft.attribute(&index.key).and_then(plain),
        }
    }

    /// The value by which a record is found.
    pub(super) fn key_of(&self, record: &Record) -> Option<String> {
        match self {
            Finder::Nothing => None,
            Finder::Address(field) => record.get(field.name).text().and_then(email),
            Finder::Attribute(index) => index.value(record.get("attributes").text()?),
        }
    }

    /// Whether these changes of a record may change by what it is found.
    pub(super) fn is_moved(&self, record: &Record, before: Option<&str>) -> bool {
        self.key_of(record).as_deref() != before
    }

    /// The records with these values, of several with one the lowest id. Until the end of the transaction, no other bulk
    /// request looks for the values.
    pub(super) async fn find<T: Transaction>(
        &self,
        ledger: &mut Ledger<'_, T>,
        keys: &[String],
        fresh: &[(String, i64)],
    ) -> Result<HashMap<String, i64>> {
        match self {
            Finder::Nothing => Ok(HashMap::new()),
            _ if keys.is_empty() => Ok(HashMap::new()),
            Finder::Address(field) => {
                let noun = statement_noun(ledger, field)?;
                with_addresses(ledger.tx, noun, field.name, keys).await
            }
            Finder::Attribute(index) => index.find(ledger, keys, fresh).await,
        }
    }

    /// Notes records that are committed.
    pub(super) fn add(&self, fresh: &[(String, i64)]) {
        if let Finder::Attribute(index) = self {
            let mut news = index.news();
            for (key, id) in fresh {
                news.add(index.hash(key), *id);
            }
        }
    }
}

/// The noun that has this field as its address.
fn statement_noun<T: Transaction>(
    ledger: &Ledger<'_, T>,
    field: &'static Field,
) -> Result<&'static Noun> {
    let mut nouns = ledger.tx.nouns().iter().copied();
    let noun = nouns.find(|noun| noun.email().is_some_and(|email| std::ptr::eq(email, field)));
    noun.ok_or_else(|| Error::internal("no noun has this address"))
}

/// The value of an attribute as text. `None` if it is no text, number or truth value, or an empty text.
fn plain(json: &str) -> Option<String> {
    let text = match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok()?,
        b'{' | b'[' | b'n' => return None,
        _ => json.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

impl News {
    fn add(&mut self, hash: u64, id: i64) {
        let ids = self.ids.entry(hash).or_default();
        if !ids.contains(&id) {
            ids.push(id);
            self.count += 1;
        }
    }
}

impl KeyIndex {
    /// Reads the values of all records.
    async fn read(store: &AnyStore, noun: &'static Noun, key: String) -> Result<KeyIndex> {
        // What is written from here on is read from the changes.
        let place = store.horizon().await?;
        let mut index = KeyIndex {
            noun,
            key,
            hasher: RandomState::new(),
            found: Vec::new(),
            news: Mutex::new(News {
                place,
                ..News::default()
            }),
        };
        let table = noun.plural;
        // Most records may not have the key at all. The letters may also be elsewhere, so the object is read.
        let pattern = match index.key.chars().all(|one| one.is_ascii_alphanumeric()) {
            true => format!("%\"{}\":%", index.key),
            false => "%".into(),
        };
        let sql = format!(
            "SELECT id, attributes FROM {table} WHERE id > $1 AND attributes LIKE $2 ORDER BY id LIMIT {CHUNK}"
        );
        let mut last = 0;
        loop {
            let rows = store
                .rows(&sql, &[Value::Int(last), pattern.as_str().into()])
                .await?;
            let Some(end) = rows.last().and_then(|row| row.first()?.int()) else {
                break;
            };
            last = end;
            for row in &rows {
                let (Some(id), Some(text)) = (row[0].int(), row[1].text()) else {
                    continue;
                };
                if let Some(value) = index.value(text) {
                    let hash = index.hash(&value);
                    index.found.push((hash, id));
                }
            }
            index.is_small(index.found.len())?;
            if rows.len() < CHUNK {
                break;
            }
        }
        index.found.sort_unstable();
        Ok(index)
    }

    fn is_small(&self, count: usize) -> Result<()> {
        match count <= MOST {
            true => Ok(()),
            false => Err(Error::field(
                "key",
                format!(
                    "expected at most {MOST} {} with attributes.{}, because all are kept in memory",
                    self.noun.plural, self.key
                ),
            )),
        }
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self, value: &str) -> u64 {
        self.hasher.hash_one(value)
    }

    /// The value in stored attributes.
    fn value(&self, attributes: &str) -> Option<String> {
        plain(Attributes::stored(attributes).get(&self.key)?)
    }

    /// The ids of records that may have a value.
    fn candidates(&self, hash: u64, ids: &mut Vec<i64>) {
        let from = self.found.partition_point(|one| one.0 < hash);
        let found = self.found[from..].iter().take_while(|one| one.0 == hash);
        ids.extend(found.map(|one| one.1));
        ids.extend(self.news().ids.get(&hash).into_iter().flatten());
    }

    async fn find<T: Transaction>(
        &self,
        ledger: &mut Ledger<'_, T>,
        keys: &[String],
        fresh: &[(String, i64)],
    ) -> Result<HashMap<String, i64>> {
        let name = format!("{}.attributes.{}", self.noun.plural, self.key);
        let locks = keys.iter().map(|key| format!("{name}={key}"));
        ledger.tx.alone_with_all(self.noun, locks.collect()).await?;
        self.catch_up(ledger).await?;
        let mut wanted = Vec::new();
        for key in keys {
            self.candidates(self.hash(key), &mut wanted);
            wanted.extend(fresh.iter().filter(|one| one.0 == *key).map(|one| one.1));
        }
        wanted.sort_unstable();
        wanted.dedup();
        let keys: HashSet<&String> = keys.iter().collect();
        let mut found: HashMap<String, i64> = HashMap::new();
        let rows = crate::store::sql::many::of_ids(ledger.tx, &wanted, |markers| {
            let table = self.noun.plural;
            format!("SELECT id, attributes FROM {table} WHERE id IN ({markers})")
        });
        for row in rows.await? {
            let (Some(id), Some(text)) = (row[0].int(), row[1].text()) else {
                continue;
            };
            if let Some(value) = self.value(text).filter(|value| keys.contains(value)) {
                let lowest = found.entry(value).or_insert(id);
                *lowest = id.min(*lowest);
            }
        }
        Ok(found)
    }

    /// Reads what others have written since the last time.
    async fn catch_up<T: Transaction>(&self, ledger: &mut Ledger<'_, T>) -> Result<()> {
        #[derive(Deserialize)]
        struct Changed<'a> {
            #[serde(borrow)]
            attributes: Option<&'a RawValue>,
        }
        let horizon = ledger.tx.horizon().await?;
        let kinds = statements(self.noun);
        let sql = format!(
            "SELECT seq, record_id, record FROM crm_changes WHERE seq > $1 AND type IN ($2, $3) \
             AND coalesce(first, seq) <> $4 ORDER BY seq LIMIT {CHANGES}"
        );
        let mut place = self.news().place;
        loop {
            let params = [
                place.into(),
                kinds.created.as_str().into(),
                kinds.updated.as_str().into(),
                ledger.group().unwrap_or_default().into(),
            ];
            let rows = ledger.tx.query(&sql, &params).await?;
            let mut news = self.news();
            for row in &rows {
                let (Some(seq), Some(id), Some(text)) = (row[0].int(), row[1].int(), row[2].text())
                else {
                    continue;
                };
                place = seq;
                let changed: Option<Changed<'_>> = serde_json::from_str(text).ok();
                let attributes = changed.and_then(|changed| changed.attributes);
                if let Some(value) = attributes.and_then(|text| self.value(text.get())) {
                    news.add(self.hash(&value), id);
                }
            }
            self.is_small(self.found.len() + news.count)?;
            if rows.len() < CHANGES {
                // A change with a lower number than the horizon cannot appear any more.
                news.place = news.place.max(horizon);
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::ACTION;
    use crate::model::lead::LEAD;

    #[test]
    fn a_key_is_named_by_its_field() {
        let named = |noun, text| match KeyName::parse(noun, text).unwrap() {
            KeyName::Nothing => String::new(),
            KeyName::Address(field) => field.name.into(),
            KeyName::Attribute(key) => format!("attributes.{key}"),
        };
        assert_eq!(named(&LEAD, None), "email");
        assert_eq!(named(&LEAD, Some("email")), "email");
        assert_eq!(named(&ACTION, None), "");
        assert_eq!(named(&ACTION, Some("attributes.no")), "attributes.no");
        for (noun, wrong) in [(&LEAD, "name"), (&LEAD, "attributes."), (&ACTION, "email")] {
            let told = KeyName::parse(noun, Some(wrong)).unwrap_err().message;
            assert!(told.starts_with("key: expected "), "{told}");
        }
    }

    #[test]
    fn values_are_compared_as_text() {
        for (json, text) in [
            ("\"77\"", Some("77")),
            ("77", Some("77")),
            ("true", Some("true")),
            ("\"\"", None),
            ("null", None),
            ("[1]", None),
            ("{}", None),
        ] {
            assert_eq!(plain(json).as_deref(), text, "{json}");
        }
    }
}
