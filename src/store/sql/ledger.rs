//! The ledger: the only code that inserts, updates and deletes records. How it inserts is in `inserts`.
//!
//! The operations decide what to write, and the ledger writes it. It counts versions, sets `updated_at`, follows the
//! references to a deleted record, keeps the [newest times](crate::model::kind::Newest), and explains a failed foreign key. In the same transaction it appends the change to the
//! table of changes, one for each record. All changes of a write form a group, which is named by its first change.

use std::fmt::Write;
use std::pin::Pin;

use super::moved::{end_lease, moves_followup};
use super::newest::{self, Owners};
use super::reversal::{Reversal, noted, previous, rest};
use super::row::mend;
use super::statements::{self, statements};
use crate::base::error::{Code, Error, Problems, Result};
use crate::base::time;
use crate::model::author::Author;
use crate::model::draft::Draft;
use crate::model::field::Field;
use crate::model::kind::{Kind, OnDelete};
use crate::model::noun::Noun;
use crate::model::nouns::in_use;
use crate::model::record::Record;
use crate::model::terms::{Terms, next_version};
use crate::model::value::Value;
use crate::store::change::Change;
use crate::store::transaction::{Fault, RecordStatement, Transaction};

/// How many records that refer to a deleted one are read at once.
const PORTION: usize = 500;

/// A transaction in which records are written, and the author of its changes.
pub struct Ledger<'t, T> {
    /// The transaction, for what is no record.
    pub tx: &'t mut T,
    pub(super) author: &'t Author,
    /// The first change of the group, once there is one.
    pub(super) group: Option<i64>,
    /// Whether the group may be joined: it is the author's own, and is not taken back.
    joins: bool,
    /// The group that its changes take back.
    pub(super) undoes: Option<i64>,
    /// Whether deleted records are erased: their changes have the id alone.
    pub(super) erases: bool,
    /// What the next change says beside the fields of its record: members of a JSON object.
    note: Option<String>,
}

/// The end of the JSON of a record of which nothing but its id is kept: `{"id":7}`.
pub(super) const ERASED: &str = "}";

