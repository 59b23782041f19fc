//! The sources of a timeline, each in its own order, the newest first.
//!
//! A source reads a few records at a time, and more each time, so that a page of a long timeline costs about as much as the
//! entries on it.

use std::collections::{HashMap, VecDeque};

use super::entries::{DUE, Made, of_action, of_change, of_due};
use super::place::Timed;
use crate::base::error::Result;
use crate::model::action::ACTION;
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::process::PROCESS;
use crate::model::query::{Conditions, Cursor, Query};
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::inquiry::Reading;
use crate::store::sql::select::Dialect;
use crate::views::changes::CHANGE;

/// How many records are read at first.
const FIRST: u64 = 20;

/// How many records are read at once.
const MOST: u64 = 100;

/// The most lists of changes that are read beside each other. A lead with more processes has several of them in a list.
const MOST_LISTS: usize = 32;

/// The most ids in one filter.
const MOST_IDS: usize = 1_000;

/// An entry that comes next, and where its source is after it.
pub(crate) struct Next<P> {
    pub(crate) at: String,
    /// The number of the change that made it, if that is known.
    pub(crate) seq: Option<i64>,
    pub(crate) place: P,
    pub(crate) entry: Record,
}

/// The parameters of a list of changes.
pub(crate) type Pairs = Vec<(String, String)>;

fn text(record: &Record, name: &str) -> String {
    record.get(name).text().unwrap_or_default().into()
}

/// How many records are read after so many.
fn more(size: u64) -> u64 {
    (size * 2).min(MOST)
}

/// The list of the changes of these records of a noun, the newest first.
pub(crate) fn changes_of(noun: &'static Noun, ids: &[i64], more: &Pairs) -> Result<Query> {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    let ids = match ids.as_slice() {
        [id] => id.clone(),
        ids => format!("in:{}", ids.join(",")),
    };
    let mut pairs = vec![
        ("id".to_string(), ids),
        ("type".to_string(), format!("{}.*", noun.name)),
        ("sort".to_string(), "-seq".to_string()),
    ];
    pairs.extend_from_slice(more);
    Query::new(&CHANGE, pairs)
}

/// The follow-ups of the open processes of a lead.
pub(crate) struct DueSource {
    /// All that are left, the first one last.
    left: Vec<Timed>,
    ready: VecDeque<Next<Timed>>,
    size: u64,
}

impl DueSource {
    /// Those of a list of follow-ups with a date.
    pub(crate) fn of(open: &[Timed], after: Option<&Timed>) -> DueSource {
        let mut left: Vec<Timed> = open.to_vec();
        left.retain(|one| after.is_none_or(|after| one < after));
        left.sort();
        DueSource {
            left,
            ready: VecDeque::new(),
            size: FIRST,
        }
    }

    pub(crate) async fn next(
        &mut self,
        reading: &mut impl Reading,
        conditions: &Conditions,
    ) -> Result<&mut VecDeque<Next<Timed>>> {
        while self.ready.is_empty() && !self.left.is_empty() {
            let from = self.left.len().saturating_sub(self.size as usize);
            let some = self.left.split_off(from);
            self.size = more(self.size);
            let ids: Vec<String> = some.iter().map(|one| one.1.to_string()).collect();
            let pairs = vec![("id".to_string(), format!("in:{}", ids.join(",")))];
            let found = reading.records(&Query::new(&PROCESS, pairs)?, MOST).await?;
            for place in some.into_iter().rev() {
                let process = found.iter().find(|process| process.id() == place.1);
                let entry = process.map(of_due);
                self.ready.extend(
                    entry
                        .filter(|one| conditions.are_met(one))
                        .map(|entry| Next {
                            at: place.0.clone(),
                            seq: None,
                            place,
                            entry,
                        }),
                );
            }
        }
        Ok(&mut self.ready)
    }
}

/// The actions of a lead.
pub(crate) struct ActionSource {
    query: Query,
    ended: bool,
    ready: VecDeque<Next<Timed>>,
    size: u64,
}

