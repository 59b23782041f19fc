//! Erases a record: the right to be forgotten.
//!
//! The record and those that belong to it are deleted. Their contents are removed from all of their changes, also from those
//! of records that were deleted before, and from the answers that are kept for requests that come again. The changes stay
//! with their numbers, so that a reader of changes misses none, but a record in them is only `{"id":7}`. A repeated request
//! whose answer was erased is refused, because doing it again might bring the record back.
//!
//! This is about the tables. What a database leaves in free parts of its files is removed by the store after the commit.

use std::collections::HashSet;

use serde_json::Value as Json;

use super::dismissed::forget_dismissed;
use super::due;
use super::ledger::Ledger;
use super::merged::{MERGED_INTO, Merges, merged, pattern};
use super::once;
use super::runs::forget_refusals;
use super::statements::statements;
use crate::base::error::{Code, Result};
use crate::model::field::Presence;
use crate::model::kind::OnDelete;
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::process::PROCESS;
use crate::model::terms::Terms;
use crate::model::value::Value;
use crate::store::search::forget::forget;
use crate::store::transaction::{CHANGES_OF, Transaction};

/// The condition for a JSON text with this number in this field, as the ledger writes it. The text may have the same letters
/// elsewhere, so whoever reads it looks again.
const HAS: &str = "(record LIKE $1 OR record LIKE $2)";

/// The same for the values before a change.
const HAD: &str = "(previous LIKE $1 OR previous LIKE $2)";

/// The words of kept answers that have records.
const WITH_RECORDS: &str = "('created', 'updated', 'logged')";

/// How many records are looked for at once in the kept answers.
const PORTION: usize = 50;

