//! Ten mebibytes in and out, through killed hosts and a wiped JetStream; what nobody refers to goes, what somebody does stays.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use serde_json::{Value, json};
use tasklane_tests::{Cluster, ClusterSettings, guest, wait_for};

const TEN_MIB: usize = 10 * 1024 * 1024;
/// Tasks that one story runs at once.
const TASKS: usize = 12;

/// Bytes of which no two places look alike, other ones for each `seed`.
fn content(seed: u32) -> Vec<u8> {
    (seed..).flat_map(u32::to_le_bytes).take(TEN_MIB).collect()
}

async fn echo(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.client.deploy("echo", &guest("wasm32-wasip1", "fixture-command.wasm")?).await?;
    Ok(())
}

async fn uploaded(cluster: &Cluster, bytes: Vec<u8>) -> anyhow::Result<Value> {
    cluster.client.upload("/api/v1/blobs", bytes).await
}

async fn submit(cluster: &Cluster, blob: &Value) -> anyhow::Result<String> {
    cluster.client.submit(&json!({"module": "echo@1.0.0", "payload_blob": blob["digest"]})).await
}

/// Waits for the end of a task, which must be a success with this result.
async fn returned(cluster: &Cluster, id: &str, expected: &[u8]) -> anyhow::Result<()> {
    let task = cluster.client.ended(id).await.map_err(|error| error.context(cluster.outputs()))?;
    anyhow::ensure!(task["state"] == "succeeded", "{task}\n{}", cluster.outputs());
    let result = cluster.client.bytes(&format!("/api/v1/tasks/{id}/result")).await?;
    anyhow::ensure!(result == expected, "{} other bytes came back", result.len());
    Ok(())
}

#[tokio::test]
async fn ten_mebibytes_go_in_and_out() -> anyhow::Result<()> {
    let cluster = Cluster::start(ClusterSettings::default()).await?;
    echo(&cluster).await?;
    let blob = uploaded(&cluster, content(1)).await?;
    assert_eq!(blob["size_bytes"], TEN_MIB);
    let id = submit(&cluster, &blob).await?;
    returned(&cluster, &id, &content(1)).await?;
    let payload = cluster.client.bytes(&format!("/api/v1/tasks/{id}/payload")).await?;
    assert!(payload == content(1), "another payload came back");

    // In a request, and through a task that takes the whole result of another.
    let text = "x".repeat(2_000_000);
    let first = json!({"name": "first", "module": "echo@1.0.0", "payload_text": text});
    let next = json!({"module": "echo@1.0.0", "after": ["first"], "payload": {"$from": "first"}});
    let batch = cluster.client.post("/api/v1/tasks/batch", &json!({"tasks": [first, next]})).await?;
    let last = batch["tasks"][1]["id"].as_str().unwrap_or_default().to_owned();
    returned(&cluster, &last, text.as_bytes()).await
}

#[tokio::test]
async fn killed_hosts_and_a_wiped_jetstream_lose_no_byte() -> anyhow::Result<()> {
    let mut cluster = Cluster::start(ClusterSettings { slots: 2, ..ClusterSettings::default() }).await?;
    echo(&cluster).await?;
    let blob = uploaded(&cluster, content(2)).await?;
    let mut ids = Vec::new();
    for _ in 0..TASKS {
        ids.push(submit(&cluster, &blob).await?);
    }
    wait_for("one of them to be done", || async { Ok((cluster.client.count("succeeded").await? > 0).then_some(())) })
        .await?;
    cluster.hosts[0].kill()?;
    cluster.add_host()?;
    wait_for("some more to be done", || async { Ok((cluster.client.count("succeeded").await? > 3).then_some(())) })
        .await
        .map_err(|error| error.context(cluster.outputs()))?;
    cluster.nats.wipe_and_restart().await?;
    for id in &ids {
        returned(&cluster, id, &content(2)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_no_task_refers_to_goes_and_what_one_does_stays() -> anyhow::Result<()> {
    let env = vec![("TASKLANE_BLOB_GRACE_MS".to_owned(), "10000".to_owned())];
    let cluster = Cluster::start(ClusterSettings { env, ..ClusterSettings::default() }).await?;
    echo(&cluster).await?;
    let kept = uploaded(&cluster, content(3)).await?;
    let id = submit(&cluster, &kept).await?;
    returned(&cluster, &id, &content(3)).await?;
    let orphan = uploaded(&cluster, content(4)).await?;
    let path = |blob: &Value| format!("/api/v1/blobs/{}", blob["digest"].as_str().unwrap_or_default());
    wait_for("the orphan to go", || async {
        Ok(cluster
            .client
            .bytes(&path(&orphan))
            .await
            .is_err_and(|error| error.to_string().contains("404"))
            .then_some(()))
    })
    .await
    .map_err(|error| error.context(cluster.outputs()))?;
    // Older than the orphan, and still named by a task that has ended.
    assert!(cluster.client.bytes(&path(&kept)).await? == content(3), "what a task refers to was swept");
    returned(&cluster, &id, &content(3)).await?;
    let gone = cluster.client.submit(&json!({"module": "echo", "payload_blob": orphan["digest"]})).await;
    assert!(gone.is_err_and(|error| error.to_string().contains("blob_not_found")));
    Ok(())
}
