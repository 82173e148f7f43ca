//! Submit in batches, run a no-op Rust component in a fresh instance each, commit the outcome: tasks per second, all parts
//! of a `taskctl dev` and the client included.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tasklane_tests::{Client, Dev, guest, wait_for};

/// Tasks in one request.
const BATCH: usize = 1_000;
/// Requests under way at once.
const CLIENTS: usize = 4;
/// Tasks run before anything is measured.
const WARM_UP: usize = 4_000;
/// How often the settled count is read.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A `taskctl dev` with the benchmark's guests deployed.
pub(crate) struct Server {
    /// Ends the server when the benchmark does.
    _dev: Dev,
    pub(crate) client: Client,
}

impl Server {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let dev = Dev::start(&[]).await?;
        let client = dev.client()?;
        client.deploy("noop", &guest("wasm32-wasip2", "fixture_noop.wasm")?).await?;
        client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
        let server = Self { _dev: dev, client };
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

/// Tasks per second of each round.
pub(crate) async fn rounds(server: &Server, tasks: usize, rounds: usize) -> anyhow::Result<Vec<f64>> {
    let mut figures = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        tokio::time::timeout(Duration::from_secs(300), server.run(tasks))
            .await
            .context("a round took over 300 s")??;
        figures.push((tasks / BATCH * BATCH) as f64 / begun.elapsed().as_secs_f64());
    }
    check(server).await?;
    Ok(figures)
}

/// Every task must have succeeded: a fast failure is no figure.
async fn check(server: &Server) -> anyhow::Result<()> {
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
