//! A canary: a small urgent task of a harmless module, timed while others are busy.
//!
//! Called by `tests/hostile`, where each must succeed, and by `cargo xtask bench canary`, where the times count.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tasklane_domain::{Clock, SystemClock, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::{Client, guest};

/// What its module is called.
pub const NAME: &str = "canary";

/// Deploys its module.
///
/// # Errors
/// When the fixtures are not built, or the API refuses.
pub async fn deploy(client: &Client) -> anyhow::Result<()> {
    client.deploy(NAME, &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    Ok(())
}

/// What one canary's time went into, all by the clock of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Canary {
    /// From submit to its answer.
    pub took: Duration,
    /// Its parts, in the order of [`STAGES`].
    pub stages: [Duration; 4],
}

/// What the parts are: until the API has the request; until the guest begins, with the commit and the way through JetStream; until it ends;
/// until the answer is here, with the report's way and its commit.
pub const STAGES: [&str; 4] = ["accepted", "started", "ended", "answered"];

/// One urgent task of a harmless module, from submit to its end: it does not wait behind the crowd, but has to share the host with it.
///
/// # Errors
/// When it does not succeed within a minute.
pub async fn canary(client: &Client) -> anyhow::Result<Canary> {
    let task = json!({"module": format!("{NAME}@1.0.0"), "priority": 10, "payload": {"do": "echo", "value": NAME}});
    let (asked, begun) = (SystemClock.now(), Instant::now());
    let ended = client.post("/api/v1/tasks?wait=60s", &task).await?;
    let (took, answered) = (begun.elapsed(), SystemClock.now());
    ensure!(ended["state"] == "succeeded", "the canary came to harm: {ended}");
    let at = |stage: &str| moment(&ended["timings"], stage);
    let moments = [asked, at("created_at")?, at("started_at")?, at("ended_at")?, answered];
    let stages = std::array::from_fn(|stage| moments[stage + 1].since(moments[stage]));
    Ok(Canary { took, stages })
}

fn moment(timings: &Value, stage: &str) -> anyhow::Result<Timestamp> {
    Ok(timings[stage].as_str().with_context(|| format!("{stage} in {timings}"))?.parse()?)
}

/// Canaries one after the other until told to end.
///
/// # Errors
/// When one does not succeed.
pub async fn canaries(client: Client, until: CancellationToken) -> anyhow::Result<Vec<Canary>> {
    let mut all = Vec::new();
    while !until.is_cancelled() {
        all.push(canary(&client).await?);
    }
    Ok(all)
}

/// How long each took.
#[must_use]
pub fn times(all: &[Canary]) -> Vec<Duration> {
    all.iter().map(|canary| canary.took).collect()
}

/// The time that so many of 100 stay within.
#[must_use]
pub fn percentile(mut took: Vec<Duration>, of_100: usize) -> Duration {
    took.sort();
    let at = (took.len() * of_100).div_ceil(100).saturating_sub(1);
    took.get(at).copied().unwrap_or_default()
}
