//! Benchmarks of the whole of Tasklane beside their floors, in one run on one machine.
//!
//! Started by `cargo xtask bench`, which builds everything first. Figures are medians of several rounds, and ratios to floors that
//! were measured in the same run; a table for people goes to standard output, JSON to a file. It never judges.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, and a figure of it an error")]
#![expect(clippy::print_stdout, reason = "a benchmark's product is what it prints")]

mod floors;
mod latency;
mod limits;
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
    }
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
