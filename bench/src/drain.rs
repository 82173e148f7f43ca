//! A backlog that hosts work off: everything is submitted while there is no host, then two come.
//!
//! Separate processes on one machine: API, scheduler, nats-server, two hosts. The time is from when both hosts beat until every outcome
//! is committed; what they settled before they were seen is not counted.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tasklane_tests::{Client, Cluster, ClusterSettings, guest};

/// Tasks in one request.
const BATCH: usize = 1_000;
/// Requests under way at once.
const CLIENTS: usize = 4;
/// Hosts.
const HOSTS: usize = 2;
/// Longest time for one backlog.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often the settled count is read.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Tasks a second with this backlog.
pub(crate) async fn measure(backlog: usize) -> anyhow::Result<f64> {
    let mut cluster = Cluster::start(ClusterSettings { hosts: 0, ..ClusterSettings::default() }).await?;
    cluster.client.deploy("noop", &guest("wasm32-wasip2", "fixture_noop.wasm")?).await?;
    submit(&cluster.client, backlog).await?;
    let scheduler = Client::new(&format!("http://{}", cluster.schedulers.first().context("a scheduler")?.ops))?;
    for _ in 0..HOSTS {
        cluster.add_host()?;
    }
    cluster.hosts_alive(HOSTS).await?;
    let (begun, before) = (Instant::now(), settled(&scheduler).await?);
    let drained = async {
        while settled(&scheduler).await? < backlog as f64 {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, drained).await.context("the backlog was not worked off in time")??;
    Ok((backlog as f64 - before) / begun.elapsed().as_secs_f64())
}

async fn submit(client: &Client, count: usize) -> anyhow::Result<()> {
    let body = json!({"tasks": vec![json!({"module": "noop@1.0.0", "payload": {}}); BATCH]});
    stream::iter(0..count / BATCH)
        .map(|_| client.post("/api/v1/tasks/batch", &body))
        .buffer_unordered(CLIENTS)
        .try_for_each(|_: Value| async { Ok(()) })
        .await
}

async fn settled(scheduler: &Client) -> anyhow::Result<f64> {
    crate::throughput::settled(scheduler).await
}