/// A record that is erased.
type Erased = (&'static Noun, i64);

/// A record that once belonged to an erased one, and belongs to another now.
struct Moved {
    record: Erased,
    /// The field that named the erased record.
    field: &'static str,
    /// The id of the erased record.
    from: i64,
}

/// Erases a record and those that belong to it. Of a record that is deleted already, it erases what the changes and the kept
/// answers still have. If that is nothing, there is no such record.
pub async fn erase<T: Transaction>(
    ledger: &mut Ledger<'_, T>,
    noun: &'static Noun,
    id: i64,
    terms: &Terms,
) -> Result<()> {
    let is_there = match ledger.read(noun, id).await {
        // It is locked from here on, so that nothing can be added to it.
        Ok(record) => terms.hold(record.version()).map(|()| true)?,
        Err(error) if error.code == Code::NotFound => false,
        Err(error) => return Err(error),
    };
    let mut erased = vec![(noun, id)];
    let mut moved = Vec::new();
    let mut at = 0;
    while let Some(owner) = erased.get(at).copied() {
        merged_others(ledger.tx, owner, &mut erased).await?;
        belonging(ledger.tx, owner, &mut erased, &mut moved).await?;
        at += 1;
    }
    // What waits for a webhook is the number of a change, which is read when it is sent.
    let in_answers = forget_answers(ledger.tx, &erased).await?
        | forget_moved(ledger.tx, &moved).await?
        | !moved.is_empty();
    if is_there {
        ledger.erases = true;
        let deleted = ledger.delete(noun, id, true, &Terms::default()).await;
        ledger.erases = false;
        deleted?;
    } else {
        if !in_answers && !has_contents(ledger.tx, &erased).await? {
            return Err(noun.not_found());
        }
        let version = last_version(ledger.tx, (noun, id)).await?;
        terms.hold(version)?;
        ledger.append_erased(noun, id, version).await?;
    }
    forget_dismissed(ledger.tx, &erased).await?;
    forget_refusals(ledger.tx).await?;
    ledger.tx.index_changes().await?;
    for one in &erased {
        reduce(ledger.tx, *one).await?;
    }
    forget(ledger.tx, &erased).await
}

/// Finds the leads that were merged into a lead: they are the same person.
async fn merged_others<T: Transaction>(
    tx: &mut T,
    (noun, id): Erased,
    found: &mut Vec<Erased>,
) -> Result<()> {
    if *noun != LEAD {
        return Ok(());
    }
    for row in tx.query(MERGED_INTO, &[pattern(id)]).await? {
        let Some(other) = row.first().and_then(Value::int) else {
            continue;
        };
        // It may be there again, or may have been merged into another one.
        let merges = Merges::of(other);
        let Some((sql, params)) = merges.next() else {
            continue;
        };
        let rows = tx.query(&sql, &params).await?;
        let is_it = rows.first().and_then(|row| merged(row)) == Some((other, id));
        if is_it && !found.contains(&(noun, other)) {
            found.push((noun, other));
        }
    }
    Ok(())
}

/// Whether a change of any of these records still has contents.
async fn has_contents<T: Transaction>(tx: &mut T, erased: &[Erased]) -> Result<bool> {
    let sql = format!(
        "SELECT seq FROM crm_changes WHERE {CHANGES_OF} = $1) AND type IN ($2, $3, $4, $5, $6) AND \
         (record <> '{{\"id\":' || record_id || '}}' OR previous IS NOT NULL) LIMIT 1"
    );
    for (noun, id) in erased {
        let [created, updated, deleted, erased, due] = kinds(noun);
        let params = [(*id).into(), created, updated, deleted, erased, due];
        if !tx.query(&sql, &params).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The last version of a record that is deleted, as far as changes tell it.
async fn last_version<T: Transaction>(tx: &mut T, (noun, id): Erased) -> Result<i64> {
    let [created, updated, deleted, erased, due] = kinds(noun);
    let sql = format!(
        "SELECT max(version) FROM crm_changes WHERE {CHANGES_OF} = $1) AND type IN ($2, $3, $4, $5, $6)"
    );
    let params = [id.into(), created, updated, deleted, erased, due];
    let rows = tx.query(&sql, &params).await?;
    let version = rows.first().and_then(|row| row.first()?.int());
    Ok(version.unwrap_or(1))
}

/// The types of the changes of a noun.
fn kinds(noun: &'static Noun) -> [Value; 5] {
    let all = statements(noun);
    [
        &all.created,
        &all.updated,
        &all.deleted,
        &all.erased,
        &all.due,
    ]
    .map(|kind| kind.as_str().into())
}

/// Finds the records that belong to a record, now or before they were deleted.
async fn belonging<T: Transaction>(
    tx: &mut T,
    (noun, id): Erased,
    found: &mut Vec<Erased>,
    moved: &mut Vec<Moved>,
) -> Result<()> {
    for (referrer, field, on_delete) in noun.referrers(tx.nouns()) {
        if on_delete != OnDelete::Refuse {
            continue;
        }
        let mut known: HashSet<i64> = HashSet::new();
        let sql = format!(
            "SELECT id FROM {} WHERE {} = $1",
            referrer.plural, field.name
        );
        let rows = tx.query(&sql, &[id.into()]).await?;
        known.extend(rows.iter().filter_map(|row| row.first()?.int()));
        let [created, updated, deleted, _, due] = kinds(referrer);
        let sql = format!(
            "SELECT record_id, record, seq, previous FROM crm_changes WHERE ({HAS} OR {HAD}) AND type IN ($3, $4, $5, $6)"
        );
        let [middle, end] = patterns(field.name, id);
        let rows = tx
            .query(&sql, &[middle, end, created, updated, deleted, due])
            .await?;
        let mut others: Vec<(i64, i64)> = Vec::new();
        for row in rows {
            let (Some(other), Some(text), Some(seq)) = (row[0].int(), row[1].text(), row[2].int())
            else {
                continue;
            };
            // A change that has moved a record away has what it was before.
            let had = row[3].text().unwrap_or_default();
            let is_about = refers(text, field.name, id) || refers(had, field.name, id);
            if is_about && !known.contains(&other) {
                others.push((other, seq));
            }
        }
        let mut others: Vec<(i64, Option<i64>)> = others
            .into_iter()
            .map(|(other, seq)| (other, Some(seq)))
            .collect();
        // The answers are kept also where the changes are not.
        let answered = answered(tx, referrer, field.name, id).await?;
        others.extend(answered.into_iter().map(|other| (other, None)));
        for (other, seq) in others {
            if known.contains(&other) {
                continue;
            }
            let sql = format!("SELECT id FROM {} WHERE id = $1", referrer.plural);
            match tx.query(&sql, &[other.into()]).await?.is_empty() {
                true => {
                    known.insert(other);
                }
                // It belongs to another record now, and only this change is about the erased one.
                false => {
                    if let Some(seq) = seq {
                        tx.execute(&reduced("seq = $1"), &[seq.into()]).await?;
                    }
                    moved.push(Moved {
                        record: (referrer, other),
                        field: field.name,
                        from: id,
                    });
                }
            }
        }
        for other in known {
            if !found.contains(&(referrer, other)) {
                found.push((referrer, other));
            }
        }
    }
    Ok(())
}

/// The records of a noun that have this number in this field, in a kept answer.
async fn answered<T: Transaction>(
    tx: &mut T,
    noun: &'static Noun,
    field: &'static str,
    number: i64,
) -> Result<Vec<i64>> {
    let sql = format!(
        "SELECT answer FROM crm_idempotency_keys WHERE done IN {WITH_RECORDS} AND (answer LIKE $1 OR answer LIKE $2)"
    );
    let rows = tx.query(&sql, &patterns(field, number)).await?;
    let texts = rows.iter().filter_map(|row| row.first()?.text());
    let records = texts.flat_map(records_of).filter_map(|record| {
        let id = record.get("id")?.as_i64()?;
        let is_about = record.get(field).and_then(Json::as_i64) == Some(number);
        (is_about && is_of(&record, (noun, id))).then_some(id)
    });
    Ok(records.collect())
}

/// The patterns for a number in a field of a JSON object: before another field, and at the end.
fn patterns(field: &str, id: i64) -> [Value; 2] {
    // An underscore would stand for any letter, which finds more, and whoever reads it looks again.
    [
        format!("%\"{field}\":{id},%").as_str().into(),
        format!("%\"{field}\":{id}}}%").as_str().into(),
    ]
}

/// Whether a JSON object has this number in this field.
fn refers(json: &str, field: &str, id: i64) -> bool {
    let json: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    json.get(field).and_then(serde_json::Value::as_i64) == Some(id)
}

/// The statement that reduces changes.
fn reduced(condition: &str) -> String {
    format!(
        "UPDATE crm_changes SET record = '{{\"id\":' || record_id || '}}', previous = NULL, on_behalf_of = NULL, \
         request_id = NULL WHERE {condition}"
    )
}

/// Removes the contents from all changes of a record. That of its erasure has none.
async fn reduce<T: Transaction>(tx: &mut T, (noun, id): Erased) -> Result<()> {
    let [created, updated, deleted, _, due] = kinds(noun);
    let sql = reduced(&format!("{CHANGES_OF} = $1) AND type IN ($2, $3, $4, $5)"));
    tx.execute(&sql, &[id.into(), created, updated, deleted, due])
        .await?;
    match std::ptr::eq(noun, &PROCESS) {
        true => due::forget(tx, id).await,
        false => Ok(()),
    }
}

/// Removes the contents of records from the kept answers. Returns whether there were any.
async fn forget_answers<T: Transaction>(tx: &mut T, erased: &[Erased]) -> Result<bool> {
    let mut any = false;
    for portion in erased.chunks(PORTION) {
        let patterns = portion.iter().map(|(_, id)| format!("%{{\"id\":{id},%"));
        let patterns: Vec<Value> = patterns.map(|text| text.as_str().into()).collect();
        let conditions = (1..=patterns.len()).map(|at| format!("answer LIKE ${at}"));
        let conditions: Vec<String> = conditions.collect();
        let sql = format!(
            "SELECT id, answer FROM crm_idempotency_keys WHERE done IN {WITH_RECORDS} AND ({})",
            conditions.join(" OR ")
        );
        for row in tx.query(&sql, &patterns).await? {
            let answer = row.get(1).and_then(Value::text).unwrap_or_default();
            let records = records_of(answer);
            let has = |one: &Erased| records.iter().any(|record| is_of(record, *one));
            if portion.iter().any(has) {
                forget_answer(tx, row[0].clone()).await?;
                any = true;
            }
        }
        let ids: Vec<i64> = portion.iter().map(|(_, id)| *id).collect();
        forget_claims(tx, &ids).await?;
    }
    Ok(any)
}

/// Removes the kept answers to claims and merges that may have one of these records. The follow-up of a process has the
/// process's id, and of a lead that was merged an answer has values beside its id.
async fn forget_claims<T: Transaction>(tx: &mut T, ids: &[i64]) -> Result<()> {
    let mut params = vec![Value::from(once::CLAIMED), Value::from(once::MERGED)];
    let patterns = ids.iter().map(|id| format!("%{{\"id\":{id},%"));
    params.extend(patterns.map(|text| Value::from(text.as_str())));
    let conditions = (3..=params.len()).map(|at| format!("answer LIKE ${at}"));
    let conditions: Vec<String> = conditions.collect();
    let sql = format!(
        "SELECT id FROM crm_idempotency_keys WHERE done IN ($1, $2) AND ({})",
        conditions.join(" OR ")
    );
    for row in tx.query(&sql, &params).await? {
        forget_answer(tx, row[0].clone()).await?;
    }
    Ok(())
}

/// Removes what records were before they were moved from the kept answers. Returns whether there was anything.
async fn forget_moved<T: Transaction>(tx: &mut T, moved: &[Moved]) -> Result<bool> {
    let mut any = false;
    let sql = format!(
        "SELECT id, answer FROM crm_idempotency_keys WHERE done IN {WITH_RECORDS} AND answer LIKE $1"
    );
    for one in moved {
        let pattern = format!("%{{\"id\":{},%", one.record.1);
        for row in tx.query(&sql, &[pattern.as_str().into()]).await? {
            let answer = row.get(1).and_then(Value::text).unwrap_or_default();
            let about = |record: &Json| {
                is_of(record, one.record)
                    && record.get(one.field).and_then(Json::as_i64) == Some(one.from)
            };
            if records_of(answer).iter().any(about) {
                forget_answer(tx, row[0].clone()).await?;
                any = true;
            }
        }
        forget_claims(tx, &[one.record.1]).await?;
    }
    Ok(any)
}

/// Removes the content of a kept answer. A repeated request is then refused.
async fn forget_answer<T: Transaction>(tx: &mut T, id: Value) -> Result<()> {
    let sql = "UPDATE crm_idempotency_keys SET done = $1, version = 0, answer = '' WHERE id = $2";
    tx.execute(sql, &[once::ERASED.into(), id]).await?;
    Ok(())
}

/// The records in a kept answer: it is one, or each of its members is one.
fn records_of(answer: &str) -> Vec<Json> {
    let answer: Json = serde_json::from_str(answer).unwrap_or_default();
    match answer {
        Json::Object(ref members) if members.contains_key("id") => vec![answer],
        Json::Object(members) => members.into_iter().map(|(_, member)| member).collect(),
        _ => Vec::new(),
    }
}

/// Whether a record in an answer is this one. It has only fields of its noun, and those that every record of it has; an
/// older crm did not have all of today's.
fn is_of(record: &Json, (noun, id): Erased) -> bool {
    let Json::Object(members) = record else {
        return false;
    };
    let required = noun
        .fields
        .iter()
        .filter(|field| field.presence == Presence::Required);
    members.get("id").and_then(Json::as_i64) == Some(id)
        && members.keys().all(|name| noun.position(name).is_some())
        && required
            .map(|field| field.name)
            .all(|name| members.contains_key(name))
}
