//! Running toolchains: what they say is shown, on standard error; how they end is told.
//!
//! Called by the builders of each language, and for `[build] command`.

use std::io::stderr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;

use super::Project;
use crate::failure::{FAILED, Failure, USAGE};

/// What a command is called in messages.
pub(super) fn words(command: &Command) -> String {
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    let program = command.get_program().to_string_lossy().into_owned();
    std::iter::once(program).chain(args).collect::<Vec<_>>().join(" ")
}

/// Runs it to its end.
pub(super) fn run(command: &mut Command) -> anyhow::Result<()> {
    let ended = command.stdin(Stdio::null()).stdout(stderr()).status();
    let ended = ended.with_context(|| format!("`{}` could not be started", words(command)))?;
    if ended.success() { Ok(()) } else { Err(failed(command, ended).into()) }
}

pub(super) fn failed(command: &Command, ended: std::process::ExitStatus) -> Failure {
    Failure::new(FAILED, format!("the build failed: `{}` ended with {ended}", words(command)))
        .hint("its own words are above")
}

/// The first line that a program prints of itself, if it can be started.
pub(super) fn version(program: &std::path::Path, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

/// What is missing, and the command that brings it.
pub(super) fn missing(what: &str, install: impl Into<String>) -> anyhow::Error {
    Failure::new(USAGE, format!("{what} is missing")).hint(install).into()
}

/// A program of the project's own environment for Python's packages, or of PATH.
pub(super) fn of_environment(project: &Project, name: &str) -> PathBuf {
    let own = project.dir.join(".venv/bin").join(name);
    // Absolute, since the command runs elsewhere.
    if own.exists() { std::path::absolute(&own).unwrap_or(own) } else { PathBuf::from(name) }
}

/// `[build] command`.
pub(super) fn build(project: &Project) -> anyhow::Result<()> {
    let Some((program, args)) = project.settings.command.split_first() else { return Ok(()) };
    run(Command::new(program).args(args).current_dir(&project.dir))?;
    let Some(output) = &project.settings.output else { return Ok(()) };
    let made = project.dir.join(output);
    if made == project.wasm() {
        return Ok(());
    }
    std::fs::copy(&made, project.wasm())
        .map(drop)
        .map_err(|error| Failure::new(FAILED, format!("[build] output {}: {error}", made.display())).into())
}
