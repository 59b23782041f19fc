//! Groups of changes: which one is wanted, and whether it is taken back already.
//!
//! A group is taken back if another one takes it back that is not itself taken back. So the groups that take one another
//! back form a tree. Its root is a group that takes nothing back.

use std::collections::HashMap;

use crate::base::error::{Code, Error, Result};
use crate::store::sql::ledger::family;
use crate::store::sql::many::{int, text};
use crate::store::transaction::Transaction;

/// The group that is wanted.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// The group of the change with this number.
    Of(i64),
    /// The newest one of this author that takes nothing back and is not taken back.
    Last(&'a str),
}

/// How many of the newest changes are searched for the last group of an author. Nothing else is written to a SQLite file in
/// the meantime.
const SEARCHED: i64 = 100_000;

/// A group that can be taken back.
pub(super) struct Group {
    /// Its first change, which names it.
    pub(super) number: i64,
    /// Who made it.
    pub(super) by: String,
    /// When its first change was made.
    pub(super) at: String,
    /// The operation that made its first change.
    pub(super) operation: String,
    /// How many changes it has.
    pub(super) changes: u64,
    /// How many of them are taken back already.
    pub(super) done: u64,
    /// The group that has begun to take it back.
    pub(super) begun: Option<i64>,
    /// What it does to the root of its tree.
    pub(super) effect: Effect,
}

/// What a group does: a root makes its own changes. The group that takes it back takes them away, the one that takes that
/// back makes them again, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) root: i64,
    /// Whether it takes the changes of the root away.
    pub(super) takes_away: bool,
}

impl Effect {
    /// What a group does that takes this one back.
    pub(super) fn inverse(self) -> Effect {
        Effect {
            takes_away: !self.takes_away,
            ..self
        }
    }
}

/// The effects of groups that were looked up.
#[derive(Default)]
pub(super) struct Effects(HashMap<i64, Effect>);

impl Effects {
    /// What a group does. If the root is not kept any more, the oldest group of the tree that is named stands for it.
    pub(super) async fn of<T: Transaction>(&mut self, tx: &mut T, group: i64) -> Result<Effect> {
        let (mut chain, mut at) = (Vec::new(), group);
        let mut effect = loop {
            if let Some(known) = self.0.get(&at) {
                break *known;
            }
            chain.push(at);
            let sql = "SELECT undoes FROM crm_changes WHERE seq = $1";
            let rows = tx.query(sql, &[at.into()]).await?;
            match rows.first().and_then(|row| int(row, 0)) {
                // A number that is not lower has been written by another program, and would lead round in a circle.
                Some(undoes) if undoes < at => at = undoes,
                _ => {
                    chain.pop();
                    let root = Effect {
                        root: at,
                        takes_away: false,
                    };
                    self.0.insert(at, root);
                    break root;
                }
            }
        };
        for group in chain.into_iter().rev() {
            effect = effect.inverse();
            self.0.insert(group, effect);
        }
        Ok(effect)
    }
}

/// Finds the group, and locks its tree unless `dry` is true.
pub(super) async fn find<T: Transaction>(
    tx: &mut T,
    wanted: Wanted<'_>,
    dry: bool,
) -> Result<Group> {
    let (number, effect, state) = loop {
        let number = match wanted {
            Wanted::Of(change) => group_of(tx, change).await?,
            Wanted::Last(author) => last(tx, author).await?,
        };
        let effect = Effects::default().of(tx, number).await?;
        if !dry {
            tx.alone_with(&family(effect.root)).await?;
        }
        match (wanted, state(tx, number).await?) {
            // Another request has taken it back while this one waited for its turn, so the group before it is the last one.
            (Wanted::Last(_), State::TakenBack(_)) if !dry => {}
            (_, state) => break (number, effect, state),
        }
    };
    let sql = "SELECT author, at, operation FROM crm_changes WHERE seq = $1";
    let rows = tx.query(sql, &[number.into()]).await?;
    let Some(head) = rows.first() else {
        let what = format!("the first changes of the group of change {number} are");
        return Err(removed(tx, &what).await?);
    };
    let (by, at, operation) = (text(head, 0), text(head, 1), text(head, 2));
    let changes = count(tx, number).await?;
    let (begun, done) = match state {
        State::Whole => (None, 0),
        State::Partly(by) => (Some(by), count(tx, by).await?),
        State::TakenBack(by) => {
            return Err(conflict(format!(
                "the group of change {number} is taken back already, by change {by}"
            )));
        }
        State::Blocked(by) => {
            return Err(conflict(format!(
                "the group of change {number} is taken back by change {by}, which is itself taken back in part; finish that \
                 first: take back change {by}"
            )));
        }
    };
    Ok(Group {
        number,
        by: by.into(),
        at: at.into(),
        operation: operation.into(),
        changes,
        done,
        begun,
        effect,
    })
}

pub(super) fn conflict(message: impl Into<String>) -> Error {
    Error::new(Code::Conflict, message)
}

/// The group of a change.
async fn group_of<T: Transaction>(tx: &mut T, change: i64) -> Result<i64> {
    let sql = "SELECT coalesce(first, seq) FROM crm_changes WHERE seq = $1";
    let rows = tx.query(sql, &[change.into()]).await?;
    if let Some(group) = rows.first().and_then(|row| int(row, 0)) {
        return Ok(group);
    }
    match oldest(tx).await? {
        Some(oldest) if change < oldest => Err(removed(tx, &format!("change {change} is")).await?),
        _ => {
            let message = format!("no change has the number {change}");
            Err(Error::new(Code::NotFound, message))
        }
    }
}

