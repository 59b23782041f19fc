//! Keeps the [newest time](crate::model::kind::Newest) of the records that refer to a record.
//!
//! It follows from those records, so it is no change: it has no part in the version, in `updated_at` and in what a change
//! says of the record. A new record raises it in its own statement. Whatever else happens to records finds it anew, with an
//! index on the reference and the time.

use std::collections::BTreeSet;

use super::faults::Repairs;
use super::reversal::Reversal;
use super::statements::{NewestOf, statements};
use crate::base::error::Result;
use crate::model::draft::Draft;
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::transaction::{Raise, Transaction};

/// How many records one statement takes. There are few lengths, so that few statements are prepared.
const LENGTHS: [usize; 3] = [1, 20, 500];

/// What a new record raises.
pub(super) fn raise(record: &Record) -> Option<Raise<'_>> {
    let newest = statements(record.noun).newest.as_ref()?;
    let id = &record.values[newest.reference];
    id.int().map(|_| Raise {
        sql: &newest.raise,
        time: &record.values[newest.time],
        id,
    })
}

/// Whether a change moves the time, or the record to another owner.
pub(super) fn is_moved(noun: &'static Noun, changes: &[(usize, Value)]) -> bool {
    let newest = statements(noun).newest.as_ref();
    newest.is_some_and(|newest| {
        let moved = |at: usize| at == newest.reference || at == newest.time;
        changes.iter().any(|(at, _)| moved(*at))
    })
}

/// Whether a draft may move the time, or the record to another owner.
pub(crate) fn may_move(draft: &Draft) -> bool {
    let newest = statements(draft.noun).newest.as_ref();
    newest.is_some_and(|newest| draft.gives(newest.reference) || draft.gives(newest.time))
}

/// Locks the record that this one refers to, before this one is locked. A delete of the other locks both in that order.
pub(crate) async fn lock_owner<T: Transaction>(
    tx: &mut T,
    noun: &'static Noun,
    id: i64,
) -> Result<()> {
    let Some(newest) = statements(noun)
        .newest
        .as_ref()
        .filter(|_| !T::LOCKING.is_empty())
    else {
        return Ok(());
    };
    let owner = newest.owner.plural;
    let reference = noun.fields[newest.reference].name;
    let sql = format!(
        "SELECT id FROM {owner} WHERE id = (SELECT {reference} FROM {} WHERE id = $1) FOR NO KEY UPDATE",
        noun.plural
    );
    tx.query(&sql, &[id.into()]).await?;
    Ok(())
}

/// The records whose newest time has to be found anew.
#[derive(Default)]
pub(super) struct Owners {
    /// How it is found.
    newest: Option<&'static NewestOf>,
    ids: BTreeSet<i64>,
}

impl Owners {
    /// Adds the record that this one refers to.
    pub(super) fn add_if(&mut self, is_wanted: bool, record: &Record) {
        let Some(newest) = statements(record.noun)
            .newest
            .as_ref()
            .filter(|_| is_wanted)
        else {
            return;
        };
        self.newest = Some(newest);
        self.ids.extend(record.values[newest.reference].int());
    }

    /// Adds a record, if its noun has a newest time.
    pub(super) fn add(&mut self, noun: &'static Noun, id: i64) {
        let sources = NOUNS
            .iter()
            .filter_map(|noun| statements(noun).newest.as_ref());
        let mut sources = sources.filter(|newest| newest.owner == noun);
        if let Some(newest) = sources.next() {
            self.newest = Some(newest);
            self.ids.insert(id);
        }
    }

    /// Adds the records that a reversal is about.
    pub(super) fn add_reversed(&mut self, reversal: &Reversal) {
        match reversal {
            Reversal::Delete(record, _) => self.add_if(true, record),
            Reversal::Restore(record) => {
                self.add_if(true, record);
                self.add(record.noun, record.id());
            }
            Reversal::ChangeBack(record, changes) => {
                let is_wanted = is_moved(record.noun, changes);
                self.add_if(is_wanted, record);
                if let Some(newest) = self.newest.filter(|_| is_wanted) {
                    let owners = changes.iter().filter(|(at, _)| *at == newest.reference);
                    self.ids.extend(owners.filter_map(|(_, value)| value.int()));
                }
            }
        }
    }

    /// Finds the newest time of each anew.
    pub(super) async fn renew<T: Transaction>(self, tx: &mut T) -> Result<()> {
        let Some(newest) = self.newest else {
            return Ok(());
        };
        let ids: Vec<i64> = self.ids.into_iter().collect();
        let longest = LENGTHS[LENGTHS.len() - 1];
        for chunk in ids.chunks(longest) {
            let length = LENGTHS.into_iter().find(|length| *length >= chunk.len());
            let length = length.unwrap_or(longest);
            let markers: Vec<String> = (1..=length).map(|at| format!("${at}")).collect();
            // An id that is named twice is found once.
            let last = chunk.last().copied().unwrap_or_default();
            let padded = chunk.iter().copied().chain(std::iter::repeat(last));
            let params: Vec<Value> = padded.take(length).map(Value::Int).collect();
            let (renew, table) = (&newest.renew, newest.owner.plural);
            let sql = format!("{renew}{table}.id IN ({})", markers.join(", "));
            tx.execute(&sql, &params).await?;
        }
        Ok(())
    }
}

/// Finds all newest times anew, where they differ.
pub(crate) async fn renew_all<T: Transaction>(tx: &mut T) -> Result<()> {
    for noun in tx.nouns() {
        if let Some(newest) = &statements(noun).newest {
            tx.execute(&format!("{}true", newest.renew), &[]).await?;
        }
    }
    Ok(())
}

/// For each noun whose records have a newest time: the select for the ids of those that have another one than they should,
/// and what sets it right.
pub(crate) fn differing() -> impl Iterator<Item = (&'static Noun, String, String)> {
    NOUNS.iter().filter_map(|noun| {
        let newest = statements(noun).newest.as_ref()?;
        let table = newest.owner.plural;
        let select = format!(
            "SELECT id FROM {table} WHERE {} ORDER BY id",
            newest.differs
        );
        Some((newest.owner, select, newest.renew.clone()))
    })
}

/// The line of a check about such records.
pub(crate) fn told(noun: &Noun, ids: &[i64], renew: &str, repairs: &Repairs) -> Option<String> {
    let field = &noun.fields[noun.derived()?];
    let (first, table, sql) = (ids.first()?, noun.plural, &repairs.sql);
    let more = match ids.len() {
        1 => String::new(),
        all => format!(" and {} more", all - 1),
    };
    Some(format!(
        "{table} {first}{more}: {} is not the newest, because another program has changed what it follows from; `{sql} \"{renew}true\"` sets it right",
        field.name
    ))
}
