//! Guests that compute for about a given time: how many rounds of the fixture's loop that is on this machine is measured first.

use anyhow::Context;
use serde_json::{Value, json};
use tasklane_tests::Client;

/// Rounds of the run that is measured: some tens of milliseconds.
const MEASURED_ROUNDS: f64 = 20_000_000.0;
/// Runs; the quickest counts, since others take time from a run and never give it any.
const RUNS: usize = 5;

/// What a guest's loop costs here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    rounds_per_ms: f64,
}

impl Pace {
    /// Measures it with module `guest`, on a server that does nothing else.
    pub(crate) async fn measure(client: &Client) -> anyhow::Result<Self> {
        let mut best = 0.0_f64;
        for _ in 0..RUNS {
            let task = json!({"module": "guest@1.0.0", "payload": payload(MEASURED_ROUNDS)});
            let task = client.post("/api/v1/tasks?wait=60s", &task).await?;
            let micros = task["usage"]["cpu_us"].as_f64().with_context(|| format!("processor time: {task}"))?;
            best = best.max(MEASURED_ROUNDS / (micros / 1_000.0));
        }
        Ok(Self { rounds_per_ms: best })
    }

    /// A payload for so many milliseconds of computing.
    pub(crate) fn payload(self, ms: f64) -> Value {
        payload(self.rounds_per_ms * ms)
    }
}

fn payload(rounds: f64) -> Value {
    json!({"do": "work", "rounds": format!("{rounds:.0}").parse::<u64>().unwrap_or(0)})
}
