//! What a role does before it has threads: settings are completed, and a host's walls are raised.
//!
//! Landlock and capabilities hold for one thread and those that it starts, so nothing may run before this.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;
use tasklane_jail::{Walls, raise_host};

use crate::cli::{Role, ServeArgs};
use crate::config::Settings;

/// Completes the settings of a role; for a host, raises its walls, and answers how they stand.
pub(crate) fn prepare(args: &mut ServeArgs) -> anyhow::Result<Walls> {
    args.settings = std::mem::take(&mut args.settings).with_file()?;
    if args.role != Role::Host || args.is_supervisor() {
        return Ok(Walls::default());
    }
    raise(&args.settings)
}

pub(crate) fn raise(settings: &Settings) -> anyhow::Result<Walls> {
    private_dir(&settings.cache_dir())?;
    Ok(raise_host(&settings.host_plan())?)
}

/// What the plan lets a host write has to be there.
fn private_dir(dir: &Path) -> anyhow::Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("cannot make the cache directory {}", dir.display()))
}

/// Says how they stand.
pub(crate) fn tell(walls: &Walls) {
    for wall in walls.wanting() {
        let detail = wall.detail.as_deref().unwrap_or_default();
        tracing::warn!(wall = %wall.wall, state = wall.state.as_str(), detail, "a wall around guests is not whole; see `taskctl doctor`");
    }
    if !walls.0.is_empty() && rustix::process::geteuid().is_root() {
        tracing::warn!("the host runs as root, who owns the system's files: give it a user of its own");
    }
}

/// The same for `/health`.
pub(crate) fn facts(walls: &Walls) -> BTreeMap<String, String> {
    let state = |one: &tasklane_jail::WallStatus| match &one.detail {
        Some(detail) => format!("{}: {detail}", one.state.as_str()),
        None => one.state.as_str().to_owned(),
    };
    walls.0.iter().map(|one| (format!("wall_{}", one.wall), state(one))).collect()
}
