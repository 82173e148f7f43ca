//! The host as a child process: started again with growing pauses when it dies, ended with its parent.
//!
//! What ran at a death is kept for the next host, which tells the control plane: a module that hosts die of is quarantined.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::failure::Failure;

/// Pause before the first new start.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// What a child may take beyond its drain timeout before it is killed.
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// A first host that ends sooner, with an exit code of its own, cannot start: it is of no use to try again.
const STARTED_AFTER: Duration = Duration::from_secs(10);

/// `taskctl serve host`: watches over the host that it starts.
///
/// # Errors
/// With the exit code of a host that cannot start, which has said why.
pub(crate) async fn supervise(
    settings: Settings,
    drain: CancellationToken,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let name = settings.name.clone();
    let host = HostChild { own_name: name, is_alone: true, ..HostChild::new(settings, drain, stop) };
    match host.run().await {
        None => Ok(()),
        Some(code) => Err(Failure::new(code, "the host could not start").hint("its own words are above").into()),
    }
}

/// The host of this process.
pub(crate) struct HostChild {
    settings: Settings,
    /// What the host is called, where it is not to choose itself.
    own_name: Option<String>,
    /// Nothing but this host runs here: where it cannot start, there is nothing to stay for.
    is_alone: bool,
    drain: CancellationToken,
    stop: CancellationToken,
}

impl HostChild {
    pub(crate) fn new(settings: Settings, drain: CancellationToken, stop: CancellationToken) -> Self {
        Self { settings, own_name: None, is_alone: false, drain, stop }
    }

    /// Keeps a host running until `drain`, then lets it drain. A code: it is alone and cannot start.
    pub(crate) async fn run(&self) -> Option<u8> {
        let (mut pause, mut is_first) = (PAUSE_MIN, true);
        while !self.drain.is_cancelled() {
            match self.spawn() {
                Ok(child) => {
                    let began = tokio::time::Instant::now();
                    let ended = self.watch(child).await?;
                    let code = ended.and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
                    if self.is_alone && is_first && began.elapsed() < STARTED_AFTER && code.is_some_and(|code| code > 0)
                    {
                        return code;
                    }
                    is_first = false;
                    if began.elapsed() > PAUSE_MAX {
                        pause = PAUSE_MIN;
                    }
                }
                Err(error) => tracing::error!(%error, "the host could not be started"),
            }
            tokio::select! {
                () = self.drain.cancelled() => return None,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
            }
        }
        None
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let settings = &self.settings;
        let mut command = Command::new(std::env::current_exe()?);
        let parent = std::process::id().to_string();
        let data_dir = settings.data_dir();
        command.args(["serve", "host", "--parent-pid", &parent]).arg("--data-dir").arg(data_dir);
        command.arg("--cache-dir").arg(settings.cache_dir());
        command.envs(settings.to_environment()).env_remove("TASKLANE_NAME").env_remove("TASKLANE_LISTEN");
        if let Some(name) = &self.own_name {
            command.env("TASKLANE_NAME", name);
        }
        // What opens the API is not the host's.
        command.env_remove("TASKLANE_BOOTSTRAP_TOKEN_FILE").env_remove("TASKLANE_TLS_KEY").env_remove("TASKLANE_TOKEN");
        // What seals secrets is the API's alone: guests run in that process.
        command.env_remove("TASKLANE_SECRETS_KEY").env_remove("TASKLANE_SECRETS_KEY_FILE");
        // A signal of the terminal goes to the parent, which then asks the child.
        Ok(command.process_group(0).stdin(Stdio::null()).kill_on_drop(true).spawn()?)
    }

    /// How it ended by itself; `None` when it ended because it was asked to.
    async fn watch(&self, mut child: Child) -> Option<Option<ExitStatus>> {
        let pid = child.id();
        tokio::select! {
            ended = child.wait() => {
                let ended = ended.ok();
                let signal = ended.and_then(|status| status.signal());
                tracing::warn!(?ended, ?signal, "the host ended by itself; starting it again");
                if let Some(pid) = pid {
                    tasklane_host::confirm_death(&self.settings.cache_dir(), pid);
                }
                return Some(ended);
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
        // Whoever goes on after this process may rely on it that no host of it runs any more.
        if let Err(error) = child.kill().await {
            tracing::debug!(%error, "the host had ended already");
        }
        None
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
