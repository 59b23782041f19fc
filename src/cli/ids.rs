//! The records that a command names: `14`, `14,15`, `14-17`, an e-mail address, and `-` for standard input.
//!
//! All of them are read before anything is done, so a typing error in the last one changes nothing. Ids are not looked
//! up in advance: a record that does not exist is told when its turn comes, and the command continues with the others.
//! An address is looked up in advance, because it may belong to several records.

use std::io::{self, BufRead};

use super::names::instead_of;
use crate::base::error::{Code, Error, Problems, Result, quoted};
use crate::model::draft::Input;
use crate::model::email::email;
use crate::model::field::{Field, ID};
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::nouns::target;
use crate::model::query::Query;
use crate::output::Extent;
use crate::store::any::AnyStore;
use crate::store::contract::Store;
use crate::views::changes::CHANGE;

/// What the help says of ids, for a noun without addresses and for one with them.
pub(super) const HELP: [&str; 2] = [
    "The {plural}: ids (14 or 14,15 or 14-17); - reads them from standard input",
    "The {plural}: ids (14 or 14,15 or 14-17) or e-mail addresses; - reads them from standard input",
];

/// The most ids that the ranges of a command may stand for in all. A slip such as `1-1000000` is more likely than the
/// wish to change a million records; those who wish it can name them by a list.
pub(super) const MOST_IN_RANGES: u64 = 1_000;

/// How many records an error names if they have the same address.
const MOST_TOLD: usize = 10;

/// The records that a command names.
#[derive(Debug)]
pub(super) struct Named {
    records: Vec<OneNamed>,
    /// One record only if exactly one id or address was given. A program that gives a list gets a list.
    pub(super) extent: Extent,
}

#[derive(Debug, PartialEq, Eq)]
enum OneNamed {
    Id(i64),
    Address(String),
}

impl Named {
    /// Reads the words. `changes` says whether the command takes the fields of a record, for the advice in the error.
    pub(super) fn read(noun: &'static Noun, words: &[String], changes: bool) -> Result<Named> {
        let mut reader = Reader {
            noun,
            changes,
            records: Vec::new(),
            in_ranges: 0,
            problems: Problems::default(),
        };
        for word in words {
            match word.as_str() {
                "-" => {
                    for line in io::stdin().lock().lines() {
                        let line = line
                            .map_err(|error| Error::failed(format!("standard input: {error}")))?;
                        line.split_whitespace().for_each(|word| reader.word(word));
                    }
                }
                word => reader.word(word),
            }
        }
        let extent = match (words, reader.records.as_slice()) {
            ([word], [OneNamed::Address(_)]) if word != "-" => Extent::One,
            ([word], [_]) if word.bytes().all(|byte| byte.is_ascii_digit()) => Extent::One,
            _ => Extent::Many,
        };
        match reader.problems.is_empty() {
            true => Ok(Named {
                records: reader.records,
                extent,
            }),
            false => Err(Error::fields(reader.problems)),
        }
    }

    /// The ids. Looks up the addresses.
    pub(super) async fn ids(self, store: &AnyStore, noun: &'static Noun) -> Result<Vec<i64>> {
        let mut ids = Vec::with_capacity(self.records.len());
        for record in self.records {
            ids.push(match record {
                OneNamed::Id(id) => id,
                OneNamed::Address(address) => with_address(store, noun, &address).await?,
            });
        }
        Ok(ids)
    }

    /// The same for a command that also erases records that are deleted. An address stands for the record that has it, and
    /// for those that had it when they were deleted.
    pub(super) async fn ids_to_erase(
        self,
        store: &AnyStore,
        noun: &'static Noun,
    ) -> Result<Vec<i64>> {
        self.ids_with_deleted(store, noun, true).await
    }

    /// The same for a command that also shows records that are deleted. An address that no record has stands for those that
    /// had it when they were deleted.
    pub(super) async fn ids_in_history(
        self,
        store: &AnyStore,
        noun: &'static Noun,
    ) -> Result<Vec<i64>> {
        self.ids_with_deleted(store, noun, false).await
    }

    async fn ids_with_deleted(
        self,
        store: &AnyStore,
        noun: &'static Noun,
        always: bool,
    ) -> Result<Vec<i64>> {
        let mut ids = Vec::with_capacity(self.records.len());
        for record in self.records {
            let address = match record {
                OneNamed::Id(id) => {
                    ids.push(id);
                    continue;
                }
                OneNamed::Address(address) => address,
            };
            let there = match with_address(store, noun, &address).await {
                Ok(id) => Some(id),
                Err(error) if error.code == Code::NotFound => None,
                Err(error) => return Err(error),
            };
            let deleted = match there.is_none() || always {
                true => deleted_with_address(store, noun, &address).await?,
                false => Vec::new(),
            };
            if there.is_none() && deleted.is_empty() {
                let (name, address) = (noun.name, quoted(&address));
                let why = format!(
                    "no {name} has the address {address}, and no deleted {name} whose changes are kept had it"
                );
                return Err(Error::new(Code::NotFound, why));
            }
            ids.extend(there.into_iter().chain(deleted));
        }
        Ok(ids)
    }
}

