//! Whether the records of a database are what its changes say: no record without its change, and no change without its
//! record. Every test that kills, cuts, fills or fails something ends with this comparison.
//!
//! The changes are replayed from the first one. Each has to fit the state before it: what is created was not there, an
//! update tells what was there before, and a deletion has the record as it was. What the replay ends with has to be in the
//! tables, and nothing else.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crm::model::field::Presence;
use crm::model::noun::Noun;
use crm::model::nouns::NOUNS;
use crm::model::query::{Query, pairs};
use crm::model::record::Record;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use crm::store::postgres::Postgres;
use crm::store::sqlite::Work;
use crm::views::changes::CHANGE;
use serde_json::value::RawValue;

/// How long a write may go on whose server was killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The fields of a record, each as its JSON text, so that no digit of a number is lost.
type Fields = HashMap<String, Box<RawValue>>;

fn parse(json: &str) -> Fields {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// The record of a change without what it says of a merge, which is its last member.
fn without_note(json: &str) -> String {
    let note = [",\"merged\":[", ",\"merged_into\":"];
    let at = note.into_iter().filter_map(|note| json.rfind(note)).max();
    at.map_or_else(|| json.into(), |at| format!("{}}}", &json[..at]))
}

/// A record by its noun's name and its id.
type Key = (String, i64);

/// What the changes up to some number say.
#[derive(Default)]
struct Replay {
    /// The version and the JSON of each record that is there.
    records: HashMap<Key, (i64, String)>,
    /// The greatest version that each record has had. None comes twice.
    versions: HashMap<Key, i64>,
    /// For each number whether it is the first of its group.
    changes: HashMap<i64, bool>,
    last: i64,
}

impl Replay {
    fn change(&mut self, change: &Record) {
        let text = |field| change.get(field).text().unwrap();
        let int = |field| change.get(field).int().unwrap();
        let whole = text("record");
        let json = &*without_note(whole);
        let (seq, version) = (int("seq"), int("version"));
        let what = || format!("change {seq}, {} {json}", text("type"));
        assert!(seq > self.last, "after {}: {}", self.last, what());
        self.last = seq;
        let group = int("group");
        let is_first = self.changes.get(&group).copied();
        assert!(
            group == seq || is_first == Some(true),
            "of no group: {}",
            what()
        );
        self.changes.insert(seq, group == seq);

        let (noun, happened) = text("type").split_once('.').unwrap();
        let key: Key = (noun.into(), int("id"));
        let fields = parse(json);
        assert_eq!(fields["id"].get(), key.1.to_string(), "{}", what());
        let before = self.records.remove(&key);
        let greatest = self.versions.entry(key.clone()).or_default();
        match happened {
            "created" | "updated" => {
                assert!(version > *greatest, "version {version}: {}", what());
                *greatest = version;
                assert_eq!(before.is_some(), happened == "updated", "{}", what());
            }
            // It tells of the record and does not change it.
            _ => assert_eq!(
                before.as_ref(),
                Some(&(version, json.to_string())),
                "{}",
                what()
            ),
        }
        if let (Some((_, before)), "updated") = (&before, happened) {
            let previous = parse(text("previous"));
            let before = parse(before);
            for name in before.keys().chain(fields.keys()).chain(previous.keys()) {
                let [before, previous, after] =
                    [&before, &previous, &fields].map(|all| all.get(name).map(|value| value.get()));
                let told = previous.or(after);
                assert_eq!(told, before, "{name}: {}", what());
                assert!(after.is_some(), "{name}: {}", what());
            }
        }
        if happened != "deleted" {
            self.records.insert(key, (version, json.to_string()));
        }
    }

    /// The records that are there are those of the replay.
    fn compare(&self, noun: &'static Noun, found: &[Record], versions: &HashMap<i64, i64>) {
        let expected = self.records.keys().filter(|(name, _)| name == noun.name);
        let found_ids: HashMap<i64, &Record> = found.iter().map(|one| (one.id(), one)).collect();
        for (name, id) in expected {
            let (_, json) = &self.records[&(name.clone(), *id)];
            assert!(
                found_ids.contains_key(id),
                "a change without its record: {name} {json}"
            );
        }
        assert_eq!(found.len(), found_ids.len(), "{} twice", noun.plural);
        for record in found {
            let json = record.to_json();
            let Some((version, told)) = self.records.get(&(noun.name.into(), record.id())) else {
                panic!("a record without its change: {} {json}", noun.name);
            };
            assert_eq!(versions[&record.id()], *version, "{} {json}", noun.name);
            let (is, told) = (parse(&json), parse(told));
            for field in noun.fields {
                let [is, told] = [&is, &told].map(|all| all.get(field.name).map(|one| one.get()));
                // What crm derives from other records may be left out of changes.
                let is_derived = told.is_none() && field.presence == Presence::Automatic;
                assert!(
                    is == told || is_derived,
                    "{} {json} is not what its change says: {}: {told:?}",
                    noun.name,
                    field.name
                );
            }
            assert!(told.keys().all(|name| is.contains_key(name)), "{json}");
        }
        assert_eq!(versions.len(), found.len(), "{}", noun.plural);
    }
}

/// A database that is looked at.
struct Looked {
    store: AnyStore,
    /// The versions are in no list.
    file: Option<rusqlite::Connection>,
    link: Option<tokio_postgres::Client>,
}

impl Looked {
    async fn open(database: &str) -> Looked {
        if !database.starts_with("postgres") {
            let (store, _) = AnyStore::open(Path::new(database), Work::Command).unwrap();
            let file = rusqlite::Connection::open(database).unwrap();
            file.busy_timeout(Duration::from_secs(30)).unwrap();
            return Looked {
                store,
                file: Some(file),
                link: None,
            };
        }
        let store = AnyStore::Postgres(Postgres::open(database, 2).await.unwrap());
        let (link, connection) = tokio_postgres::connect(database, tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        Looked {
            store,
            file: None,
            link: Some(link),
        }
    }

    async fn versions(&self, noun: &Noun) -> HashMap<i64, i64> {
        let sql = format!("SELECT id, version FROM {}", noun.plural);
        if let Some(link) = &self.link {
            let rows = link.query(&sql, &[]).await.unwrap();
            return rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        }
        let mut statement = self.file.as_ref().unwrap().prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// All of a noun, and whether changes may follow that are not there yet.
    async fn list(&self, noun: &'static Noun, query: &str) -> (Vec<Record>, bool) {
        let query = Query::new(noun, pairs(query).unwrap()).unwrap();
        let mut listing = self.store.list(query).await.unwrap();
        let mut all = Vec::new();
        while let Some(chunk) = listing.next_chunk().await.unwrap() {
            all.extend(chunk);
        }
        (all, listing.is_behind)
    }

    /// Compares once. `None` where something was written meanwhile, or is being written.
    async fn compare(&self) -> Option<usize> {
        let (changes, is_behind) = self.list(&CHANGE, "").await;
        let mut tables = Vec::new();
        for noun in NOUNS {
            let (records, _) = self.list(noun, "").await;
            tables.push((noun, records, self.versions(noun).await));
        }
        let (newest, is_behind_now) = self.list(&CHANGE, "sort=-seq&limit=1").await;
        let newest = newest.first().map(Record::id);
        if is_behind || is_behind_now || newest != changes.last().map(Record::id) {
            return None;
        }
        let mut replay = Replay::default();
        for change in &changes {
            replay.change(change);
        }
        if self.file.is_some() {
            // A write that fails gives its number back, so none is left out.
            assert_eq!(replay.last, changes.len() as i64, "a number is left out");
        }
        for (noun, records, versions) in tables {
            replay.compare(noun, &records, &versions);
        }
        Some(changes.len())
    }
}

/// Compares the records of a database, a path or a URL, with its changes. Nobody but crm has written to it, nothing was
/// erased, and all changes are kept. Answers how many changes there are.
pub async fn agrees(database: &str) -> usize {
    let looked = Looked::open(database).await;
    let begun = Instant::now();
    let changes = loop {
        if let Some(changes) = looked.compare().await {
            break changes;
        }
        // PostgreSQL may still be at the last write of a server that was killed.
        assert!(begun.elapsed() < PATIENCE, "writes go on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    looked.store.close().await.unwrap();
    changes
}

/// The same, for a test without a runtime.
pub fn agree(database: &str) -> usize {
    crate::property::runtime().block_on(agrees(database))
}
