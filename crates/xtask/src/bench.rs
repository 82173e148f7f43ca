//! Builds the benchmarks, their floors, guests and peers, and runs one or all of them.

mod instructions;

use std::process::Command;

use crate::process::{cargo, run, step};
use crate::{plugins, setup};

pub(crate) use instructions::gate;

/// Which benchmark.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// throughput, postgres, drain, submit, latency, priority, cold, parked, mixed, due, cores, languages, memory, fair, canary, hosts,
    /// peers; all: every one of them, as one table and a chart; instructions: counted for the hot paths, with valgrind.
    name: String,
    /// Passed on: `cargo xtask bench NAME -- --help` tells.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Beside the server, what a benchmark needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Peers,
    Postgres,
    Wrk,
    Languages,
}

const NAMES: [(&str, &[Need]); 18] = [
    ("throughput", &[Need::Peers]),
    ("postgres", &[Need::Postgres]),
    ("drain", &[Need::Peers]),
    ("submit", &[Need::Wrk]),
    ("latency", &[]),
    ("priority", &[]),
    ("cold", &[]),
    ("parked", &[]),
    ("mixed", &[]),
    ("due", &[]),
    ("cores", &[]),
    ("languages", &[Need::Languages]),
    ("memory", &[]),
    ("fair", &[]),
    ("canary", &[]),
    ("hosts", &[]),
    ("peers", &[Need::Peers]),
    ("all", &[Need::Peers, Need::Postgres, Need::Wrk, Need::Languages]),
];

/// The floors: examples of the crates that own the drivers.
const FLOORS: [&str; 4] = ["floor_nats", "floor_submit", "floor_host", "floor_store"];

/// Runs one.
pub(crate) fn run_bench(options: &Options) -> anyhow::Result<()> {
    if options.name == "instructions" {
        return instructions::run_with(&options.rest);
    }
    let found = NAMES.iter().find(|(name, _)| *name == options.name);
    let Some((name, needs)) = found else {
        let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        anyhow::bail!("there is no benchmark `{}`: choose of {}, instructions", options.name, known.join(", "));
    };
    setup::for_demo()?;
    plugins::build()?;
    step("what the benchmark needs", || needs.iter().try_for_each(|need| need.meet()))?;
    step("build", build)?;
    let mut command = Command::new("target/release/tasklane-bench");
    command.arg(name).args(&options.rest).env("TASKLANE_NATS_SERVER", setup::nats_server()?);
    run(&mut command)
}

impl Need {
    fn meet(self) -> anyhow::Result<()> {
        match self {
            Self::Peers => setup::for_peers(),
            Self::Postgres => setup::postgres(),
            Self::Wrk => setup::wrk(),
            Self::Languages => plugins::build_languages(),
        }
    }
}

fn build() -> anyhow::Result<()> {
    build_with(&FLOORS)
}

/// All programs and some examples. Always of the whole workspace: chosen by package, dependencies would have other features, and be
/// compiled a second time.
fn build_with(examples: &[&str]) -> anyhow::Result<()> {
    let mut command = cargo(&["build", "--release", "--locked", "--workspace", "--bins"]);
    examples.iter().for_each(|example| {
        command.args(["--example", example]);
    });
    run(&mut command)
}