struct Reader {
    noun: &'static Noun,
    changes: bool,
    records: Vec<OneNamed>,
    in_ranges: u64,
    problems: Problems,
}

impl Reader {
    fn word(&mut self, word: &str) {
        // An address may have a comma or a hyphen in it.
        if is_address(self.noun, word) && !word.contains(',') {
            return self.records.push(OneNamed::Address(word.into()));
        }
        for part in word.split(',') {
            if let Err(expected) = self.part(word, part) {
                return self.problems.push("id", expected);
            }
        }
    }

    fn part(&mut self, word: &str, part: &str) -> Result<(), String> {
        if let Ok(id) = self.noun.parse_id(part) {
            self.records.push(OneNamed::Id(id));
            return Ok(());
        }
        if is_address(self.noun, part) {
            self.records.push(OneNamed::Address(part.into()));
            return Ok(());
        }
        let ends = part.split_once('-');
        let ends = ends.map(|(first, last)| (self.noun.parse_id(first), self.noun.parse_id(last)));
        let Some((Ok(first), Ok(last))) = ends else {
            return Err(self.expected(word));
        };
        if last < first {
            return Err(format!(
                "expected a range that begins with its lower id, got {}",
                quoted(part)
            ));
        }
        self.in_ranges = self
            .in_ranges
            .saturating_add(last.abs_diff(first))
            .saturating_add(1);
        if self.in_ranges > MOST_IN_RANGES {
            let name = self.noun.name;
            return Err(format!(
                "expected ranges of at most {MOST_IN_RANGES} ids in all, got {}; for more, give the ids on standard input: \
                 crm {name} list --id gte:{first} --id lte:{last} -o id | crm {name} … -",
                quoted(part)
            ));
        }
        self.records.extend((first..=last).map(OneNamed::Id));
        Ok(())
    }

    /// What was expected instead of this word.
    fn expected(&self, word: &str) -> String {
        let noun = self.noun;
        let or_address = match noun.email() {
            Some(_) => ", or an e-mail address",
            None => "",
        };
        let meant = instead_of(noun, word).filter(|_| self.changes);
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        format!(
            "expected the id of {} {}, a whole number of 1 or more (several: 14,15 or 14-17){or_address}, got {}{meant}",
            noun.article(),
            noun.name,
            quoted(word)
        )
    }
}

/// Whether a record of the noun can be named by this address.
fn is_address(noun: &Noun, word: &str) -> bool {
    noun.email().is_some() && word.contains('@') && !word.contains('=')
}

/// The id of the only record with this address.
async fn with_address(store: &AnyStore, noun: &'static Noun, address: &str) -> Result<i64> {
    let Some(field) = noun.email() else {
        return Err(noun.bad_id(address));
    };
    let pairs = vec![
        (field.name.to_string(), format!("eq:{address}")),
        ("limit".into(), (MOST_TOLD + 1).to_string()),
    ];
    let mut listing = store.list(Query::new(noun, pairs)?).await?;
    let mut ids = Vec::new();
    while let Some(records) = listing.next_chunk().await? {
        ids.extend(records.iter().map(|record| record.id()));
    }
    match ids[..] {
        [] => Err(Error::new(
            Code::NotFound,
            format!("no {} has the address {}", noun.name, quoted(address)),
        )),
        [id] => Ok(id),
        _ => {
            let told: Vec<String> = ids.iter().take(MOST_TOLD).map(i64::to_string).collect();
            let more = if ids.len() > MOST_TOLD {
                " and more"
            } else {
                ""
            };
            Err(Error::new(
                Code::Conflict,
                format!(
                    "several {} have the address {}: {}{more}; expected one of these ids instead",
                    noun.plural,
                    quoted(address),
                    told.join(", ")
                ),
            ))
        }
    }
}

