//! The project's own commands: `cargo xtask setup | plugins | dashboard | demo | test | fuzz | bench`.
//!
//! Guarantees: whatever they need, they fetch or build themselves, into `.tools/` and `target/`; a step that fails ends the command
//! with its name and what to do. They presume rustup's stable toolchain, gcc, python3 with pip, and on Debian apt.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the demo shows as such")]
#![expect(clippy::print_stdout, reason = "a command's product is what it prints")]

mod bench;
mod check;
mod dashboard;
mod demo;
mod fuzz;
mod plugins;
mod process;
mod setup;
mod test;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch what building and running need: wasm targets, nats-server.
    Setup,
    /// Build the example plugins and the test guests from source.
    Plugins,
    /// Build the dashboard, which the next build of `taskctl` takes in.
    Dashboard,
    /// Show Tasklane at work: a real cluster, four real modules, real input.
    Demo(demo::Options),
    /// Everything that CI checks.
    Test(test::Options),
    /// Fuzz what reads what strangers send, for a bounded time.
    Fuzz(fuzz::Options),
    /// Benchmarks beside their floors and peers.
    Bench(bench::Options),
}

fn main() -> anyhow::Result<()> {
    std::env::set_current_dir(process::root()?)?;
    match Args::parse().command {
        Command::Setup => setup::for_demo(),
        Command::Plugins => plugins::build(),
        Command::Dashboard => dashboard::build(),
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Bench(options) => bench::run_bench(&options),
    }
}
