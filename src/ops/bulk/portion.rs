//! A portion of a bulk request: some hundred lines in one transaction.
//!
//! Each line is done by itself, in its order: one that is refused has changed nothing. What the lines need is read
//! together at the start, and new records are inserted together, because each trip to a database takes longer than the
//! statement. The answers are kept in the same transaction.

use std::collections::{HashMap, HashSet};

use super::answer::{Done, LineAnswer, keep, whole};
use super::finder::Finder;
use super::line::{AskedLine, Line};
use super::manner::{Manner, SMALL};
use crate::base::error::{Code, Error, Problems, Result};
use crate::base::time;
use crate::model::action::ACTION;
use crate::model::draft::Draft;
use crate::model::kind::Kind;
use crate::model::lead::OnDuplicate;
use crate::model::record::Record;
use crate::model::rules;
use crate::model::terms::{Terms, Versions};
use crate::model::value::Value;
use crate::ops::create::with_follow_up;
use crate::ops::update;
use crate::store::contract::{HttpRequest, Kept, Write};
use crate::store::sql::bulk::{dangling, existing};
use crate::store::sql::ledger::Ledger;
use crate::store::sql::newest::may_move;
use crate::store::sql::runs::{self, KeptPortion, RunState};
use crate::store::transaction::Transaction;

/// The place of a portion in a run with an idempotency key.
#[derive(Clone)]
pub(super) struct RunPlace {
    /// The identity of the run.
    pub(super) id: String,
    /// How many lines came before.
    pub(super) before: i64,
    /// The SHA-256 of its lines.
    pub(super) hash: String,
}

/// Some lines in one transaction.
pub(super) struct Portion {
    pub(super) manner: Manner,
    pub(super) lines: Vec<Line>,
    pub(super) run: Option<RunPlace>,
    /// Whether no line follows.
    pub(super) is_last: bool,
    /// Its approximate memory.
    pub(super) size: usize,
}

/// What a portion has done.
#[derive(Clone)]
pub(super) enum Portioned {
    /// The answers, and by what its records are found from now on.
    Done(Vec<LineAnswer>, Vec<(String, i64)>),
    /// Another request with the same key has done these lines.
    Behind,
}

/// A record by a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// There is none.
    Nowhere,
    /// It is the one with this id.
    At(i64),
    /// It waits to be inserted.
    Waits,
    /// A line has changed that.
    Unknown,
}

/// The state of a portion that is being written.
struct Working<'w, 'l, T> {
    ledger: &'w mut Ledger<'l, T>,
    manner: &'w Manner,
    /// Records that were read and locked, or written.
    known: HashMap<i64, Record>,
    places: HashMap<String, Place>,
    /// The ids that are referred to and exist, by noun.
    targets: HashMap<&'static str, HashSet<i64>>,
    /// New records, and the answers to their lines.
    waiting: Vec<(Record, usize, Option<String>)>,
    answers: Vec<LineAnswer>,
    /// By what the written records are found.
    fresh: Vec<(String, i64)>,
}

/// What a line has done with a record.
struct Did {
    id: i64,
    version: i64,
    done: Done,
    data: Option<String>,
}

/// Why a line was refused, and the record that is in the way.
struct Refused(Error, Option<i64>);

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused(error, None)
    }
}

/// Whether an error is about a line alone. Any other ends the transaction.
fn is_of_line(error: &Error) -> bool {
    matches!(
        error.code,
        Code::Invalid | Code::NotFound | Code::Conflict | Code::Stale | Code::TooLarge
    )
}

impl Write for Portion {
    type Done = Portioned;

    fn size(&self) -> usize {
        self.size
    }

    fn is_long(&self) -> bool {
        true
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        _terms: &Terms,
    ) -> Result<Portioned> {
        if let Some(run) = &self.run {
            let state = runs::lock(ledger.tx, &run.id).await?;
            if state.lines != run.before || state.is_ended {
                return Ok(Portioned::Behind);
            }
        }
        ledger.join().await?;
        let mut working = Working {
            ledger,
            manner: &self.manner,
            known: HashMap::new(),
            places: HashMap::new(),
            targets: HashMap::new(),
            waiting: Vec::new(),
            answers: Vec::with_capacity(self.lines.len()),
            fresh: Vec::new(),
        };
        working.prepare(&self.lines).await?;
        for line in &mut self.lines {
            working.line(line).await?;
        }
        working.flush().await?;
        let (answers, fresh) = (working.answers, working.fresh);
        if self.manner.is_atomic {
            whole(&answers)?;
        }
        if let Some(run) = &self.run {
            let (done, refusals) = keep(&answers);
            let lines = i64::try_from(answers.len()).unwrap_or_default();
            let portion = KeptPortion {
                lines,
                hash: run.hash.clone(),
                answers: done,
                refusals,
            };
            let state = RunState {
                lines: run.before + lines,
                group: ledger.group(),
                is_ended: self.is_last,
            };
            let portion = (lines > 0).then_some(&portion);
            runs::keep(ledger.tx, &run.id, state, portion).await?;
        }
        Ok(Portioned::Done(answers, fresh))
    }