impl ActionSource {
    /// Those of a list of actions.
    pub(crate) fn of(mut query: Query, after: Option<&Timed>) -> ActionSource {
        query.after = after.map(cursor);
        ActionSource {
            query,
            ended: false,
            ready: VecDeque::new(),
            size: FIRST,
        }
    }

    /// No actions.
    pub(crate) fn none(query: Query) -> ActionSource {
        ActionSource {
            ended: true,
            ..ActionSource::of(query, None)
        }
    }

    pub(crate) async fn next(
        &mut self,
        reading: &mut impl Reading,
        conditions: &Conditions,
    ) -> Result<&mut VecDeque<Next<Timed>>> {
        while self.ready.is_empty() && !self.ended {
            let found = reading.records(&self.query, self.size).await?;
            self.ended = (found.len() as u64) < self.size;
            self.size = more(self.size);
            let made = made(reading, &found).await?;
            for action in &found {
                let place = (text(action, "timestamp"), action.id());
                self.query.after = Some(cursor(&place));
                let unknown = Made::default();
                let made = made.get(&action.id()).unwrap_or(&unknown);
                let entry = of_action(action, made);
                if conditions.are_met(&entry) {
                    self.ready.push_back(Next {
                        at: place.0.clone(),
                        seq: entry.get("change").int(),
                        place,
                        entry,
                    });
                }
            }
        }
        Ok(&mut self.ready)
    }
}

fn cursor((at, id): &Timed) -> Cursor {
    Cursor(vec![at.as_str().into(), Value::Int(*id)])
}

/// The changes that have made and changed these actions, as far as they are kept.
pub(crate) async fn made(
    reading: &mut impl Reading,
    actions: &[Record],
) -> Result<HashMap<i64, Made>> {
    let mut made: HashMap<i64, Made> = HashMap::new();
    let ids: Vec<i64> = actions.iter().map(Record::id).collect();
    if ids.is_empty() {
        return Ok(made);
    }
    let of_type = |kind: &str| vec![("type".to_string(), format!("{}.{kind}", ACTION.name))];
    // An action has one such change, and one more each time that it was deleted and restored.
    let created = changes_of(&ACTION, &ids, &of_type("created"))?;
    for change in reading.records(&created, i64::MAX as u64).await? {
        let id = change.get("id").int().unwrap_or_default();
        let one = made.entry(id).or_default();
        // The last one is the oldest.
        one.is_restored = one.created.is_some();
        one.created = Some(change);
    }
    for action in actions.iter().filter(|action| action.version() > 1) {
        let updated = changes_of(&ACTION, &[action.id()], &of_type("updated"))?;
        let newest = reading.records(&updated, 1).await?.pop();
        made.entry(action.id()).or_default().updated = newest;
    }
    Ok(made)
}

/// What a lead has, or once had.
pub(crate) struct Own {
    /// Its processes, also those that are deleted.
    processes: Vec<i64>,
    /// The actions that are deleted.
    deleted: Vec<i64>,
}

impl Own {
    pub(crate) async fn of<R: Reading>(reading: &mut R, lead: i64) -> Result<Own> {
        let sql = format!(
            "SELECT id FROM {} WHERE lead_id = $1 ORDER BY id",
            PROCESS.plural
        );
        let mut processes = numbers(reading, &sql, &[lead.into()]).await?;
        processes.extend(removed(reading, &PROCESS, lead).await?);
        Ok(Own {
            processes,
            deleted: removed(reading, &ACTION, lead).await?,
        })
    }
}

async fn numbers(reading: &mut impl Reading, sql: &str, params: &[Value]) -> Result<Vec<i64>> {
    let rows = reading.rows(sql, params).await?;
    Ok(rows.iter().filter_map(|row| row.first()?.int()).collect())
}

