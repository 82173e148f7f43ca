//! Benchmarks of the whole of Tasklane beside their floors, in one run on one machine.
//!
//! Started by `cargo xtask bench`, which builds everything first. Figures are medians of several rounds, and ratios to floors that
//! were measured in the same run; a table for people goes to standard output, JSON to a file. It never judges.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, and a figure of it an error")]
#![expect(clippy::print_stdout, reason = "a benchmark's product is what it prints")]

mod canary;
mod drain;
mod due;
mod fair;
mod floors;
mod latency;
mod limits;
mod peers;
mod stats;
mod throughput;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, Subcommand};
use serde_json::{Value, json};

/// The benchmarks.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Batch submit → fresh no-op component → committed outcome, beside the floors; latency under light load; limits.
    Throughput(Options),
    /// Delayed tasks that become due in one second, and a million that wait beside the work.
    Due(DueOptions),
    /// How long ten tasks of one customer take alone, and beside ten thousand of another.
    Fair(FairOptions),
    /// How much later an urgent task ends while a thousand runs of hostile modules have the host.
    Canary(CanaryOptions),
    /// Backlogs of no-op tasks that two hosts work off.
    Drain(DrainOptions),
    /// The same through task queues that people use, beside Tasklane.
    Peers(PeersOptions),
}

/// How many, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct DrainOptions {
    /// The backlog.
    #[arg(long, default_value_t = 200_000)]
    tasks: usize,
    /// A small one, for comparison.
    #[arg(long, default_value_t = 10_000)]
    small: usize,
    /// A large one, for comparison.
    #[arg(long, default_value_t = 1_000_000)]
    large: usize,
    /// Where the JSON goes.
    #[arg(long, default_value = "target/bench/drain.json")]
    json: PathBuf,
}

/// How many, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct PeersOptions {
    /// Tasks in a round; slow peers get a part of them.
    #[arg(long, default_value_t = 60_000)]
    tasks: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the JSON goes.
    #[arg(long, default_value = "target/bench/peers.json")]
    json: PathBuf,
}

/// How many, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct CanaryOptions {
    /// Runs of hostile modules in a round.
    #[arg(long, default_value_t = 1_000)]
    crowd: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the JSON goes.
    #[arg(long, default_value = "target/bench/canary.json")]
    json: PathBuf,
}

/// How many, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct FairOptions {
    /// Tasks of the large customer.
    #[arg(long, default_value_t = 10_000)]
    large: usize,
    /// Tasks of the small one.
    #[arg(long, default_value_t = 10)]
    small: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Where the JSON goes.
    #[arg(long, default_value = "target/bench/fair.json")]
    json: PathBuf,
}

/// How many, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct DueOptions {
    /// Tasks that become due in one second.
    #[arg(long, default_value_t = 100_000)]
    due: usize,
    /// Seconds from the first submit to the first due time: all must be submitted by then.
    #[arg(long, default_value_t = 30)]
    lead: u64,
    /// Tasks that wait.
    #[arg(long, default_value_t = 1_000_000)]
    waiting: usize,
    /// Tasks in one round of work.
    #[arg(long, default_value_t = 60_000)]
    tasks: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the JSON goes.
    #[arg(long, default_value = "target/bench/due.json")]
    json: PathBuf,
}

/// How long and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Tasks in one round.
    #[arg(long, default_value_t = 60_000)]
    tasks: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the JSON goes.
    #[arg(long, default_value = "target/bench/throughput.json")]
    json: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Args::parse().bench {
        Bench::Throughput(options) => run_throughput(&options).await,
        Bench::Due(options) => run_due(&options).await,
        Bench::Fair(options) => run_fair(&options).await,
        Bench::Canary(options) => run_canary(&options).await,
        Bench::Drain(options) => run_drain(&options).await,
        Bench::Peers(options) => run_peers(&options).await,
    }
}

async fn run_drain(options: &DrainOptions) -> anyhow::Result<()> {
    let mut rates = Vec::new();
    for backlog in [options.small, options.tasks, options.large] {
        let rate = drain::measure(backlog).await?;
        println!("backlog of {backlog:>9}        {rate:>12.0} tasks/s");
        rates.push(json!({"backlog": backlog, "tasks_per_second": rate}));
    }
    write(&options.json, &json!({"bench": "drain", "backlogs": rates}))
}

