//! From a deploy to the first result, and the first run of a module that is compiled already on a host that has just started.
//!
//! The component is the tests' own of about 200 KB of code; a custom section makes each deploy one of bytes that nobody has seen, so that
//! it is compiled. A fresh host is a new process with the cache directory of those before it.

use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::Signal;
use serde_json::json;
use tasklane_tests::{Client, Cluster, ClusterSettings, guest, wait_for};

use crate::line::{Bar, Line, Report};
use crate::stats::{median, percentile};
use crate::throughput::Server;

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Deploys, and fresh hosts; the median counts.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
}

/// A host's first heartbeats and the standing pulls of its lanes are over before its first task.
const SETTLED: Duration = Duration::from_millis(500);

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let deploys = deploys(options.rounds).await?;
    let Runs { first, second, rested } = fresh_hosts(options.rounds).await?;
    let wasm = std::fs::read(guest("wasm32-wasip2", "fixture_guest.wasm")?)?;
    let what = format!("deploy of {} KB to first result", wasm.len() / 1_000);
    let lines = vec![
        Line::new(what, median(&deploys), "ms").wanted(Bar::AtMost(400.0)),
        Line::new("first run of a cached module on a fresh host", median(&first), "ms")
            .beside("its second run", median(&second))
            .wanted(Bar::AtMost(10.0)),
        Line::new("the slowest of those first runs", percentile(&first, 100), "ms"),
        Line::new("a later run, after as long a pause as before the first", median(&rested), "ms"),
    ];
    let details = json!({"deploy_ms": deploys, "first_ms": first, "second_ms": second, "rested_ms": rested});
    Ok(Report { lines, details })
}

/// Milliseconds from the upload's first byte to the first result.
async fn deploys(rounds: usize) -> anyhow::Result<Vec<f64>> {
    let server = Server::start().await?;
    let wasm = std::fs::read(guest("wasm32-wasip2", "fixture_guest.wasm")?)?;
    let mut millis = Vec::new();
    for round in 0..rounds {
        let (name, bytes) = (format!("cold-{round}"), unseen(&wasm, round)?);
        let begun = Instant::now();
        let (status, answer) = server.client.try_deploy(&json!({"name": name, "version": "1.0.0"}), bytes).await?;
        anyhow::ensure!(status == 201, "{answer}");
        once(&server.client, &name).await?;
        millis.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(millis)
}

/// The module with a custom section that no other round has.
fn unseen(wasm: &[u8], round: usize) -> anyhow::Result<Vec<u8>> {
    let content = format!("\u{5}round{round:08}");
    let mut bytes = wasm.to_vec();
    bytes.extend([0, u8::try_from(content.len())?]);
    bytes.extend(content.as_bytes());
    Ok(bytes)
}

/// Milliseconds from submit to outcome.
async fn once(client: &Client, module: &str) -> anyhow::Result<f64> {
    let task = json!({"module": format!("{module}@1.0.0"), "payload": {"do": "echo", "value": "x"}});
    let begun = Instant::now();
    let task = client.post("/api/v1/tasks?wait=60s", &task).await?;
    anyhow::ensure!(task["state"] == "succeeded", "a task did not succeed: {task}");
    Ok(begun.elapsed().as_secs_f64() * 1_000.0)
}

/// Milliseconds of runs on fresh hosts.
#[derive(Default)]
struct Runs {
    first: Vec<f64>,
    second: Vec<f64>,
    /// After a pause like that before the first: what is more than the second's is the machine's, which has to wake.
    rested: Vec<f64>,
}

/// Three runs of each of so many hosts, one host after the other.
async fn fresh_hosts(rounds: usize) -> anyhow::Result<Runs> {
    let mut cluster = Cluster::start(ClusterSettings::default()).await?;
    let client = cluster.client.clone();
    client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    once(&client, "guest").await?;
    let mut runs = Runs::default();
    for _ in 0..rounds {
        replace_host(&mut cluster).await?;
        tokio::time::sleep(SETTLED).await;
        runs.first.push(once(&client, "guest").await?);
        runs.second.push(once(&client, "guest").await?);
        tokio::time::sleep(SETTLED).await;
        runs.rested.push(once(&client, "guest").await?);
    }
    Ok(runs)
}

async fn replace_host(cluster: &mut Cluster) -> anyhow::Result<()> {
    let old = cluster.hosts.pop().context("a host")?;
    old.signal(Signal::TERM)?;
    let client = cluster.client.clone();
    wait_for("the old host to leave", || async {
        let hosts = client.get("/api/v1/hosts").await?;
        Ok(hosts["hosts"].as_array().is_some_and(Vec::is_empty).then_some(()))
    })
    .await?;
    drop(old);
    cluster.add_host()?;
    cluster.hosts_alive(1).await.map(drop)
}
