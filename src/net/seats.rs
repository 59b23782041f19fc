//! Who has connections, and who makes room where all places are taken.
//!
//! A few addresses can hold every place, each within what one may have. Then somebody from another address is let in all
//! the same: of the address with the most connections the one goes that has waited the longest for its peer, or, where none
//! waits, one whose answer is worked at and can be asked for again. Whose request may be saved stays. So the last places,
//! see [`spare`], are for addresses that have none: writes that nobody confirms, of however few, can hold all others for
//! a minute, and `/health` has to answer meanwhile.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::net::address::household;
use crate::net::watch::{Loss, Shared};

/// The connections that are open, by [`household`]. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    by_household: HashMap<IpAddr, HashMap<u64, Guest>>,
    /// Those that were told to leave and have not left.
    leaving: usize,
    next: u64,
}

/// How many of so many places are only for addresses that have none, where nobody leaves for them.
pub(super) fn spare(most: usize) -> usize {
    most / 16
}

/// One connection.
struct Guest {
    watch: Shared,
    leave: Arc<Notify>,
}

/// The place of a connection, until it is dropped.
pub(super) struct Place {
    places: Places,
    /// `None` for one that does not count.
    held: Option<(IpAddr, u64)>,
    leave: Arc<Notify>,
}

impl Places {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a place to a connection, unless its address has so many of them; those of a trusted proxy, `None`, do not
    /// count.
    pub(super) fn take(&self, from: Option<IpAddr>, most: usize, watch: &Shared) -> Option<Place> {
        let leave = Arc::new(Notify::new());
        let mut held = None;
        if let Some(address) = from.map(household) {
            let mut state = self.state();
            let number = state.next;
            let guests = state.by_household.entry(address).or_default();
            if guests.len() >= most {
                return None;
            }
            let (watch, leave) = (watch.clone(), leave.clone());
            guests.insert(number, Guest { watch, leave });
            state.next += 1;
            held = Some((address, number));
        }
        Some(Place {
            places: self.clone(),
            held,
            leave,
        })
    }

    /// Whether this address has no connection; that of a trusted proxy, `None`, is never told from one that has.
    pub(super) fn has_none(&self, from: Option<IpAddr>) -> bool {
        let household = from.map(household);
        household.is_some_and(|address| !self.state().by_household.contains_key(&address))
    }

    /// How many connections were told to leave and have not left yet.
    pub(super) fn leaving(&self) -> usize {
        self.state().leaving
    }

    /// Tells one connection to leave for another that comes from here, if somebody has more than one more than that has.
    /// Answers whose it was.
    pub(super) fn make_room(&self, from: Option<IpAddr>) -> Option<IpAddr> {
        let mut state = self.state();
        let count = |address: IpAddr| state.by_household.get(&address).map_or(0, HashMap::len);
        let own = from.map_or(0, |from| count(household(from)));
        let mut greedy: Vec<(usize, IpAddr)> = state
            .by_household
            .iter()
            .map(|(address, guests)| (guests.len(), *address))
            .filter(|(count, _)| *count > own + 1)
            .collect();
        greedy.sort_unstable();
        // Who has the most may have none that may end.
        greedy
            .into_iter()
            .rev()
            .map(|(_, address)| address)
            .find(|address| state.end_one(*address))
    }
}

impl State {
    /// Ends the connection of an address whose end takes the least, if one may end.
    fn end_one(&mut self, address: IpAddr) -> bool {
        let Some(guests) = self.by_household.get_mut(&address) else {
            return false;
        };
        let mut all: Vec<(Loss, Instant, u64)> = guests
            .iter()
            .filter_map(|(number, guest)| {
                let (loss, since) = guest.watch.lock().may_leave()?;
                Some((loss, since, *number))
            })
            .collect();
        all.sort_unstable();
        // What is being saved by now stays.
        let leaves = |number: &u64| {
            guests
                .get(number)
                .is_some_and(|guest| guest.watch.lock().leave())
        };
        let Some(number) = all.into_iter().map(|(.., number)| number).find(leaves) else {
            return false;
        };
        if let Some(guest) = guests.remove(&number) {
            self.leaving += 1;
            guest.leave.notify_one();
        }
        true
    }
}

impl Place {
    /// Done when the connection is to leave.
    pub(super) fn is_wanted(&self) -> impl Future<Output = ()> {
        self.leave.notified()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((address, number)) = self.held else {
            return;
        };
        let mut state = self.places.state();
        let guests = state.by_household.get_mut(&address);
        let left = guests.and_then(|guests| {
            let guest = guests.remove(&number);
            guest.map(|_| guests.is_empty())
        });
        match left {
            Some(true) => drop(state.by_household.remove(&address)),
            Some(false) => {}
            None => state.leaving -= 1,
        }
    }
}
