//! What a lead that is gone was merged into. The change that deleted it says so, beside its fields, and nothing else does: so a
//! merge that is taken back leaves nothing behind, and one that is made again by an undo of the undo says it again.

use std::collections::HashSet;

use crate::base::error::{Code, Error};
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::value::Value;

/// The member of a deleted lead's JSON with the id of the lead that it was merged into.
const INTO: &str = "merged_into";

/// How many merges are followed, each into a lead that was itself merged later.
const MOST: usize = 1_000;

/// The note of the change that deletes a lead because it is merged into this one.
pub(crate) fn note_of(into: i64) -> String {
    format!("\"{INTO}\":{into}")
}

/// The note of the change of a lead that others are merged into.
pub(crate) fn note_with(others: &[i64]) -> String {
    let ids: Vec<String> = others.iter().map(i64::to_string).collect();
    format!("\"merged\":[{}]", ids.join(","))
}

/// The select of the last deletes of leads. The index `crm_changes_by_deleted_lead` has them alone.
pub(crate) fn last_deletes(markers: &str) -> String {
    format!(
        "SELECT record_id, record FROM crm_changes WHERE type = 'lead.deleted' AND record_id IN ({markers}) \
         AND seq = (SELECT max(seq) FROM crm_changes AS later WHERE later.type = 'lead.deleted' AND later.record_id = crm_changes.record_id)"
    )
}

/// The deleted leads whose delete may say that they were merged into the lead `$1`.
pub(crate) const MERGED_INTO: &str =
    "SELECT DISTINCT record_id FROM crm_changes WHERE type = 'lead.deleted' AND record LIKE $1";

/// The pattern of the JSON of such a lead.
pub(crate) fn pattern(into: i64) -> Value {
    format!("%,{}}}", note_of(into)).as_str().into()
}

/// The deleted lead in a row of [`last_deletes`], and the one that it was merged into, if it was.
pub(crate) fn merged(row: &[Value]) -> Option<(i64, i64)> {
    let text = row.get(1)?.text()?;
    // The letters may also be in a text, so the object is read.
    let json: serde_json::Value = text
        .contains(INTO)
        .then(|| serde_json::from_str(text).ok())??;
    Some((row.first()?.int()?, json.get(INTO)?.as_i64()?))
}

/// Follows the merges of a lead that is gone, one select after the other.
pub(crate) struct Merges {
    begin: i64,
    at: i64,
    seen: HashSet<i64>,
    ended: bool,
}

impl Merges {
    pub(crate) fn of(id: i64) -> Merges {
        Merges {
            begin: id,
            at: id,
            seen: HashSet::from([id]),
            ended: false,
        }
    }

    /// The next select with its parameter, `None` at the end. Its rows are for [`Merges::found`].
    pub(crate) fn next(&self) -> Option<(String, [Value; 1])> {
        let sql = || {
            let gone = "NOT EXISTS (SELECT 1 FROM leads WHERE leads.id = crm_changes.record_id)";
            format!("{} AND {gone}", last_deletes("$1"))
        };
        (!self.ended).then(|| (sql(), [self.at.into()]))
    }

    pub(crate) fn found(&mut self, rows: &[Vec<Value>]) {
        match rows.first().and_then(|row| merged(row)) {
            Some((_, into)) if self.seen.len() < MOST && self.seen.insert(into) => self.at = into,
            _ => self.ended = true,
        }
    }

    /// The lead that it was merged into, through all merges.
    pub(crate) fn into(self) -> Option<i64> {
        (self.at != self.begin).then_some(self.at)
    }
}

/// Whether an error may be about a lead that was merged.
pub(crate) fn is_missing(of: Option<(&'static Noun, i64)>, error: &Error) -> Option<i64> {
    let (noun, id) = of?;
    let may_be = *noun == LEAD && error.code == Code::NotFound && error.merged_into.is_none();
    may_be.then_some(id)
}
