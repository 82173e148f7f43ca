//! What the end-to-end stories in `tests/` share: real processes, a client, and bounded waiting.
//!
//! Each story starts its own nats-server and its own `taskctl` processes on free loopback ports, in a temporary
//! directory, and ends them by pid. Nothing here is a fake.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the stories then refuse")]

pub mod canary;
mod client;
mod cluster;
mod dev;
pub mod exposition;
pub mod hostile;
mod process;
pub mod prometheus;
mod receiver;

pub use client::Client;
pub use cluster::{Cluster, ClusterSettings, free_address};
pub use dev::Dev;
pub use process::{Process, Role, taskctl};
pub use receiver::{Received, Receiver, Reply};

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a story waits for anything before it fails: generous, since machines are noisy.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How often a condition is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Looks until `condition` answers `Some`, at most [`PATIENCE`].
///
/// # Errors
/// Tells what was waited for.
pub async fn wait_for<T, F, Fut>(what: &str, condition: F) -> anyhow::Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<Option<T>>>,
{
    wait_at_most(PATIENCE, what, condition).await
}

/// Looks until `condition` answers `Some`, at most `patience`. Errors of the condition count as "not yet".
///
/// # Errors
/// Tells what was waited for, and the condition's last error.
pub async fn wait_at_most<T, F, Fut>(patience: Duration, what: &str, mut condition: F) -> anyhow::Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<Option<T>>>,
{
    let begun = Instant::now();
    let mut last = String::from("the condition was never true");
    while begun.elapsed() < patience {
        match condition().await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => {}
            Err(error) => last = format!("{error:#}"),
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    anyhow::bail!("waited {} s for {what}: {last}", patience.as_secs())
}

/// The repository's root.
#[must_use]
pub fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).unwrap_or_default()
}

/// A guest module built by `cargo xtask plugins`.
///
/// # Errors
/// Names the missing file and the command that makes it.
pub fn guest(target: &str, file: &str) -> anyhow::Result<PathBuf> {
    let path = workspace().join("plugins/target").join(target).join("release").join(file);
    anyhow::ensure!(path.exists(), "{} is missing: run `cargo xtask plugins`", path.display());
    Ok(path)
}
