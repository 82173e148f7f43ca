//! What a process holds, from `/proc`; and a canary whose answers are timed.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;
use tasklane_tests::Client;
use tokio_util::sync::CancellationToken;

/// What a process holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holdings {
    /// Resident memory, in KiB.
    pub(crate) resident_kib: u64,
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
}

impl Holdings {
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("VmRSS")?;
        let resident_kib = line.split_ascii_whitespace().nth(1).context("a number")?.parse()?;
        let count = |what: &str| anyhow::Ok(std::fs::read_dir(format!("/proc/{pid}/{what}"))?.count());
        Ok(Self { resident_kib, threads: count("task")?, descriptors: count("fd")? })
    }

    /// Whether this is what was there before: 5 % more memory at most, and nothing more of the rest.
    pub(crate) fn is_back_at(&self, before: &Self) -> bool {
        let memory = self.resident_kib * 100 <= before.resident_kib * 105;
        memory && self.threads <= before.threads && self.descriptors <= before.descriptors
    }
}

/// One urgent task of a harmless module, from submit to its end: it does not wait behind the crowd, but has to share the host with it.
pub(crate) async fn canary(client: &Client) -> anyhow::Result<Duration> {
    let task = json!({"module": "canary@1.0.0", "priority": 10, "payload": {"do": "echo", "value": "canary"}});
    let begun = Instant::now();
    let ended = client.post("/api/v1/tasks?wait=60s", &task).await?;
    ensure!(ended["state"] == "succeeded", "the canary came to harm: {ended}");
    Ok(begun.elapsed())
}

/// Canaries one after the other until told to end, and how long each took.
pub(crate) async fn canaries(client: Client, until: CancellationToken) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::new();
    while !until.is_cancelled() {
        took.push(canary(&client).await?);
    }
    Ok(took)
}

/// The time that so many of 100 stay within.
pub(crate) fn percentile(mut took: Vec<Duration>, of_100: usize) -> Duration {
    took.sort();
    let at = (took.len() * of_100).div_ceil(100).saturating_sub(1);
    took.get(at).copied().unwrap_or_default()
}
