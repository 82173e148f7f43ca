//! Schedulers that die or freeze: another leads, everything ends once, and a frozen leader's writes are refused.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::Signal;
use serde_json::{Value, json};
use tasklane_tests::{Client, Cluster, ClusterSettings, guest, wait_at_most, wait_for};

/// The lease's time to live, as `Cluster` sets it.
const LEASE_TTL: Duration = Duration::from_secs(3);
/// Where nobody may lose it by chance: longer than a machine that is busy with other things keeps a leader from renewing it.
const LONG_TTL: Duration = Duration::from_secs(10);
/// Takeover is promised within the TTL and this; looking and noise get as much again.
const TAKEOVER_MARGIN: Duration = Duration::from_secs(2);
/// A write that takes longer waits for one who has SQLite's lock.
const WRITE_MAX: Duration = Duration::from_secs(5);

fn two_schedulers(ttl: Duration) -> ClusterSettings {
    let env = vec![("TASKLANE_LEASE_TTL_MS".to_owned(), ttl.as_millis().to_string())];
    ClusterSettings { schedulers: 2, env, ..ClusterSettings::default() }
}

/// Freezes the leader, and returns its index and its term. One that freezes in a transaction keeps SQLite's lock with it, so that nobody else
/// could lead: that one is woken, and it is tried again.
async fn freeze_the_leader(cluster: &Cluster) -> anyhow::Result<(usize, i64)> {
    wait_for("a leader to freeze between its transactions", || async {
        let (index, term) = cluster.leading().await?;
        cluster.schedulers[index].signal(Signal::STOP)?;
        let later = json!({"module": "guest@1.0.0", "delay": "1h"});
        let written = tokio::time::timeout(WRITE_MAX, cluster.client.submit(&later)).await;
        if !matches!(written, Ok(Ok(_))) {
            cluster.schedulers[index].signal(Signal::CONT)?;
            anyhow::bail!("it kept others from writing: {written:?}");
        }
        Ok(Some((index, term)))
    })
    .await
}

async fn newer_leader(cluster: &Cluster, than: i64, within: Duration) -> anyhow::Result<Value> {
    wait_at_most(within, "a newer leader", || async {
        let leader = cluster.client.get("/api/v1/cluster/info").await?["leader"].clone();
        Ok((leader["term"].as_i64() > Some(than)).then_some(leader))
    })
    .await
    .map_err(|error| error.context(cluster.outputs()))
}

async fn metric(client: &Client, name: &str) -> anyhow::Result<f64> {
    let text = client.text("/metrics").await?;
    let line = text.lines().find(|line| line.starts_with(name)).context("a metric")?;
    Ok(line.rsplit(' ').next().context("a figure")?.parse()?)
}

#[tokio::test]
async fn another_leads_after_a_kill_and_ten_thousand_tasks_end_once() -> anyhow::Result<()> {
    let mut cluster = Cluster::start(two_schedulers(LEASE_TTL)).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let (index, term) = cluster.leading().await?;
    let task = json!({"module": "guest@1.0.0", "payload": {"do": "echo", "value": "x"}});
    let ids = cluster.client.submit_many(&task, 10_000).await?;

    let begun = Instant::now();
    cluster.schedulers[index].kill()?;
    newer_leader(&cluster, term, (LEASE_TTL + TAKEOVER_MARGIN) * 2).await?;
    let takeover = begun.elapsed();

    cluster.client.until_count("succeeded", 10_000).await.map_err(|error| error.context(cluster.outputs()))?;
    assert_eq!(ids.len(), 10_000);
    println!("another led after {takeover:?} (TTL {LEASE_TTL:?})");
    Ok(())
}

#[tokio::test]
async fn a_frozen_leader_wakes_without_power() -> anyhow::Result<()> {
    let cluster = Cluster::start(two_schedulers(LONG_TTL)).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let (index, term) = freeze_the_leader(&cluster).await?;
    let frozen = &cluster.schedulers[index];
    let newer = newer_leader(&cluster, term, LONG_TTL * 4).await?;
    let delayed = json!({"module": "guest@1.0.0", "payload": {"do": "echo", "value": "x"}, "delay_ms": 500});
    let ids = cluster.client.submit_many(&delayed, 200).await?;
    frozen.signal(Signal::CONT)?;

    cluster.client.until_count("succeeded", 200).await.map_err(|error| error.context(cluster.outputs()))?;
    let ex_leader = Client::new(&format!("http://{}", frozen.ops))?;
    wait_for("the ex-leader to notice", || async {
        Ok((metric(&ex_leader, "tasklane_leader ").await? < 0.5).then_some(()))
    })
    .await?;
    for id in ids {
        assert_eq!(cluster.client.task(&id).await?["attempt"], 1);
    }
    let now = cluster.leader().await?;
    assert_eq!(now["term"], newer["term"], "the ex-leader must not have disturbed its successor");
    Ok(())
}
