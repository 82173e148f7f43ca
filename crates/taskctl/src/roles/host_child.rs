//! The host as a child process: started again with growing pauses when it dies, ended with its parent.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::config::Settings;

/// Pause before the first new start.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// What a child may take beyond its drain timeout before it is killed.
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// The host of this process.
pub(crate) struct HostChild {
    settings: Settings,
    drain: CancellationToken,
    stop: CancellationToken,
}

impl HostChild {
    pub(crate) fn new(settings: Settings, drain: CancellationToken, stop: CancellationToken) -> Self {
        Self { settings, drain, stop }
    }

    /// Keeps a host running until `drain`, then lets it drain.
    pub(crate) async fn run(&self) {
        let mut pause = PAUSE_MIN;
        while !self.drain.is_cancelled() {
            match self.spawn() {
                Ok(child) => {
                    let began = tokio::time::Instant::now();
                    if self.watch(child).await {
                        return;
                    }
                    if began.elapsed() > PAUSE_MAX {
                        pause = PAUSE_MIN;
                    }
                }
                Err(error) => tracing::error!(%error, "the host could not be started"),
            }
            tokio::select! {
                () = self.drain.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
            }
        }
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let settings = &self.settings;
        let mut command = Command::new(std::env::current_exe()?);
        let parent = std::process::id().to_string();
        let data_dir = settings.data_dir();
        command.args(["serve", "host", "--parent-pid", &parent]).arg("--data-dir").arg(data_dir);
        command.arg("--cache-dir").arg(settings.cache_dir());
        command.envs(settings.to_environment()).env_remove("TASKLANE_NAME").env_remove("TASKLANE_LISTEN");
        // What seals secrets is the API's alone: guests run in that process.
        command.env_remove("TASKLANE_SECRETS_KEY").env_remove("TASKLANE_SECRETS_KEY_FILE");
        // A signal of the terminal goes to the parent, which then asks the child.
        Ok(command.process_group(0).stdin(Stdio::null()).kill_on_drop(true).spawn()?)
    }

    /// `true` when it ended because it was asked to.
    async fn watch(&self, mut child: Child) -> bool {
        tokio::select! {
            ended = child.wait() => {
                tracing::warn!(?ended, "the host ended by itself; starting it again");
                return false;
            }
            () = self.drain.cancelled() => signal(&child, Signal::TERM),
        }
        let patience = self.settings.drain_timeout() + DRAIN_GRACE;
        tokio::select! {
            ended = child.wait() => tracing::debug!(?ended, "the host has drained"),
            () = tokio::time::sleep(patience) => tracing::warn!("the host did not drain in time and is killed"),
            () = self.stop.cancelled() => {
                signal(&child, Signal::TERM);
                if tokio::time::timeout(DRAIN_GRACE, child.wait()).await.is_err() {
                    tracing::warn!("the host did not stop and is killed");
                }
            }
        }
        true
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid
        && let Err(error) = kill_process(pid, signal)
    {
        tracing::debug!(%error, "the host had ended already");
    }
}
