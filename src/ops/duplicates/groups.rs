//! Groups of leads with equal keys.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::keys::Entry;
use crate::model::duplicates::{Reason, Reasons};

/// Leads that may be the same person, in the order of their ids, each with the reasons that it shares with another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) reasons: Reasons,
    pub(super) leads: Vec<(i64, Reasons)>,
}

/// The pairs of leads that are no duplicates of each other.
#[derive(Debug, Default)]
pub(super) struct Dismissed(HashMap<i64, HashSet<i64>>);

impl FromIterator<(i64, i64)> for Dismissed {
    fn from_iter<I: IntoIterator<Item = (i64, i64)>>(pairs: I) -> Dismissed {
        let mut all = Dismissed::default();
        for (one, other) in pairs {
            all.0.entry(one).or_default().insert(other);
            all.0.entry(other).or_default().insert(one);
        }
        all
    }
}

impl Dismissed {
    fn has(&self, one: i64, other: i64) -> bool {
        self.0.get(&one).is_some_and(|with| with.contains(&other))
    }

    /// The first of these leads that is dismissed with none of them.
    fn free(&self, leads: &[i64]) -> Option<i64> {
        let is_free = |id: &i64| match self.0.get(id) {
            None => true,
            Some(with) => leads.iter().all(|other| !with.contains(other)),
        };
        leads.iter().copied().find(is_free)
    }
}

/// Sets of leads that are connected.
struct Sets {
    /// The leads, sorted.
    ids: Vec<i64>,
    parents: Vec<u32>,
    reasons: Vec<Reasons>,
}

impl Sets {
    fn of(mut ids: Vec<i64>) -> Sets {
        ids.sort_unstable();
        ids.dedup();
        Sets {
            parents: (0..u32::try_from(ids.len()).unwrap_or(u32::MAX)).collect(),
            reasons: vec![Reasons::default(); ids.len()],
            ids,
        }
    }

    fn at(&self, id: i64) -> usize {
        self.ids.binary_search(&id).unwrap_or_default()
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.parents[at] as usize != at {
            let next = self.parents[at] as usize;
            self.parents[at] = self.parents[next];
            at = next;
        }
        at
    }

    /// Connects two leads for this reason.
    fn connect(&mut self, one: i64, other: i64, reason: Reason) {
        for id in [one, other] {
            let at = self.at(id);
            self.reasons[at].add(reason);
        }
        let (one, other) = (self.at(one), self.at(other));
        let (one, other) = (self.root(one), self.root(other));
        // The root is the lowest, so that no order of the leads makes deep trees for long.
        let (low, high) = (one.min(other), one.max(other));
        self.parents[high] = low as u32;
    }

    /// Connects leads with an equal key, except for pairs that are dismissed.
    fn connect_all(&mut self, leads: &[i64], reason: Reason, dismissed: &Dismissed) {
        // One that is dismissed with none of them connects all.
        if let Some(free) = dismissed.free(leads) {
            for other in leads.iter().filter(|other| **other != free) {
                self.connect(free, *other, reason);
            }
            return;
        }
        // Somebody has dismissed each of them, so they are few.
        for (at, one) in leads.iter().enumerate() {
            for other in &leads[at + 1..] {
                if !dismissed.has(*one, *other) {
                    self.connect(*one, *other, reason);
                }
            }
        }
    }
}