    fn keep(&self, _done: &Portioned) -> Kept {
        // It has a table of its own.
        Kept::word("")
    }

    fn kept(&self, _kept: &Kept) -> Result<Option<Portioned>> {
        Ok(None)
    }

    fn request(&self) -> HttpRequest {
        // A server is sent the whole request, and not its portions.
        HttpRequest::of("POST", String::new())
    }

    fn word(_status: u16) -> &'static str {
        ""
    }
}

impl<T: Transaction> Working<'_, '_, T> {
    /// Reads what the lines need.
    async fn prepare(&mut self, lines: &[Line]) -> Result<()> {
        let manner = self.manner;
        let (mut keys, mut ids) = (Vec::new(), Vec::new());
        let mut targets: HashMap<&'static str, Vec<i64>> = HashMap::new();
        for line in lines {
            let draft = match &line.asked {
                Ok(AskedLine::Save {
                    is_upsert, draft, ..
                }) => {
                    if manner.policy(*is_upsert) != OnDuplicate::Create {
                        keys.extend(manner.finder.key(draft));
                    }
                    draft
                }
                Ok(AskedLine::Update { id, draft, .. }) => {
                    if !may_move(draft) {
                        ids.push(*id);
                    }
                    draft
                }
                Ok(AskedLine::Delete { .. }) | Err(_) => continue,
            };
            for (field, id) in draft.references() {
                if let Kind::Reference(target) = field.kind {
                    targets.entry(target.plural).or_default().push(id);
                }
            }
        }
        keys.sort_unstable();
        keys.dedup();
        for (table, mut wanted) in targets {
            wanted.sort_unstable();
            wanted.dedup();
            let found = existing(self.ledger.tx, table, &wanted).await?;
            self.targets.insert(table, found);
        }
        let found = manner.finder.find(self.ledger, &keys, &[]).await?;
        for key in keys {
            let place = found.get(&key).map_or(Place::Nowhere, |id| Place::At(*id));
            self.places.insert(key, place);
        }
        if manner.on_duplicate != Some(OnDuplicate::Skip)
            && manner.on_duplicate != Some(OnDuplicate::Reject)
        {
            ids.extend(found.values());
        }
        ids.sort_unstable();
        ids.dedup();
        self.known = self.ledger.read_all(manner.noun, &ids).await?;
        // Larger ones are read when their line comes, one at a time.
        self.known.retain(|_, record| record.size() <= SMALL);
        Ok(())
    }

    /// Does one line, and adds its answer.
    async fn line(&mut self, line: &mut Line) -> Result<()> {
        let number = line.number;
        let asked = match &mut line.asked {
            Ok(asked) => asked,
            Err(error) => {
                self.answers
                    .push(LineAnswer::refused(number, error.clone()));
                return Ok(());
            }
        };
        let did = match asked {
            AskedLine::Save {
                is_upsert,
                draft,
                row,
            } => {
                let row = std::mem::replace(row, Ok(Vec::new()));
                match self.save(*is_upsert, draft, row).await {
                    Ok(None) => {
                        // The answer is completed when the record is inserted.
                        let at = self.answers.len();
                        if let Some(last) = self.waiting.last_mut() {
                            last.1 = at;
                        }
                        self.answers.push(LineAnswer {
                            line: number,
                            id: None,
                            version: 1,
                            result: Ok(Done::Created),
                            data: None,
                        });
                        return Ok(());
                    }
                    Ok(Some(did)) => Ok(did),
                    Err(refused) => Err(refused),
                }
            }
            AskedLine::Update {
                id,
                draft,
                versions,
            } => self.update(*id, draft, versions.take()).await,
            AskedLine::Delete { id, versions } => self.delete(*id, versions.take()).await,
        };
        self.answers.push(match did {
            Ok(did) => LineAnswer {
                line: number,
                id: Some(did.id),
                version: did.version,
                result: Ok(did.done),
                data: did.data,
            },
            Err(Refused(mut error, id)) if is_of_line(&error) => {
                if error.code == Code::Stale {
                    error.message = error.message.replace("If-Match: ", "if_match: ");
                    error.message = error.message.replace("; nothing was saved", "");
                }
                LineAnswer {
                    id,
                    ..LineAnswer::refused(number, error)
                }
            }
            Err(Refused(error, _)) => return Err(error),
        });
        Ok(())
    }

