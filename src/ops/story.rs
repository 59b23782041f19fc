//! The story of a lead: its actions, its changes and those of its processes, and its follow-ups, merged.
//!
//! Nothing is stored for it. Each of the three is read from where it is, in an order of its own that writes do not disturb:
//! actions by their own time, changes by their numbers, follow-ups by when they are due. The next entry is always the newest
//! of the three that come next. Where times are equal, the numbers of the changes decide, so that a lead is always created
//! before its first action.
//!
//! An action is one entry, at its own time, also if it was made before changes were kept. The change that made it says who
//! did; those that edited it are not entries of their own. One that was deleted is told by its delete. A follow-up that is still to be done is one entry, too.

mod entries;
mod place;
mod sources;

use crate::base::error::{Error, Problems, Result};
use crate::base::time::Zone;
use crate::model::action::ACTION;
use crate::model::lead::LEAD;
use crate::model::query::{Query, UNORDERED};
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::inquiry::Reading;
use crate::views::followups::FOLLOWUP;
use crate::views::timeline::ENTRY;
use entries::DONE;
use place::{Place, Timed};
use sources::{ActionSource, ChangeSource, DueSource, Own, Pairs};

/// How many bytes of records a page has at most. A single entry may be larger.
const MOST_BYTES: usize = 1024 * 1024;

/// A part of a lead's timeline.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The id of the lead.
    pub lead: i64,
    /// The conditions on entries, and the requested fields.
    pub query: Query,
    /// The filters that a list of changes takes, too.
    filters: Pairs,
    actions: Query,
    due: Query,
    place: Place,
    /// The largest number of entries.
    pub limit: u64,
}

/// A page of a timeline.
pub struct TimelinePage {
    /// The entries, the newest first.
    pub entries: Vec<Record>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

impl Timeline {
    /// The timeline of a lead with these parameters, at most so many entries of it unless they say how many. The error names
    /// every parameter at fault.
    pub fn new(lead: i64, pairs: Pairs, zone: &Zone, most: u64) -> Result<Timeline> {
        let mut problems = Problems::default();
        let (cursors, mut pairs): (Pairs, Pairs) =
            pairs.into_iter().partition(|pair| pair.0 == "after");
        pairs.retain(|(name, _)| {
            let is_refused = UNORDERED.contains(&name.as_str());
            if is_refused {
                problems.push(
                    name.clone(),
                    "no such parameter; a timeline is always in its one order, and is not counted",
                );
            }
            !is_refused
        });
        let place = match cursors.as_slice() {
            [] => Some(Place::default()),
            [(_, text)] => {
                let place = Place::decode(lead, text);
                if place.is_none() {
                    let expected =
                        "expected a cursor from the Link header of a page of this timeline";
                    problems.push("after", expected);
                }
                place
            }
            _ => {
                problems.push("after", "is given twice");
                None
            }
        };
        let query = match Query::in_zone(&ENTRY, pairs, zone) {
            Ok(query) => query,
            Err(mut error) => {
                problems.extend(std::mem::take(&mut error.problems));
                return Err(Error::fields(problems));
            }
        };
        if !problems.is_empty() {
            return Err(Error::fields(problems));
        }
        let of_lead = |time: &str| {
            let mut pairs = vec![
                ("lead_id".to_string(), lead.to_string()),
                ("sort".to_string(), format!("-{time},-id")),
            ];
            // A time is the same condition under another name.
            let given = query
                .pairs
                .iter()
                .filter(|pair| ["at", "tz"].contains(&&*pair.0));
            pairs.extend(given.map(|(name, value)| {
                let name = if name == "at" { time } else { name };
                (name.to_string(), value.clone())
            }));
            pairs
        };
        let mut due = of_lead("next_followup_datetime");
        due.push(("next_followup_datetime".into(), "is:notnull".into()));
        let shared = ["type", "at", "by", "on_behalf_of", "tz"];
        let filters = query.pairs.iter();
        let filters = filters.filter(|pair| shared.contains(&&*pair.0));
        Ok(Timeline {
            lead,
            filters: filters.cloned().collect(),
            actions: Query::in_zone(&ACTION, of_lead("timestamp"), zone)?,
            due: Query::in_zone(&FOLLOWUP, due, zone)?,
            place: place.unwrap_or_default(),
            limit: query.limit.unwrap_or(most),
            query,
        })
    }

