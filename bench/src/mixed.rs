//! Short tasks among heavy-tailed ones, on four slots: how long the short ones wait, beside first come, first served.
//!
//! Run times are drawn from a bounded Pareto distribution from 1 ms to 10 s, arrivals are a Poisson process that fills the slots to
//! four fifths; a guest waits for its time. The same arrivals and times are played to a queue of four slots in which the first come is the
//! first served and nothing costs anything: that is computed, not measured. A second run gives short tasks a higher priority.

use std::time::Duration;

use anyhow::Context;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tasklane_tests::{Client, Dev, guest, wait_at_most};
use tokio::task::JoinSet;

use crate::line::{Line, Report};
use crate::priority::wait_ms;
use crate::stats::percentile;

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long tasks arrive, in seconds, in each of the two runs.
    #[arg(long, default_value_t = 40)]
    seconds: u32,
    /// Of the arrivals and run times: the same seed draws the same.
    #[arg(long, default_value_t = 5)]
    seed: u64,
}

const SLOTS: usize = 4;
/// Part of the slots' time that arrives.
const LOAD: f64 = 0.8;
const SHORTEST_MS: f64 = 1.0;
const LONGEST_MS: f64 = 10_000.0;
/// Of the distribution's tail.
const ALPHA: f64 = 0.6;
/// A task up to this long is short.
const SHORT_MS: f64 = 10.0;
/// Longest wait for the end of all.
const PATIENCE: Duration = Duration::from_secs(180);

/// One task.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    at_ms: f64,
    runs_ms: f64,
}

impl Arrival {
    fn is_short(&self) -> bool {
        self.runs_ms <= SHORT_MS
    }
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let arrivals = draw(options.seed, f64::from(options.seconds) * 1_000.0);
    let fifo = short_ones(&arrivals, &first_come_first_served(&arrivals));
    let plain = short_ones(&arrivals, &measure(&arrivals, |_| 5).await?);
    let raised = short_ones(&arrivals, &measure(&arrivals, |task| if task.is_short() { 8 } else { 5 }).await?);
    let mut lines = Vec::new();
    for percent in [50, 99] {
        let line = |what: &str, waits: &[f64]| {
            let what = format!("wait of tasks up to {SHORT_MS} ms, {what}, p{percent}");
            Line::new(what, percentile(waits, percent), "ms").beside("FIFO, computed", percentile(&fifo, percent))
        };
        lines.push(line("all of one priority", &plain));
        lines.push(line("these of a higher one", &raised));
    }
    Ok(Report { lines, details: json!({"tasks": arrivals.len(), "short": fifo.len(), "seed": options.seed}) })
}

/// Mean of the bounded Pareto distribution.
fn mean_ms() -> f64 {
    let (low, high) = (SHORTEST_MS, LONGEST_MS);
    low.powf(ALPHA) / (1.0 - (low / high).powf(ALPHA)) * ALPHA / (1.0 - ALPHA)
        * (high.powf(1.0 - ALPHA) - low.powf(1.0 - ALPHA))
}

fn draw(seed: u64, until_ms: f64) -> Vec<Arrival> {
    let mut random = StdRng::seed_from_u64(seed);
    let between_ms = mean_ms() / (SLOTS as f64 * LOAD);
    let (mut at_ms, mut arrivals) = (0.0, Vec::new());
    loop {
        at_ms -= between_ms * (1.0 - random.random::<f64>()).ln();
        if at_ms > until_ms {
            return arrivals;
        }
        let tail = 1.0 - random.random::<f64>() * (1.0 - (SHORTEST_MS / LONGEST_MS).powf(ALPHA));
        arrivals.push(Arrival { at_ms, runs_ms: SHORTEST_MS / tail.powf(1.0 / ALPHA) });
    }
}

/// Milliseconds that each waits in a queue that costs nothing.
fn first_come_first_served(arrivals: &[Arrival]) -> Vec<f64> {
    let mut free_at = [0.0_f64; SLOTS];
    let wait = |task: &Arrival| {
        free_at.sort_by(f64::total_cmp);
        let [slot, ..] = &mut free_at;
        let start = slot.max(task.at_ms);
        *slot = start + task.runs_ms;
        start - task.at_ms
    };
    arrivals.iter().map(wait).collect()
}

fn short_ones(arrivals: &[Arrival], waits: &[f64]) -> Vec<f64> {
    arrivals.iter().zip(waits).filter(|(task, _)| task.is_short()).map(|(_, wait)| *wait).collect()
}

/// The same with Tasklane, each task submitted when it arrives.
async fn measure(arrivals: &[Arrival], priority: fn(&Arrival) -> u8) -> anyhow::Result<Vec<f64>> {
    let dev = Dev::start(&[("TASKLANE_SLOTS", "4")]).await?;
    let client = dev.client()?;
    client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let warm_up = json!({"module": "guest@1.0.0", "payload": {"do": "echo", "value": "x"}});
    client.post("/api/v1/tasks?wait=60s", &warm_up).await?;
    let (begun, mut submits) = (tokio::time::Instant::now(), JoinSet::new());
    for (number, task) in arrivals.iter().enumerate() {
        tokio::time::sleep_until(begun + Duration::from_secs_f64(task.at_ms / 1_000.0)).await;
        let ms = format!("{:.0}", task.runs_ms).parse::<u64>()?.max(1);
        let payload = json!({"do": "sleep", "ms": ms});
        let (client, body) =
            (client.clone(), json!({"module": "guest@1.0.0", "payload": payload, "priority": priority(task)}));
        submits.spawn(async move { anyhow::Ok((number, client.submit(&body).await?)) });
    }
    let mut ids = submits.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    ids.sort_unstable();
    wait_at_most(PATIENCE, "all tasks to end", || async {
        let ended = client.count("succeeded").await?;
        Ok((ended == arrivals.len() as u64 + 1).then_some(()))
    })
    .await?;
    waits(&client, &ids).await
}

async fn waits(client: &Client, ids: &[(usize, String)]) -> anyhow::Result<Vec<f64>> {
    let mut waits = Vec::with_capacity(ids.len());
    for (_, id) in ids {
        waits.push(wait_ms(&client.task(id).await?).context("a task that has run")?);
    }
    Ok(waits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_waits_for_the_first_slot_that_is_free() {
        let task = |at_ms, runs_ms| Arrival { at_ms, runs_ms };
        let arrivals =
            [task(0.0, 10.0), task(0.0, 20.0), task(0.0, 30.0), task(0.0, 40.0), task(5.0, 1.0), task(6.0, 1.0)];
        assert_eq!(first_come_first_served(&arrivals), [0.0, 0.0, 0.0, 0.0, 5.0, 5.0]);
    }

    #[test]
    fn what_is_drawn_is_within_its_bounds_and_fills_the_slots_about_as_wanted() {
        let arrivals = draw(1, 3_600_000.0);
        assert!(arrivals.iter().all(|task| (SHORTEST_MS..=LONGEST_MS + 1e-6).contains(&task.runs_ms)));
        let load = arrivals.iter().map(|task| task.runs_ms).sum::<f64>() / (3_600_000.0 * SLOTS as f64);
        assert!((LOAD - 0.1..LOAD + 0.1).contains(&load), "{load}");
    }
}
