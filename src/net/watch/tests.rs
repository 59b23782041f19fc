//! The time limits, tested with a simulated clock.

use super::*;
use crate::net::lease::Lessor;
use crate::net::pace::BACKLOG;

const WINDOW: Duration = Duration::from_secs(30);

/// When a peer is cut that takes `lump` bytes every `every` until `stops`; `None` if not within ten minutes.
fn cut_after(lump: usize, every: Duration, stops: Duration) -> Option<Duration> {
    let start = Instant::now();
    let mut watch = Watch::new(ConnectionLimits::default(), start);
    watch.request_begins(false, true);
    watch.write_waits(start);
    let mut next_lump = start + every;
    let mut now = start;
    while now < start + Duration::from_secs(600) {
        let check = match watch.check(now) {
            Ok(check) => check.expect("bytes are waiting"),
            Err(cut) => {
                assert_eq!(cut, CutReason::Slow);
                return Some(now - start);
            }
        };
        now = check.min(next_lump);
        if now == next_lump {
            next_lump += every;
            if now <= start + stops {
                watch.bytes_went(lump, now);
                watch.write_waits(now);
            }
        }
    }
    None
}

const NEVER: Duration = Duration::from_secs(10_000);

#[test]
fn a_peer_that_takes_nothing_is_cut_after_the_window() {
    assert_eq!(cut_after(1, NEVER, NEVER), Some(WINDOW));
}

#[test]
fn a_peer_that_stops_is_cut_when_it_could_not_have_been_reading_what_it_took() {
    let (second, rate) = (Duration::from_secs(1), 512);
    // It took ten times what it had to, and has that time left.
    let cut = cut_after(10 * rate, second, 10 * second);
    assert_eq!(cut, Some(WINDOW + 100 * second));
    let cut = cut_after(0, second, NEVER);
    assert_eq!(cut, Some(WINDOW));
}

#[test]
fn a_peer_above_the_rate_stays_however_large_its_lumps_are() {
    let second = Duration::from_secs(1);
    assert_eq!(cut_after(520, second, NEVER), None);
    assert_eq!(cut_after(14_500, 28 * second, NEVER), None);
}

/// A program reads steadily at `rate` through a buffer of `buffer` bytes, which takes more only when `lump` bytes in it are
/// free. Returns when the connection is cut; `None` if not within 4,000 lumps.
fn cut_behind_buffer(rate: u64, buffer: u64, lump: u64) -> Option<Duration> {
    let start = Instant::now();
    let mut watch = Watch::new(ConnectionLimits::default(), start);
    watch.request_begins(false, true);
    watch.bytes_went(buffer as usize, start);
    watch.write_waits(start);
    let every = Duration::from_millis(1_000 * lump / rate);
    let mut now = start;
    for _ in 0..4_000 {
        if let Err(cut) = watch.check(now + every) {
            assert_eq!(cut, CutReason::Slow);
            return Some(now + every - start);
        }
        now += every;
        watch.bytes_went(lump as usize, now);
        watch.write_waits(now);
    }
    None
}

#[test]
fn a_steady_program_is_not_cut_whatever_the_buffer_in_between() {
    const MIB: u64 = 1 << 20;
    for buffer in [MIB / 16, MIB / 4, MIB, 4 * MIB, 32 * MIB] {
        for lump in [4_096, buffer / 16, buffer / 2, buffer] {
            for rate in [513, 1_000, 20_000, 100_000, 300_000] {
                let cut = cut_behind_buffer(rate, buffer, lump);
                assert_eq!(cut, None, "{rate} B/s, {lump} of {buffer} bytes");
            }
            let cut = cut_behind_buffer(100, buffer, lump);
            assert!(cut.is_some(), "100 B/s, {lump} of {buffer} bytes");
        }
    }
}

#[test]
fn a_peer_below_the_rate_is_cut() {
    // It earns back half of what it uses up.
    let cut = cut_after(256, Duration::from_secs(1), NEVER).expect("too slow");
    assert!((59..=60).contains(&cut.as_secs()), "{cut:?}");
}

#[test]
fn what_was_taken_long_ago_does_not_count() {
    let start = Instant::now();
    let mut watch = Watch::new(ConnectionLimits::default(), start);
    watch.request_begins(false, true);
    for _ in 0..3 {
        watch.bytes_went(BACKLOG as usize, start);
    }
    watch.write_waits(start);
    let end = start + WINDOW + Duration::from_secs(BACKLOG) / 512;
    assert_eq!(watch.check(start), Ok(Some(end)));
    assert_eq!(watch.check(end), Err(CutReason::Slow));
}

/// Memory that is held since a time, and wanted or not.
struct TestMemory(Instant, bool);

impl HeldMemory for TestMemory {
    fn since(&self) -> Option<Instant> {
        Some(self.0)
    }

    fn is_wanted(&self) -> bool {
        self.1
    }
}

