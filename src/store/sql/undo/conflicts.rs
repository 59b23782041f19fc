//! What stands in the way of taking changes back: records that have changed since, and references.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::group::{Effect, Effects, Group, conflict};
use super::history::histories;
use super::portion::{Content, Did, PORTION, Portion, Step, contents};
use crate::base::error::{Code, Error, Problems, Result};
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::undone::{Fate, UndoneRecord};
use crate::model::value::Value;
use crate::store::sql::many::{FEW, int, of_ids, text};
use crate::store::sql::statements::statements;
use crate::store::transaction::{CHANGES_OF, Transaction};

/// A record: the place of its noun, and its id.
type Key = (usize, i64);

/// What the portion has of a record.
#[derive(Default)]
struct Touched {
    /// Its changes, the oldest first.
    steps: Vec<Step>,
    /// Its version now. `None` if there is no such record.
    version: Option<i64>,
    /// The fields that are changed back.
    fields: BTreeSet<usize>,
}

impl Touched {
    fn first(&self) -> Option<Did> {
        self.steps.first().map(|step| step.did)
    }

    fn last(&self) -> Option<&Step> {
        self.steps.last()
    }

    /// Its first change whose contents were erased.
    fn erased(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.is_erased)
    }

    /// Whether the version alone shows that nobody else has changed it. That of a record that is gone does not.
    fn is_surely_untouched(&self) -> bool {
        let mut pairs = self.steps.iter().zip(self.steps.iter().skip(1));
        self.last().is_some_and(|last| last.did != Did::Delete)
            && self.last().map(|last| last.version) == self.version
            && pairs.all(|(one, next)| next.did == Did::Update && next.version == one.version + 1)
    }

    fn fate(&self) -> Fate {
        let was_there = self.first() != Some(Did::Create);
        match (self.version.is_some(), was_there) {
            (true, true) => Fate::ChangedBack,
            (true, false) => Fate::Deleted,
            (false, true) => Fate::Restored,
            (false, false) => Fate::StaysDeleted,
        }
    }
}

/// Checks that the changes can be taken back, and returns what becomes of the records. Locks them unless `dry` is true.
pub(super) async fn check<T: Transaction>(
    tx: &mut T,
    group: &Group,
    portion: &Portion,
    dry: bool,
) -> Result<Vec<UndoneRecord>> {
    let mut touched: BTreeMap<Key, Touched> = BTreeMap::new();
    for step in portion.steps.iter().rev() {
        let key = (step.noun, step.id);
        touched.entry(key).or_default().steps.push(*step);
    }
    read_versions(tx, &mut touched, dry).await?;
    let mut found = Conflicts::default();
    erased(tx, &touched, &mut found).await?;
    changed_since(tx, group.effect, &touched, &mut found).await?;
    let references = read_contents(tx, portion, &mut touched).await?;
    missing(tx, &references, &touched, &mut found).await?;
    referrers(tx, &references, &touched, &mut found).await?;
    if !found.problems.is_empty() {
        return Err(found.error(group));
    }
    let nouns = tx.nouns();
    let records = touched.iter().map(|((noun, id), touched)| {
        let fate = touched.fate();
        let fields = touched.fields.iter().filter(|_| fate == Fate::ChangedBack);
        UndoneRecord {
            kind: nouns[*noun].name.into(),
            id: *id,
            fate,
            fields: fields
                .map(|at| nouns[*noun].fields[*at].name.into())
                .collect(),
        }
    });
    Ok(records.collect())
}

/// The conflicts that were found.
#[derive(Default)]
struct Conflicts {
    problems: Problems,
    count: usize,
}

impl Conflicts {
    /// How many are described.
    const TOLD: usize = 50;

    /// Whether one more is described. If not, nobody needs to find out who caused it.
    fn tells(&self) -> bool {
        self.count < Self::TOLD
    }

    fn push(&mut self, record: String, what: String) {
        self.count += 1;
        self.problems.push(record, what);
    }

