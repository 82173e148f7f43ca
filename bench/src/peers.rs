//! The task queues that people use, on the same machine in the same run: no-op tasks through each, as its users run it.
//!
//! Each is a small program in `bench/peers`, with a process that submits and a worker process of the library's own. Redis keeps an
//! append-only file that is synced every second, PostgreSQL syncs every commit. `cargo xtask bench` installs what they need.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::Value;
use tasklane_testkit::postgres::{Durability, Postgres};
use tasklane_tests::wait_for;
use tempfile::TempDir;

use crate::stats::median;

/// Longest time for one measurement; the programs have a bound of their own that is shorter.
const PATIENCE: Duration = Duration::from_secs(330);

/// What carries a peer's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Redis,
    Postgres,
}

struct Peer {
    name: &'static str,
    /// The program of `bench/peers` and its first arguments.
    command: &'static [&'static str],
    carrier: Carrier,
    /// Part of the tasks that the fastest get: slow ones would take minutes.
    share: usize,
}

const PEERS: [Peer; 5] = [
    Peer { name: "BullMQ", command: &["bullmq.mjs"], carrier: Carrier::Redis, share: 1 },
    Peer { name: "graphile-worker", command: &["graphile.mjs"], carrier: Carrier::Postgres, share: 1 },
    Peer { name: "pg-boss", command: &["pgboss.mjs"], carrier: Carrier::Postgres, share: 2 },
    Peer { name: "Dramatiq", command: &["peer.py", "dramatiq"], carrier: Carrier::Redis, share: 10 },
    Peer { name: "Celery", command: &["peer.py", "celery"], carrier: Carrier::Redis, share: 20 },
];

/// No-op tasks a second, medians of the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    /// Submitted while workers run, from the first submit to the last end.
    pub(crate) flow: f64,
    /// All submitted before, from when the workers are ready to the last end.
    pub(crate) drain: f64,
}

/// Measures each peer in turn.
pub(crate) async fn measure(tasks: usize, rounds: usize) -> anyhow::Result<Vec<Figure>> {
    let (redis, postgres) = (Redis::start().await?, Postgres::start(Durability::Full)?);
    let mut figures = Vec::new();
    for peer in &PEERS {
        let (mut flow, mut drain) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            flow.push(run(peer, "flow", tasks, &redis, &postgres).await?);
            drain.push(run(peer, "drain", tasks, &redis, &postgres).await?);
        }
        figures.push(Figure { name: peer.name, flow: median(&flow), drain: median(&drain) });
    }
    Ok(figures)
}

async fn run(peer: &Peer, mode: &str, tasks: usize, redis: &Redis, postgres: &Postgres) -> anyhow::Result<f64> {
    let url = match peer.carrier {
        Carrier::Redis => redis.emptied()?,
        Carrier::Postgres => postgres.database()?,
    };
    let dir = Path::new("bench/peers").canonicalize()?;
    let program = match peer.command {
        [script, ..] if script.ends_with(".py") => PathBuf::from(".tools/peers/bin/python").canonicalize_parent()?,
        _ => PathBuf::from("node"),
    };
    let mut command = tokio::process::Command::new(program);
    command
        .args(peer.command)
        .args([mode, &(tasks / peer.share).to_string(), &url])
        .current_dir(dir)
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.context("no end within the bound")??;
    ensure!(output.status.success(), "{}: {}", peer.name, String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().last().with_context(|| format!("{} said nothing", peer.name))?;
    serde_json::from_str::<Value>(line)?["tasks_per_second"].as_f64().context("a rate")
}

/// The absolute path, with a link at its end left alone: a virtual environment's Python knows its packages by where it was called.
trait CanonicalParent {
    fn canonicalize_parent(&self) -> anyhow::Result<PathBuf>;
}

impl CanonicalParent for PathBuf {
    fn canonicalize_parent(&self) -> anyhow::Result<PathBuf> {
        let (dir, name) = (self.parent().context("a directory")?, self.file_name().context("a name")?);
        Ok(dir.canonicalize()?.join(name))
    }
}

/// A Redis of the benchmark's own; ended when dropped.
struct Redis {
    child: Child,
    port: u16,
    _dir: TempDir,
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

impl Redis {
    async fn start() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "everysec", "--dir"])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("the peers need redis-server: `cargo xtask bench peers` installs it")?;
        let redis = Self { child, port, _dir: dir };
        wait_for("redis to listen", || async { Ok(redis.ask("PING\r\n").ok()) }).await?;
        Ok(redis)
    }

    /// Everything is removed, so that each measurement starts from nothing.
    fn emptied(&self) -> anyhow::Result<String> {
        self.ask("FLUSHALL\r\n")?;
        Ok(format!("redis://127.0.0.1:{}", self.port))
    }

    fn ask(&self, command: &str) -> anyhow::Result<()> {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port))?;
        stream.write_all(command.as_bytes())?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        ensure!(answer.starts_with(b"+"), "redis refused {command}");
        Ok(())
    }
}

/// For people.
pub(crate) fn table(figures: &[Figure]) -> String {
    let line = |figure: &Figure| format!("{:<18} {:>10.0} {:>10.0}", figure.name, figure.flow, figure.drain);
    let mut lines = vec![format!("{:<18} {:>10} {:>10}   no-op tasks/s", "", "flow", "drain")];
    lines.extend(figures.iter().map(line));
    lines.join("\n")
}
