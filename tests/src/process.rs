//! One `taskctl` process: started with its own log file, ended by pid.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// What a process is in its cluster; also the name of its log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `taskctl serve api --insecure`.
    Api,
    /// `taskctl serve api`, which asks for tokens.
    GuardedApi,
    /// `taskctl serve scheduler`.
    Scheduler,
    /// `taskctl serve host --no-supervisor`: this process is the host.
    Host,
    /// `taskctl serve host`: the host is its child.
    SupervisedHost,
    /// `taskctl dev`.
    Dev,
}

impl Role {
    fn args(self) -> &'static [&'static str] {
        match self {
            // Stories without an interest in access ask as anybody.
            Self::Api => &["serve", "api", "--insecure"],
            Self::GuardedApi => &["serve", "api"],
            Self::Scheduler => &["serve", "scheduler"],
            Self::Host => &["serve", "host", "--no-supervisor"],
            Self::SupervisedHost => &["serve", "host"],
            Self::Dev => &["dev"],
        }
    }
}

/// A running `taskctl`; killed when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
    /// Where it answers `/readyz` and `/metrics`.
    pub ops: String,
}

impl Process {
    /// Starts `taskctl` with `env` and nothing else of the tests' own settings.
    ///
    /// # Errors
    /// When the binary is missing or cannot be started.
    pub fn start(role: Role, name: &str, dir: &Path, ops: String, env: &[(String, String)]) -> anyhow::Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        let child = Command::new(taskctl()?)
            .args(role.args())
            .current_dir(dir)
            .env_clear()
            .envs(kept_environment())
            .envs(env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .context("taskctl could not be started")?;
        Ok(Self { child, log, ops })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has printed.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("a process id")?;
        kill_process(pid, signal).context("signal")
    }

    /// `kill -9`, and reaps it.
    ///
    /// # Errors
    /// When the process could not be signalled or reaped.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The exit code, once it has ended by itself.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.try_wait().ok().flatten().map(|status| status.code().unwrap_or(-1))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() && self.kill().is_err() {
            // It ended between the two looks; there is nothing left to end.
        }
    }
}

/// The binary that cargo built beside the running program: a test's is one directory deeper.
///
/// # Errors
/// When it is missing.
pub fn taskctl() -> anyhow::Result<PathBuf> {
    let running = std::env::current_exe()?;
    let found = running.ancestors().skip(1).take(2).map(|dir| dir.join("taskctl")).find(|path| path.is_file());
    found.context("taskctl is missing beside this program: run `cargo build --release -p taskctl`")
}

#[expect(clippy::disallowed_methods, reason = "a test hands its children the few variables that they need")]
fn kept_environment() -> Vec<(String, String)> {
    ["PATH", "HOME", "TASKLANE_NATS_SERVER"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
        .collect()
}
