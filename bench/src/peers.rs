//! The task queues that people use, on the same machine in the same run: no-op tasks through each, as its users run it.
//!
//! Each is a small program in `bench/peers`, with a process that submits and a worker process of the library's own. Redis keeps an
//! append-only file that is synced every second, PostgreSQL syncs every commit. `cargo xtask bench` installs what they need.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tasklane_testkit::postgres::{Durability, Postgres};
use tasklane_tests::wait_for;
use tempfile::TempDir;

use crate::drain;
use crate::line::{Line, Report};
use crate::stats::median;
use crate::throughput::{self, Server};

/// Longest time for one measurement; the programs have a bound of their own that is shorter.
const PATIENCE: Duration = Duration::from_secs(330);

/// What carries a peer's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Redis,
    Postgres,
}

/// One of them.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// The program of `bench/peers` and its first arguments.
    command: &'static [&'static str],
    carrier: Carrier,
    /// Part of the tasks that the fastest get: slow ones would take minutes.
    share: usize,
}

/// Node and Redis.
pub(crate) const BULLMQ: Peer = Peer { name: "BullMQ", command: &["bullmq.mjs"], carrier: Carrier::Redis, share: 1 };
/// Node and PostgreSQL.
pub(crate) const GRAPHILE: Peer =
    Peer { name: "graphile-worker", command: &["graphile.mjs"], carrier: Carrier::Postgres, share: 1 };

/// In the order of the table.
const PEERS: [&Peer; 5] = [
    &BULLMQ,
    &GRAPHILE,
    &Peer { name: "pg-boss", command: &["pgboss.mjs"], carrier: Carrier::Postgres, share: 4 },
    &Peer { name: "Dramatiq", command: &["peer.py", "dramatiq"], carrier: Carrier::Redis, share: 10 },
    &Peer { name: "Celery", command: &["peer.py", "celery"], carrier: Carrier::Redis, share: 20 },
];

/// When tasks are submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// While workers run; the time is from the first submit to the last end.
    Flow,
    /// Before; the time is from when the workers are ready to the last end.
    Drain,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Drain => "drain",
        }
    }
}

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Tasks in a round; slow peers get a part of them.
    #[arg(long, default_value_t = 60_000)]
    tasks: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Redis and PostgreSQL, for as long as peers are measured.
pub(crate) struct Carriers {
    redis: Redis,
    postgres: Postgres,
}

impl Carriers {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Ok(Self { redis: Redis::start().await?, postgres: Postgres::start(Durability::Full)? })
    }

    /// No-op tasks a second through a peer, once.
    pub(crate) async fn run(&self, peer: &Peer, mode: Mode, tasks: usize) -> anyhow::Result<f64> {
        let url = match peer.carrier {
            Carrier::Redis => self.redis.emptied()?,
            Carrier::Postgres => self.postgres.database()?,
        };
        let program = match peer.command {
            [script, ..] if script.ends_with(".py") => {
                PathBuf::from(".tools/peers/bin/python").canonicalize_parent()?
            }
            _ => PathBuf::from("node"),
        };
        let mut command = tokio::process::Command::new(program);
        command
            .args(peer.command)
            .args([mode.name(), &(tasks / peer.share).to_string(), &url])
            .current_dir(Path::new("bench/peers").canonicalize()?)
            .kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.context("no end within the bound")??;
        ensure!(output.status.success(), "{}: {}", peer.name, String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let line = text.lines().last().with_context(|| format!("{} said nothing", peer.name))?;
        serde_json::from_str::<Value>(line)?["tasks_per_second"].as_f64().context("a rate")
    }
}

/// Tasks a second of all rounds, both ways.
#[derive(Debug, Clone, Default)]
struct Rates {
    flow: Vec<f64>,
    drain: Vec<f64>,
}

/// Tasklane and each peer in turn, in every round.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let carriers = Carriers::start().await?;
    let (mut ours, mut theirs) = (Rates::default(), vec![Rates::default(); PEERS.len()]);
    for _ in 0..options.rounds {
        let server = Server::start().await?;
        ours.flow.push(throughput::round(&server, options.tasks).await?);
        drop(server);
        ours.drain.push(drain::measure(options.tasks, drain::HOSTS).await?);
        for (peer, rates) in PEERS.iter().zip(&mut theirs) {
            rates.flow.push(carriers.run(peer, Mode::Flow, options.tasks).await?);
            rates.drain.push(carriers.run(peer, Mode::Drain, options.tasks).await?);
        }
    }
    let (flow, drain) = (median(&ours.flow), median(&ours.drain));
    let mut lines = Vec::new();
    for (peer, rates) in PEERS.iter().zip(&theirs) {
        lines.push(Line::new("submit to end", flow, "tasks/s").beside(peer.name, median(&rates.flow)));
        lines.push(Line::new("drain", drain, "tasks/s").beside(peer.name, median(&rates.drain)));
    }
    Ok(Report { lines, details: json!({"tasks": options.tasks, "rounds": options.rounds}) })
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