    /// Inserts the records that wait.
    async fn flush(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let (mut records, told): (Vec<Record>, Vec<_>) = waiting
            .into_iter()
            .map(|(record, at, key)| (record, (at, key)))
            .unzip();
        self.ledger.insert_all(&mut records).await?;
        for (record, (at, key)) in records.into_iter().zip(told) {
            let id = record.id();
            let data = self.data(&record);
            if let Some(answer) = self.answers.get_mut(at) {
                (answer.id, answer.version, answer.data) = (Some(id), record.version(), data);
            }
            if let Some(key) = key {
                if self.places.get(&key) == Some(&Place::Waits) {
                    self.places.insert(key.clone(), Place::At(id));
                }
                self.fresh.push((key, id));
            }
            if record.size() <= SMALL {
                self.known.insert(id, record);
            }
        }
        Ok(())
    }

    /// The record for an answer, if the request wants it and it is small. A large one is read when the answer is sent.
    fn data(&self, record: &Record) -> Option<String> {
        (self.manner.shows && record.size() <= SMALL).then(|| record.to_json())
    }

    fn did(&self, record: &Record, done: Done) -> Did {
        Did {
            id: record.id(),
            version: record.version(),
            done,
            data: self.data(record),
        }
    }

    /// Creates a record, or does what the request says of one that is there. `None` if the new one waits to be inserted.
    async fn save(
        &mut self,
        is_upsert: bool,
        draft: &Draft,
        row: Result<Vec<Option<Value>>, Problems>,
    ) -> Result<Option<Did>, Refused> {
        let manner = self.manner;
        let policy = manner.policy(is_upsert);
        let key = manner.finder.key(draft);
        if policy != OnDuplicate::Create {
            match (&key, &manner.finder) {
                (_, Finder::Nothing) => {
                    let why = format!(
                        "expected the parameter key with it, such as key=attributes.number, because {} have no address",
                        manner.noun.plural
                    );
                    return Err(Error::field("op", why).into());
                }
                (None, Finder::Attribute(_)) => {
                    let expected =
                        "is required as a text or a number, because records are found by it";
                    return Err(Error::field(manner.finder.name(), expected).into());
                }
                _ => {}
            }
            if let Some(key) = &key
                && let Some(id) = self.place(key).await?
            {
                return self.found(id, draft, policy).await.map(Some);
            }
        }
        let row = match row {
            Ok(row) => row,
            Err(problems) => return Err(self.ledger.refused(draft, problems).await?.into()),
        };
        if let Some(error) = dangling(self.ledger, draft, &self.targets).await? {
            return Err(error.into());
        }
        let mut record = Record::new(manner.noun, i64::MAX, row, &time::now());
        record.fits()?;
        let advances = std::ptr::eq(manner.noun, &ACTION) && rules::get().auto_process;
        if let Some(lead) = record.get("lead_id").int().filter(|_| advances) {
            self.flush().await?;
            let began = self.ledger.begin_part().await?;
            let zone = &manner.zone;
            let done = with_follow_up(self.ledger, draft, &mut record, lead, zone).await;
            self.ledger.end_part(began, done.is_ok()).await?;
            done?;
            if let Some(key) = key {
                let place = self.places.entry(key.clone()).or_insert(Place::Unknown);
                if !matches!(place, Place::At(_)) {
                    *place = Place::At(record.id());
                }
                self.fresh.push((key, record.id()));
            }
            return Ok(Some(self.did(&record, Done::Created)));
        }
        if let Some(key) = &key
            && !matches!(self.places.get(key), Some(Place::At(_)))
        {
            self.places.insert(key.clone(), Place::Waits);
        }
        // The place of its answer is set by the caller.
        self.waiting.push((record, usize::MAX, key));
        Ok(None)
    }

    /// The record by a key.
    async fn place(&mut self, key: &str) -> Result<Option<i64>> {
        if self.places.get(key) == Some(&Place::Waits) {
            self.flush().await?;
        }
        match self.places.get(key) {
            Some(Place::At(id)) => return Ok(Some(*id)),
            Some(Place::Nowhere) => return Ok(None),
            Some(Place::Waits | Place::Unknown) | None => {}
        }
        self.flush().await?;
        let keys = [key.to_string()];
        let found = self.manner.finder.find(self.ledger, &keys, &self.fresh);
        let id = found.await?.get(key).copied();
        let place = id.map_or(Place::Nowhere, Place::At);
        self.places.insert(key.into(), place);
        Ok(id)
    }

