//! Benchmarks of the whole of Tasklane beside their floors and peers, in one run on one machine.
//!
//! Started by `cargo xtask bench`, which builds everything first. Figures are medians of several rounds, and ratios to floors and peers
//! that were measured in turn in the same run; a table for people goes to standard output, JSON to a file.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, and a figure of it an error")]
#![expect(clippy::print_stdout, reason = "a benchmark's product is what it prints")]

mod all;
mod canary;
mod chart;
mod cold;
mod cores;
mod drain;
mod due;
mod fair;
mod floors;
mod hosts;
mod languages;
mod latency;
mod limits;
mod line;
mod memory;
mod mixed;
mod parked;
mod peers;
mod postgres;
mod priority;
mod processes;
mod stats;
mod submit;
mod throughput;
mod work;
mod wrk;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use line::Report;

/// The benchmarks.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    bench: Bench,
    /// Where the JSON goes. Default: `target/bench/NAME.json`.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Batch submit → fresh no-op component → committed outcome, beside the composed floor and BullMQ.
    Throughput(throughput::Options),
    /// The same on PostgreSQL, beside its own composed floor.
    Postgres(postgres::Options),
    /// Backlogs that two hosts work off, beside graphile-worker and BullMQ.
    Drain(drain::Options),
    /// Requests of one task each, committed before the answer, beside a bare server that publishes to JetStream.
    Submit(submit::Options),
    /// 200 tasks a second over one connection, from send to outcome.
    Latency(latency::Options),
    /// How soon an urgent task starts while a large backlog of others runs.
    Priority(priority::Options),
    /// From a deploy to its first result, and the first run of a cached module on a fresh host.
    Cold(cold::Options),
    /// Thousands of guests asleep in host calls at once.
    Parked(parked::Options),
    /// Short tasks among heavy-tailed ones, beside first come, first served.
    Mixed(mixed::Options),
    /// Delayed tasks that become due in one second, and many that wait beside the work.
    Due(due::Options),
    /// Guests that compute, on one core and on two.
    Cores(cores::Options),
    /// The same task in Rust, C, TypeScript and Python.
    Languages(languages::Options),
    /// What an idle `taskctl dev` takes, and what a host gives back after load.
    Memory(memory::Options),
    /// How long ten tasks of one customer take alone, and beside ten thousand of another.
    Fair(fair::Options),
    /// How much later an urgent task ends while a thousand runs of hostile modules have the host.
    Canary(canary::Options),
    /// The same backlog with one, two and four hosts.
    Hosts(hosts::Options),
    /// No-op tasks through task queues that people use, beside Tasklane.
    Peers(peers::Options),
    /// All of them, bounded to 15 minutes, as one table and a chart.
    All(all::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Args { bench, json } = Args::parse();
    let (name, report) = match bench {
        Bench::All(options) => return Box::pin(all::run(&options)).await,
        other => Box::pin(run(other)).await?,
    };
    let path = json.unwrap_or_else(|| all::json_of(name));
    line::publish(name, &path, &report)
}

async fn run(bench: Bench) -> anyhow::Result<(&'static str, Report)> {
    Ok(match bench {
        Bench::Throughput(options) => ("throughput", Box::pin(throughput::run(&options)).await?),
        Bench::Postgres(options) => ("postgres", Box::pin(postgres::run(&options)).await?),
        Bench::Drain(options) => ("drain", Box::pin(drain::run(&options)).await?),
        Bench::Submit(options) => ("submit", Box::pin(submit::run(&options)).await?),
        Bench::Latency(options) => ("latency", Box::pin(latency::run(&options)).await?),
        Bench::Priority(options) => ("priority", Box::pin(priority::run(&options)).await?),
        Bench::Cold(options) => ("cold", Box::pin(cold::run(&options)).await?),
        Bench::Parked(options) => ("parked", Box::pin(parked::run(&options)).await?),
        Bench::Mixed(options) => ("mixed", Box::pin(mixed::run(&options)).await?),
        Bench::Due(options) => ("due", Box::pin(due::run(&options)).await?),
        Bench::Cores(options) => ("cores", Box::pin(cores::run(&options)).await?),
        Bench::Languages(options) => ("languages", Box::pin(languages::run(&options)).await?),
        Bench::Memory(options) => ("memory", Box::pin(memory::run(&options)).await?),
        Bench::Fair(options) => ("fair", Box::pin(fair::run(&options)).await?),
        Bench::Canary(options) => ("canary", Box::pin(canary::run(&options)).await?),
        Bench::Hosts(options) => ("hosts", Box::pin(hosts::run(&options)).await?),
        Bench::Peers(options) => ("peers", Box::pin(peers::run(&options)).await?),
        Bench::All(_) => anyhow::bail!("`all` is no benchmark of its own"),
    })
}
