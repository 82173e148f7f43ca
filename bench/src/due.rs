//! Delayed tasks that all become due in one second: how late each is queued; and whether a million rows that wait slow the rest.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde_json::{Value, json};
use tasklane_domain::{Clock, SystemClock, Timestamp};

use crate::stats::percentile;
use crate::throughput::Server;

/// Tasks in one request.
const BATCH: usize = 2_000;
/// Requests under way at once.
const CLIENTS: usize = 4;
/// Tasks on one page of a list: the API's maximum.
const PAGE: usize = 200;
/// Longest wait for the end of all.
const PATIENCE: Duration = Duration::from_secs(300);

/// Milliseconds from a task's time to its place in a lane.
#[derive(Debug, Serialize)]
pub(crate) struct Lateness {
    tasks: usize,
    p50: f64,
    p99: f64,
    max: f64,
    /// From the first due time to the end of the last task, in seconds.
    drained_s: f64,
}

impl Lateness {
    pub(crate) fn line(&self) -> String {
        let Self { tasks, p50, p99, max, drained_s } = self;
        format!(
            "{tasks} due in one second: late p50 {p50:.0} ms, p99 {p99:.0} ms, max {max:.0} ms; all ended after {drained_s:.1} s"
        )
    }
}

async fn submit_all(server: &Server, body: &Value, count: usize) -> anyhow::Result<Vec<String>> {
    let answers: Vec<Value> = stream::iter(0..count / BATCH)
        .map(|_| server.client.post("/api/v1/tasks/batch", body))
        .buffer_unordered(CLIENTS)
        .try_collect()
        .await?;
    answers.iter().map(|answer| Ok(answer["batch"].as_str().context("a batch")?.to_owned())).collect()
}

/// `count` tasks, due evenly within one second, `lead` after the first is submitted: submitting must be over by then.
pub(crate) async fn lateness(server: &Server, count: usize, lead: Duration) -> anyhow::Result<Lateness> {
    let first = SystemClock.now().plus(lead);
    let before = server.client.count("succeeded").await?;
    let step = Duration::from_secs(1) / u32::try_from(BATCH)?;
    let task = |number: usize| {
        let due = first.plus(step * u32::try_from(number).unwrap_or(0));
        json!({"module": "noop@1.0.0", "payload": {}, "run_at": due.to_string()})
    };
    let body = json!({"tasks": (0..BATCH).map(task).collect::<Vec<_>>()});
    let batches = submit_all(server, &body, count).await?;
    anyhow::ensure!(SystemClock.now() < first, "submitting took longer than {lead:?}");
    let wanted = before + (count / BATCH * BATCH) as u64;
    let begun = Instant::now();
    while server.client.count("succeeded").await? < wanted {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "the tasks do not end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let drained_s = SystemClock.now().since(first).as_secs_f64();
    let late = late_millis(server, &batches, first, step).await?;
    let of = |percent| percentile(&late, percent);
    Ok(Lateness { tasks: late.len(), p50: of(50), p99: of(99), max: of(100), drained_s })
}

/// How late each task of the batches was queued; the tasks of a batch have its order of due times.
async fn late_millis(
    server: &Server,
    batches: &[String],
    first: Timestamp,
    step: Duration,
) -> anyhow::Result<Vec<f64>> {
    let mut late = Vec::new();
    for batch in batches {
        let mut tasks = Vec::with_capacity(BATCH);
        let mut cursor = String::new();
        for _ in 0..BATCH.div_ceil(PAGE) {
            let page = server.client.get(&format!("/api/v1/tasks?batch={batch}&limit={PAGE}{cursor}")).await?;
            tasks.extend(page["tasks"].as_array().context("tasks")?.clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        for (number, task) in tasks.iter().rev().enumerate() {
            let due = first.plus(step * u32::try_from(number)?);
            let queued: Timestamp = task["timings"]["queued_at"].as_str().context("a time")?.parse()?;
            late.push(queued.since(due).as_secs_f64() * 1_000.0);
        }
    }
    Ok(late)
}

/// Submits `count` tasks for the next year, so that they wait.
pub(crate) async fn fill(server: &Server, count: usize) -> anyhow::Result<()> {
    let task = json!({"module": "noop@1.0.0", "payload": {}, "delay": "300 days"});
    submit_all(server, &json!({"tasks": vec![task; BATCH]}), count).await.map(drop)
}
