//! The changes that the index has not followed yet. A search looks through them itself: to read a change and compare it is
//! far cheaper than to write its words into the index, so a search after a long load does not wait for the index.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::state::{NounPart, Reads};
use crate::base::error::Result;
use crate::base::words::may_have;
use crate::model::find::Find;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::sql::statements::statements;

/// How many changes are read at once.
const READ: usize = 2_000;

/// The longest record that is read with its change, in bytes. A longer one is read by its id, so that a portion stays small.
const LONGEST: usize = 4 * 1024;

/// Finds the records of each part that match as their newest change after `place` and up to `newest` has them. Of those that
/// match equally well, the `most` newest are returned.
pub(super) async fn matching<R: Reads>(
    reads: &mut R,
    (place, newest): (i64, i64),
    parts: &[NounPart],
    find: &Find,
    most: usize,
) -> Result<Vec<Vec<i64>>> {
    let sql = format!(
        "SELECT seq, type, record_id, CASE WHEN octet_length(record) <= {LONGEST} THEN record END FROM crm_changes \
         WHERE seq > $1 AND seq <= $2 ORDER BY seq DESC LIMIT {READ}"
    );
    let kinds: Vec<String> = parts
        .iter()
        .map(|part| format!("{}.", part.noun.name))
        .collect();
    let mut found: Vec<BTreeMap<Option<u8>, BTreeSet<i64>>> = vec![BTreeMap::new(); parts.len()];
    let mut seen = HashSet::new();
    let mut next = newest;
    while next > place {
        let rows = reads.rows(&sql, &[place.into(), next.into()]).await?;
        for row in &rows {
            let kind = row[1].text().unwrap_or_default();
            let at = kinds.iter().position(|of| kind.starts_with(of.as_str()));
            let (Some(at), Some(id)) = (at, row[2].int()) else {
                continue;
            };
            // The first one that is read is the newest of its record. Nothing comes before the one that made it.
            let is_newest = match kind == statements(parts[at].noun).created {
                true => !seen.contains(&(at, id)),
                false => seen.insert((at, id)),
            };
            if is_newest && let Some(rank) = rank(&parts[at], kind, &row[3], find) {
                let ids = found[at].entry(rank).or_default();
                ids.insert(id);
                // Those that are still to be read may all match.
                if ids.len() > most && rank.is_some() {
                    ids.pop_first();
                }
            }
        }
        next = match rows.last() {
            Some(row) if rows.len() == READ => row[0].int().unwrap_or_default() - 1,
            _ => place,
        };
    }
    let ids = |ranks: BTreeMap<Option<u8>, BTreeSet<i64>>| ranks.into_values().flatten().collect();
    Ok(found.into_iter().map(ids).collect())
}

/// How well the record of a change matches. `Some(None)` if the change does not say.
fn rank(part: &NounPart, kind: &str, record: &Value, find: &Find) -> Option<Option<u8>> {
    let known = statements(part.noun);
    if kind == known.deleted || kind == known.erased {
        return None;
    }
    let Some(text) = record.text() else {
        return Some(None);
    };
    if !may_have(text, &find.words) {
        return None;
    }
    match Record::from_json(part.noun, text.as_bytes()) {
        Some(record) => find.rank(&record).map(Some),
        None => Some(None),
    }
}
