//! Steps and child processes: said before, timed after, and with a plain word when they fail.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context;

/// The repository's root.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.ancestors().nth(2).context("the repository's root")?.to_owned())
}

/// Does one step and says how long it took.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    println!("── {name}");
    let begun = Instant::now();
    let done = work().with_context(|| format!("the step `{name}` failed"))?;
    println!("✓  {name} ({:.1} s)", begun.elapsed().as_secs_f64());
    Ok(done)
}

/// Runs a command with its output shown.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{} could not be started", name(command)))?;
    anyhow::ensure!(status.success(), "{} ended with {status}", name(command));
    Ok(())
}

/// Runs a command and returns what it printed.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("{} could not be started", name(command)))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{} ended with {}: {errors}", name(command), output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn name(command: &Command) -> String {
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
    format!("`{} {}`", command.get_program().to_string_lossy(), args.join(" "))
}

/// `cargo` with arguments.
///
/// It reads `[env]` of `.cargo/config.toml` by itself. Handed down from the cargo that started this program, the same settings would
/// count as changed for build scripts that look at them, and all that hangs on SQLite be compiled anew after each `cargo build` by hand.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(args).env_remove("LIBSQLITE3_FLAGS");
    command
}

/// Whether a program can be started.
pub(crate) fn exists(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}