/// Checks a connection whose response holds memory. The peer took everything until `start`, and then nothing.
fn check_of_held(wanted: bool, after: Duration) -> Result<Option<Duration>, CutReason> {
    let start = Instant::now();
    let limits = ConnectionLimits::default();
    let mut watch = Watch::new(limits, start);
    watch.request_begins(false, true);
    let held = Arc::new(TestMemory(start, wanted));
    watch.holds(held.clone());
    // No bytes wait for a peer that takes everything.
    assert_eq!(watch.check(start + 2 * limits.hold), Ok(None));
    watch.write_waits(start);
    let check = watch.check(start + after);
    check.map(|next| next.map(|next| next - start))
}

#[test]
fn a_peer_keeps_wanted_memory_only_for_a_while() {
    let hold = ConnectionLimits::default().hold;
    let almost = hold - Duration::from_millis(1);
    assert_eq!(check_of_held(true, almost), Ok(Some(hold)));
    assert_eq!(check_of_held(true, hold), Err(CutReason::Hold));
    assert_eq!(check_of_held(false, hold), Ok(Some(hold + WANTED_INTERVAL)));
    assert_eq!(
        check_of_held(false, WINDOW - WANTED_INTERVAL / 2),
        Ok(Some(WINDOW))
    );
}

#[test]
fn memory_that_is_released_is_forgotten() {
    let now = Instant::now();
    let mut watch = Watch::new(ConnectionLimits::default(), now);
    let held = Arc::new(TestMemory(now, false));
    watch.holds(held.clone());
    watch.holds(Arc::new(TestMemory(now, false)));
    watch.holds(Arc::new(TestMemory(now, false)));
    assert_eq!(watch.held.len(), 2);
}

#[test]
fn a_slow_response_is_not_the_fault_of_the_peer() {
    let start = Instant::now();
    let mut watch = Watch::new(ConnectionLimits::default(), start);
    watch.request_begins(false, true);
    for second in 0..600 {
        let now = start + Duration::from_secs(second);
        watch.bytes_went(1, now);
        assert_eq!(watch.check(now), Ok(None));
    }
}

#[test]
fn the_phases_have_their_own_times() {
    let limits = ConnectionLimits::default();
    let start = Instant::now();
    let mut watch = Watch::new(limits, start);
    let at = |seconds| start + Duration::from_secs(seconds);
    assert_eq!(watch.check(at(29)), Ok(Some(start + limits.idle)));
    watch.bytes_came(at(29));
    watch.bytes_came(at(33));
    assert_eq!(watch.check(at(38)), Ok(Some(at(29) + limits.head)));
    assert_eq!(watch.check(at(39)), Err(CutReason::Head));
    watch.request_begins(true, false);
    watch.bytes_came(at(40));
    assert_eq!(watch.check(at(1000)), Ok(None));
    // The next request begins before the body of the last response is dropped.
    watch.request_begins(false, true);
    watch.response_ends(at(1000));
    watch.bytes_came(at(1500));
    assert_eq!(watch.check(at(2000)), Ok(None));
    watch.response_ends(at(2000));
    assert_eq!(watch.check(at(2001)), Ok(Some(at(2000) + limits.idle)));
    watch.bytes_went(1, at(2010));
    assert_eq!(watch.check(at(2084)), Ok(Some(at(2010) + limits.idle)));
    assert_eq!(watch.check(at(2085)), Err(CutReason::Idle));
}

/// Polls the leases of a connection once.
fn has_lost_lease(watch: &mut Watch) -> bool {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    watch.poll_lease_ended(&mut cx).is_ready()
}

#[test]
fn a_lease_is_kept_until_its_response_is_written() {
    let now = Instant::now();
    let mut watch = Watch::new(ConnectionLimits::default(), now);
    let lessor = Lessor::default();
    watch.request_begins(false, true);
    watch.leases(lessor.grant());
    watch.bytes_went(1, now);
    watch.all_written();
    // More of the response is to come.
    assert!(!lessor.is_unused() && !has_lost_lease(&mut watch));
    watch.write_waits(now);
    watch.response_ends(now);
    assert!(!lessor.is_unused() && watch.is_unfinished());
    // The next response does not keep it.
    watch.request_begins(false, false);
    watch.bytes_went(1, now);
    watch.all_written();
    assert!(lessor.is_unused());
    watch.response_ends(now);
    assert!(!watch.is_unfinished());
    drop(lessor);
    assert!(!has_lost_lease(&mut watch));
}

#[test]
fn a_lease_that_ends_is_noticed_before_everything_is_written() {
    let now = Instant::now();
    let mut watch = Watch::new(ConnectionLimits::default(), now);
    let [lasts, ends] = [Lessor::default(), Lessor::default()];
    for lessor in [&lasts, &ends] {
        watch.request_begins(false, true);
        watch.leases(lessor.grant());
        watch.response_ends(now);
    }
    assert!(!has_lost_lease(&mut watch));
    drop(ends);
    assert!(has_lost_lease(&mut watch) && watch.is_unfinished());
}
