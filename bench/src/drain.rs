//! A backlog that hosts work off: everything is submitted while there is no host, then two come.
//!
//! Separate processes on one machine: API, scheduler, nats-server, hosts. The time is from the first look that sees committed outcomes
//! (what was committed until then is not counted) until all are committed. graphile-worker and BullMQ drain as many in turn.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tasklane_tests::{Client, Cluster, ClusterSettings, guest};

use crate::line::{Bar, Line, Report};
use crate::peers::{BULLMQ, Carriers, GRAPHILE, Mode};
use crate::stats::median;
use crate::throughput::settled;

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The backlog.
    #[arg(long, default_value_t = 200_000)]
    tasks: usize,
    /// A small one, to compare with the large one.
    #[arg(long, default_value_t = 10_000)]
    small: usize,
    /// The large one; 0: neither of the two is measured.
    #[arg(long, default_value_t = 1_000_000)]
    large: usize,
    /// Rounds; the median counts. The large backlog is measured once.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Tasks in one request.
const BATCH: usize = 1_000;
/// Requests under way at once.
const CLIENTS: usize = 4;
/// Hosts of the benchmark, with as many slots each as one has in a story.
pub(crate) const HOSTS: usize = 2;
/// Longest time for one backlog.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often the settled count is read.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Small backlogs are over so soon that they are measured so many times more often.
const SMALL_ROUNDS: usize = 5;

/// Tasks a second with this backlog and so many hosts.
pub(crate) async fn measure(backlog: usize, hosts: usize) -> anyhow::Result<f64> {
    let mut cluster = Cluster::start(ClusterSettings { hosts: 0, ..ClusterSettings::default() }).await?;
    cluster.client.deploy("noop", &guest("wasm32-wasip2", "fixture_noop.wasm")?).await?;
    submit(&cluster.client, backlog).await?;
    let scheduler = Client::new(&format!("http://{}", cluster.schedulers.first().context("a scheduler")?.ops))?;
    for _ in 0..hosts {
        cluster.add_host()?;
    }
    let drained = async {
        let (mut first, mut seen) = (None, 0.0);
        while seen < backlog as f64 {
            tokio::time::sleep(LOOK_INTERVAL).await;
            seen = settled(&scheduler).await?;
            if seen > 0.0 && first.is_none() {
                first = Some((Instant::now(), seen));
            }
        }
        let (begun, before) = first.context("a first look")?;
        anyhow::ensure!(before < backlog as f64 / 2.0, "half of {backlog} were done at the first look: take more");
        Ok((backlog as f64 - before) / begun.elapsed().as_secs_f64())
    };
    tokio::time::timeout(PATIENCE, drained).await.context("the backlog was not worked off in time")?
}

async fn submit(client: &Client, count: usize) -> anyhow::Result<()> {
    let body = json!({"tasks": vec![json!({"module": "noop@1.0.0", "payload": {}}); BATCH]});
    stream::iter(0..count / BATCH)
        .map(|_| client.post("/api/v1/tasks/batch", &body))
        .buffer_unordered(CLIENTS)
        .try_for_each(|_: Value| async { Ok(()) })
        .await
}

/// All in turn, then the small backlog beside the large one.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let carriers = Carriers::start().await?;
    let (mut ours, mut graphile, mut bullmq) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        ours.push(measure(options.tasks, HOSTS).await?);
        graphile.push(carriers.run(&GRAPHILE, Mode::Drain, options.tasks).await?);
        bullmq.push(carriers.run(&BULLMQ, Mode::Drain, options.tasks).await?);
    }
    let rate = Line::new(format!("drain of {}", options.tasks), median(&ours), "tasks/s");
    let mut lines = vec![
        rate.clone().beside(GRAPHILE.name, median(&graphile)).wanted(Bar::RatioAtLeast(1.5)),
        rate.beside(BULLMQ.name, median(&bullmq)).wanted(Bar::RatioAtLeast(1.8)),
    ];
    let details = json!({"rounds": ours, "graphile_rounds": graphile, "bullmq_rounds": bullmq});
    if options.large > 0 {
        let mut small = Vec::new();
        for _ in 0..SMALL_ROUNDS {
            small.push(measure(options.small, HOSTS).await?);
        }
        let large = measure(options.large, HOSTS).await?;
        let line = Line::new(format!("drain of {}", options.large), large, "tasks/s");
        lines.push(line.beside(format!("drain of {}", options.small), median(&small)).wanted(Bar::RatioAtLeast(0.9)));
    }
    Ok(Report { lines, details })
}
