//! Running `taskctl` once, and comparing what it says with what was agreed.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::TcpSocket;

/// How long a test waits for anything before it fails: generous, since machines are noisy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// How often a condition is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// What one run of `taskctl` left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn out(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }

    /// Standard output as one JSON document.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_slice(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The exit code is `code`, standard error holds all of `words`, and nothing is on standard output.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.out.is_empty(), "data of a failure: {self:?}");
        for word in words {
            assert!(self.err.contains(word), "`{word}` is missing: {}", self.err);
        }
    }
}

/// `taskctl` with nothing of the tests' environment but what it needs to find programs.
#[expect(clippy::disallowed_methods, reason = "a test hands its children the few variables that they need")]
pub(crate) fn taskctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskctl"));
    command.env_clear();
    // Whoever runs the tests may have contexts.
    command.env("XDG_CONFIG_HOME", "/nonexistent/config");
    for name in ["PATH", "HOME", "TASKLANE_NATS_SERVER"] {
        if let Ok(value) = std::env::var(name) {
            command.env(name, value);
        }
    }
    command
}

/// Runs it to its end.
pub(crate) fn finish(mut command: Command, stdin: &[u8]) -> Run {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // One that does not read its input may be gone already.
    drop(pipe.write_all(stdin));
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    Run { code: output.status.code().unwrap_or(-1), out: output.stdout, err: String::from_utf8(output.stderr).unwrap() }
}

/// `taskctl ARGS`, without a server.
pub(crate) fn run(args: &[&str]) -> Run {
    let mut command = taskctl();
    command.args(args);
    finish(command, b"")
}

/// Looks until `condition` answers `Some`.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(value) = condition() {
            return value;
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    panic!("waited {} s for {what}", PATIENCE.as_secs())
}

/// Compares with `snapshots/NAME.txt`; with `TASKCTL_SNAPSHOTS=write` it writes that file instead.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a test's own switch")]
pub(crate) fn snapshot(name: &str, run: &Run) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cli/snapshots/{name}.txt"));
    let seen = format!("exit code: {}\n----- stdout\n{}----- stderr\n{}", run.code, run.out(), run.err);
    if std::env::var("TASKCTL_SNAPSHOTS").is_ok_and(|value| value == "write") {
        std::fs::write(&path, &seen).unwrap();
    }
    let agreed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(seen == agreed, "{} differs; if that is meant, set TASKCTL_SNAPSHOTS=write\n{seen}", path.display());
}

/// A loopback address that is nobody else's: until this process ends it is kept by a socket that does not listen. A server can listen
/// there beside it, as both say SO_REUSEADDR; until one does, whoever connects is refused.
pub(crate) fn free_address() -> String {
    static KEPT: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    KEPT.lock().unwrap().push(socket);
    address
}
