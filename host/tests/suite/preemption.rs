//! Guests that never let go of the thread, on a runtime with one thread: timers and other guests go on.
//!
//! Each polls a timer beside the hostile guest and looks at the longest time that it was late. Without preemption the thread
//! would be held until the guest's fuel ends: tens of seconds. The bounds are generous for busy machines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tasklane_domain::outcome::TimeBound;
use tasklane_domain::{Limits, Outcome};
use tasklane_host::local::LocalModule;

use crate::guests::{command, fixture, limits, payload};

/// How late a timer of 5 ms may be.
const LATE_MAX: Duration = Duration::from_secs(5);
/// Wall time of the hostile guests.
const TIMEOUT_MS: u32 = 1_500;

/// Runs a hostile guest until its timeout on this one thread, with a timer and other guests beside it.
async fn beside(module: Arc<LocalModule>, text: &str) {
    let rounds = beside_rounds(module, text).await;
    assert!(rounds > 10, "{text}: only {rounds} rounds beside it");
}

async fn beside_rounds(module: Arc<LocalModule>, text: &str) -> u32 {
    let limits = Limits { timeout_ms: TIMEOUT_MS, ..limits() };
    let hostile = payload(text);
    let ran = tokio::spawn(async move { module.run(hostile, limits).await.unwrap() });
    let (mut latest, mut rounds) = (Duration::ZERO, 0);
    while !ran.is_finished() {
        let begun = Instant::now();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let answer = fixture().run(payload(r#"{"do":"echo","value":"canary"}"#), limits).await.unwrap();
        assert_eq!(answer.outcome, Outcome::Ok);
        latest = latest.max(begun.elapsed());
        rounds += 1;
    }
    let ran = ran.await.unwrap();
    assert_eq!(ran.outcome, Outcome::TimedOut { bound: TimeBound::Timeout }, "{text}");
    let wall = Duration::from_micros(ran.usage.wall_us);
    assert!(wall < Duration::from_millis(u64::from(TIMEOUT_MS)) + LATE_MAX, "{text}: stopped after {wall:?}");
    assert!(latest < LATE_MAX, "{text}: a timer was {latest:?} late");
    rounds
}

#[tokio::test(flavor = "current_thread")]
async fn an_endless_loop() {
    beside(fixture(), r#"{"do":"spin"}"#).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_loop_of_our_own_host_calls() {
    beside(fixture(), r#"{"do":"hostcall-loop"}"#).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_loop_of_cheap_wasi_calls() {
    beside(fixture(), r#"{"do":"clock-loop"}"#).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_loop_of_random_bytes() {
    beside(fixture(), r#"{"do":"random-loop"}"#).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_loop_of_expensive_wasi_calls() {
    beside(Arc::new(command("wasm32-wasip1", &["random"], &[])), "").await;
}

#[tokio::test(flavor = "current_thread")]
async fn bulk_fills_of_64_mib() {
    // One fill cannot be interrupted, and the others' turns come between two: the memory limit is a limit of patience too.
    let rounds = beside_rounds(fixture(), r#"{"do":"fill","mib":64,"rounds":1000000}"#).await;
    assert!(rounds >= 2, "only {rounds} rounds beside it");
}
