//! Guests that compute, with all of Tasklane on one core and on two; and what Tasklane takes of the guests' time.
//!
//! The floor runs the same module with the same payload in fresh instances and nothing else (`host/examples/floor_host.rs`), on as many
//! cores. Its own scaling is what the machine can do: two processors of a virtual machine may be one core.

use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::json;

use crate::floors;
use crate::line::{Bar, Line, Report};
use crate::processes::Ran;
use crate::stats::median;
use crate::throughput::{Server, settled};
use crate::work::Pace;

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Milliseconds that each guest computes.
    #[arg(long, default_value_t = 20.0)]
    ms: f64,
    /// Tasks in a round on one core; twice as many on two.
    #[arg(long, default_value_t = 200)]
    tasks: usize,
    /// Rounds; the median counts. Many: the floor sways by more than what is measured beside it.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
}

/// How often the settled count is read.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// The part of the quickest round before in which nobody looks. Nobody knows it in the first.
const QUIET: f64 = 0.95;
/// Longest time of one round.
const PATIENCE: Duration = Duration::from_secs(120);

/// Everything that this thread starts runs on the first `cores` processors only, until this is dropped.
struct Pinned(CpuSet);

impl Pinned {
    fn to(cores: usize) -> anyhow::Result<Self> {
        let all = sched_getaffinity(None)?;
        let mut few = CpuSet::new();
        let usable = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu));
        usable.take(cores).for_each(|cpu| few.set(cpu));
        sched_setaffinity(None, &few)?;
        Ok(Self(all))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let restored = sched_setaffinity(None, &self.0);
        debug_assert!(restored.is_ok(), "what was allowed before is allowed again");
    }
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let all = std::thread::available_parallelism()?.get();
    anyhow::ensure!(all >= 2, "this benchmark needs two cores");
    let (one, mut two) = (start(1).await?, start(2).await?);
    let pid_of_two = two.dev.process()?.pid();
    let payload = Pace::measure(&one.client).await?.payload(options.ms);
    let task = json!({"module": "guest@1.0.0", "payload": payload});
    let (mut ours, mut floor) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let at_least = Duration::from_secs_f64(options.tasks as f64 * options.ms / 1_000.0);
    let mut quickest = [at_least; 2];
    let (mut beside, mut overheads) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        for (at, server) in [&one, &two].into_iter().enumerate() {
            let cores = at + 1;
            let floor_before = floor_rate(cores, &payload.to_string()).await?;
            let count = options.tasks * cores;
            let before = Ran::beside_guests(pid_of_two)?;
            let took = took(server, &task, count, quickest[at]).await?;
            let rate = count as f64 / took.as_secs_f64();
            if cores == 2 {
                beside.push(Ran::beside_guests(pid_of_two)?.since(before, count as f64).micros);
                // Within a minute the machine's speed changes by more than what is looked for.
                let floor_around = f64::midpoint(floor_before, floor_rate(cores, &payload.to_string()).await?);
                overheads.push((floor_around / rate - 1.0) * 100.0);
            }
            floor[at].push(floor_before);
            ours[at].push(rate);
            quickest[at] = if round == 0 { took.mul_f64(QUIET) } else { quickest[at].min(took.mul_f64(QUIET)) };
        }
    }
    let (ours, floor) = (ours.map(|rates| median(&rates)), floor.map(|rates| median(&rates)));
    let lines = vec![
        Line::new(format!("guests that compute {} ms, one core", options.ms), ours[0], "tasks/s")
            .beside("floor", floor[0]),
        Line::new(format!("guests that compute {} ms, two cores", options.ms), ours[1], "tasks/s")
            .beside("floor", floor[1]),
        Line::new("two cores against one", ours[1] / ours[0], "times")
            .beside("floor", floor[1] / floor[0])
            .wanted(Bar::AtLeast(1.85)),
        Line::new("Tasklane's part beside guest work", median(&overheads), "%").wanted(Bar::AtMost(3.0)),
        Line::new("processor time of each but its guest's, two cores", median(&beside), "µs"),
    ];
    let details = json!({
        "ms": options.ms, "tasks_per_second": ours, "floor_per_second": floor,
        "overheads_percent": overheads, "beside_us": beside,
    });
    Ok(Report { lines, details })
}

/// A server on so many cores, and the benchmark on all.
async fn start(cores: usize) -> anyhow::Result<Server> {
    let pinned = Pinned::to(cores)?;
    // Its process starts before anything is awaited, and so on this thread.
    let server = Server::start().await;
    drop(pinned);
    server
}

/// How long so many tasks take. Nobody looks for the first `quiet` of it: a look costs what many tasks cost.
async fn took(server: &Server, task: &serde_json::Value, count: usize, quiet: Duration) -> anyhow::Result<Duration> {
    let wanted = settled(&server.client).await? + count as f64;
    let begun = Instant::now();
    server.client.submit_many(task, count).await?;
    tokio::time::sleep(quiet.saturating_sub(begun.elapsed())).await;
    while settled(&server.client).await? < wanted {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "a round did not end in time");
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    Ok(begun.elapsed())
}

async fn floor_rate(cores: usize, payload: &str) -> anyhow::Result<f64> {
    let args = ["fixture_guest.wasm".to_owned(), payload.to_owned(), cores.to_string()];
    let _pinned = Pinned::to(cores)?;
    floors::run("floor_host", &args, "instances_per_second").await
}
