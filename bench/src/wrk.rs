//! `wrk`, the HTTP load generator: twelve threads, four hundred connections, one POST after the other on each.
//!
//! Debian's package; `cargo xtask bench` installs it.

use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

const THREADS: &str = "-t12";
const CONNECTIONS: &str = "-c400";
/// What is sent, and what is printed at the end.
const SCRIPT: &str = "bench/submit.lua";

/// One run.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) requests: f64,
    seconds: f64,
    /// Answers that were no success, and connections that failed.
    errors: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Run {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests / self.seconds
    }
}

/// Requests of one task each to `url` for so long.
pub(crate) async fn run(url: &str, time: Duration) -> anyhow::Result<Run> {
    let output = tokio::process::Command::new("wrk")
        .args([THREADS, CONNECTIONS, &format!("-d{}s", time.as_secs()), "-s", SCRIPT, url])
        .output()
        .await
        .context("wrk could not be started: `cargo xtask bench` installs it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(output.status.success(), "wrk: {text}{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().rfind(|line| line.starts_with('{')).with_context(|| format!("wrk said: {text}"))?;
    let run: Run = serde_json::from_str(line)?;
    anyhow::ensure!(run.errors == 0.0, "{} of {} requests failed", run.errors, run.requests);
    Ok(run)
}
