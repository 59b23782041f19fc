//! Many records in one transaction: they are found and read together, and what was answered to the lines of a
//! bulk request is kept with them.
//!
//! A single write has one statement for each step. PostgreSQL answers each of them over a connection, so a portion of some
//! hundred lines reads with a few statements, and sends its inserts without waiting in between.

use std::collections::{HashMap, HashSet};

use super::ledger::Ledger;
use super::many::{int, of_ids, text};
use super::row::mend;
use super::select::LONGEST_INDEXED;
use super::statements::statements;
use crate::base::error::{Error, Problems, Result};
use crate::model::draft::Draft;
use crate::model::email::spellings;
use crate::model::field::Field;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::transaction::Transaction;

/// How many addresses one select takes.
const ADDRESSES: [usize; 2] = [20, 500];

impl<T: Transaction> Ledger<'_, T> {
    /// Reads and locks the records with these ids, those that exist.
    pub async fn read_all(
        &mut self,
        noun: &'static Noun,
        ids: &[i64],
    ) -> Result<HashMap<i64, Record>> {
        let select = &statements(noun).select;
        let (columns, _) = select.split_once(" WHERE ").unwrap_or((select, ""));
        let rows = of_ids(self.tx, ids, |markers| {
            let table = noun.plural;
            format!(
                "{columns} WHERE {table}.id IN ({markers}) ORDER BY {table}.id{}",
                T::LOCKING
            )
        });
        let records = rows.await?.into_iter().map(|mut values| {
            mend(noun, &mut values);
            let record = Record { noun, values };
            (record.id(), record)
        });
        Ok(records.collect())
    }

    /// Begins a part that can be undone alone, and returns where its changes begin.
    pub async fn begin_part(&mut self) -> Result<Option<i64>> {
        self.join().await?;
        self.tx.begin_part().await?;
        Ok(self.group)
    }

    /// Ends a part that began there. Unless it is kept, its changes are undone.
    pub async fn end_part(&mut self, began: Option<i64>, is_kept: bool) -> Result<()> {
        if !is_kept {
            // A change that is undone names no group.
            self.group = began;
        }
        self.tx.end_part(is_kept).await
    }
}

/// The ids of these that a table has. Until the end of the transaction, none of them is deleted.
pub async fn existing<T: Transaction>(
    tx: &mut T,
    table: &str,
    ids: &[i64],
) -> Result<HashSet<i64>> {
    let rows = of_ids(tx, ids, |markers| {
        format!(
            "SELECT id FROM {table} WHERE id IN ({markers}) ORDER BY id{}",
            T::REFERRING
        )
    });
    Ok(rows.await?.iter().filter_map(|row| int(row, 0)).collect())
}

/// The records with these addresses, of several with one the lowest id. Until the end of the transaction, nobody else
/// looks for the addresses.
pub async fn with_addresses<T: Transaction>(
    tx: &mut T,
    noun: &'static Noun,
    field: &str,
    addresses: &[String],
) -> Result<HashMap<String, i64>> {
    tx.alone_with_all(noun, addresses.to_vec()).await?;
    // An older crm or another program may have stored an address in another spelling.
    let spelled = addresses.iter().flat_map(|address| {
        spellings(address)
            .into_iter()
            .map(move |one| (one, address))
    });
    let spelled: Vec<(String, &String)> = spelled.collect();
    let plain: HashMap<&str, &String> = spelled
        .iter()
        .map(|(one, address)| (one.as_str(), *address))
        .collect();
    let mut found: HashMap<String, i64> = HashMap::new();
    let longest = ADDRESSES[ADDRESSES.len() - 1];
    for chunk in spelled.chunks(longest) {
        let length = ADDRESSES.into_iter().find(|length| *length >= chunk.len());
        let length = length.unwrap_or(longest);
        let markers: Vec<String> = (1..=length).map(|at| format!("${at}")).collect();
        let last = chunk
            .last()
            .map(|(one, _)| one.as_str())
            .unwrap_or_default();
        let padded = chunk.iter().map(|(one, _)| one.as_str());
        let padded = padded.chain(std::iter::repeat(last)).take(length);
        let params: Vec<Value> = padded.map(Value::from).collect();
        let sql = format!(
            "SELECT id, lower({field}) FROM {} WHERE lower({field}) IN ({}) AND octet_length({field}) <= {LONGEST_INDEXED}",
            noun.plural,
            markers.join(", ")
        );
        for row in tx.query(&sql, &params).await? {
            let (Some(id), Some(address)) = (int(&row, 0), plain.get(text(&row, 1))) else {
                continue;
            };
            let lowest = found.entry((*address).clone()).or_insert(id);
            *lowest = id.min(*lowest);
        }
    }
    Ok(found)
}

/// The error of a draft that names records which do not exist, as the ledger tells it, or `None`.
pub async fn dangling<T: Transaction>(
    ledger: &mut Ledger<'_, T>,
    draft: &Draft,
    known: &HashMap<&'static str, HashSet<i64>>,
) -> Result<Option<Error>> {
    let is_there = |(field, id): (&'static Field, i64)| match field.kind {
        Kind::Reference(target) => known
            .get(target.plural)
            .is_some_and(|ids| ids.contains(&id)),
        _ => true,
    };
    match draft.references().all(is_there) {
        true => Ok(None),
        false => ledger.refused(draft, Problems::default()).await.map(Some),
    }
}
