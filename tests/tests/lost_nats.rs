//! NATS goes away, with and without what it had stored: every acknowledged task still ends once.

use serde_json::json;
use tasklane_tests::{Cluster, ClusterSettings, guest, wait_for};

#[tokio::test]
async fn a_wiped_jetstream_loses_no_acknowledged_task() -> anyhow::Result<()> {
    let mut cluster = Cluster::start(ClusterSettings { slots: 16, ..ClusterSettings::default() }).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let task = json!({"module": "guest@1.0.0", "payload": {"do": "sleep", "ms": 300}});
    cluster.client.submit_many(&task, 400).await?;
    wait_for("some tasks to be done and some to run", || async {
        Ok((cluster.client.count("succeeded").await? > 20).then_some(()))
    })
    .await?;

    cluster.nats.wipe_and_restart().await?;

    cluster.client.until_count("succeeded", 400).await.map_err(|error| error.context(cluster.outputs()))?;
    Ok(())
}

#[tokio::test]
async fn submissions_are_accepted_while_nats_is_away_and_run_when_it_is_back() -> anyhow::Result<()> {
    let mut cluster = Cluster::start(ClusterSettings::default()).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    cluster.nats.kill();
    let task = json!({"module": "guest@1.0.0", "payload": {"do": "echo", "value": "x"}});
    let ids = cluster.client.submit_many(&task, 50).await?;
    for id in &ids {
        assert_eq!(cluster.client.task(id).await?["state"], "queued");
    }

    cluster.nats.restart().await?;

    cluster.client.until_count("succeeded", 50).await.map_err(|error| error.context(cluster.outputs()))?;
    Ok(())
}