    fn error(self, group: &Group) -> Error {
        let error = Error::fields(self.problems);
        let done = match group.done {
            0 => String::new(),
            done => format!(" ({done} of its changes are taken back already)"),
        };
        Error {
            code: Code::Conflict,
            message: format!(
                "the group of change {}{done} cannot be taken back; nothing was changed: {}",
                group.number, error.message
            ),
            ..error
        }
    }
}

/// Who made a change, in words.
fn by(change: Option<&(String, i64)>) -> String {
    change.map_or_else(|| "by another program".into(), by_known)
}

fn by_known((author, seq): &(String, i64)) -> String {
    format!("by {author} (change {seq})")
}

/// Reads the version of each record as it is now.
async fn read_versions<T: Transaction>(
    tx: &mut T,
    touched: &mut BTreeMap<Key, Touched>,
    dry: bool,
) -> Result<()> {
    let locking = if dry { "" } else { T::LOCKING };
    for (at, noun) in tx.nouns().iter().enumerate() {
        let ids = ids_of(touched.keys(), at);
        // In one order, so that two of these do not wait for each other.
        let rows = of_ids(tx, &ids, |markers| {
            let table = noun.plural;
            format!("SELECT id, version FROM {table} WHERE id IN ({markers}) ORDER BY id{locking}")
        });
        for row in rows.await? {
            let id = int(&row, 0).unwrap_or_default();
            if let Some(touched) = touched.get_mut(&(at, id)) {
                touched.version = Some(int(&row, 1).unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// The ids of the records of a noun.
fn ids_of<'a>(keys: impl Iterator<Item = &'a Key>, noun: usize) -> Vec<i64> {
    keys.filter(|key| key.0 == noun).map(|key| key.1).collect()
}

/// Finds the records of which nothing is left to give back, because they were erased.
async fn erased<T: Transaction>(
    tx: &mut T,
    touched: &BTreeMap<Key, Touched>,
    found: &mut Conflicts,
) -> Result<()> {
    let nouns = tx.nouns();
    let erased = touched.iter();
    let erased = erased.filter_map(|(key, touched)| Some((key, touched, touched.erased()?)));
    for ((at, id), touched, step) in erased {
        let noun = nouns[*at];
        let what = match touched.version {
            // It belonged to the erased record then, and belongs to another one now.
            Some(_) => format!(
                "was part of a record that was erased, so change {} has nothing of it any more",
                step.seq
            ),
            None => {
                let by = match found.tells() {
                    true => eraser(tx, noun, *id).await?,
                    false => None,
                };
                let by = by.map_or_else(String::new, |known| format!(", {}", by_known(&known)));
                format!("was erased{by}")
            }
        };
        found.push(format!("{} {id}", noun.name), what);
    }
    Ok(())
}

/// Who has erased a record. `None` if only its contents say that it was erased: one that was deleted before has no change of
/// its own for that.
async fn eraser<T: Transaction>(
    tx: &mut T,
    noun: &'static Noun,
    id: i64,
) -> Result<Option<(String, i64)>> {
    let types = statements(noun);
    let sql = format!(
        "SELECT author, seq, type, coalesce(first, seq) FROM crm_changes WHERE {CHANGES_OF} = $1) AND type IN ($2, $3) \
         ORDER BY seq DESC LIMIT 1"
    );
    let params = [
        id.into(),
        types.deleted.as_str().into(),
        types.erased.as_str().into(),
    ];
    let rows = tx.query(&sql, &params).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let mut is_it = text(row, 2) == types.erased;
    if !is_it && let Some(group) = int(row, 3) {
        // It went with the record that it belonged to.
        let sql = "SELECT seq FROM crm_changes WHERE first = $1 AND type LIKE '%.erased' LIMIT 1";
        is_it = !tx.query(sql, &[group.into()]).await?.is_empty();
    }
    Ok(int(row, 1)
        .filter(|_| is_it)
        .map(|seq| (text(row, 0).to_string(), seq)))
}

/// Finds the records that are not as the group has left them.
async fn changed_since<T: Transaction>(
    tx: &mut T,
    effect: Effect,
    touched: &BTreeMap<Key, Touched>,
    found: &mut Conflicts,
) -> Result<()> {
    let nouns = tx.nouns();
    let mut effects = Effects::default();
    for (at, noun) in nouns.iter().enumerate() {
        let suspects = touched
            .iter()
            .filter(|(key, touched)| key.0 == at && !touched.is_surely_untouched())
            .filter(|(_, touched)| touched.erased().is_none());
        let suspects: Vec<(i64, i64)> = suspects
            .map(|((_, id), touched)| (*id, touched.steps[0].seq))
            .collect();
        for chunk in suspects.chunks(FEW) {
            let histories = histories(tx, noun, chunk, &mut effects).await?;
            for (id, _) in chunk {
                let (Some(touched), Some(history)) = (touched.get(&(at, *id)), histories.get(id))
                else {
                    return Err(conflict(
                        "others are changing the same records; nothing was changed, try again",
                    ));
                };
                let is_only_ours = history.is_only(effect, touched.steps.len());
                if is_only_ours && history.is_gapless && history.ends_with(touched.version) {
                    continue;
                }
                let by = by(match is_only_ours {
                    true => None,
                    false => history.culprit(effect, touched.steps.len()),
                });
                let was_deleted = touched.last().is_some_and(|last| last.did == Did::Delete);
                let what = match (was_deleted, touched.version.is_some()) {
                    (true, true) => format!("is there again since, {by}"),
                    (true, false) => format!("was made and deleted again since, {by}"),
                    (false, true) => format!("was changed since, {by}"),
                    (false, false) => format!("was deleted since, {by}"),
                };
                found.push(format!("{} {id}", noun.name), what);
            }
        }
    }
    Ok(())
}

/// What the changes that are taken back say about references.
#[derive(Default)]
struct References {
    /// The records that are referred to at some step, each with those that refer to it.
    targets: BTreeMap<Key, BTreeSet<Key>>,
    /// The last value that a field of a record gets, by the record and the field's position.
    after: HashMap<(Key, usize), Value>,
}

/// Reads all contents: the fields that are changed back, and the references.
async fn read_contents<T: Transaction>(
    tx: &mut T,
    portion: &Portion,
    touched: &mut BTreeMap<Key, Touched>,
) -> Result<References> {
    let nouns = tx.nouns();
    let mut references = References::default();
    for part in portion.parts() {
        // What was erased has no contents, and is a conflict already.
        let part: Vec<Step> = part
            .iter()
            .filter(|step| !step.is_erased)
            .copied()
            .collect();
        for (step, content) in part.iter().zip(contents(tx, &part).await?) {
            let key = (step.noun, step.id);
            let noun = nouns[step.noun];
            let fields = match content {
                Content::Created => Vec::new(),
                Content::Deleted(record) => record.values.into_iter().enumerate().collect(),
                Content::Updated(fields) => {
                    if let Some(touched) = touched.get_mut(&key) {
                        touched.fields.extend(fields.iter().map(|(at, _)| *at));
                    }
                    fields
                }
            };
            for (at, value) in fields {
                let Kind::Reference(target) = noun.fields[at].kind else {
                    continue;
                };
                let target = nouns.iter().position(|noun| noun.plural == target.plural);
                if let (Some(target), Some(id)) = (target, value.int()) {
                    let referring = references.targets.entry((target, id)).or_default();
                    referring.insert(key);
                }
                references.after.insert((key, at), value);
            }
        }
    }
    Ok(references)
}

/// Finds the references to records that do not exist, and are not restored either.
async fn missing<T: Transaction>(
    tx: &mut T,
    references: &References,
    touched: &BTreeMap<Key, Touched>,
    found: &mut Conflicts,
) -> Result<()> {
    let nouns = tx.nouns();
    for (at, noun) in nouns.iter().enumerate() {
        let is_restored = |key: &Key| {
            let touched = touched.get(key);
            touched.is_some_and(|touched| touched.steps.iter().any(|step| step.did == Did::Delete))
        };
        let wanted = references.targets.keys().filter(|key| !is_restored(key));
        let ids = ids_of(wanted, at);
        let rows = of_ids(tx, &ids, |markers| {
            format!("SELECT id FROM {} WHERE id IN ({markers})", noun.plural)
        });
        let there: BTreeSet<i64> = rows.await?.iter().filter_map(|row| int(row, 0)).collect();
        for id in ids.iter().filter(|id| !there.contains(id)) {
            let what = match found.tells() {
                true => gone(tx, noun, *id).await?,
                false => String::new(),
            };
            let referring = references.targets.get(&(at, *id));
            for (referrer, referring) in referring.into_iter().flatten() {
                found.push(
                    format!("{} {referring}", nouns[*referrer].name),
                    format!("refers to {} {id}, which {what}", noun.name),
                );
            }
        }
    }
    Ok(())
}

/// What has become of a record that does not exist, and by whom.
async fn gone<T: Transaction>(tx: &mut T, noun: &'static Noun, id: i64) -> Result<String> {
    let types = statements(noun);
    let sql = format!(
        "SELECT author, seq, record FROM crm_changes WHERE {CHANGES_OF} = $1) AND type IN ($2, $3) \
         ORDER BY seq DESC LIMIT 1"
    );
    let params = [
        id.into(),
        types.deleted.as_str().into(),
        types.erased.as_str().into(),
    ];
    let rows = tx.query(&sql, &params).await?;
    if let Some(row) = rows.first()
        && text(row, 2) == bare(id)
    {
        let by = eraser(tx, noun, id).await?;
        let by = by.map_or_else(String::new, |known| format!(", {}", by_known(&known)));
        return Ok(format!("was erased since{by}"));
    }
    let change = rows.first();
    let change = change.and_then(|row| Some((text(row, 0).to_string(), int(row, 1)?)));
    Ok(format!("was deleted since, {}", by(change.as_ref())))
}

/// The record in the changes of one that was erased.
fn bare(id: i64) -> String {
    format!("{{\"id\":{id}}}")
}

/// Finds the records that refer to one that is deleted, and are not deleted or changed back themselves.
async fn referrers<T: Transaction>(
    tx: &mut T,
    references: &References,
    touched: &BTreeMap<Key, Touched>,
    found: &mut Conflicts,
) -> Result<()> {
    let nouns = tx.nouns();
    for (at, noun) in nouns.iter().enumerate() {
        let deleted = touched.iter();
        let deleted = deleted.filter(|(_, touched)| touched.fate() == Fate::Deleted);
        let ids = ids_of(deleted.map(|(key, _)| key), at);
        for (referrer, field, _) in noun.referrers(nouns) {
            // Those of the portion, and enough others to name.
            let most = PORTION + Conflicts::TOLD + 1;
            let rows = of_ids(tx, &ids, |markers| {
                format!(
                    "SELECT {name}, id FROM {} WHERE {name} IN ({markers}) ORDER BY id LIMIT {most}",
                    referrer.plural,
                    name = field.name
                )
            });
            let place = nouns.iter().position(|known| *known == referrer);
            let (place, field) = (
                place.unwrap_or_default(),
                referrer.position(field.name).unwrap_or_default(),
            );
            for row in rows.await? {
                let (Some(target), Some(id)) = (int(&row, 0), int(&row, 1)) else {
                    continue;
                };
                let key = (place, id);
                let is_deleted = touched
                    .get(&key)
                    .is_some_and(|touched| touched.first() == Some(Did::Create));
                let after = references.after.get(&(key, field));
                if is_deleted || after.is_some_and(|after| *after != Value::Int(target)) {
                    continue;
                }
                found.push(
                    format!("{} {target}", noun.name),
                    format!("{} {id} refers to it now", referrer.name),
                );
            }
        }
    }
    Ok(())
}
