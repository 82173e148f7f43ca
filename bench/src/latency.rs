//! Submit-and-wait under light load: 200 no-op tasks a second, one request each, from send to answer.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;

use crate::stats::percentile;
use crate::throughput::Server;

/// Tasks in all.
const TASKS: u32 = 1_000;
/// One task in this time: 200 a second.
const INTERVAL: Duration = Duration::from_millis(5);

/// Milliseconds from submit to outcome.
#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    p50: f64,
    p99: f64,
    max: f64,
}

impl Latency {
    pub(crate) fn line(&self) -> String {
        format!("p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms", self.p50, self.p99, self.max)
    }
}

pub(crate) async fn measure(server: &Server) -> anyhow::Result<Latency> {
    let mut ticks = tokio::time::interval(INTERVAL);
    let mut waits = JoinSet::new();
    for _ in 0..TASKS {
        ticks.tick().await;
        let client = server.client.clone();
        waits.spawn(async move {
            let begun = Instant::now();
            let task = client.post("/api/v1/tasks?wait=30s", &json!({"module": "noop@1.0.0", "payload": {}})).await?;
            anyhow::ensure!(task["state"] == "succeeded", "a task did not succeed: {task}");
            Ok(begun.elapsed().as_secs_f64() * 1000.0)
        });
    }
    let mut millis = Vec::new();
    while let Some(answer) = waits.join_next().await {
        millis.push(answer??);
    }
    Ok(Latency { p50: percentile(&millis, 50), p99: percentile(&millis, 99), max: percentile(&millis, 100) })
}