/// The ids of the records of a noun that belonged to a lead when they were deleted, and are not there again. The condition is
/// that of the index `crm_changes_by_removed`.
async fn removed<R: Reading>(reading: &mut R, noun: &'static Noun, lead: i64) -> Result<Vec<i64>> {
    let (owner, lead): (_, Value) = match R::DIALECT {
        Dialect::Sqlite => (
            "CASE WHEN json_valid(record) THEN json_extract(record, '$.lead_id') END",
            lead.into(),
        ),
        Dialect::Postgres => (
            r#"substring(record FROM '"lead_id":([0-9]+|null)')"#,
            lead.to_string().as_str().into(),
        ),
    };
    let table = noun.plural;
    let sql = format!(
        "SELECT DISTINCT record_id FROM crm_changes WHERE {owner} = $1 \
         AND type IN ('action.deleted', 'process.deleted') AND type = $2 \
         AND NOT EXISTS (SELECT 1 FROM {table} WHERE {table}.id = crm_changes.record_id) ORDER BY record_id"
    );
    let kind = format!("{}.deleted", noun.name);
    numbers(reading, &sql, &[lead, kind.as_str().into()]).await
}

/// The changes of a lead and of its processes, and the deletes of its actions.
pub(crate) struct ChangeSource {
    lists: Vec<ChangeList>,
    /// The processes that are open and have a date: their follow-up is an entry of its own.
    due: Vec<Timed>,
}

struct ChangeList {
    query: Query,
    ended: bool,
    ready: VecDeque<Next<i64>>,
    size: u64,
}

impl ChangeSource {
    /// Those of a lead and of its [`Own`] that these filters select.
    pub(crate) fn of(
        lead: i64,
        own: &Own,
        filters: &Pairs,
        due: &[Timed],
        after: Option<i64>,
    ) -> Result<ChangeSource> {
        let mut queries = vec![changes_of(&LEAD, &[lead], filters)?];
        let size = |ids: &[i64]| ids.len().div_ceil(MOST_LISTS).clamp(1, MOST_IDS);
        for some in own.processes.chunks(size(&own.processes)) {
            queries.push(changes_of(&PROCESS, some, filters)?);
        }
        let mut deleted = filters.clone();
        deleted.push(("type".into(), format!("{}.deleted", ACTION.name)));
        for some in own.deleted.chunks(MOST_IDS) {
            queries.push(changes_of(&ACTION, some, &deleted)?);
        }
        let lists = queries.into_iter().map(|mut query| {
            query.after = after.map(|seq| Cursor(vec![Value::Int(seq)]));
            ChangeList {
                query,
                ended: false,
                ready: VecDeque::new(),
                size: FIRST,
            }
        });
        Ok(ChangeSource {
            lists: lists.collect(),
            due: due.to_vec(),
        })
    }

    pub(crate) async fn next(
        &mut self,
        reading: &mut impl Reading,
        conditions: &Conditions,
    ) -> Result<Option<&mut VecDeque<Next<i64>>>> {
        for list in &mut self.lists {
            list.fill(reading, conditions, &self.due).await?;
        }
        let newest = |list: &&mut ChangeList| list.ready.front().map(|next| next.place);
        let lists = self.lists.iter_mut();
        let list = lists
            .filter(|list| !list.ready.is_empty())
            .max_by_key(newest);
        Ok(list.map(|list| &mut list.ready))
    }
}

impl ChangeList {
    async fn fill(
        &mut self,
        reading: &mut impl Reading,
        conditions: &Conditions,
        due: &[Timed],
    ) -> Result<()> {
        while self.ready.is_empty() && !self.ended {
            let found = reading.records(&self.query, self.size).await?;
            self.ended = (found.len() as u64) < self.size;
            self.size = more(self.size);
            for change in &found {
                let seq = change.get("seq").int().unwrap_or_default();
                self.query.after = Some(Cursor(vec![Value::Int(seq)]));
                let entry = of_change(change);
                if conditions.are_met(&entry) && !is_due(&entry, due) {
                    self.ready.push_back(Next {
                        at: text(&entry, "at"),
                        seq: Some(seq),
                        place: seq,
                        entry,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Whether an entry tells that a follow-up is due which still is.
fn is_due(entry: &Record, due: &[Timed]) -> bool {
    entry.get("type").text() == Some(DUE) && {
        let process: serde_json::Value =
            serde_json::from_str(entry.get("record").text().unwrap_or_default())
                .unwrap_or_default();
        let at = process["next_followup_datetime"].as_str();
        let id = entry.get("id").int();
        due.iter()
            .any(|one| Some(one.0.as_str()) == at && Some(one.1) == id)
    }
}
