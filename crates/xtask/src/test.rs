//! Everything that CI checks, in the order in which a mistake shows soonest. Nothing is skipped: what is missing is a failure.

use std::process::Command;
use std::time::Instant;

use crate::process::{cargo, step};
use crate::{bench, check, dashboard, fuzz, plugins, setup};

/// What to check.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these steps, by the first word of their names.
    #[arg(long)]
    only: Vec<String>,
    /// Afterwards instructions of the hot paths against the counts that are kept, all of the dashboard in a real browser, the pages on C and
    /// Go, completions in zsh and fish, and fuzzing, one minute for each target. With `--only`, those of them that it names.
    #[arg(long)]
    long: bool,
}

type Step = (&'static str, fn() -> anyhow::Result<()>);

const STEPS: [Step; 10] = [
    ("format", format),
    ("documents", check::documents),
    ("plugins", plugins::build),
    ("dashboard", dashboard::build),
    ("clippy", clippy),
    ("deny (layers, licences, sources)", deny),
    ("build", build),
    ("browser (the core of the dashboard in Chromium)", dashboard::test_core),
    ("tests (unit, property, conformance, API, CLI, end to end)", tests),
    ("sdk", sdk),
];

/// What `--long` runs afterwards.
const LONG_STEPS: [Step; 5] = [
    ("instructions (of the hot paths, counted)", bench::gate),
    ("all-browser (all of the dashboard in Chromium)", dashboard::test),
    ("pages (C and Go, from empty directories)", pages),
    ("shells (completions in zsh and fish)", shells),
    ("fuzz", || fuzz::run(&fuzz::Options::default())),
];

/// Runs the steps and ends with a table of times.
pub(crate) fn run_steps(only: &[String]) -> anyhow::Result<Vec<(&'static str, f64)>> {
    run_some(&STEPS, only)
}

fn first_word(name: &str) -> &str {
    name.split(' ').next().unwrap_or_default()
}

fn run_some(steps: &[Step], only: &[String]) -> anyhow::Result<Vec<(&'static str, f64)>> {
    let wanted = |name: &str| only.is_empty() || only.iter().any(|word| first_word(name) == word);
    let mut times = Vec::new();
    for (name, work) in steps.iter().copied().filter(|(name, _)| wanted(name)) {
        let begun = Instant::now();
        step(name, work)?;
        times.push((name, begun.elapsed().as_secs_f64()));
    }
    Ok(times)
}

/// A step that does not exist would be a run of nothing that ends well.
fn check_names(only: &[String], long: bool) -> anyhow::Result<()> {
    let more = if long { &LONG_STEPS[..] } else { &[] };
    let known: Vec<&str> = STEPS.iter().chain(more).map(|(name, _)| first_word(name)).collect();
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
    check_names(&options.only, options.long)?;
    setup::for_test()?;
    let mut times = run_steps(&options.only)?;
    if options.long {
        times.extend(run_some(&LONG_STEPS, &options.only)?);
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

/// All tests, and the binary that those of the CLI and the stories start. Together: dependencies built for one package alone would have other
/// features, and be built again for the tests.
fn build() -> anyhow::Result<()> {
    run_cargo(&["test", "--release", "--locked", "--workspace", "--no-run"])
}

fn tests() -> anyhow::Result<()> {
    let mut command =
        cargo(&["test", "--release", "--locked", "--workspace", "--no-fail-fast", "--", "--test-threads=4"]);
    run_command(command.env("TASKLANE_NATS_SERVER", setup::nats_server()?))
}

/// The pages whose toolchains are large downloads.
fn pages() -> anyhow::Result<()> {
    let args =
        ["test", "--release", "--locked", "--package", "tasklane-tests", "--test", "five_minutes", "--", "--ignored"];
    run_command(cargo(&args).env("TASKLANE_NATS_SERVER", setup::nats_server()?))
}

/// The tests that need more shells than every machine has.
fn shells() -> anyhow::Result<()> {
    setup::shells()?;
    let args = ["test", "--release", "--locked", "--package", "taskctl", "--test", "cli", "--", "--ignored", "a_real_"];
    run_command(cargo(&args).env("TASKLANE_NATS_SERVER", setup::nats_server()?))
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