    /// Does what the request says of a record that is there.
    async fn found(&mut self, id: i64, draft: &Draft, policy: OnDuplicate) -> Result<Did, Refused> {
        let noun = self.manner.noun;
        match policy {
            OnDuplicate::Update => match may_move(draft) {
                true => self.changed(id, draft, &Terms::default()).await,
                false => self.change(id, draft, &Terms::default()).await,
            },
            OnDuplicate::Skip => Ok(Did {
                id,
                version: 0,
                done: Done::Skipped,
                data: None,
            }),
            OnDuplicate::Reject | OnDuplicate::Create => {
                let name = self.manner.finder.name();
                let taken = match name.strip_prefix("attributes.") {
                    Some(_) => format!("{} {id} already has this value", noun.name),
                    None => format!("{} {id} already has this address", noun.name),
                };
                let mut error = Error::field(name, taken);
                error.code = Code::Conflict;
                Err(Refused(error, Some(id)))
            }
        }
    }

    async fn update(
        &mut self,
        id: i64,
        draft: &Draft,
        versions: Option<Versions>,
    ) -> Result<Did, Refused> {
        let terms = Terms {
            versions,
            ..Terms::default()
        };
        match may_move(draft) {
            true => self.changed(id, draft, &terms).await,
            false => self.change(id, draft, &terms).await,
        }
    }

    /// Changes a record that was read already.
    async fn change(&mut self, id: i64, draft: &Draft, terms: &Terms) -> Result<Did, Refused> {
        // The changes are in the order of the lines.
        self.flush().await?;
        let record = match self.known.remove(&id) {
            Some(record) => record,
            None => self.ledger.read(self.manner.noun, id).await?,
        };
        if let Some(error) = dangling(self.ledger, draft, &self.targets).await? {
            self.known.insert(id, record);
            return Err(error.into());
        }
        let before = (record.version(), self.manner.finder.key_of(&record));
        let kept = record.clone();
        match update::change(self.ledger, record, draft, terms).await {
            Ok(record) => Ok(self.wrote(record, before)),
            Err(error) => {
                self.known.insert(id, kept);
                Err(error.into())
            }
        }
    }

    /// Changes a record that is read after the one that it belongs to is locked.
    async fn changed(&mut self, id: i64, draft: &Draft, terms: &Terms) -> Result<Did, Refused> {
        self.flush().await?;
        self.known.remove(&id);
        if let Some(error) = dangling(self.ledger, draft, &self.targets).await? {
            return Err(error.into());
        }
        let noun = self.manner.noun;
        self.ledger.will_change(id, draft).await?;
        let record = self.ledger.read(noun, id).await?;
        let before = (record.version(), self.manner.finder.key_of(&record));
        let record = update::change(self.ledger, record, draft, terms).await?;
        Ok(self.wrote(record, before))
    }

    /// Notes a record after a change, if it is one.
    fn wrote(&mut self, record: Record, (version, key): (i64, Option<String>)) -> Did {
        let done = match record.version() == version {
            true => Done::Unchanged,
            false => Done::Updated,
        };
        let did = self.did(&record, done);
        if self.manner.finder.is_moved(&record, key.as_deref()) {
            if let Some(key) = key {
                self.places.insert(key, Place::Unknown);
            }
            if let Some(key) = self.manner.finder.key_of(&record) {
                self.places.insert(key.clone(), Place::Unknown);
                self.fresh.push((key, record.id()));
            }
        }
        if record.size() <= SMALL {
            self.known.insert(record.id(), record);
        }
        did
    }

    async fn delete(&mut self, id: i64, versions: Option<Versions>) -> Result<Did, Refused> {
        self.flush().await?;
        let terms = Terms {
            versions,
            ..Terms::default()
        };
        let began = self.ledger.begin_part().await?;
        let (noun, cascade) = (self.manner.noun, self.manner.cascade);
        let done = self.ledger.delete(noun, id, cascade, &terms).await;
        self.ledger.end_part(began, done.is_ok()).await?;
        done?;
        self.known.remove(&id);
        for place in self
            .places
            .values_mut()
            .filter(|place| **place == Place::At(id))
        {
            *place = Place::Unknown;
        }
        Ok(Did {
            id,
            version: 0,
            done: Done::Deleted,
            data: None,
        })
    }
}