    /// The same timeline from this cursor on.
    pub fn after(mut self, cursor: &str, limit: u64) -> Timeline {
        self.place = Place::decode(self.lead, cursor).unwrap_or_default();
        self.limit = limit;
        self
    }

    /// The cursor from which on it is read. `None` at the beginning.
    pub fn cursor(&self) -> Option<String> {
        (self.place != Place::default()).then(|| self.place.encode(self.lead))
    }

    /// Whether an entry of this type can meet the filters.
    fn takes(&self, kind: &str) -> Result<bool> {
        let filters = self.query.pairs.iter().filter(|pair| pair.0 == "type");
        let conditions = Query::new(&ENTRY, filters.cloned().collect())?.conditions();
        let mut values = vec![Value::Null; ENTRY.fields.len()];
        if let Some(at) = ENTRY.position("type") {
            values[at] = kind.into();
        }
        Ok(conditions.are_met(&Record {
            noun: &ENTRY,
            values,
        }))
    }

    /// Reads the page.
    pub async fn read<R: Reading>(&self, reading: &mut R) -> Result<TimelinePage> {
        reading.record(&LEAD, self.lead).await?;
        let conditions = &self.query.conditions();
        let open = follow_ups(reading, &self.due).await?;
        let mut due = DueSource::of(&open, self.place.due.as_ref());
        let mut actions = match self.takes(DONE)? {
            true => ActionSource::of(self.actions.clone(), self.place.action.as_ref()),
            false => ActionSource::none(self.actions.clone()),
        };
        let own = Own::of(reading, self.lead).await?;
        let mut changes =
            ChangeSource::of(self.lead, &own, &self.filters, &open, self.place.change)?;
        let mut place = self.place.clone();
        let (mut entries, mut size) = (Vec::new(), 0);
        loop {
            let due = due.next(reading, conditions).await?;
            let actions = actions.next(reading, conditions).await?;
            let changes = changes.next(reading, conditions).await?;
            let of_due = due.front().map(|next| (&*next.at, i64::MAX));
            let of_action = actions.front();
            let of_action = of_action.map(|next| (&*next.at, next.seq.unwrap_or_default()));
            let of_change = changes.as_ref().and_then(|changes| changes.front());
            let of_change = of_change.map(|next| (&*next.at, next.place));
            let Some(newest) = of_due.max(of_action).max(of_change) else {
                break;
            };
            if entries.len() as u64 >= self.limit || size >= MOST_BYTES {
                return Ok(TimelinePage {
                    entries,
                    next: Some(place.encode(self.lead)),
                });
            }
            let entry = if of_due == Some(newest) {
                due.pop_front().map(|next| {
                    place.due = Some(next.place);
                    next.entry
                })
            } else if of_action == Some(newest) {
                actions.pop_front().map(|next| {
                    place.action = Some(next.place);
                    next.entry
                })
            } else {
                changes.and_then(|changes| changes.pop_front()).map(|next| {
                    place.change = Some(next.place);
                    next.entry
                })
            };
            let texts = entry.iter().flat_map(|entry| &entry.values);
            size += texts
                .map(|value| value.text().map_or(0, str::len))
                .sum::<usize>();
            entries.extend(entry);
        }
        Ok(TimelinePage {
            entries,
            next: None,
        })
    }
}

/// The times and the processes of these follow-ups.
async fn follow_ups(reading: &mut impl Reading, query: &Query) -> Result<Vec<Timed>> {
    let found = reading.records(query, i64::MAX as u64).await?;
    let timed = found.iter().filter_map(|one| {
        let at = one.get("next_followup_datetime").text()?;
        Some((at.to_string(), one.id()))
    });
    Ok(timed.collect())
}

/// The last changes of a lead and of its processes, the newest first.
pub(super) async fn last_changes(
    reading: &mut impl Reading,
    lead: i64,
    most: usize,
) -> Result<Vec<Record>> {
    let conditions = &Query::new(&ENTRY, Vec::new())?.conditions();
    let own = Own::of(reading, lead).await?;
    let mut changes = ChangeSource::of(lead, &own, &Pairs::new(), &[], None)?;
    let mut found = Vec::new();
    while found.len() < most {
        match changes.next(reading, conditions).await? {
            Some(ready) => found.extend(ready.pop_front().map(|next| next.entry)),
            None => break,
        }
    }
    Ok(found)
}
