//! Fuzzes the targets of `fuzz/` with libFuzzer, each for a bounded time.
//!
//! Called by `cargo xtask fuzz` and `cargo xtask test --long`. Each begins with the kept inputs of `fuzz/corpus` and adds what it learns to
//! `target/fuzz-corpus`; what is found is written to `fuzz/artifacts` and ends the command.

use std::process::Command;

use crate::process::{run as run_command, step};
use crate::setup;

/// The targets.
const TARGETS: [&str; 4] = ["manifest", "cron", "upload", "wit_values"];
/// Longest that one input may take, in seconds.
const INPUT_SECONDS: u32 = 10;
/// Most memory that a target may have, in MiB.
const MEMORY_MIB: u32 = 2_048;
/// Longest input, in bytes.
const INPUT_BYTES: u32 = 64 * 1024;

/// What to fuzz, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these targets: manifest, cron, upload, `wit_values`.
    #[arg(long)]
    only: Vec<String>,
    /// Seconds for each.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { only: Vec::new(), seconds: 60 }
    }
}

/// Runs the targets one after the other.
fn run_targets(options: &Options) -> anyhow::Result<()> {
    let fuzz = setup::cargo_fuzz()?;
    let wanted = |target: &str| options.only.is_empty() || options.only.iter().any(|only| only == target);
    for target in TARGETS.into_iter().filter(|target| wanted(target)) {
        let limits = [
            format!("-max_total_time={}", options.seconds),
            format!("-timeout={INPUT_SECONDS}"),
            format!("-rss_limit_mb={MEMORY_MIB}"),
            format!("-max_len={INPUT_BYTES}"),
        ];
        let mut command = Command::new(&fuzz);
        // Without a sanitizer, no nightly toolchain is needed but for the switch that allows instrumentation.
        command
            .args(["run", "--sanitizer", "none", target])
            .args([learned(target)?, format!("fuzz/corpus/{target}")])
            .arg("--")
            .args(limits)
            .env("RUSTC_BOOTSTRAP", "1");
        step(&format!("fuzz {target}"), || run_command(&mut command))?;
    }
    Ok(())
}

/// Where a target's new inputs go.
fn learned(target: &str) -> anyhow::Result<String> {
    let dir = format!("target/fuzz-corpus/{target}");
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// `cargo xtask fuzz`.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    setup::for_demo()?;
    let known = |name: &String| TARGETS.contains(&name.as_str());
    if let Some(unknown) = options.only.iter().find(|name| !known(name)) {
        anyhow::bail!("there is no target `{unknown}`; the targets are {}", TARGETS.join(", "));
    }
    run_targets(options)
}
