//! Submit in batches, run a no-op Rust component in a fresh instance each, commit the outcome: tasks per second, all parts
//! of a `taskctl dev` and the client included.
//!
//! Beside the composed floor and BullMQ's submit to end, which take turns with it; and how far beyond their limits hostile guests get.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tasklane_tests::{Client, Dev, guest, wait_for};

use crate::floors::{Database, Floors, Gathering};
use crate::limits;
use crate::line::{Bar, Line, Report};
use crate::peers::{BULLMQ, Carriers, Mode};
use crate::stats::median;

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Tasks in one round.
    #[arg(long, default_value_t = 60_000)]
    tasks: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Tasks in one request.
const BATCH: usize = 1_000;
/// Requests under way at once.
const CLIENTS: usize = 4;
/// Tasks run before anything is measured.
const WARM_UP: usize = 4_000;
/// How often the settled count is read.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Longest time of one round.
const ROUND_PATIENCE: Duration = Duration::from_secs(300);

/// A `taskctl dev` with the benchmark's guests deployed.
pub(crate) struct Server {
    /// Ends the server when the benchmark does.
    pub(crate) dev: Dev,
    pub(crate) client: Client,
}

impl Server {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::start_with(&[]).await
    }

    /// With further settings, as environment variables.
    pub(crate) async fn start_with(env: &[(&str, &str)]) -> anyhow::Result<Self> {
        let dev = Dev::start(env).await?;
        let client = dev.client()?;
        client.deploy("noop", &guest("wasm32-wasip2", "fixture_noop.wasm")?).await?;
        client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
        let server = Self { dev, client };
        server.run(WARM_UP).await?;
        Ok(server)
    }

    /// Submits `count` no-op tasks and returns when all outcomes are committed.
    async fn run(&self, count: usize) -> anyhow::Result<()> {
        let before = settled(&self.client).await?;
        let body = json!({"tasks": vec![json!({"module": "noop@1.0.0", "payload": {}}); BATCH]});
        stream::iter(0..count / BATCH)
            .map(|_| self.client.post("/api/v1/tasks/batch", &body))
            .buffer_unordered(CLIENTS)
            .try_for_each(|_: Value| async { Ok(()) })
            .await?;
        let wanted = before + (count / BATCH * BATCH) as f64;
        loop {
            if settled(&self.client).await? >= wanted {
                return Ok(());
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}

/// Attempts settled so far, from a scheduler's own counter.
pub(crate) async fn settled(client: &Client) -> anyhow::Result<f64> {
    let metrics = client.text("/metrics").await?;
    metrics
        .lines()
        .filter(|line| line.starts_with("tasklane_settled_total{"))
        .filter_map(|line| line.rsplit(' ').next())
        .map(|figure| figure.parse::<f64>().context("a metric"))
        .sum()
}

/// Tasks per second of one round.
pub(crate) async fn round(server: &Server, tasks: usize) -> anyhow::Result<f64> {
    let begun = Instant::now();
    tokio::time::timeout(ROUND_PATIENCE, server.run(tasks)).await.context("a round did not end in time")??;
    Ok((tasks / BATCH * BATCH) as f64 / begun.elapsed().as_secs_f64())
}

/// The same several times; every task must have succeeded: a fast failure is no figure.
pub(crate) async fn rounds(server: &Server, tasks: usize, rounds: usize) -> anyhow::Result<Vec<f64>> {
    let mut figures = Vec::new();
    for _ in 0..rounds {
        figures.push(round(server, tasks).await?);
    }
    check(server).await?;
    Ok(figures)
}

pub(crate) async fn check(server: &Server) -> anyhow::Result<()> {
    wait_for("the statistics to be at rest", || async {
        let stats = server.client.get("/api/v1/cluster/stats").await?;
        let failed = stats["states"]["failed"].as_u64().unwrap_or(0);
        anyhow::ensure!(failed == 0, "{failed} tasks failed");
        let open =
            ["queued", "running", "retrying"].iter().any(|state| stats["states"][state].as_u64().unwrap_or(0) > 0);
        Ok((!open).then_some(()))
    })
    .await
}

/// Floors, BullMQ and Tasklane in turn.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let (mut floors, carriers) = (Gathering::new(Database::Sqlite), Carriers::start().await?);
    let server = Server::start().await?;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        floors.round().await?;
        peer.push(carriers.run(&BULLMQ, Mode::Flow, options.tasks).await?);
        ours.push(round(&server, options.tasks).await?);
    }
    check(&server).await?;
    let bytes = database_bytes(&server)? / (WARM_UP + options.rounds * options.tasks) as f64;
    let limits = limits::measure(&server).await?;
    let floors = floors.medians()?;
    let mut lines = lines(&floors, Database::Sqlite, &ours, 25_000.0, 0.75);
    lines.push(
        Line::new("submit to committed outcome", median(&ours), "tasks/s")
            .beside("BullMQ", median(&peer))
            .wanted(Bar::RatioAtLeast(2.0)),
    );
    lines.push(Line::new("database file", bytes, "B/task"));
    lines.extend(limits.iter().map(limits::Overshoot::line));
    let details =
        json!({"rounds": ours, "bullmq_rounds": peer, "floors": floors, "limits": limits, "database_bytes": bytes});
    Ok(Report { lines, details })
}

/// What SQLite's file has come to; its log is not counted.
fn database_bytes(server: &Server) -> anyhow::Result<f64> {
    Ok(server.dev.data_dir().join("tasklane.db").metadata()?.len() as f64)
}

/// The parts of the floor, and the rate itself and beside their composition.
pub(crate) fn lines(floors: &Floors, database: Database, rounds: &[f64], least: f64, ratio: f64) -> Vec<Line> {
    let rate = Line::new("submit to committed outcome", median(rounds), "tasks/s");
    let mut lines = floors.lines(database);
    lines.push(rate.clone().wanted(Bar::AtLeast(least)));
    lines.push(rate.beside("composed floor", floors.composed()).wanted(Bar::RatioAtLeast(ratio)));
    lines
}
