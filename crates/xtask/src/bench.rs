//! Builds the benchmark, its floors and its guests, and runs it.

use std::process::Command;

use crate::process::{cargo, run, step};
use crate::{plugins, setup};

/// Which benchmark.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// Batch submit → fresh no-op component → committed outcome, beside the floors.
    Throughput {
        /// Passed on: `--tasks N --rounds N --json FILE`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Delayed tasks that become due in one second, and a million that wait beside the work.
    Due {
        /// Passed on: `--due N --waiting N --tasks N --rounds N --json FILE`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Ten tasks of one customer, alone and beside ten thousand of another.
    Fair {
        /// Passed on: `--large N --small N --rounds N --json FILE`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Backlogs of no-op tasks that two hosts work off.
    Drain {
        /// Passed on: `--tasks N --small N --large N --json FILE`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// No-op tasks through Tasklane, BullMQ, graphile-worker, pg-boss, Dramatiq and Celery.
    Peers {
        /// Passed on: `--tasks N --rounds N --json FILE`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// An urgent task, alone and while a thousand runs of hostile modules have the host.
    Canary {
        /// Passed on: `--crowd N --rounds N --json FILE`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

/// Runs one.
pub(crate) fn run_bench(bench: &Bench) -> anyhow::Result<()> {
    setup::for_demo()?;
    plugins::build()?;
    step("build", || {
        run_cargo(&["build", "--release", "--locked", "--package", "taskctl", "--package", "tasklane-bench"])?;
        for (package, example) in
            [("tasklane-nats", "floor_nats"), ("tasklane-host", "floor_host"), ("tasklane-store", "floor_store")]
        {
            run_cargo(&["build", "--release", "--locked", "--package", package, "--example", example])?;
        }
        Ok(())
    })?;
    let (name, rest) = match bench {
        Bench::Throughput { rest } => ("throughput", rest),
        Bench::Due { rest } => ("due", rest),
        Bench::Fair { rest } => ("fair", rest),
        Bench::Canary { rest } => ("canary", rest),
        Bench::Drain { rest } => ("drain", rest),
        Bench::Peers { rest } => {
            step("peers", setup::for_peers)?;
            ("peers", rest)
        }
    };
    let mut command = Command::new("target/release/tasklane-bench");
    command.arg(name).args(rest).env("TASKLANE_NATS_SERVER", setup::nats_server()?);
    run(&mut command)
}

fn run_cargo(args: &[&str]) -> anyhow::Result<()> {
    run(&mut cargo(args))
}
