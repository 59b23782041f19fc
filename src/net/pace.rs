//! How quickly the peer takes what is written.
//!
//! Only the time in which bytes wait to be written counts: a response that is slow to come is not the peer's fault. A peer
//! starts with a whole window. Waiting bytes use the window up, and bytes taken at the rate earn it back. So a peer that
//! stops is cut one window later, and a peer above the rate stays, although the server sees it read only in lumps.

use std::time::Duration;

use tokio::time::Instant;

/// The pace of one peer.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes a second that the peer has to take.
    rate: u32,
    window: Duration,
    /// What is left of the window, as of `blocked`.
    left: Duration,
    /// Since when bytes wait to be written.
    blocked: Option<Instant>,
    /// The bytes taken since the peer last made bytes wait for [`PAUSE`].
    freely: u64,
}

/// A wait that is too long for a peer that reads as fast as it can.
const PAUSE: Duration = Duration::from_secs(1);

/// Bytes that a peer cannot take without reading: about twice what Linux receives for a program that has not read yet.
const PROOF: u64 = 256 * 1024;

impl Pace {
    pub(super) fn new(rate: u32, window: Duration) -> Pace {
        Pace {
            rate,
            window,
            left: window,
            blocked: None,
            freely: 0,
        }
    }

    /// Bytes wait to be written.
    pub(super) fn waits(&mut self, now: Instant) {
        self.blocked.get_or_insert(now);
    }

    /// The peer took bytes.
    pub(super) fn took(&mut self, count: usize, now: Instant) {
        if let Some(since) = self.blocked.take() {
            let waited = now - since;
            self.left = self.left.saturating_sub(waited);
            if waited >= PAUSE {
                self.freely = 0;
            }
        }
        let earned = Duration::from_secs(count as u64) / self.rate;
        self.left = self.window.min(self.left + earned);
        self.freely += count as u64;
    }

    /// Since when bytes wait to be written.
    pub(super) fn blocked(&self) -> Option<Instant> {
        self.blocked
    }

    /// When the window is used up, if bytes wait until then.
    pub(super) fn end(&self) -> Option<Instant> {
        self.blocked.map(|since| since + self.left)
    }

    /// Whether the peer has provably read, and without a pause.
    pub(super) fn is_quick(&self) -> bool {
        self.freely >= PROOF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_quick_after_it_took_much_without_a_pause() {
        let start = Instant::now();
        let mut pace = Pace::new(512, Duration::from_secs(30));
        let took = |pace: &mut Pace, count: u64, wait: Duration| {
            pace.waits(start);
            pace.took(count as usize, start + wait);
            pace.is_quick()
        };
        assert!(!took(&mut pace, PROOF - 1, Duration::ZERO));
        assert!(took(&mut pace, 1, PAUSE / 2));
        assert!(!took(&mut pace, PROOF - 1, PAUSE));
        assert!(took(&mut pace, 1, Duration::ZERO));
    }
}
