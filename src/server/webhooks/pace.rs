//! When a delivery is tried again, and how fast a webhook is tried that fails.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

/// The pauses before the tries after the first, in seconds. After the last one a change is given up.
const PAUSES: [u64; 9] = [
    5,
    5 * 60,
    30 * 60,
    2 * 3_600,
    5 * 3_600,
    10 * 3_600,
    14 * 3_600,
    20 * 3_600,
    24 * 3_600,
];

/// How old a change may be that is still sent: as long as all of its tries take. A receiver that was away for longer does
/// not get what happened before.
pub(super) const OLDEST: Duration = Duration::from_secs(4 * 24 * 3_600);

/// How many failures in a row make a webhook slow. A receiver that refuses a single change does not fail that often.
const FEW: u32 = 3;

/// The longest pause between two new changes for a webhook that fails.
const LONGEST: Duration = Duration::from_secs(60);

/// The pause before the next try of a change that has failed so often. `None` gives it up.
pub(super) fn pause(tries: i64) -> Option<Duration> {
    let at = usize::try_from(tries - 1).ok()?;
    let pause = Duration::from_secs(*PAUSES.get(at)?);
    Some(jitter(pause))
}

/// The pause before the next new change after so many failures in a row. While a receiver is away, few changes are tried,
/// and the others wait for their turn: they would all fail, and each would be tried ten times.
pub(super) fn slow(streak: u32) -> Duration {
    match streak.checked_sub(FEW) {
        None => Duration::ZERO,
        Some(more) => jitter(Duration::from_secs(1 << more.min(6)).min(LONGEST)),
    }
}

/// Up to a tenth more, at random, so that many that failed together do not come back together.
fn jitter(pause: Duration) -> Duration {
    let chance = RandomState::new().hash_one(pause) % 1_000;
    pause + pause / 10 * chance as u32 / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_tries_take_three_days() {
        let pauses: Vec<Duration> = (1..).map_while(pause).collect();
        assert_eq!(pauses.len(), 9);
        let total: Duration = pauses.iter().sum();
        assert!(total > Duration::from_secs(75 * 3_600) && total < OLDEST);
        assert!(pauses[0] >= Duration::from_secs(5) && pauses[0] < Duration::from_secs(6));
        assert_eq!(slow(2), Duration::ZERO);
        assert!(slow(3) >= Duration::from_secs(1));
        assert!(slow(500) <= LONGEST * 11 / 10);
    }
}
