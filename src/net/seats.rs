//! Which client has which connections, and which connection is evicted when there are too many.
//!
//! A few addresses can hold all connections, each within its own limit. A client from another address is still admitted:
//! one connection of the address with the most connections is evicted for it. The evicted connection is the one that has
//! waited longest for its peer or, if none waits, one that is answering a read, which can be requested again. A connection
//! whose request may be saving something is never evicted.
//!
//! Therefore the last connections, see [`reserved`](super::limits::reserved), are for addresses that have none: writes that wait for the database
//! can hold all others for a minute, even if they come from a few clients, and `/health` has to answer meanwhile.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::net::address::counted_address;
use crate::net::watch::{EvictionCost, SharedWatch};

/// The open connections, by [`counted_address`]. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Seats(Arc<Mutex<SeatTable>>);

#[derive(Default)]
struct SeatTable {
    by_address: HashMap<IpAddr, HashMap<u64, Seated>>,
    /// Connections that were evicted and have not ended yet.
    leaving: usize,
    /// Connections that have given their seats back, because each serves a stream.
    streaming: usize,
    next: u64,
}

/// One connection in the table.
struct Seated {
    watch: SharedWatch,
    evicted: Arc<Notify>,
}

/// The seat of one connection, until it is dropped.
pub(super) struct Seat {
    seats: Seats,
    /// Its address and number; `None` if it is not counted.
    held: Option<(IpAddr, u64)>,
    evicted: Arc<Notify>,
    is_given_back: AtomicBool,
}

impl Seats {
    fn table(&self) -> MutexGuard<'_, SeatTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat for a connection, unless its address already has `most`. A trusted proxy, `None`, is not counted.
    pub(super) fn take(
        &self,
        from: Option<IpAddr>,
        most: usize,
        watch: &SharedWatch,
    ) -> Option<Seat> {
        let evicted = Arc::new(Notify::new());
        let mut held = None;
        if let Some(address) = from.map(counted_address) {
            let mut table = self.table();
            let number = table.next;
            let seated = table.by_address.entry(address).or_default();
            if seated.len() >= most {
                return None;
            }
            let (watch, evicted) = (watch.clone(), evicted.clone());
            seated.insert(number, Seated { watch, evicted });
            table.next += 1;
            held = Some((address, number));
        }
        Some(Seat {
            seats: self.clone(),
            held,
            evicted,
            is_given_back: AtomicBool::new(false),
        })
    }

    /// Whether this address has no connection. For a trusted proxy, `None`, the answer is always no.
    pub(super) fn has_none(&self, from: Option<IpAddr>) -> bool {
        let address = from.map(counted_address);
        address.is_some_and(|address| !self.table().by_address.contains_key(&address))
    }

    /// How many connections were evicted and have not ended yet.
    pub(super) fn leaving(&self) -> usize {
        self.table().leaving
    }

    /// How many connections serve a stream.
    pub(super) fn streaming(&self) -> usize {
        self.table().streaming
    }

    /// Evicts one connection for a new one that comes from `from`. The evicted one belongs to an address that has at least
    /// two more connections than `from`. Returns that address, or `None` if there is no such connection.
    pub(super) fn evict_for(&self, from: Option<IpAddr>) -> Option<IpAddr> {
        let mut table = self.table();
        let count = |address: IpAddr| table.by_address.get(&address).map_or(0, HashMap::len);
        let own = from.map_or(0, |from| count(counted_address(from)));
        let mut greedy: Vec<(usize, IpAddr)> = table
            .by_address
            .iter()
            .map(|(address, seated)| (seated.len(), *address))
            .filter(|(count, _)| *count > own + 1)
            .collect();
        greedy.sort_unstable();
        // The address with the most connections may have none that can be evicted; then the next one is tried.
        greedy
            .into_iter()
            .rev()
            .map(|(_, address)| address)
            .find(|address| table.evict_one(*address))
    }
}

impl SeatTable {
    /// Evicts the connection of an address with the lowest cost, and returns whether there was one.
    fn evict_one(&mut self, address: IpAddr) -> bool {
        let Some(seated) = self.by_address.get_mut(&address) else {
            return false;
        };
        let mut candidates: Vec<(EvictionCost, Instant, u64)> = seated
            .iter()
            .filter_map(|(number, one)| {
                let (cost, since) = one.watch.lock().eviction_cost()?;
                Some((cost, since, *number))
            })
            .collect();
        candidates.sort_unstable();
        // A connection that has begun to save something in the meantime stays.
        let evicts = |number: &u64| {
            seated
                .get(number)
                .is_some_and(|one| one.watch.lock().evict())
        };
        let mut numbers = candidates.into_iter().map(|(.., number)| number);
        let Some(number) = numbers.find(evicts) else {
            return false;
        };
        if let Some(one) = seated.remove(&number) {
            self.leaving += 1;
            one.evicted.notify_one();
        }
        true
    }
}

impl Seat {
    /// Resolves when the connection is evicted.
    pub(super) fn evicted(&self) -> impl Future<Output = ()> {
        self.evicted.notified()
    }
}

impl Seat {
    /// Gives the seat back, because the connection serves a stream from now on, which is counted elsewhere. It can no longer
    /// be evicted. A connection that was evicted before stays so.
    pub(super) fn give_back(&self) {
        if self.is_given_back.load(Ordering::Relaxed) {
            return;
        }
        let mut table = self.seats.table();
        if self.held.is_none_or(|held| table.remove(held)) {
            table.streaming += 1;
            self.is_given_back.store(true, Ordering::Relaxed);
        }
    }
}

impl SeatTable {
    /// Removes a connection, and returns whether it was there. It is not if it was evicted.
    fn remove(&mut self, (address, number): (IpAddr, u64)) -> bool {
        let Some(seated) = self.by_address.get_mut(&address) else {
            return false;
        };
        let was_there = seated.remove(&number).is_some();
        if seated.is_empty() {
            self.by_address.remove(&address);
        }
        was_there
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.seats.table();
        match (self.is_given_back.load(Ordering::Relaxed), self.held) {
            (true, _) => table.streaming -= 1,
            (false, Some(held)) => {
                if !table.remove(held) {
                    // It was evicted.
                    table.leaving -= 1;
                }
            }
            (false, None) => {}
        }
    }
}
