//! Everything that CI checks, in the order in which a mistake shows soonest. Nothing is skipped: what is missing is a failure.

use std::process::Command;
use std::time::Instant;

use crate::process::{cargo, step};
use crate::{check, dashboard, fuzz, plugins, setup};

/// What to check.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these steps, by the first word of their names.
    #[arg(long)]
    only: Vec<String>,
    /// Afterwards the dashboard in a real browser, and fuzzing, one minute for each target.
    #[arg(long)]
    long: bool,
}

type Step = (&'static str, fn() -> anyhow::Result<()>);

const STEPS: [Step; 9] = [
    ("format", format),
    ("documents", check::documents),
    ("plugins", plugins::build),
    ("dashboard", dashboard::build),
    ("clippy", clippy),
    ("deny (layers, licences, sources)", deny),
    ("build", build),
    ("tests (unit, property, conformance, API, CLI, end to end)", tests),
    ("sdk", sdk),
];

/// Runs the steps and ends with a table of times.
pub(crate) fn run_steps(only: &[String]) -> anyhow::Result<Vec<(&'static str, f64)>> {
    let wanted = |name: &str| only.is_empty() || only.iter().any(|word| name.split(' ').next() == Some(word));
    let mut times = Vec::new();
    for (name, work) in STEPS.into_iter().filter(|(name, _)| wanted(name)) {
        let begun = Instant::now();
        step(name, work)?;
        times.push((name, begun.elapsed().as_secs_f64()));
    }
    Ok(times)
}

/// A step that does not exist would be a run of nothing that ends well.
fn check_names(only: &[String]) -> anyhow::Result<()> {
    let known: Vec<&str> = STEPS.iter().filter_map(|(name, _)| name.split(' ').next()).collect();
    let unknown = only.iter().find(|word| !known.contains(&word.as_str()));
    anyhow::ensure!(
        unknown.is_none(),
        "no step is called `{}`: choose of {}",
        unknown.map_or("", String::as_str),
        known.join(", ")
    );
    Ok(())
}

/// `cargo xtask test`.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    check_names(&options.only)?;
    setup::for_test()?;
    let times = run_steps(&options.only)?;
    if options.long {
        step("browser (the dashboard in Chromium)", dashboard::test)?;
        step("fuzz", || fuzz::run(&fuzz::Options::default()))?;
    }
    println!();
    for (name, seconds) in times {
        println!("{seconds:>8.1} s  {name}");
    }
    Ok(())
}

fn format() -> anyhow::Result<()> {
    run_cargo(&["fmt", "--all", "--check"])?;
    run_cargo(&["fmt", "--all", "--check", "--manifest-path", "plugins/Cargo.toml"])
}

fn clippy() -> anyhow::Result<()> {
    run_cargo(&["clippy", "--release", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn deny() -> anyhow::Result<()> {
    run_command(Command::new(setup::cargo_deny()?).args(["check", "bans", "licenses", "sources"]))
}

/// The binary that CLI and end-to-end tests start.
fn build() -> anyhow::Result<()> {
    run_cargo(&["build", "--release", "--locked", "--package", "taskctl"])
}

fn tests() -> anyhow::Result<()> {
    let mut command =
        cargo(&["test", "--release", "--locked", "--workspace", "--no-fail-fast", "--", "--test-threads=4"]);
    run_command(command.env("TASKLANE_NATS_SERVER", setup::nats_server()?))
}

fn sdk() -> anyhow::Result<()> {
    sdk_rust()?;
    sdk_typescript()?;
    run_command(Command::new("python3").args(["-m", "unittest", "discover", "-s", "sdk/python/tests"]))
}

/// Types and tests of the SDK in plain Node, and types of the client.
fn sdk_typescript() -> anyhow::Result<()> {
    plugins::npm()?;
    for project in ["sdk/ts/tests", "sdk/client-ts/tests"] {
        run_command(Command::new("plugins/node_modules/.bin/tsc").args(["--project", project]))?;
    }
    run_command(Command::new("node").args(["bin/tasklane.mjs", "test", "tests/sdk.test.ts"]).current_dir("sdk/ts"))
}

fn sdk_rust() -> anyhow::Result<()> {
    run_cargo(&[
        "test",
        "--release",
        "--locked",
        "--manifest-path",
        "plugins/Cargo.toml",
        "--package",
        "tasklane-sdk",
        "--all-features",
    ])?;
    run_cargo(&[
        "test",
        "--release",
        "--locked",
        "--manifest-path",
        "plugins/Cargo.toml",
        "--package",
        "csv-stats",
        "--package",
        "fan-out",
        "--package",
        "redact",
        "--package",
        "thumbnail",
    ])
}

fn run_cargo(args: &[&str]) -> anyhow::Result<()> {
    run_command(&mut cargo(args))
}

fn run_command(command: &mut Command) -> anyhow::Result<()> {
    crate::process::run(command)
}