/// The ids of the records that had this address when they were deleted. Reads the changes that are kept of all deletes.
async fn deleted_with_address(
    store: &AnyStore,
    noun: &'static Noun,
    address: &str,
) -> Result<Vec<i64>> {
    let (Some(field), Some(record)) = (noun.email(), CHANGE.position("record")) else {
        return Ok(Vec::new());
    };
    let key = CHANGE.position(ID.name).unwrap_or_default();
    let wanted = email(address).unwrap_or_else(|| address.into());
    let pairs = vec![("type".to_string(), format!("{}.deleted", noun.name))];
    let mut listing = store.list(Query::new(&CHANGE, pairs)?).await?;
    let mut found = Vec::new();
    while let Some(changes) = listing.next_chunk().await? {
        for change in &changes {
            let text = change.values[record].text().unwrap_or_default();
            let json: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
            let had = json[field.name].as_str();
            let is_it =
                had.is_some_and(|had| had == wanted || email(had).as_ref() == Some(&wanted));
            if let (true, Some(id)) = (is_it, change.values[key].int()) {
                found.push(id);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    let mut deleted = Vec::with_capacity(found.len());
    for id in found {
        // One that was taken back may have another address by now.
        match store.get(noun, id).await {
            Err(error) if error.code == Code::NotFound => deleted.push(id),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Ok(deleted)
}

/// The noun that a field refers to, if this value names its record by an address: `--lead ada@example.com`.
pub(super) fn address_of(field: &Field, value: &str) -> Option<&'static Noun> {
    let Kind::Reference(to) = field.kind else {
        return None;
    };
    target(to).filter(|noun| is_address(noun, value))
}

/// The value of a reference that is given as an address.
pub(super) async fn reference(
    store: &AnyStore,
    field: &Field,
    address: &str,
) -> Result<Option<Input>> {
    match address_of(field, address) {
        Some(noun) => {
            let id = with_address(store, noun, address).await;
            id.map(|id| Some(Input::Int(id))).map_err(|error| {
                Error::new(error.code, format!("{}: {}", field.name, error.message))
            })
        }
        None => Ok(None),
    }
}

/// Replaces the addresses in the filters of references by ids: `--lead ada@example.com`, `--lead in:3,ada@example.com`.
pub(super) async fn in_filters(
    store: &AnyStore,
    noun: &'static Noun,
    pairs: &mut [(String, String)],
) -> Result<()> {
    for (name, value) in pairs {
        let Some(field) = noun.position(name).map(|at| &noun.fields[at]) else {
            continue;
        };
        if address_of(field, value).is_none() {
            continue;
        }
        let (operator, values) = match value.split_once(':') {
            Some((operator, values)) => (format!("{operator}:"), values),
            None => (String::new(), value.as_str()),
        };
        let mut ids = Vec::new();
        for part in values.split(',') {
            ids.push(match reference(store, field, part).await? {
                Some(Input::Int(id)) => id.to_string(),
                _ => part.to_string(),
            });
        }
        *value = format!("{operator}{}", ids.join(","));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::ACTION;
    use crate::model::lead::LEAD;

    fn read(noun: &'static Noun, words: &[&str]) -> Result<Named> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        Named::read(noun, &words, true)
    }

    #[test]
    fn ids_are_numbers_lists_and_ranges() {
        let ids = |words: &[&str]| {
            let named = read(&ACTION, words).unwrap();
            let ids = named.records.iter().map(|one| match one {
                OneNamed::Id(id) => *id,
                OneNamed::Address(_) => 0,
            });
            (ids.collect::<Vec<i64>>(), named.extent)
        };
        assert_eq!(ids(&["14"]), (vec![14], Extent::One));
        assert_eq!(ids(&["14,15"]), (vec![14, 15], Extent::Many));
        assert_eq!(
            ids(&["14-16,2", "9"]),
            (vec![14, 15, 16, 2, 9], Extent::Many)
        );
        // A range of one is a list of one.
        assert_eq!(ids(&["7-7"]), (vec![7], Extent::Many));
        for wrong in [
            "17-14", "14,", "-14", "14-", "x", "0", "0-3", "1-2-3", "a@b.c",
        ] {
            let error = read(&ACTION, &["1", wrong]).unwrap_err();
            assert_eq!(error.code, Code::Invalid, "{wrong}");
            assert!(
                error.message.starts_with("id: expected "),
                "{wrong}: {error}"
            );
        }
    }

    #[test]
    fn leads_are_named_by_their_address_too() {
        let named = read(&LEAD, &["ada@example.com"]).unwrap();
        assert_eq!(named.extent, Extent::One);
        assert_eq!(named.records, [OneNamed::Address("ada@example.com".into())]);
        let named = read(&LEAD, &["3,ada-b@example.com"]).unwrap();
        assert_eq!(
            named.records[1],
            OneNamed::Address("ada-b@example.com".into())
        );
    }

    #[test]
    fn large_ranges_are_refused_at_once() {
        assert_eq!(read(&LEAD, &["1-1000"]).unwrap().records.len(), 1000);
        for words in [
            &["1-1001"][..],
            &["1-9223372036854775807"],
            &["1-600", "1-600"],
        ] {
            let error = read(&LEAD, words).unwrap_err();
            assert!(error.message.contains("at most 1000 ids"), "{error}");
        }
    }

    #[test]
    fn a_change_in_the_place_of_an_id_is_recognised() {
        let error = read(&LEAD, &["2", "status=contacted"]).unwrap_err();
        assert!(
            error.message.ends_with("did you mean --status contacted?"),
            "{error}"
        );
    }
}
