//! Ten tasks of one customer, alone and beside ten thousand of another that came first: how much longer they take.
//!
//! The time is that of the tasks themselves (the first submitted to the last ended, as recorded), not that of a client that looks.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use serde_json::{Value, json};
use tasklane_domain::Timestamp;
use tasklane_tests::{Client, Dev, guest};

use crate::line::{Line, Report};
use crate::stats::median;

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Tasks of the large customer.
    #[arg(long, default_value_t = 10_000)]
    large: usize,
    /// Tasks of the small one.
    #[arg(long, default_value_t = 10)]
    small: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// Slots of the only host.
const SLOTS: &str = "4";
/// Tasks in one request.
const BATCH: usize = 1_000;
/// Longest wait for the ten.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often they are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// What the tasks do.
#[derive(Debug, Clone, Copy)]
struct Work {
    name: &'static str,
    payload: fn() -> Value,
}

/// Waiting leaves the processor free, so that only turns count; computing shares it; nothing at all measures the way itself.
const WORK: [Work; 3] = [
    Work { name: "20 ms of waiting", payload: || json!({"do": "sleep", "ms": 20}) },
    Work { name: "200 ms of waiting", payload: || json!({"do": "sleep", "ms": 200}) },
    Work { name: "no work", payload: || json!({"do": "echo", "value": "x"}) },
];

/// Milliseconds, medians of the rounds.
#[derive(Debug, Serialize)]
struct Figure {
    work: &'static str,
    alone_ms: f64,
    beside_ms: f64,
    ratio: f64,
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let (mut lines, mut figures) = (Vec::new(), Vec::new());
    for work in WORK {
        let figure = measure(work, options).await?;
        let what = format!("{} tasks of a customer beside {} of another, {}", options.small, options.large, work.name);
        lines.push(Line::new(what, figure.beside_ms, "ms").beside("alone", figure.alone_ms));
        figures.push(figure);
    }
    Ok(Report { lines, details: json!(figures) })
}

fn tasks(work: Work, share: &str, count: usize) -> Value {
    json!({"tasks": vec![json!({"module": "guest@1.0.0", "payload": (work.payload)(), "share": share}); count]})
}

/// Rounds of both in turn, each on a server that does nothing else.
async fn measure(work: Work, options: &Options) -> anyhow::Result<Figure> {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let dev = Dev::start(&[("TASKLANE_SLOTS", SLOTS)]).await?;
        let client = dev.client()?;
        client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
        small(&client, work, "warm-up", options.small).await?;
        alone.push(small(&client, work, "alone", options.small).await?);
        for _ in 0..options.large.div_ceil(BATCH) {
            client.post("/api/v1/tasks/batch", &tasks(work, "large", BATCH.min(options.large))).await?;
        }
        beside.push(small(&client, work, "beside", options.small).await?);
        let left = client.count("queued").await?;
        anyhow::ensure!(
            left > 0,
            "the large customer's tasks were gone before the small one's; the figure says nothing"
        );
    }
    let (alone_ms, beside_ms) = (median(&alone), median(&beside));
    Ok(Figure { work: work.name, alone_ms, beside_ms, ratio: beside_ms / alone_ms })
}

/// Submits a small customer's tasks, waits for them, and answers their milliseconds. Each is another customer: what one had a moment
/// ago counts against it, as it should.
async fn small(client: &Client, work: Work, customer: &str, count: usize) -> anyhow::Result<f64> {
    let batch = client.post("/api/v1/tasks/batch", &tasks(work, customer, count)).await?;
    let batch = batch["batch"].as_str().context("a batch")?.to_owned();
    let begun = Instant::now();
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        anyhow::ensure!(begun.elapsed() < PATIENCE, "the small customer's tasks do not end");
        let page = client.get(&format!("/api/v1/tasks?batch={batch}&status=succeeded&limit=200")).await?;
        let ended = page["tasks"].as_array().context("tasks")?;
        if ended.len() == count {
            return millis(ended);
        }
    }
}

/// From the first submit to the last end.
fn millis(tasks: &[Value]) -> anyhow::Result<f64> {
    let time = |task: &Value, field: &str| -> anyhow::Result<Timestamp> {
        Ok(task["timings"][field].as_str().context("a time")?.parse()?)
    };
    let (mut first, mut last) = (None::<Timestamp>, None::<Timestamp>);
    for task in tasks {
        first = first.into_iter().chain([time(task, "created_at")?]).min();
        last = last.into_iter().chain([time(task, "ended_at")?]).max();
    }
    Ok(last.context("a task")?.since(first.context("a task")?).as_secs_f64() * 1_000.0)
}