/// The number of the oldest change that is kept.
async fn oldest<T: Transaction>(tx: &mut T) -> Result<Option<i64>> {
    let sql = "SELECT seq FROM crm_changes ORDER BY seq LIMIT 1";
    let rows = tx.query(sql, &[]).await?;
    Ok(rows.first().and_then(|row| int(row, 0)))
}

/// The error for changes that are no longer kept.
async fn removed<T: Transaction>(tx: &mut T, what: &str) -> Result<Error> {
    let oldest = oldest(tx).await?.unwrap_or_default();
    Ok(Error::new(
        Code::Gone,
        format!(
            "{what} no longer kept, and a group can only be taken back as a whole; changes are kept from number {oldest} on; \
             read the records themselves, and correct them by hand"
        ),
    ))
}

/// The newest group of an author that takes nothing back and is not taken back.
async fn last<T: Transaction>(tx: &mut T, author: &str) -> Result<i64> {
    let newest = "SELECT seq FROM crm_changes ORDER BY seq DESC LIMIT 1";
    let rows = tx.query(newest, &[]).await?;
    let newest = rows.first().and_then(|row| int(row, 0)).unwrap_or_default();
    let floor = newest - SEARCHED;
    let mut before = newest.saturating_add(1);
    loop {
        let sql = "SELECT seq FROM crm_changes WHERE seq < $1 AND seq > $2 AND author = $3 AND first IS NULL \
                   AND undoes IS NULL ORDER BY seq DESC LIMIT 1";
        let params = [before.into(), floor.into(), author.into()];
        let rows = tx.query(sql, &params).await?;
        let Some(group) = rows.first().and_then(|row| int(row, 0)) else {
            break;
        };
        match state(tx, group).await? {
            State::TakenBack(_) => before = group,
            // Nothing can take it back, and it would keep all older groups from being the last one.
            _ if is_erased(tx, group).await? => before = group,
            _ => return Ok(group),
        }
    }
    let older = "SELECT seq FROM crm_changes WHERE seq <= $1 LIMIT 1";
    let message = match tx.query(older, &[floor.into()]).await?.is_empty() {
        true => format!("{author} has made no change that is kept and not taken back already"),
        false => format!(
            "none of the newest {SEARCHED} changes can be taken back as the last one of {author}; name the change instead"
        ),
    };
    Err(Error::new(Code::NotFound, message))
}

/// Whether a record of a group was erased: one of its changes has the id alone.
async fn is_erased<T: Transaction>(tx: &mut T, group: i64) -> Result<bool> {
    let bare = "record = '{\"id\":' || record_id || '}'";
    // Two selects, so that each has its index.
    let sql = format!(
        "SELECT seq FROM crm_changes WHERE seq = $1 AND {bare} UNION ALL \
         SELECT seq FROM crm_changes WHERE first = $1 AND {bare} LIMIT 1"
    );
    Ok(!tx.query(&sql, &[group.into()]).await?.is_empty())
}

/// How many changes a group has.
async fn count<T: Transaction>(tx: &mut T, group: i64) -> Result<u64> {
    let sql = "SELECT count(*) FROM crm_changes WHERE first = $1";
    let rows = tx.query(sql, &[group.into()]).await?;
    let more = rows.first().and_then(|row| int(row, 0)).unwrap_or_default();
    Ok(u64::try_from(more).unwrap_or_default() + 1)
}

/// Whether a group is taken back, and by which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    Partly(i64),
    TakenBack(i64),
    /// By one that is itself taken back in part. So it can neither go on nor begin anew.
    Blocked(i64),
}

/// Finds out whether a group is taken back.
async fn state<T: Transaction>(tx: &mut T, group: i64) -> Result<State> {
    let mut tree: Vec<(i64, Vec<usize>)> = vec![(group, Vec::new())];
    let mut at = 0;
    while at < tree.len() {
        for undoer in undoers(tx, tree[at].0).await? {
            let child = tree.len();
            tree[at].1.push(child);
            tree.push((undoer, Vec::new()));
        }
        at += 1;
    }
    // Children come after their parents.
    let mut states = vec![State::Whole; tree.len()];
    for at in (0..tree.len()).rev() {
        let (group, children) = &tree[at];
        let is_in_effect = |child: &&usize| !matches!(states[**child], State::TakenBack(_));
        let Some(child) = children.iter().find(is_in_effect) else {
            continue;
        };
        let by = tree[*child].0;
        states[at] = match states[*child] {
            State::Whole if count(tx, by).await? < count(tx, *group).await? => State::Partly(by),
            State::Whole => State::TakenBack(by),
            _ => State::Blocked(by),
        };
    }
    Ok(states[0])
}

/// The groups that take this one back, or have taken it back, the oldest first.
async fn undoers<T: Transaction>(tx: &mut T, group: i64) -> Result<Vec<i64>> {
    let mut found = Vec::new();
    let mut after = group;
    loop {
        // One begins after the one before it has ended, so the next number is the first change of the next group.
        let next =
            "SELECT seq FROM crm_changes WHERE undoes = $1 AND seq > $2 ORDER BY seq LIMIT 1";
        let rows = tx.query(next, &[group.into(), after.into()]).await?;
        let Some(first) = rows.first().and_then(|row| int(row, 0)) else {
            return Ok(found);
        };
        found.push(first);
        let end = "SELECT max(seq) FROM crm_changes WHERE first = $1";
        let rows = tx.query(end, &[first.into()]).await?;
        after = rows.first().and_then(|row| int(row, 0)).unwrap_or(first);
    }
}
