//! A `taskctl dev` of a test's own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::pty::OnTerminal;
use crate::support::{Run, finish, free_address, taskctl, wait_for};

/// A running `taskctl dev`, ended in an orderly way when dropped, so that no nats-server is left.
pub(crate) struct Dev {
    child: Child,
    listen: String,
    env: &'static [(&'static str, &'static str)],
    dir: TempDir,
}

impl Dev {
    /// Starts one and waits until a host lives.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further settings and waits until a host lives.
    pub(crate) fn start_with(env: &'static [(&'static str, &'static str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listen = free_address();
        let child = Self::spawn(&dir, &listen, env, &[]);
        let mut dev = Self { child, listen, env, dir };
        dev.ready();
        dev
    }

    fn spawn(dir: &TempDir, listen: &str, env: &[(&str, &str)], more: &[&str]) -> Child {
        let log = File::options().create(true).append(true).open(dir.path().join("dev.log")).unwrap();
        let mut command = taskctl();
        command.args(["dev", "--listen", listen, "--slots", "4", "--data-dir"]).arg(dir.path().join("data"));
        command.args(more).envs(env.iter().copied());
        command.current_dir(dir.path()).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command.spawn().unwrap()
    }

    fn ready(&mut self) {
        wait_for("taskctl dev to have a host", || {
            assert!(self.child.try_wait().unwrap().is_none(), "dev ended: {}", self.log());
            let hosts = self.run(&["hosts", "-o", "json"]);
            let hosts: Value = serde_json::from_slice(&hosts.out).ok()?;
            (!hosts["hosts"].as_array()?.is_empty()).then_some(())
        });
    }

    /// Starts it again on the same data.
    pub(crate) fn start_again(&mut self) {
        self.child = Self::spawn(&self.dir, &self.listen, self.env, &[]);
        self.ready();
    }

    /// Starts it again without what it had.
    pub(crate) fn start_fresh(&mut self) {
        self.child = Self::spawn(&self.dir, &self.listen, self.env, &["--fresh"]);
        self.ready();
    }

    /// Starts one that watches a project.
    pub(crate) fn start_watching(project: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listen = free_address();
        let watch = project.display().to_string();
        let child = Self::spawn(&dir, &listen, &[], &["--watch", &watch]);
        let mut dev = Self { child, listen, env: &[], dir };
        dev.ready();
        dev
    }

    /// Everything that it has printed.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("dev.log")).unwrap_or_default()
    }

    pub(crate) fn listen(&self) -> &str {
        &self.listen
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end and answers its exit code.
    pub(crate) fn stop(&mut self) -> i32 {
        send(self.child.id(), Signal::TERM);
        let ended = wait_for("taskctl dev to end", || self.child.try_wait().unwrap());
        ended.code().unwrap_or(-1)
    }

    /// `kill -9`, and reaps it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A client's command against it.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.feed(args, b"")
    }

    /// A client's command against it, with something on standard input.
    pub(crate) fn feed(&self, args: &[&str], stdin: &[u8]) -> Run {
        finish(self.command(args), stdin)
    }

    /// A client's command against it, not yet started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = taskctl();
        command.args(args).env("TASKLANE_SERVER", format!("http://{}", self.listen)).current_dir(self.dir.path());
        command
    }

    /// A client's command on a terminal.
    pub(crate) fn on_terminal(&self, args: &[&str], size: (u16, u16)) -> OnTerminal {
        OnTerminal::start(self.command(args), size)
    }

    /// Writes a file into the directory that commands run in.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Deploys `wasm` as version 1.0.0.
    #[track_caller]
    pub(crate) fn deploy(&self, name: &str, wasm: &[u8]) {
        let file = format!("{name}.wasm");
        self.file(&file, wasm);
        let deployed = self.run(&["deploy", &file, "--name", name, "--module-version", "1.0.0"]);
        assert_eq!(deployed.code, 0, "{deployed:?}");
    }

    /// Submits and answers the id.
    #[track_caller]
    pub(crate) fn submit(&self, args: &[&str]) -> String {
        let submitted = self.run(&[&["submit"], args].concat());
        assert_eq!(submitted.code, 0, "{submitted:?}");
        submitted.out().trim().to_owned()
    }

    /// Waits until a task is in `state`, and answers it.
    #[track_caller]
    pub(crate) fn until(&self, id: &str, state: &str) -> Value {
        wait_for(&format!("task {id} to be {state}"), || {
            let task: Value = serde_json::from_slice(&self.run(&["tasks", "get", id, "-o", "json"]).out).ok()?;
            (task["state"] == state).then_some(task)
        })
    }

    /// The hosts that beat.
    pub(crate) fn hosts(&self) -> Vec<Value> {
        let hosts = self.run(&["hosts", "-o", "json"]);
        let hosts: Value = serde_json::from_slice(&hosts.out).unwrap_or_default();
        hosts["hosts"].as_array().cloned().unwrap_or_default()
    }

    /// A host that beats. One that was held up for some seconds is not shown until it beats again.
    #[track_caller]
    pub(crate) fn host(&self) -> Value {
        wait_for("a host that beats", || self.hosts().into_iter().next())
    }

    /// Process ids of the hosts.
    pub(crate) fn host_pids(&self) -> Vec<u32> {
        self.hosts().iter().filter_map(|host| u32::try_from(host["pid"].as_u64()?).ok()).collect()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            send(self.child.id(), Signal::TERM);
            // It ends its nats-server and its host; a second signal makes it hurry.
            send(self.child.id(), Signal::TERM);
            drop(self.child.wait());
        }
    }
}

/// Signals a process that this test has started, or one that such a process has.
pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    if kill_process(pid, signal).is_err() {
        // It had ended already.
    }
}

/// Whether a process runs (one that waits to be reaped does not).
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
