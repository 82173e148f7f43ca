//! Delayed tasks that all become due in one second: how late each is queued, and how much later a canary ends meanwhile; and whether a
//! million rows that wait slow the rest.
//!
//! The canary is one urgent no-op task after the other, from submit to outcome: alone before, then from the first due time until all have
//! ended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde_json::{Value, json};
use tasklane_domain::{Clock, SystemClock, Timestamp};

use tasklane_tests::canary::{self, Canary, STAGES};
use tokio_util::sync::CancellationToken;

use crate::line::{Bar, Line, Report};
use crate::stats::{median, percentile};
use crate::throughput::{self, Server};

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Tasks that become due in one second.
    #[arg(long, default_value_t = 100_000)]
    due: usize,
    /// Seconds from the first submit to the first due time: all must be submitted by then.
    #[arg(long, default_value_t = 30)]
    lead: u64,
    /// Tasks that wait; 0: the rest is not measured.
    #[arg(long, default_value_t = 1_000_000)]
    waiting: usize,
    /// Tasks in one round of work.
    #[arg(long, default_value_t = 60_000)]
    tasks: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Tasks in one request.
const BATCH: usize = 2_000;
/// Requests under way at once.
const CLIENTS: usize = 4;
/// Tasks on one page of a list: the API's maximum.
const PAGE: usize = 200;
/// How long canaries run alone.
const ALONE: Duration = Duration::from_secs(3);
/// Longest wait for the end of all.
const PATIENCE: Duration = Duration::from_secs(300);

/// Milliseconds from a task's time to its place in a lane.
#[derive(Debug, Serialize)]
pub(crate) struct Lateness {
    tasks: usize,
    p50: f64,
    p99: f64,
    max: f64,
    /// Milliseconds of the canaries alone, and meanwhile.
    canary_alone: Canaries,
    canary_meanwhile: Canaries,
    /// From the first due time to the end of the last task, in seconds.
    drained_s: f64,
}

/// Milliseconds of canaries at p99.
#[derive(Debug, Serialize)]
struct Canaries {
    count: usize,
    p99: f64,
    /// Of each of its parts, by itself.
    stages_p99: BTreeMap<&'static str, f64>,
}

impl Canaries {
    fn of(all: &[Canary]) -> Self {
        let p99 = |of: &dyn Fn(&Canary) -> Duration| {
            percentile(&all.iter().map(|canary| of(canary).as_secs_f64() * 1_000.0).collect::<Vec<_>>(), 99)
        };
        let stages = STAGES.into_iter().enumerate();
        Self {
            count: all.len(),
            p99: p99(&|canary| canary.took),
            stages_p99: stages.map(|(at, stage)| (stage, p99(&|canary| canary.stages[at]))).collect(),
        }
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
async fn lateness(server: &Server, count: usize, lead: Duration) -> anyhow::Result<Lateness> {
    canary::deploy(&server.client).await?;
    let alone = canaries_for(server, tokio::time::sleep(ALONE)).await?;
    let first = SystemClock.now().plus(lead);
    let before = server.client.count("succeeded").await?;
    let step = Duration::from_secs(1) / u32::try_from(BATCH)?;
    let task = |number: usize| {
        let due = first.plus(step * u32::try_from(number).unwrap_or(0));
        json!({"module": "noop@1.0.0", "payload": {}, "run_at": due.to_string()})
    };
    let body = json!({"tasks": (0..BATCH).map(task).collect::<Vec<_>>()});
    let batches = submit_all(server, &body, count).await?;
    anyhow::ensure!(SystemClock.now() < first, "submitting took longer than {lead:?}: give more --lead");
    tokio::time::sleep(first.since(SystemClock.now())).await;
    let mut ended = Ok(());
    let meanwhile = canaries_for(server, async { ended = all_ended(server, before + count as u64).await }).await?;
    ended?;
    let drained_s = SystemClock.now().since(first).as_secs_f64();
    let late = late_millis(server, &batches, first, step).await?;
    let of = |percent| percentile(&late, percent);
    Ok(Lateness {
        tasks: late.len(),
        p50: of(50),
        p99: of(99),
        max: of(100),
        canary_alone: Canaries::of(&alone),
        canary_meanwhile: Canaries::of(&meanwhile),
        drained_s,
    })
}

/// Canaries, one after the other, while something else goes on.
async fn canaries_for(server: &Server, meanwhile: impl Future<Output = ()>) -> anyhow::Result<Vec<Canary>> {
    let over = CancellationToken::new();
    let running = tokio::spawn(canary::canaries(server.client.clone(), over.clone()));
    meanwhile.await;
    over.cancel();
    running.await?
}

/// Waits for the end of so many tasks, canaries not counted: those that are due are counted by their state.
async fn all_ended(server: &Server, wanted: u64) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "the tasks do not end");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let states = server.client.get("/api/v1/cluster/stats").await?["states"].clone();
        let of = |state: &str| states[state].as_u64().unwrap_or(0);
        if of("succeeded") >= wanted && of("scheduled") == 0 && of("queued") <= 1 {
            return Ok(());
        }
    }
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
async fn fill(server: &Server, count: usize) -> anyhow::Result<()> {
    let task = json!({"module": "noop@1.0.0", "payload": {}, "delay": "300 days"});
    submit_all(server, &json!({"tasks": vec![task; BATCH]}), count).await.map(drop)
}

/// Lateness first; then work beside an empty table and beside a full one, on the same server.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let server = Server::start().await?;
    let count = options.due / BATCH * BATCH;
    let late = lateness(&server, count, Duration::from_secs(options.lead)).await?;
    let mut lines = vec![
        Line::new(format!("{count} due in one second, queued late by, p50"), late.p50, "ms"),
        Line::new(format!("{count} due in one second, queued late by, p99"), late.p99, "ms")
            .wanted(Bar::AtMost(4_000.0)),
        Line::new("all of them ended after", late.drained_s, "s"),
        Line::new("a canary's p99 meanwhile", late.canary_meanwhile.p99, "ms")
            .beside("alone", late.canary_alone.p99)
            .wanted(Bar::RatioAtMost(2.0)),
    ];
    if options.waiting > 0 {
        let empty = median(&throughput::rounds(&server, options.tasks, options.rounds).await?);
        fill(&server, options.waiting).await?;
        let full = median(&throughput::rounds(&server, options.tasks, options.rounds).await?);
        let what = format!("throughput beside {} that wait", options.waiting);
        lines.push(Line::new(what, full, "tasks/s").beside("beside none", empty));
    }
    Ok(Report { lines, details: json!({"lateness_ms": late}) })
}
