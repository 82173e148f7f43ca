//! One task in each request, by many clients at once: how many a second are committed and answered.
//!
//! API, scheduler and nats-server as separate processes, and no host, so that nothing but submits is measured; then once more beside a
//! host that works the backlog off. The floor takes turns: a bare axum server that publishes each body to JetStream and answers when
//! that has acknowledged it (`nats/examples/floor_submit.rs`). Every answer must stand for a row.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tasklane_testkit::nats::NatsServer;
use tasklane_tests::{Cluster, ClusterSettings, guest, wait_for};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::floors::examples_dir;
use crate::line::{Bar, Line, Report};
use crate::stats::median;
use crate::wrk::{self, Run};

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Seconds of one round of one of the two.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// A run before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// The bare server and its nats-server.
struct Floor {
    url: String,
    _server: Child,
    _nats: NatsServer,
}

impl Floor {
    async fn start() -> anyhow::Result<Self> {
        let nats = NatsServer::start().await?;
        let mut command = Command::new(examples_dir()?.join("floor_submit"));
        let mut server = command.arg(nats.url()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let said = BufReader::new(server.stdout.take().context("its output")?);
        let address = said.lines().next_line().await?.context("floor_submit said nothing")?;
        Ok(Self { url: format!("http://{address}/"), _server: server, _nats: nats })
    }
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let time = Duration::from_secs(options.seconds);
    let floor = Floor::start().await?;
    let mut cluster = Cluster::start(ClusterSettings { hosts: 0, ..ClusterSettings::default() }).await?;
    cluster.client.deploy("noop", &guest("wasm32-wasip2", "fixture_noop.wasm")?).await?;
    let url = format!("{}/api/v1/tasks", cluster.client.url());
    let mut answered = wrk::run(&url, WARM_UP).await?.requests;
    let (mut floors, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        floors.push(wrk::run(&floor.url, time).await?);
        ours.push(wrk::run(&url, time).await?);
    }
    answered += ours.iter().map(|run| run.requests).sum::<f64>();
    drop(floor);
    every_answer_is_a_row(&cluster, answered).await?;
    cluster.add_host()?;
    cluster.hosts_alive(1).await?;
    let busy = wrk::run(&url, time).await?;
    let details = json!({"floor_rounds": floors, "rounds": ours, "beside_a_host": busy});
    Ok(Report { lines: lines(&floors, &ours, &busy), details })
}

fn lines(floors: &[Run], ours: &[Run], busy: &Run) -> Vec<Line> {
    let of = |runs: &[Run], figure: fn(&Run) -> f64| median(&runs.iter().map(figure).collect::<Vec<_>>());
    let rate = Line::new("requests of one task, committed", of(ours, Run::per_second), "tasks/s");
    vec![
        rate.clone().wanted(Bar::AtLeast(20_000.0)),
        rate.beside("bare axum + JetStream", of(floors, Run::per_second)).wanted(Bar::RatioAtLeast(0.6)),
        Line::new("p50", of(ours, |run| run.p50_ms), "ms")
            .beside("bare axum + JetStream", of(floors, |run| run.p50_ms)),
        Line::new("p99", of(ours, |run| run.p99_ms), "ms")
            .beside("bare axum + JetStream", of(floors, |run| run.p99_ms))
            .wanted(Bar::AtMost(60.0)),
        Line::new("the same while a host works the backlog off", busy.per_second(), "tasks/s"),
    ]
}

/// wrk may end in the middle of requests: there may be more rows than answers, never fewer.
async fn every_answer_is_a_row(cluster: &Cluster, answered: f64) -> anyhow::Result<()> {
    wait_for("a row for every answer", || async {
        let rows = cluster.client.count("queued").await?;
        anyhow::ensure!(rows as f64 >= answered, "{answered} requests were answered, and there are {rows} rows");
        Ok(Some(()))
    })
    .await
}
