//! The system's clock, as far as HTTP needs it: every response has a `Date`, whose form has four digits for the year and
//! begins in 1970. hyper panics if the clock shows any other time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// The first time that `Date` cannot show, the beginning of the year 10000, in seconds since 1970.
const BEYOND: Duration = Duration::from_secs(253_402_300_800);

/// Checks that responses can show the time. The error says what was expected.
pub fn check(now: SystemTime) -> Result<(), String> {
    const EXPECTED: &str = "expected the system's clock to show a year from 1970 to 9999";
    match now.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) if since < BEYOND => Ok(()),
        Ok(_) => Err(format!("{EXPECTED}, got a later one; set the clock")),
        Err(_) => Err(format!("{EXPECTED}, got an earlier one; set the clock")),
    }
}

/// Whether connections can be served now. The first time that they cannot is logged.
pub(super) fn is_usable() -> bool {
    static IS_TOLD: AtomicBool = AtomicBool::new(false);
    match check(SystemTime::now()) {
        Ok(()) => true,
        Err(expected) => {
            if !IS_TOLD.swap(true, Ordering::Relaxed) {
                tracing::error!("connections are closed at once: {expected}");
            }
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_that_a_date_can_have_are_usable() {
        let second = Duration::from_secs(1);
        let beyond = SystemTime::UNIX_EPOCH + BEYOND;
        for (now, is_usable) in [
            (SystemTime::UNIX_EPOCH, true),
            (SystemTime::now(), true),
            (beyond - second, true),
            (beyond, false),
            (beyond + second * 1_000_000_000, false),
            (SystemTime::UNIX_EPOCH - second, false),
        ] {
            assert_eq!(check(now).is_ok(), is_usable, "{now:?}");
        }
    }
}
