//! The changes of a group that are taken back in one transaction.

use super::group::conflict;
use crate::base::error::{Error, Result, quoted};
use crate::model::field::Presence;
use crate::model::noun::Noun;
use crate::model::process::DUE;
use crate::model::record::Record;
use crate::model::stored::is_plain;
use crate::model::value::Value;
use crate::store::sql::many::{int, of_ids, text};
use crate::store::sql::statements::statements;
use crate::store::transaction::Transaction;

/// The most changes that are taken back in one transaction.
pub const PORTION: usize = 10_000;

/// How many changes are read with their contents at a time.
const MOST_READ: usize = 500;

/// The most bytes of contents that are read at a time. A single change may be larger.
const MOST_BYTES: i64 = 8 * 1024 * 1024;

/// What a change has done to its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Did {
    Create,
    Update,
    Delete,
}

/// A change of the group, without its contents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) seq: i64,
    /// The place of its noun in the list of nouns.
    pub(super) noun: usize,
    pub(super) id: i64,
    pub(super) did: Did,
    /// The version after it; before it if it is a delete.
    pub(super) version: i64,
    /// The bytes of its contents.
    size: i64,
    /// Whether its contents were erased.
    pub(super) is_erased: bool,
}

/// How a change is taken back.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// The record is deleted.
    Created,
    /// The record is inserted again.
    Deleted(Record),
    /// These fields get these values.
    Updated(Vec<(usize, Value)>),
}

/// The changes that are taken back in one transaction, the newest first.
pub(super) struct Portion {
    pub(super) steps: Vec<Step>,
}

/// Which noun a change is about, and what it did. `None` for changes of another kind.
pub(super) fn parse(nouns: &[&'static Noun], kind: &str) -> Option<(usize, Did)> {
    nouns.iter().enumerate().find_map(|(at, noun)| {
        let types = statements(noun);
        let known = [
            (&types.created, Did::Create),
            (&types.updated, Did::Update),
            (&types.deleted, Did::Delete),
        ];
        let found = known.into_iter().find(|known| known.0 == kind)?;
        Some((at, found.1))
    })
}

/// Reads the newest changes of a group after those that are taken back already.
pub(super) async fn read<T: Transaction>(tx: &mut T, group: i64, done: u64) -> Result<Portion> {
    let mut before = i64::MAX;
    if let Some(skipped) = done.checked_sub(1) {
        let skipped = i64::try_from(skipped).unwrap_or(i64::MAX);
        let sql =
            "SELECT seq FROM crm_changes WHERE first = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2";
        let rows = tx.query(sql, &[group.into(), skipped.into()]).await?;
        before = rows.first().and_then(|row| int(row, 0)).unwrap_or(group);
    }
    const COLUMNS: &str = "seq, record_id, type, version, \
                           CAST(octet_length(record) + coalesce(octet_length(previous), 0) AS bigint), \
                           CAST(CASE WHEN octet_length(record) <= 32 AND record = '{\"id\":' || record_id || '}' THEN 1 ELSE 0 END AS bigint)";
    let sql = format!(
        "SELECT {COLUMNS} FROM crm_changes WHERE first = $1 AND seq < $2 ORDER BY seq DESC LIMIT {PORTION}"
    );
    let mut rows = tx.query(&sql, &[group.into(), before.into()]).await?;
    if rows.len() < PORTION {
        let sql = format!("SELECT {COLUMNS} FROM crm_changes WHERE seq = $1");
        rows.extend(tx.query(&sql, &[group.into()]).await?);
    }
    let nouns = tx.nouns();
    let steps = rows.iter().map(|row| {
        let seq = int(row, 0).unwrap_or_default();
        let kind = text(row, 2);
        if kind == DUE {
            return Err(conflict(format!(
                "change {seq} tells that a follow-up is due, and has changed nothing that could be taken back"
            )));
        }
        let Some((noun, did)) = parse(nouns, kind) else {
            let what = match (kind.strip_suffix(".erased"), int(row, 1)) {
                (Some(name), Some(id)) => format!("has erased {name} {id}"),
                _ => format!("is {}", quoted(kind)),
            };
            return Err(conflict(format!(
                "change {seq} {what}, which cannot be taken back; nothing was changed"
            )));
        };
        match (int(row, 1), int(row, 3), int(row, 4)) {
            (Some(id), Some(version), Some(size)) => Ok(Step {
                seq,
                noun,
                id,
                did,
                version,
                size,
                is_erased: int(row, 5) == Some(1),
            }),
            _ => Err(unreadable(seq)),
        }
    });
    Ok(Portion {
        steps: steps.collect::<Result<_>>()?,
    })
}

impl Portion {
    /// The changes in parts whose contents are read at once.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[Step]> {
        let mut rest = &self.steps[..];
        std::iter::from_fn(move || {
            let mut bytes = 0;
            let fits = rest.iter().take(MOST_READ).take_while(|step| {
                let is_first = bytes == 0;
                bytes += step.size.max(1);
                is_first || bytes <= MOST_BYTES
            });
            let (part, after) = rest.split_at(fits.count());
            rest = after;
            (!part.is_empty()).then_some(part)
        })
    }
}

/// Reads the contents of changes, in their order.
pub(super) async fn contents<T: Transaction>(tx: &mut T, part: &[Step]) -> Result<Vec<Content>> {
    let nouns = tx.nouns();
    let seqs: Vec<i64> = part.iter().map(|step| step.seq).collect();
    let rows = of_ids(tx, &seqs, |markers| {
        format!(
            "SELECT seq, record, previous FROM crm_changes WHERE seq IN ({markers}) ORDER BY seq DESC"
        )
    })
    .await?;
    let contents = part.iter().enumerate().map(|(at, step)| {
        let row = rows.get(at).filter(|row| int(row, 0) == Some(step.seq));
        let row = row.ok_or_else(|| unreadable(step.seq))?;
        content(nouns[step.noun], step, row).ok_or_else(|| unreadable(step.seq))
    });
    contents.collect()
}

fn content(noun: &'static Noun, step: &Step, row: &[Value]) -> Option<Content> {
    match step.did {
        Did::Create => Some(Content::Created),
        Did::Delete => {
            let record = Record::from_json(noun, text(row, 1).as_bytes())?;
            let mut fields = noun.fields.iter().zip(&record.values);
            let is_whole = fields.all(|(field, value)| is_plain(Some(field), value.cell()));
            (is_whole && record.id() == step.id).then_some(Content::Deleted(record))
        }
        Did::Update => {
            let fields = Record::fields_from_json(noun, text(row, 2).as_bytes())?;
            let is_given = |at: usize| noun.fields[at].presence != Presence::Automatic;
            let fields = fields.into_iter().filter(|(at, _)| is_given(*at));
            Some(Content::Updated(fields.collect()))
        }
    }
}

/// The error for a change whose contents are not as crm has written them.
fn unreadable(seq: i64) -> Error {
    conflict(format!(
        "change {seq} cannot be read: another program has changed it; nothing was changed"
    ))
}
