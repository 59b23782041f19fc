//! What has happened to records since a group: whether only what was taken back again.
//!
//! Each change of a record is an effect of the root of its group: it makes a change of the root, or takes one away. Effects
//! that follow each other and are the inverse of each other cancel out, as in a free group. What remains of the effects
//! since a change of the group is that change alone, if the record is as the group has left it.

use std::collections::HashMap;

use super::group::{Effect, Effects};
use super::portion::{Did, parse};
use crate::base::error::Result;
use crate::model::noun::Noun;
use crate::model::process::DUE;
use crate::store::sql::many::{int, of_ids_and, text};
use crate::store::transaction::{CHANGES_OF, Transaction};

/// What has happened to a record.
pub(super) struct History {
    /// The effects that remain, each with its author and the number of its change.
    effects: Vec<(Effect, (String, i64))>,
    /// The newest change.
    newest: (String, i64),
    /// The version after the newest change.
    version: Option<i64>,
    /// Whether the newest change has deleted the record.
    is_deleted: bool,
    /// Whether each version follows the one before it. Another program that changes a record leaves a gap.
    pub(super) is_gapless: bool,
}

impl Default for History {
    fn default() -> History {
        History {
            effects: Vec::new(),
            newest: (String::new(), 0),
            version: None,
            is_deleted: false,
            is_gapless: true,
        }
    }
}

impl History {
    /// Adds a change.
    fn add(&mut self, effect: Effect, did: Option<Did>, version: i64, by: (String, i64)) {
        let follows = |last: i64| match did {
            // A record that is restored begins with a version that it never had.
            Some(Did::Create) => version > last,
            Some(Did::Update) => version == last + 1,
            Some(Did::Delete) => version == last,
            None => false,
        };
        self.is_gapless &= self.version.is_none_or(follows);
        self.version = Some(version);
        self.is_deleted = did == Some(Did::Delete);
        self.newest.clone_from(&by);
        match self.effects.last() {
            Some((last, _)) if *last == effect.inverse() => drop(self.effects.pop()),
            _ => self.effects.push((effect, by)),
        }
    }

    /// Whether the newest change has left the record as it is now: with this version, or gone.
    pub(super) fn ends_with(&self, version: Option<i64>) -> bool {
        match self.is_deleted {
            true => version.is_none(),
            false => version == self.version,
        }
    }

    /// Whether this effect, so many times, is all that remains.
    pub(super) fn is_only(&self, effect: Effect, times: usize) -> bool {
        self.effects.len() == times && self.effects.iter().all(|one| one.0 == effect)
    }

    /// Who is the last to have changed the record beside this effect.
    pub(super) fn culprit(&self, effect: Effect, times: usize) -> Option<&(String, i64)> {
        let ours = self.effects.iter().take(times);
        let ours = ours.take_while(|one| one.0 == effect).count();
        match self.effects.len() > ours {
            true => self.effects.last().map(|one| &one.1),
            false => Some(&self.newest),
        }
    }
}

/// The histories of records of a noun. Each record comes with the change from which on its history is read.
pub(super) async fn histories<T: Transaction>(
    tx: &mut T,
    noun: &'static Noun,
    records: &[(i64, i64)],
    effects: &mut Effects,
) -> Result<HashMap<i64, History>> {
    let ids: Vec<i64> = records.iter().map(|record| record.0).collect();
    let first = records.iter().map(|record| record.1).min();
    let since: HashMap<i64, i64> = records.iter().copied().collect();
    let rows = of_ids_and(tx, &ids, first, |markers, since| {
        format!(
            "SELECT record_id, seq, version, coalesce(first, seq), undoes, author, type FROM crm_changes \
             WHERE {CHANGES_OF} IN ({markers})) AND seq >= {since} ORDER BY seq"
        )
    })
    .await?;
    let nouns = tx.nouns();
    let mut found: HashMap<i64, History> = HashMap::new();
    for row in rows {
        let (Some(id), Some(seq), Some(version), Some(group)) =
            (int(&row, 0), int(&row, 1), int(&row, 2), int(&row, 3))
        else {
            continue;
        };
        let kind = text(&row, 6);
        if kind == DUE {
            // It has changed nothing.
            continue;
        }
        let is_of_noun = kind.split('.').next() == Some(noun.name);
        if !is_of_noun || since.get(&id).is_none_or(|since| seq < *since) {
            continue;
        }
        let effect = match int(&row, 4) {
            Some(undoes) => effects.of(tx, undoes).await?.inverse(),
            None => Effect {
                root: group,
                takes_away: false,
            },
        };
        let did = parse(nouns, kind).map(|known| known.1);
        let by = (text(&row, 5).to_string(), seq);
        found.entry(id).or_default().add(effect, did, version, by);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The history of these changes: the root, whether it is taken away, what was done, the version.
    fn history(changes: &[(i64, bool, Did, i64)]) -> History {
        let mut history = History::default();
        for (at, (root, takes_away, did, version)) in changes.iter().enumerate() {
            let effect = Effect {
                root: *root,
                takes_away: *takes_away,
            };
            let by = (format!("of {root}"), at as i64);
            history.add(effect, Some(*did), *version, by);
        }
        history
    }

    const OURS: Effect = Effect {
        root: 1,
        takes_away: false,
    };

    #[test]
    fn what_was_taken_back_does_not_count() {
        use Did::{Create, Delete, Update};
        let alone = history(&[(1, false, Update, 2)]);
        assert!(alone.is_only(OURS, 1) && alone.is_gapless);
        // Nested, and taken back and made again.
        let nested = history(&[
            (1, false, Update, 2),
            (2, false, Update, 3),
            (3, false, Delete, 3),
            (3, true, Create, 4),
            (2, true, Update, 5),
            (1, true, Update, 6),
            (1, false, Update, 7),
        ]);
        assert!(nested.is_only(OURS, 1) && nested.is_gapless);
        let twice = history(&[(1, false, Update, 2), (1, false, Update, 3)]);
        assert!(twice.is_only(OURS, 2) && !twice.is_only(OURS, 1));
    }

    #[test]
    fn what_another_has_changed_counts() {
        use Did::Update;
        let later = history(&[(1, false, Update, 2), (2, false, Update, 3)]);
        assert!(!later.is_only(OURS, 1));
        assert_eq!(later.culprit(OURS, 1), Some(&("of 2".into(), 1)));
        let crossed = history(&[
            (1, false, Update, 2),
            (2, false, Update, 3),
            (1, true, Update, 4),
        ]);
        assert!(!crossed.is_only(OURS, 1));
        let between = history(&[
            (1, false, Update, 2),
            (2, false, Update, 3),
            (1, false, Update, 4),
        ]);
        assert!(!between.is_only(OURS, 2));
        let foreign = history(&[
            (1, false, Update, 2),
            (2, false, Update, 4),
            (2, true, Update, 5),
        ]);
        assert!(foreign.is_only(OURS, 1) && !foreign.is_gapless);
    }
}
