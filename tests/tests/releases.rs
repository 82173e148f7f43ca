//! Versions with real processes: what runs finishes on its version, what waits gets the one that its alias leads to when it is queued.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the stories then refuse")]

use anyhow::ensure;
use serde_json::{Value, json};
use tasklane_tests::{Client, Cluster, ClusterSettings, guest, wait_for};

const STABLE: &str = "/api/v1/modules/guest/aliases/stable";
/// How long the guest of the first version runs: long enough that all that is done meanwhile is done before it ends.
const RUN_MS: u64 = 15_000;

async fn cluster() -> anyhow::Result<Cluster> {
    let cluster = Cluster::start(ClusterSettings::default()).await?;
    deploy(&cluster.client, "1.0.0").await?;
    lead(&cluster.client, json!([{"version": "1.0.0"}])).await?;
    Ok(cluster)
}

async fn deploy(client: &Client, version: &str) -> anyhow::Result<()> {
    let manifest = json!({"name": "guest", "version": version});
    client.deploy_with(manifest, &guest("wasm32-wasip2", "fixture_guest.wasm")?).await.map(drop)
}

async fn lead(client: &Client, routes: Value) -> anyhow::Result<()> {
    client.put(STABLE, &json!({"routes": routes})).await.map(drop)
}

async fn until_running(client: &Client, id: &str) -> anyhow::Result<()> {
    let running = || async { Ok((client.task(id).await?["state"] == "running").then_some(())) };
    wait_for(&format!("task {id} to run"), running).await
}

/// Whatever happens to its version meanwhile; and what waits for it gets the newer one.
#[tokio::test]
async fn what_runs_finishes_on_its_version() -> anyhow::Result<()> {
    let cluster = cluster().await?;
    let client = &cluster.client;
    let slow = json!({"module": "guest@stable", "payload": {"do": "sleep", "ms": RUN_MS}});
    let running = client.submit(&slow).await?;
    until_running(client, &running).await.map_err(|error| error.context(cluster.outputs()))?;
    let echo = json!({"do": "echo", "value": 7});
    let waiting = client.submit(&json!({"module": "guest@stable", "payload": echo, "after": [running]})).await?;
    let named = client.submit(&json!({"module": "guest@1.0.0", "payload": echo, "after": [running]})).await?;

    deploy(client, "2.0.0").await?;
    client.post(&format!("{STABLE}/promote"), &json!({"version": "2.0.0"})).await?;
    client.post("/api/v1/modules/guest/1.0.0/disable", &json!({})).await?;
    let before = client.task(&waiting).await?;
    ensure!(before["version"] == "1.0.0" && before["alias"] == "stable", "{before}");

    for (id, version) in [(&running, "1.0.0"), (&waiting, "2.0.0"), (&named, "1.0.0")] {
        let task = client.ended(id).await.map_err(|error| error.context(cluster.outputs()))?;
        ensure!(task["state"] == "succeeded" && task["version"] == version, "{version}: {task}");
        ensure!(task.get("alias").is_none(), "it is settled: {task}");
    }
    Ok(())
}

/// A delayed task and one that is retried: the first chooses when it is due, the second has chosen.
#[tokio::test]
async fn a_rollback_reaches_what_is_not_yet_queued() -> anyhow::Result<()> {
    let cluster = cluster().await?;
    let client = &cluster.client;
    deploy(client, "2.0.0").await?;
    lead(client, json!([{"version": "2.0.0"}])).await?;
    let echo = json!({"do": "echo", "value": 7});
    let delayed = client.submit(&json!({"module": "guest@stable", "payload": echo, "delay": "1h"})).await?;
    let at_once = client.submit(&json!({"module": "guest@stable", "payload": echo})).await?;
    let back = client.post(&format!("{STABLE}/rollback"), &json!({})).await?;
    ensure!(back["routes"][0]["version"] == "1.0.0", "{back}");
    client.post(&format!("/api/v1/tasks/{delayed}/reschedule"), &json!({"delay": "0s"})).await?;
    for (id, version) in [(&delayed, "1.0.0"), (&at_once, "2.0.0")] {
        let task = client.ended(id).await.map_err(|error| error.context(cluster.outputs()))?;
        ensure!(task["state"] == "succeeded" && task["version"] == version, "{version}: {task}");
    }
    Ok(())
}
