//! The budget of large responses.

use std::pin::pin;

use futures_util::FutureExt;
use tokio::time::Instant;

use super::*;
use crate::net::memory::WANTED;

fn large() -> Bytes {
    vec![b' '; BUDGET / 2].into()
}

fn held(budget: &ResponseBudget) -> Bytes {
    budget.hold(large()).map(|held| held.body).expect("memory")
}

#[test]
fn responses_share_their_budget() {
    let budget = ResponseBudget::default();
    let one = held(&budget);
    let other = held(&budget);
    let refused = budget.hold(vec![b' '; SMALL + 1].into()).err();
    assert_eq!(refused.map(|error| error.code), Some(Code::Unavailable));
    assert!(budget.hold(vec![b' '; SMALL].into()).is_ok());
    // A slice keeps the memory of the whole.
    let part = one.slice(1..2);
    drop(one);
    assert!(budget.hold(large()).is_err());
    drop(part);
    assert!(budget.hold(large()).is_ok());
    drop(other);
    assert_eq!(budget.budget.available_permits(), BUDGET);
}

#[test]
fn writes_have_a_reserve() {
    let budget = ResponseBudget::default();
    let _held = [held(&budget), held(&budget)];
    let written = || budget.hold_written(vec![b' '; RESERVE].into());
    let one = written();
    assert!(one.is_ok());
    assert!(written().is_err());
    drop(one);
    assert!(written().is_ok());
}

#[tokio::test]
async fn memory_is_wanted_by_those_who_found_none() {
    let budget = ResponseBudget::default();
    let memory = budget.memory();
    assert_eq!(memory.held().since(), None);
    let begun = Instant::now();
    let _other = held(&budget);
    let turn = budget.turn().await.expect("a turn");
    let part = turn.hold(&memory, large()).await.expect("memory");
    assert!(memory.held().since() >= Some(begun));
    assert!(!memory.held().is_wanted());

    // A waiting response wants memory while it waits; a refused one wants it for a while.
    let turn = budget.turn().await.expect("a turn");
    let more = budget.memory();
    let mut waiting = Box::pin(turn.hold(&more, large()));
    assert!(waiting.as_mut().now_or_never().is_none());
    let later = || Instant::now() + WANTED;
    assert!(budget.demand.is_there(later()));
    drop(waiting);
    assert!(!memory.held().is_wanted());
    assert!(budget.hold(large()).is_err());
    assert!(memory.held().is_wanted());
    assert!(!budget.demand.is_there(later()));

    drop(part);
    assert_eq!(memory.held().since(), None);
}

#[tokio::test]
async fn a_part_that_cannot_be_refused_waits_for_its_memory() {
    let budget = ResponseBudget::default();
    let held = [held(&budget), held(&budget)];
    let turn = budget.turn().await.expect("a turn");
    let memory = budget.memory();
    let mut waiting = pin!(turn.hold(&memory, large()));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(held);
    assert_eq!(waiting.await.expect("memory").len(), BUDGET / 2);
}

#[tokio::test]
async fn nothing_waits_for_ever_and_a_waiting_part_keeps_its_turn() {
    let budget = ResponseBudget {
        patience: Duration::ZERO,
        ..ResponseBudget::default()
    };
    let _held = [held(&budget), held(&budget)];
    let mut turns = Vec::new();
    for _ in 0..READ_TURNS {
        turns.push(budget.turn().await.expect("a turn"));
    }
    assert!(budget.turn().await.is_err());
    let memory = budget.memory();
    let late = turns.remove(0).hold(&memory, large()).await.err();
    assert_eq!(late.map(|error| error.code), Some(Code::Unavailable));
    assert!(budget.turn().await.is_ok());
}
