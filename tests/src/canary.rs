//! A canary: a small urgent task of a harmless module, timed while others are busy.
//!
//! Called by `tests/hostile`, where each must succeed, and by `cargo xtask bench canary`, where the times count.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;
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

/// One urgent task of a harmless module, from submit to its end: it does not wait behind the crowd, but has to share the host with it.
///
/// # Errors
/// When it does not succeed within a minute.
pub async fn canary(client: &Client) -> anyhow::Result<Duration> {
    let task = json!({"module": format!("{NAME}@1.0.0"), "priority": 10, "payload": {"do": "echo", "value": NAME}});
    let begun = Instant::now();
    let ended = client.post("/api/v1/tasks?wait=60s", &task).await?;
    ensure!(ended["state"] == "succeeded", "the canary came to harm: {ended}");
    Ok(begun.elapsed())
}

/// Canaries one after the other until told to end, and how long each took.
///
/// # Errors
/// When one does not succeed.
pub async fn canaries(client: Client, until: CancellationToken) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::new();
    while !until.is_cancelled() {
        took.push(canary(&client).await?);
    }
    Ok(took)
}

/// The time that so many of 100 stay within.
#[must_use]
pub fn percentile(mut took: Vec<Duration>, of_100: usize) -> Duration {
    took.sort();
    let at = (took.len() * of_100).div_ceil(100).saturating_sub(1);
    took.get(at).copied().unwrap_or_default()
}
