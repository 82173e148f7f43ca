//! How far beyond its limit a hostile guest gets: an endless loop, a loop of host calls and one that fills its memory, beside
//! canaries that should not notice.

use serde::Serialize;
use serde_json::{Value, json};

use crate::line::Line;
use crate::stats::median;
use crate::throughput::Server;

/// Limit of the looping guests.
const TIMEOUT_MS: u32 = 1_000;
/// How often each is run.
const RUNS: usize = 5;

/// One hostile guest.
#[derive(Debug, Serialize)]
pub(crate) struct Overshoot {
    guest: &'static str,
    outcome: String,
    limit_ms: u32,
    wall_ms_median: f64,
}

impl Overshoot {
    pub(crate) fn line(&self) -> Line {
        let Self { guest, outcome, limit_ms, wall_ms_median } = self;
        Line::new(format!("{guest} of limit {limit_ms} ms ends as {outcome} after"), *wall_ms_median, "ms")
    }
}

pub(crate) async fn measure(server: &Server) -> anyhow::Result<Vec<Overshoot>> {
    let mut all = Vec::new();
    for (guest, verb) in [("endless loop", "spin"), ("host-call loop", "hostcall-loop"), ("memory hog", "memory-hog")] {
        let mut walls = Vec::new();
        let mut outcome = String::new();
        for _ in 0..RUNS {
            let task = run(server, verb).await?;
            walls.push(task["usage"]["wall_us"].as_f64().unwrap_or(0.0) / 1000.0);
            outcome = task["outcome"]["kind"].as_str().unwrap_or_default().to_owned();
        }
        all.push(Overshoot { guest, outcome, limit_ms: TIMEOUT_MS, wall_ms_median: median(&walls) });
    }
    Ok(all)
}

async fn run(server: &Server, verb: &str) -> anyhow::Result<Value> {
    let task = json!({
        "module": "guest@1.0.0",
        "payload": {"do": verb},
        "limits": {"timeout_ms": TIMEOUT_MS, "fuel": 1_000_000_000_000_u64},
        "retry": {"max_attempts": 1},
    });
    server.client.post("/api/v1/tasks?wait=30s", &task).await
}