/// The groups of leads with these keys, those with the strongest reasons first.
pub(super) fn grouped(mut entries: Vec<Entry>, dismissed: &Dismissed) -> Vec<Candidate> {
    entries.sort_unstable();
    let runs = || {
        let runs = entries.chunk_by(|one, other| one.key() == other.key());
        runs.filter(|run| run.len() > 1)
    };
    let mut sets = Sets::of(runs().flatten().map(|entry| entry.id).collect());
    for run in runs() {
        let ids = |reason: Option<Reason>| {
            let some = run
                .iter()
                .filter(|one| reason.is_none_or(|reason| one.reason() == reason));
            let mut ids: Vec<i64> = some.map(|entry| entry.id).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        match run[0].reason() {
            Reason::Address | Reason::Mailbox => {
                // Those that have it as their address, and those that have it as their mailbox.
                let (own, all) = (ids(Some(Reason::Address)), ids(None));
                sets.connect_all(&own, Reason::Address, dismissed);
                if own.len() < all.len() {
                    sets.connect_all(&all, Reason::Mailbox, dismissed);
                }
            }
            reason => sets.connect_all(&ids(None), reason, dismissed),
        }
    }
    drop(entries);
    let mut members: Vec<(u32, u32)> = Vec::with_capacity(sets.ids.len());
    for at in 0..sets.ids.len() {
        members.push((sets.root(at) as u32, at as u32));
    }
    members.sort_unstable();
    let groups = members.chunk_by(|one, other| one.0 == other.0);
    let groups = groups.filter(|group| group.len() > 1).map(|group| {
        let mut reasons = Reasons::default();
        let leads = group.iter().map(|(_, at)| {
            let at = *at as usize;
            reasons.extend(sets.reasons[at]);
            (sets.ids[at], sets.reasons[at])
        });
        let leads = leads.collect();
        Candidate { reasons, leads }
    });
    let mut groups: Vec<Candidate> = groups.collect();
    groups.sort_unstable_by_key(|group| (Reverse(group.reasons), group.leads[0].0));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lead::LEAD;
    use crate::model::record::Record;
    use crate::model::rows::Rows;
    use crate::model::value::{Cell, Value};
    use crate::ops::duplicates::keys::Keys;

    fn found(leads: &[(i64, &str, &str, &str)], dismissed: &[(i64, i64)]) -> Vec<String> {
        let mut keys = Keys::new(Some("ref".into()));
        for (id, email, name, attributes) in leads {
            let json = format!(
                r#"{{"id":{id},"email":"{email}","name":"{name}","attributes":{attributes}}}"#
            );
            let record = Record::from_json(&LEAD, json.as_bytes()).unwrap();
            let cells: Vec<Cell<'_>> = record.values.iter().map(Value::cell).collect();
            keys.push(&LEAD, &cells);
        }
        let groups = grouped(keys.entries, &dismissed.iter().copied().collect());
        let told = groups.iter().map(|group| {
            let ids: Vec<String> = group.leads.iter().map(|one| one.0.to_string()).collect();
            format!("{}: {}", ids.join(" "), group.reasons.words().join(", "))
        });
        told.collect()
    }

    const LEADS: &[(i64, &str, &str, &str)] = &[
        (1, "eve@acme.org", "Eve", "{}"),
        (2, "ada@b.cc", "Ada", "{}"),
        (3, "ada+x@b.cc", "", "{}"),
        (4, "ADA@b.cc", "", "{}"),
        (
            5,
            "e.v.e@gmail.com",
            "Eve",
            r#"{"phone":"+1 555 000 1111"}"#,
        ),
        (6, "eve@googlemail.com", "Eve", "{}"),
        (7, "other@acme.org", "EVE", "{}"),
        (
            8,
            "x@x.cc",
            "Eve",
            r#"{"tel":"+1 (555) 0001111","ref":"a"}"#,
        ),
        (9, "y@y.cc", "Eve", r#"{"ref":"a"}"#),
    ];

    #[test]
    fn equal_keys_make_groups_and_the_strongest_come_first() {
        assert_eq!(
            found(LEADS, &[]),
            [
                "2 3 4: same address, same mailbox",
                "5 6 8 9: same attribute, same mailbox, same phone",
                "1 7: same name",
            ]
        );
    }

    #[test]
    fn dismissed_pairs_connect_nothing() {
        // They are still connected through a third one.
        assert_eq!(
            found(LEADS, &[(2, 3)])[0],
            "2 3 4: same address, same mailbox"
        );
        assert_eq!(
            found(LEADS, &[(3, 2), (3, 4)])[0],
            "2 4: same address, same mailbox"
        );
        let all = [(2, 3), (2, 4), (3, 4), (5, 8), (1, 7)];
        assert_eq!(
            found(LEADS, &all),
            ["8 9: same attribute", "5 6: same mailbox"]
        );
    }

    #[test]
    fn many_with_one_key_are_one_group() {
        let ids: Vec<i64> = (1..=5_000).collect();
        let mut keys = Keys::new(None);
        for id in ids.iter().rev() {
            let cells = [
                Cell::Int(*id),
                Cell::Text("a@b.cc"),
                Cell::Null,
                Cell::Null,
                Cell::Text("{}"),
            ];
            keys.push(&LEAD, &cells);
        }
        let groups = grouped(keys.entries, &[(1, 2)].into_iter().collect());
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].leads.len(), ids.len());
    }
}
