//! From an empty directory to a task that has run: the blocks marked `sh five-minutes` of each language's page are run as they stand, in a directory
//! with nothing in it, and what they print is compared with the blocks marked `text output`.
//!
//! Packages come from their registries, as they do for whoever reads the page; compilers keep their caches, so that later runs are quick.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tasklane_tests::{Dev, taskctl, workspace};

/// A page takes longer only if a registry does not answer.
const PATIENCE: Duration = Duration::from_secs(600);
/// Between the outputs of two blocks.
const MARK: &str = "%%% next block %%%";

/// The blocks to run, each with what it prints, if the page says.
fn blocks(page: &str) -> Vec<(String, Option<String>)> {
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let is_run = line == "```sh five-minutes";
        if !is_run && line != "```text output of five minutes" {
            continue;
        }
        let text: String = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
        match found.last_mut() {
            _ if is_run => found.push((text, None)),
            Some(last) => last.1 = Some(text),
            None => {}
        }
    }
    found
}

#[expect(clippy::disallowed_methods, reason = "a reader's shell has a home and programs")]
fn kept(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn command(script: &str, dir: &Path, server: &str) -> anyhow::Result<tokio::process::Command> {
    let own = taskctl()?.parent().context("a directory")?.to_owned();
    let mut command = tokio::process::Command::new("bash");
    command.args(["-c", script]).current_dir(dir).stdin(Stdio::null()).kill_on_drop(true).env_clear();
    command.env("PATH", format!("{}:{}", own.display(), kept("PATH").unwrap_or_default()));
    for name in ["HOME", "CARGO_HOME", "RUSTUP_HOME"] {
        if let Some(value) = kept(name) {
            command.env(name, value);
        }
    }
    // Compiled once for all runs.
    command.env("CARGO_TARGET_DIR", workspace().join("plugins/target/five-minutes"));
    command.env("TASKLANE_SERVER", server);
    Ok(command)
}

/// A directory with nothing in it.
fn empty() -> anyhow::Result<tempfile::TempDir> {
    Ok(tempfile::tempdir()?)
}

#[expect(clippy::print_stdout, reason = "measured figures are worth seeing")]
async fn follow(page: &str) -> anyhow::Result<()> {
    let dev = Dev::start(&[]).await?;
    let path: PathBuf = workspace().join(format!("docs/modules-{page}.md"));
    let blocks = blocks(&tokio::fs::read_to_string(&path).await?);
    ensure!(!blocks.is_empty(), "{} has nothing to follow", path.display());
    let commands: Vec<&str> = blocks.iter().map(|(commands, _)| commands.as_str()).collect();
    let script = format!("set -euo pipefail\n{}", commands.join(&format!("echo '{MARK}'\n")));
    let (dir, begun) = (empty()?, Instant::now());
    let output = command(&script, dir.path(), &dev.url())?.output();
    let output = tokio::time::timeout(PATIENCE, output).await.context("the page never ends")??;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{}: {}\n{out}\n{err}", path.display(), output.status);
    println!("{page}: {:.0} s", begun.elapsed().as_secs_f64());
    for ((_, wanted), printed) in blocks.iter().zip(out.split(&format!("{MARK}\n"))) {
        let Some(wanted) = wanted else { continue };
        ensure!(wanted.trim() == printed.trim(), "{} says\n{wanted}\nbut\n{printed}\n{err}", path.display());
    }
    Ok(())
}

#[tokio::test]
async fn in_rust() -> anyhow::Result<()> {
    follow("rust").await
}

#[tokio::test]
async fn in_typescript() -> anyhow::Result<()> {
    follow("typescript").await
}

#[tokio::test]
async fn in_python() -> anyhow::Result<()> {
    follow("python").await
}

// Their toolchains are large downloads: `cargo xtask test --long`.
#[tokio::test]
#[ignore = "in `cargo xtask test --long`"]
async fn in_c() -> anyhow::Result<()> {
    follow("c").await
}

#[tokio::test]
#[ignore = "in `cargo xtask test --long`"]
async fn in_go() -> anyhow::Result<()> {
    follow("go").await
}
