//! Guests that never let go of the thread, on a runtime with one thread: timers and other guests go on.
//!
//! Each polls a timer beside the hostile guest and looks at the longest time that it was late; then the guest is left to its timeout.
//! Without preemption the thread would be held until the guest's end: tens of seconds. The bounds are generous for busy machines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tasklane_domain::outcome::TimeBound;
use tasklane_domain::{Limits, Outcome};
use tasklane_host::local::LocalModule;

use crate::guests::{command, fixture, limits, payload};

/// How late a timer of 5 ms may be.
const LATE_MAX: Duration = Duration::from_secs(5);
/// Wall time of the hostile guests that are left to their timeout.
const TIMEOUT_MS: u32 = 1_500;

/// Runs a hostile guest on this one thread, with a timer and other guests beside it, and then one until its timeout.
async fn beside(module: Arc<LocalModule>, text: &str) {
    beside_rounds(module, text, 11).await;
}

async fn beside_rounds(module: Arc<LocalModule>, text: &str, rounds: u32) {
    // Ready before the hostile guest begins.
    let other = fixture();
    let (hostile, endless) = (module.clone(), payload(text));
    let ran = tokio::spawn(async move { hostile.run(endless, limits()).await.unwrap() });
    let mut latest = Duration::ZERO;
    for round in 0..rounds {
        let begun = Instant::now();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let answer = other.run(payload(r#"{"do":"echo","value":"canary"}"#), limits()).await.unwrap();
        assert_eq!(answer.outcome, Outcome::Ok);
        latest = latest.max(begun.elapsed());
        assert!(!ran.is_finished(), "{text}: only {round} rounds beside it");
    }
    assert!(latest < LATE_MAX, "{text}: a timer was {latest:?} late");
    ran.abort();
    // Its place is free again when it is over.
    assert!(ran.await.is_err(), "{text}: it ended by itself");

    let ran = module.run(payload(text), Limits { timeout_ms: TIMEOUT_MS, ..limits() }).await.unwrap();
    assert_eq!(ran.outcome, Outcome::TimedOut { bound: TimeBound::Timeout }, "{text}");
    let wall = Duration::from_micros(ran.usage.wall_us);
    assert!(wall < Duration::from_millis(u64::from(TIMEOUT_MS)) + LATE_MAX, "{text}: stopped after {wall:?}");
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
    beside_rounds(fixture(), r#"{"do":"fill","mib":64,"rounds":1000000}"#, 2).await;
}
