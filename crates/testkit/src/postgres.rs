//! A throwaway PostgreSQL cluster on a private port, as a user that is not root.
//!
//! It is stopped and removed when it is dropped, and also when the process ends in any other way: a static is never dropped, and
//! a killed test drops nothing.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context;
use tempfile::TempDir;

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in production.
    Full,
    /// Faster: for tests that kill nothing.
    None,
}

/// A cluster of the test's own; ended when dropped.
pub struct Postgres {
    bin: PathBuf,
    port: u16,
    databases: AtomicU32,
    dir: PathBuf,
    guard: Child,
}

/// Stops the server and removes its files once standard input ends: when its parent closes the pipe, or is no more.
const GUARD: &str = "cat >/dev/null; \"$@\" >/dev/null 2>&1; rm -rf \"$0\"";

/// Ports that are tried: one that looked free may be another's a moment later.
const PORTS_TRIED_MAX: u32 = 5;

/// The user that a root process runs PostgreSQL as, since it refuses root.
const USER: &str = "nobody";

/// Where PostgreSQL's programs are: `TASKLANE_POSTGRES_BIN`, else Debian's newest, else PATH.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration but their environment")]
fn programs() -> anyhow::Result<PathBuf> {
    let explicit = std::env::var("TASKLANE_POSTGRES_BIN").ok().map(PathBuf::from);
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    debian.sort();
    let path = std::env::var("PATH").unwrap_or_default();
    let all = explicit.into_iter().chain(debian.into_iter().rev()).chain(std::env::split_paths(&path));
    all.into_iter()
        .find(|dir| dir.join("initdb").exists() && dir.join("pg_ctl").exists())
        .context("the tests need PostgreSQL's programs: `cargo xtask setup` or `apt-get install postgresql`")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Postgres {
    /// Makes and starts a cluster.
    ///
    /// # Errors
    /// When PostgreSQL is missing or does not start; its output is in the error.
    pub fn start(durability: Durability) -> anyhow::Result<Self> {
        let bin = programs()?;
        let dir = tempfile::tempdir()?;
        if is_root() {
            checked(Command::new("chown").arg(USER).arg(dir.path()).output()?)?;
            checked(Command::new("chmod").arg("711").arg(dir.path()).output()?)?;
        }
        let guard = guard(&bin, &dir)?;
        let mut cluster = Self { bin, port: 0, databases: AtomicU32::new(0), dir: dir.keep(), guard };
        let data = cluster.data();
        cluster.run("initdb", &["-D", path(&data)?, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"])?;
        for _ in 1..PORTS_TRIED_MAX {
            match cluster.serve(durability) {
                Err(_) if cluster.port_was_taken() => {}
                served => return served.map(|()| cluster),
            }
        }
        cluster.serve(durability)?;
        Ok(cluster)
    }

    /// Starts the server on a port that looks free.
    fn serve(&mut self, durability: Durability) -> anyhow::Result<()> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        self.port = port;
        let sync = if durability == Durability::Full { "on" } else { "off" };
        // Connections: those of stores that a test has dropped end by and by.
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync={sync} \
             -c synchronous_commit={sync} -c shared_buffers=256MB -c max_wal_size=2GB -c max_connections=300"
        );
        let (data, log) = (self.data(), self.log());
        self.run("pg_ctl", &["-D", path(&data)?, "-l", path(&log)?, "-w", "-t", "60", "-o", &options, "start"])
    }

    fn port_was_taken(&self) -> bool {
        std::fs::read_to_string(self.log()).is_ok_and(|text| text.contains("could not bind"))
    }

    /// A new, empty database's URL.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn database(&self) -> anyhow::Result<String> {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let port = self.port.to_string();
        self.run("createdb", &["-h", "127.0.0.1", "-p", &port, "-U", "postgres", &name])?;
        Ok(format!("postgres://postgres@127.0.0.1:{port}/{name}"))
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    fn run(&self, program: &str, args: &[&str]) -> anyhow::Result<()> {
        let mut command = unprivileged(&self.bin.join(program));
        checked(command.args(args).current_dir(&self.dir).output()?)
    }
}

/// A command as a user that PostgreSQL accepts.
fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", "nogroup", "--clear-groups"]).arg(program);
    command
}

fn guard(bin: &Path, dir: &TempDir) -> anyhow::Result<Child> {
    let data = dir.path().join("data");
    let mut command = unprivileged(Path::new("sh"));
    command.args(["-c", GUARD]).arg(dir.path()).arg(bin.join("pg_ctl")).arg("-D").arg(data);
    command.args(["-m", "immediate", "-w", "stop"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Not in the terminal's group, or Ctrl-C would end it before its work.
    command.process_group(0).spawn().context("the shell that stops PostgreSQL")
}

fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is UTF-8")
}

fn checked(output: Output) -> anyhow::Result<()> {
    let text = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    anyhow::ensure!(output.status.success(), "{}", text());
    Ok(())
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // It could only fail if somebody else had waited for this child.
        drop(self.guard.wait());
    }
}