/// Tasklane and its peers, in one run.
async fn run_peers(options: &PeersOptions) -> anyhow::Result<()> {
    let server = throughput::Server::start().await?;
    let flow = stats::median(&throughput::rounds(&server, options.tasks, options.rounds).await?);
    drop(server);
    let mut drains = Vec::new();
    for _ in 0..options.rounds {
        drains.push(drain::measure(options.tasks).await?);
    }
    let mut figures = vec![peers::Figure { name: "Tasklane", flow, drain: stats::median(&drains) }];
    figures.extend(peers::measure(options.tasks, options.rounds).await?);
    println!("{}", peers::table(&figures));
    write(&options.json, &json!({"bench": "peers", "tasks": options.tasks, "figures": figures}))
}

/// The work beside an empty table and beside a full one takes turns in one run, on one server.
async fn run_due(options: &DueOptions) -> anyhow::Result<()> {
    let server = throughput::Server::start().await?;
    let lateness = due::lateness(&server, options.due, std::time::Duration::from_secs(options.lead)).await?;
    println!("{}", lateness.line());
    let empty = stats::median(&throughput::rounds(&server, options.tasks, options.rounds).await?);
    due::fill(&server, options.waiting).await?;
    let full = stats::median(&throughput::rounds(&server, options.tasks, options.rounds).await?);
    let ratio = full / empty;
    println!("beside nothing that waits    {empty:>12.0} tasks/s");
    println!("beside {:>9} that wait   {full:>12.0} tasks/s", options.waiting);
    println!("ratio                        {ratio:>12.2}");
    let report = json!({
        "bench": "due",
        "lateness_ms": lateness,
        "waiting": options.waiting,
        "tasks_per_second_beside_nothing": empty,
        "tasks_per_second_beside_waiting": full,
        "ratio": ratio,
    });
    write(&options.json, &report)
}

async fn run_fair(options: &FairOptions) -> anyhow::Result<()> {
    let mut figures = Vec::new();
    for work in fair::WORK {
        let figure = fair::measure(work, options).await?;
        println!("{}", figure.line());
        figures.push(figure);
    }
    write(&options.json, &json!({"bench": "fair", "large": options.large, "small": options.small, "work": figures}))
}

async fn run_canary(options: &CanaryOptions) -> anyhow::Result<()> {
    let figure = canary::measure(options).await?;
    println!("{}", figure.table());
    write(&options.json, &json!({"bench": "canary", "crowd": options.crowd, "figure": figure}))
}

async fn run_throughput(options: &Options) -> anyhow::Result<()> {
    let floors = floors::measure(options.rounds).await?;
    let server = throughput::Server::start().await?;
    let rounds = throughput::rounds(&server, options.tasks, options.rounds).await?;
    let latency = latency::measure(&server).await?;
    let limits = limits::measure(&server).await?;
    let per_second = stats::median(&rounds);
    let ratio = per_second / floors.composed();
    println!("{}", floors.table());
    println!("tasklane, {} tasks a round   {per_second:>12.0} tasks/s", options.tasks);
    println!("ratio to the composed floor  {ratio:>12.2}");
    println!("latency at 200 tasks/s       {:>12}", latency.line());
    println!("{}", limits::table(&limits));
    let report = json!({
        "bench": "throughput",
        "cores": std::thread::available_parallelism()?.get(),
        "tasks_per_round": options.tasks,
        "rounds_tasks_per_second": rounds,
        "tasks_per_second": per_second,
        "floors": floors,
        "composed_floor_per_second": floors.composed(),
        "ratio_to_composed_floor": ratio,
        "latency_ms": latency,
        "limits": limits,
    });
    write(&options.json, &report)
}

fn write(path: &PathBuf, report: &Value) -> anyhow::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(path, serde_json::to_string_pretty(report)?).with_context(|| path.display().to_string())?;
    println!("written to {}", path.display());
    Ok(())
}
