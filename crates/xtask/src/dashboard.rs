//! The dashboard: its packages as locked, its files built, its tests in a real browser.
//!
//! Called by `cargo xtask dashboard`, before `taskctl` is built, and by `cargo xtask test`. Guarantees: npm runs no scripts of packages, and a
//! package with another hash than `dashboard/package-lock.json` has is a failure.

use std::path::Path;
use std::process::Command;

use crate::process::{exists, run, step};
use crate::{plugins, setup};

const DIR: &str = "dashboard";

/// Builds `dashboard/dist`, which the next build of `tasklane-api` puts into the binary.
pub(crate) fn build() -> anyhow::Result<()> {
    step("dashboard", || {
        packages()?;
        npm(&["run", "--silent", "check"])?;
        npm(&["run", "--silent", "build"])
    })
}

/// All of its tests against a live instance of the built `taskctl`.
pub(crate) fn test() -> anyhow::Result<()> {
    browse(&[])
}

/// One test for each page and action, those that take long left out (`@core` in `dashboard/tests`).
pub(crate) fn test_core() -> anyhow::Result<()> {
    browse(&["--", "--grep", "@core"])
}

fn browse(which: &[&str]) -> anyhow::Result<()> {
    packages()?;
    let mut command = Command::new("npm");
    command.args(["test", "--silent"]).args(which).current_dir(DIR).env("CHROMIUM", setup::chromium()?);
    run(command.env("TASKLANE_NATS_SERVER", setup::nats_server()?))
}

/// The packages of the lock file. Not `npm ci`: it asks for packages of all platforms, and a registry need not have them all.
fn packages() -> anyhow::Result<()> {
    for program in ["node", "npm"] {
        anyhow::ensure!(exists(program), "`{program}` is missing: install Node.js 20 or newer with npm");
    }
    let dir = Path::new(DIR);
    let (lock, installed) = (dir.join("package-lock.json"), dir.join("node_modules/.package-lock.json"));
    if installed.exists() && plugins::as_locked(&lock, &installed).is_ok() {
        return Ok(());
    }
    npm(&["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save"])?;
    plugins::as_locked(&lock, &installed)
}

fn npm(args: &[&str]) -> anyhow::Result<()> {
    run(Command::new("npm").args(args).current_dir(DIR))
}
