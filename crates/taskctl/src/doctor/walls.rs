//! Checks of the walls: raised for a trial in a process of their own, since they cannot be taken down again.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use tasklane_host::{UploadSettings, Uploads};
use tasklane_jail::{Sandbox, WallState, WallStatus, Walls};
use tokio::process::Command;

use super::{Check, Checks, Verdict};
use crate::config::Settings;

/// How long the trial may take.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(30);
/// Rights that others must not have on the cache directory.
const OTHERS: u32 = 0o077;

/// All of them.
pub(super) async fn checks(settings: &Settings) -> Vec<Check> {
    let mut checks = match trial(settings).await {
        Ok(walls) => walls.0.iter().map(wall).collect(),
        Err(error) => vec![Check::fail("walls", format!("{error:#}"), advice(settings))],
    };
    checks.push(compiler(settings).await);
    checks.push(cache_dir(&settings.cache_dir()));
    checks
}

fn advice(settings: &Settings) -> &'static str {
    match settings.sandbox() {
        Sandbox::Strict => "use a kernel that has what is missing, or set `sandbox = \"best_effort\"`",
        Sandbox::BestEffort | Sandbox::Off => "see docs/security.md for what each wall needs",
    }
}

/// What a host with these settings would get, but around a temporary directory.
async fn trial(settings: &Settings) -> anyhow::Result<Walls> {
    let dir = temporary()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("raise-walls").arg("--cache-dir").arg(dir.path());
    command.envs(settings.to_environment()).env_remove("TASKLANE_CACHE_DIR").env_remove("TASKLANE_CONFIG");
    let ended = tokio::time::timeout(TRIAL_TIMEOUT, command.kill_on_drop(true).output()).await??;
    let said = String::from_utf8_lossy(&ended.stderr);
    anyhow::ensure!(ended.status.success(), "{}", said.trim().trim_start_matches("error: "));
    serde_json::from_slice(&ended.stdout).context("the trial's answer cannot be read")
}

fn temporary() -> anyhow::Result<tempfile::TempDir> {
    tempfile::tempdir().context("no temporary directory can be made")
}

fn wall(status: &WallStatus) -> Check {
    let name = format!("wall_{}", status.wall);
    let found = match &status.detail {
        Some(detail) => format!("{}: {detail}", status.state.as_str()),
        None => status.state.as_str().to_owned(),
    };
    let verdict = if status.state == WallState::On { Verdict::Ok } else { Verdict::Warn };
    let advice = match status.state {
        WallState::On => None,
        WallState::Partial | WallState::Missing => Some("see docs/security.md for what this wall needs".to_owned()),
        WallState::Off => Some("take it out of `sandbox_without`, or set `sandbox`".to_owned()),
    };
    Check { advice, ..Check::new(&name, verdict, found) }
}

/// A module is compiled behind walls that must all stand.
async fn compiler(settings: &Settings) -> Check {
    let compiled = async {
        let dir = temporary()?;
        let uploads =
            UploadSettings { cache_dir: dir.path().join("cache"), sandbox: Sandbox::Strict, ..settings.uploads()? };
        Uploads::new(uploads, None)?.try_compiler().await.map_err(anyhow::Error::msg)
    };
    match compiled.await {
        Ok(()) => Check::ok("compiler", "a module was compiled behind every wall"),
        Err(error) => {
            let said = format!("{error:#}");
            let is_only_a_wall = said.contains("the sandbox is strict") && settings.sandbox() != Sandbox::Strict;
            let advice = "see docs/security.md for what compile children need";
            if is_only_a_wall { Check::warn("compiler", said, advice) } else { Check::fail("compiler", said, advice) }
        }
    }
}

/// Whoever can write there can have a host load what they like, were it not for the key, which lies there too.
fn cache_dir(dir: &Path) -> Check {
    let shown = dir.display().to_string();
    let Ok(meta) = std::fs::metadata(dir) else {
        return Check::ok("cache_dir", format!("{shown} will be made at the first start"));
    };
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me {
        let advice = format!("give it to the user of the host: chown -R {me} {shown}");
        return Check::fail("cache_dir", format!("{shown} belongs to user {}", meta.uid()), advice);
    }
    let mode = meta.permissions().mode() & 0o777;
    let is_private = mode & OTHERS == 0;
    Check::good("cache_dir", is_private, format!("{shown}, mode {mode:o}"), &format!("chmod -R go= {shown}"))
}