impl<'t, T: Transaction> Ledger<'t, T> {
    /// The ledger over a transaction.
    pub fn new(tx: &'t mut T, author: &'t Author) -> Ledger<'t, T> {
        Ledger {
            tx,
            author,
            group: author.group,
            joins: author.group.is_none(),
            undoes: None,
            erases: false,
            note: None,
        }
    }

    /// Lets the next change of a single record say more than its fields: members of a JSON object, such as `"merged":[9]`.
    pub(crate) fn note(&mut self, members: String) {
        self.note = Some(members);
    }

    /// The JSON of a record without its id, and the note.
    fn rest(&mut self, record: &Record) -> String {
        noted(rest(record), self.note.take())
    }

    /// The group of the changes, named by its first change. `None` before the first change.
    pub fn group(&self) -> Option<i64> {
        self.group
    }

    /// From now on, its changes take back this group. They join the group that has begun to do so, if there is one.
    pub fn takes_back(&mut self, group: i64, begun: Option<i64>) {
        self.undoes = Some(group);
        self.group = begun;
        self.joins = true;
    }

    /// Refuses to join a group that is not the author's own, or that is taken back.
    pub async fn join(&mut self) -> Result<()> {
        if self.joins {
            return Ok(());
        }
        let group = self.group.unwrap_or_default();
        // Nobody takes the group back while it grows.
        self.tx.alone_with(&family(group)).await?;
        let sql = "SELECT seq FROM crm_changes WHERE seq = $1 AND author = $2 AND first IS NULL AND undoes IS NULL \
                   AND NOT EXISTS (SELECT 1 FROM crm_changes WHERE undoes = $1)";
        let rows = self
            .tx
            .query(sql, &[group.into(), Value::from(&*self.author.by)])
            .await?;
        if rows.is_empty() {
            return Err(Error::new(
                Code::Conflict,
                format!(
                    "Change-Group: expected the first change of a group of your own that is not taken back, got {group}"
                ),
            ));
        }
        self.joins = true;
        Ok(())
    }

    /// Reads and locks a record that will be changed. Its values are as they are [shown](crate::model::stored), so that a
    /// field that is written back as it was read is not changed.
    pub async fn read(&mut self, noun: &'static Noun, id: i64) -> Result<Record> {
        let select = &statements(noun).select;
        // Without a lock, the text needs no copy.
        let rows = match T::LOCKING {
            "" => self.tx.query(select, &[id.into()]).await?,
            locking => {
                let select = format!("{select}{locking}");
                self.tx.query(&select, &[id.into()]).await?
            }
        };
        let mut values = rows.into_iter().next().ok_or_else(|| noun.not_found())?;
        mend(noun, &mut values);
        Ok(Record { noun, values })
    }

    /// Takes the locks that a change of a record with this draft needs besides that of the record, before it is read.
    pub async fn will_change(&mut self, id: i64, draft: &Draft) -> Result<()> {
        match newest::may_move(draft) {
            true => newest::lock_owner(self.tx, draft.noun, id).await,
            false => Ok(()),
        }
    }

    /// Writes these changes of a record in one statement, together with `updated_at` and the version.
    pub async fn change(
        &mut self,
        draft: &Draft,
        mut record: Record,
        mut changes: Vec<(usize, Value)>,
    ) -> Result<Record> {
        self.join().await?;
        let noun = record.noun;
        let now = time::now();
        if let Some(stamp) = noun.position("updated_at") {
            changes.push((stamp, now.as_str().into()));
        }
        let before = record.size();
        let mut owners = Owners::default();
        let moves = newest::is_moved(noun, &changes);
        owners.add_if(moves, &record);
        let is_moved = moves_followup(noun, &changes);
        let previous = previous(&record, &changes);
        for (at, value) in &changes {
            record.values[*at] = value.clone();
        }
        owners.add_if(moves, &record);
        if let Err(error) = record.fits()
            && record.size() > before
        {
            // A record from before the limit may already be too large. It may still change if it does not grow.
            return Err(error);
        }
        let mut sql = format!("UPDATE {} SET ", noun.plural);
        let mut params = Vec::with_capacity(changes.len() + 2);
        for (at, value) in changes {
            let comma = if params.is_empty() { "" } else { ", " };
            params.push(value);
            let _ = write!(sql, "{comma}{} = ${}", noun.fields[at].name, params.len());
        }
        let version = next_version(record.version())?;
        params.push(version.into());
        let _ = write!(sql, ", version = ${}", params.len());
        params.push(record.id().into());
        let _ = write!(sql, " WHERE id = ${}", params.len());
        let record = record.with_version(version);
        let statement = RecordStatement {
            sql: &sql,
            params: &params,
            inserts: false,
            raises: None,
        };
        let rest = self.rest(&record);
        let change = Change {
            at: now.as_str(),
            author: self.author,
            group: self.group,
            undoes: self.undoes,
            kind: &statements(noun).updated,
            id: Some(record.id()),
            version,
            rest: &rest,
            previous: Some(&previous),
        };
        match self.tx.record(statement, &change).await {
            Ok(Some(done)) => {
                self.group = self.group.or(Some(done.seq));
                owners.renew(self.tx).await?;
                if is_moved {
                    end_lease(self.tx, record.id()).await?;
                }
                Ok(record)
            }
            Ok(None) => Err(noun.not_found()),
            Err(Fault::Reference) => Err(self.refused(draft, Problems::default()).await?),
            Err(Fault::Error(error)) => Err(error),
        }
    }

    /// The error for a draft: its problems, and its references to records that do not exist.
    pub async fn refused(&mut self, draft: &Draft, mut problems: Problems) -> Result<Error> {
        for (field, id) in draft.references() {
            if let Kind::Reference(target) = field.kind {
                let sql = format!("SELECT id FROM {} WHERE id = $1", target.plural);
                if self.tx.query(&sql, &[id.into()]).await?.is_empty() {
                    problems.push(field.name, format!("no {} has the id {id}", target.name));
                }
            }
        }
        match problems.is_empty() {
            true => Ok(Fault::Reference.into()),
            false => Ok(Error::fields(problems)),
        }
    }

    /// Deletes a record. With `cascade`, the records that refer to it are deleted as well.
    pub async fn delete(
        &mut self,
        noun: &'static Noun,
        id: i64,
        cascade: bool,
        terms: &Terms,
    ) -> Result<()> {
        newest::lock_owner(self.tx, noun, id).await?;
        // While the record is locked, nobody can add a record that refers to it.
        let record = self.read(noun, id).await?;
        terms.hold(record.version())?;
        self.join().await?;
        self.release(noun, DeletedRows::One, id, cascade).await?;
        let (kind, rest) = match self.erases {
            true => (&statements(noun).erased, ERASED.into()),
            false => (&statements(noun).deleted, self.rest(&record)),
        };
        let at = time::now();
        let params = [id.into()];
        let statement = RecordStatement {
            sql: &statements(noun).delete,
            params: &params,
            inserts: false,
            raises: None,
        };
        let change = Change {
            at: at.as_str(),
            author: self.author,
            group: self.group,
            undoes: self.undoes,
            kind,
            id: Some(id),
            version: record.version(),
            rest: &rest,
            previous: None,
        };
        match self.tx.record(statement, &change).await {
            Ok(None) => Err(noun.not_found()),
            Ok(Some(done)) => {
                self.group = self.group.or(Some(done.seq));
                let mut owners = Owners::default();
                owners.add_if(true, &record);
                owners.renew(self.tx).await
            }
            Err(Fault::Reference) => Err(self.still_has(noun, id).await?),
            Err(Fault::Error(error)) => Err(error),
        }
    }

    /// Writes changes that take others back. No two of them are of the same record.
    pub async fn reverse(&mut self, reversals: Vec<Reversal>) -> Result<()> {
        let now = time::now();
        let mut owners = Owners::default();
        reversals.iter().for_each(|one| owners.add_reversed(one));
        let written: Result<Vec<_>> = reversals.into_iter().map(|one| one.written(&now)).collect();
        let written = written?;
        let all: Vec<_> = written
            .iter()
            .map(|one| {
                let statement = RecordStatement {
                    sql: &one.sql,
                    params: &one.params,
                    inserts: one.inserts,
                    raises: None,
                };
                let change = Change {
                    at: now.as_str(),
                    author: self.author,
                    group: self.group,
                    undoes: self.undoes,
                    kind: one.kind,
                    id: Some(one.id),
                    version: one.version,
                    rest: &one.rest,
                    previous: one.previous.as_deref(),
                };
                (statement, change)
            })
            .collect();
        match self.tx.record_all(&all).await {
            Ok(recorded) if recorded.iter().all(Option::is_some) => {
                let first = recorded.into_iter().flatten().next();
                self.group = self.group.or(first.map(|recorded| recorded.seq));
                owners.renew(self.tx).await
            }
            // The records were locked and their references checked, so this takes another program in the same moment.
            Ok(_) | Err(Fault::Reference) => Err(Error::new(
                Code::Conflict,
                "others are changing the same records; nothing was changed, try again",
            )),
            Err(Fault::Error(error)) => Err(error),
        }
    }

    /// Handles the records that refer to these rows, as their fields say: clears the reference or, with `cascade`, deletes
    /// them as well. The schema alone would also clear the reference, but without a change of `updated_at` and version.
    fn release<'a>(
        &'a mut self,
        noun: &'static Noun,
        rows: DeletedRows,
        id: i64,
        cascade: bool,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(async move {
            // In reverse order, because later nouns may refer to earlier ones.
            for (referrer, field, on_delete) in noun.referrers(self.tx.nouns()).rev() {
                let table = referrer.plural;
                let condition = match &rows {
                    DeletedRows::One => format!("{table}.{} = $", field.name),
                    DeletedRows::Where(condition) => format!(
                        "{table}.{} IN (SELECT id FROM {} WHERE {condition})",
                        field.name, noun.plural
                    ),
                };
                match on_delete {
                    OnDelete::SetNull => {
                        self.refer(referrer, field, &condition, id, Value::Null)
                            .await?;
                    }
                    OnDelete::Refuse if cascade => {
                        let owned = DeletedRows::Where(condition.clone());
                        self.release(referrer, owned, id, cascade).await?;
                        if self.append(referrer, &condition, id, None).await? > 0 {
                            let sql = format!(
                                "DELETE FROM {table} WHERE {}",
                                condition.replace('$', "$1")
                            );
                            self.tx.execute(&sql, &[id.into()]).await?;
                        }
                    }
                    OnDelete::Refuse => {}
                }
            }
            Ok(())
        })
    }

    /// Gives the records that refer to one record to another one. Both are locked. Returns how many each noun has.
    pub async fn hand_over(
        &mut self,
        noun: &'static Noun,
        from: i64,
        to: i64,
    ) -> Result<Vec<(&'static Noun, u64)>> {
        self.join().await?;
        let mut counts = Vec::new();
        for (referrer, field, _) in noun.referrers(self.tx.nouns()) {
            let condition = format!("{}.{} = $", referrer.plural, field.name);
            let count = self
                .refer(referrer, field, &condition, from, to.into())
                .await?;
            counts.push((referrer, count));
        }
        let mut owners = Owners::default();
        owners.add(noun, to);
        owners.renew(self.tx).await?;
        Ok(counts)
    }

    /// Changes a reference of all records that a condition selects, as a change of each. Returns how many there are.
    async fn refer(
        &mut self,
        referrer: &'static Noun,
        field: &'static Field,
        condition: &str,
        id: i64,
        to: Value,
    ) -> Result<u64> {
        let now = time::now();
        let at = referrer.position(field.name).unwrap_or_default();
        let changed = [
            Some((at, to.clone())),
            referrer
                .position("updated_at")
                .map(|at| (at, Value::from(now.as_str()))),
        ];
        let changed: Vec<_> = changed.into_iter().flatten().collect();
        let count = self.append(referrer, condition, id, Some(&changed)).await?;
        if count > 0 {
            let sql = format!(
                "UPDATE {} SET {} = $1, updated_at = $2, version = version + 1 WHERE {}",
                referrer.plural,
                field.name,
                condition.replace('$', "$3")
            );
            let params = [to, now.as_str().into(), id.into()];
            self.tx.execute(&sql, &params).await?;
        }
        Ok(count)
    }

    /// Appends a change for each record that a condition selects, before one statement changes them all. `changed` has the
    /// new values of an update; without it, the records are deleted. Returns how many there are.
    async fn append(
        &mut self,
        noun: &'static Noun,
        condition: &str,
        id: i64,
        changed: Option<&[(usize, Value)]>,
    ) -> Result<u64> {
        let select = format!(
            "SELECT {} FROM {} WHERE {} AND {}.id > $2 ORDER BY {}.id LIMIT {PORTION}{}",
            statements::columns(noun),
            statements::table(noun),
            condition.replace('$', "$1"),
            noun.plural,
            noun.plural,
            T::LOCKING
        );
        let at = time::now();
        let (mut last, mut all) = (0, 0);
        loop {
            let rows = self
                .tx
                .query(&select, &[id.into(), Value::Int(last)])
                .await?;
            let Some(end) = rows.last().and_then(|row| row.first()?.int()) else {
                return Ok(all);
            };
            let count = rows.len();
            (last, all) = (end, all + count as u64);
            let texts = rows.into_iter().map(|mut values| {
                mend(noun, &mut values);
                let mut record = Record { noun, values };
                let previous = changed.map(|changed| previous(&record, changed));
                for (at, value) in changed.unwrap_or_default() {
                    record.values[*at] = value.clone();
                }
                let version = record.version() + i64::from(changed.is_some());
                let rest = match self.erases && changed.is_none() {
                    true => ERASED.into(),
                    false => rest(&record),
                };
                (record.id(), version, rest, previous)
            });
            let texts: Vec<_> = texts.collect();
            let kind = match changed {
                Some(_) => &statements(noun).updated,
                None => &statements(noun).deleted,
            };
            let changes = texts.iter().map(|(id, version, rest, previous)| Change {
                at: at.as_str(),
                author: self.author,
                group: self.group,
                undoes: self.undoes,
                kind,
                id: Some(*id),
                version: *version,
                rest,
                previous: previous.as_deref(),
            });
            let changes: Vec<Change<'_>> = changes.collect();
            let first = self.tx.append(&changes).await?;
            self.group = self.group.or(first);
            if count < PORTION {
                return Ok(all);
            }
            self.tx.takes_longer();
        }
    }

    /// Appends a change that erases a record which is deleted already.
    pub(super) async fn append_erased(
        &mut self,
        noun: &'static Noun,
        id: i64,
        version: i64,
    ) -> Result<()> {
        self.join().await?;
        let at = time::now();
        let change = Change {
            at: at.as_str(),
            author: self.author,
            group: self.group,
            undoes: self.undoes,
            kind: &statements(noun).erased,
            id: Some(id),
            version,
            rest: ERASED,
            previous: None,
        };
        let first = self.tx.append(&[change]).await?;
        self.group = self.group.or(first);
        Ok(())
    }

    /// The error for a record that cannot be deleted because other records refer to it.
    async fn still_has(&mut self, noun: &'static Noun, id: i64) -> Result<Error> {
        let mut counts = Vec::new();
        for (referrer, field, on_delete) in noun.referrers(self.tx.nouns()) {
            if on_delete != OnDelete::Refuse {
                continue;
            }
            let sql = format!(
                "SELECT count(*) FROM {} WHERE {} = $1",
                referrer.plural, field.name
            );
            let rows = self.tx.query(&sql, &[id.into()]).await?;
            let count = rows.first().and_then(|row| row.first());
            let count = count.and_then(Value::int).unwrap_or_default();
            counts.push((referrer, u64::try_from(count).unwrap_or_default()));
        }
        if counts.iter().all(|(_, count)| *count == 0) {
            let message =
                "another table of this database refers to the record; crm does not know that table";
            return Ok(Error::new(Code::Conflict, message));
        }
        Ok(in_use(noun, id, &counts))
    }
}

/// The lock on a group that nobody has taken back, and on all groups that take it, or one another, back.
pub(crate) fn family(group: i64) -> String {
    format!("changes {group}")
}

/// The error for an insert into a table whose highest possible id was given.
pub(crate) fn no_more_ids() -> Error {
    Error::new(
        Code::Conflict,
        "no id is left for a new record: another program has used the highest one, 9223372036854775807; nothing was saved; \
         delete that record, and set the table's number back (in SQLite the column seq of sqlite_sequence, in PostgreSQL \
         with setval) to the highest id that is left",
    )
}

/// The rows of a table that are about to be deleted.
#[derive(Clone)]
enum DeletedRows {
    /// The row with the id.
    One,
    /// The rows that a condition selects. `$` stands for the marker of the id.
    Where(String),
}
