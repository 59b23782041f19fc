//! Tells when a follow-up is due: it lets the store announce each one when its time has come.
//!
//! One task of a service sleeps until the time of the next follow-up. It looks again after a commit of its own process and
//! every [`LOOK`], because another process or another program may have written one that comes earlier, and because the clock
//! may jump. A look at a database where nothing is due reads one entry of an index. Any number of services may do this over
//! one database: the database decides who announces what (`store::sql::due`).
//!
//! The clock is that of the database, so that the clocks of several machines do not matter: for SQLite the machine's, for
//! PostgreSQL the server's.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::base::error::Result;
use crate::base::time;
use crate::store::any::AnyStore;
use crate::store::sql::due::{AnnounceDue, PORTION};

/// The longest time between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// The shortest time between two looks.
const SHORT: Duration = Duration::from_millis(100);

/// The time until the next look after one that has failed.
const AGAIN: Duration = Duration::from_secs(2);

/// Announces follow-ups from now on, for ever.
pub(super) async fn announce(store: AnyStore) {
    let Some(mut commits) = store.commits() else {
        return;
    };
    let mut failures = 0_u32;
    loop {
        let began = Instant::now();
        // What was committed until here is seen by the look.
        commits.mark_unchanged();
        let pause = match look(&store).await {
            Ok(pause) => {
                failures = 0;
                pause
            }
            Err(error) => {
                // It is tried again, so it is said only once, and not at all if others were only busy for a moment.
                failures = failures.saturating_add(1);
                if failures == 2 {
                    tracing::warn!("follow-ups that are due cannot be announced: {error}");
                }
                AGAIN
            }
        };
        sleep(
            &mut commits,
            began + SHORT,
            Instant::now() + pause,
            failures > 0,
        )
        .await;
    }
}

/// Sleeps until a time, or until something is committed, but not before another time.
async fn sleep(
    commits: &mut watch::Receiver<u64>,
    earliest: Instant,
    latest: Instant,
    is_failing: bool,
) {
    let latest = latest.max(earliest);
    tokio::select! {
        () = tokio::time::sleep_until(latest.into()) => return,
        changed = commits.changed(), if !is_failing => {
            if changed.is_err() {
                // The store is closed.
                return std::future::pending().await;
            }
        }
    }
    tokio::time::sleep_until(earliest.into()).await;
}

/// Announces what is due. Returns the time until the next look.
async fn look(store: &AnyStore) -> Result<Duration> {
    loop {
        let (now, next) = store.next_followup().await?;
        let Some(next) = next else {
            return Ok(LOOK);
        };
        if next > now {
            return Ok(until(&now, &next));
        }
        let began = Instant::now();
        let done = store.chore(AnnounceDue { now }).await?;
        if done.announced > 0 {
            tracing::debug!("announced {} follow-ups", done.announced);
        }
        if done.seen < PORTION {
            // Others hold the rest, or there is none.
            return Ok(if done.seen == 0 { LOOK } else { Duration::ZERO });
        }
        // Writers come first.
        tokio::time::sleep(began.elapsed()).await;
    }
}

/// The time from `now`, which may have a fraction of a second, until `next`, at most [`LOOK`].
fn until(now: &str, next: &str) -> Duration {
    let (whole, fraction) = now.split_once('.').unwrap_or((now, "0"));
    let fraction = format!("0.{fraction}").parse().unwrap_or(0.0);
    let fraction = Duration::try_from_secs_f64(fraction).unwrap_or_default();
    let (Some(now), Some(next)) = (time::read_stored(whole), time::read_stored(next)) else {
        return LOOK;
    };
    let left = next.duration_since(now).unwrap_or_default();
    left.saturating_sub(fraction).min(LOOK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sleeps_until_the_next_follow_up_and_not_for_long() {
        for (now, next, millis) in [
            ("2026-02-07 08:59:59.750", "2026-02-07 09:00:00", 250),
            ("2026-02-07 08:59:59.999", "2026-02-07 09:00:00", 1),
            ("2026-02-07 08:59:59", "2026-02-07 09:00:00", 500),
            ("2026-02-07 08:00:00.000", "2026-02-07 09:00:00", 500),
            ("2026-02-07 09:00:01.000", "2026-02-07 09:00:00", 0),
            // Another program may have written anything.
            ("2026-02-07 09:00:00.000", "soon", 500),
        ] {
            assert_eq!(until(now, next).as_millis(), millis, "{now} {next}");
        }
    }
}
