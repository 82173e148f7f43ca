//! Retention with real processes: what has stayed long enough goes, what others need stays, and what is gone is said to be.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the stories then refuse")]

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tasklane_tests::{Client, Cluster, ClusterSettings, guest, wait_for};

/// More than three removals take.
const MANY: usize = 1_700;
const MODULE: &str = "guest@1.0.0";

async fn cluster(env: &[(&str, &str)]) -> anyhow::Result<Cluster> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let cluster = Cluster::start(ClusterSettings { env, ..ClusterSettings::default() }).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    Ok(cluster)
}

fn echo(more: &Value) -> Value {
    let mut task = json!({"module": MODULE, "queue": "short", "payload": {"do": "echo", "value": 7}});
    if let (Some(task), Some(more)) = (task.as_object_mut(), more.as_object()) {
        task.extend(more.clone());
    }
    task
}

/// Whether the API refuses this with that code.
async fn says(client: &Client, path: &str, code: &str) -> anyhow::Result<bool> {
    Ok(client.get(path).await.err().is_some_and(|error| error.to_string().contains(&format!("\"code\":\"{code}\""))))
}

async fn until_it_says(client: &Client, path: &str, code: &str) -> anyhow::Result<()> {
    wait_for(&format!("{path} to answer {code}"), || async { Ok(says(client, path, code).await?.then_some(())) }).await
}

async fn until_gone(client: &Client, id: &str) -> anyhow::Result<()> {
    until_it_says(client, &format!("/api/v1/tasks/{id}"), "task_not_found").await
}

fn id_of(answer: &Value, index: usize) -> anyhow::Result<String> {
    Ok(answer["tasks"][index]["id"].as_str().context("an id")?.to_owned())
}

/// Tasks of one queue go in small steps while others are submitted; a dependent, an unfinished batch and a key keep theirs.
#[tokio::test]
async fn what_is_over_goes_and_what_is_needed_stays() -> anyhow::Result<()> {
    let cluster = cluster(&[("TASKLANE_RETENTION_INTERVAL", "200ms"), ("TASKLANE_QUEUES", "default,short")]).await?;
    let client = &cluster.client;
    let many = client.submit_many(&echo(&json!({})), MANY).await?;
    let other = client.submit(&echo(&json!({"queue": "default"}))).await?;
    let keyed = echo(&json!({"idempotency_key": "once"}));
    let first = client.submit(&keyed).await?;
    let batch = json!({"tasks": [echo(&json!({})), echo(&json!({"delay": "1h"}))]});
    let batch = client.post("/api/v1/tasks/batch", &batch).await?;
    let (early, late) = (id_of(&batch, 0)?, id_of(&batch, 1)?);
    let batch = batch["batch"].as_str().context("a batch")?.to_owned();
    let flow = json!({"tasks": [
        echo(&json!({"name": "a"})),
        echo(&json!({"name": "b", "delay": "1h"})),
        echo(&json!({"name": "c", "after": ["a", "b"], "payload": {"do": "echo", "value": {"$from": "a"}}})),
    ]});
    let flow = client.post("/api/v1/tasks/batch", &flow).await?;
    let (bound, second, last) = (id_of(&flow, 0)?, id_of(&flow, 1)?, id_of(&flow, 2)?);
    client.until_count("succeeded", MANY as u64 + 4).await.map_err(|error| error.context(cluster.outputs()))?;

    client.put("/api/v1/retention/queues/short", &json!({"tasks": "1s", "results": "1s"})).await?;
    // Beside the removal, others go on as ever.
    client.submit_many(&echo(&json!({"queue": "default"})), 200).await?;
    for id in [&many[0], &many[MANY / 2], &many[MANY - 1], &first] {
        until_gone(client, id).await.map_err(|error| error.context(cluster.outputs()))?;
    }
    client.until_count("succeeded", 3 + 200).await.map_err(|error| error.context(cluster.outputs()))?;
    ensure!(says(client, &format!("/api/v1/tasks/{}/result", many[0]), "task_not_found").await?);
    ensure!(client.task(&other).await?["state"] == "succeeded", "a task of another queue");

    let repeated = client.post("/api/v1/tasks", &keyed).await.err().context("a second task of a key")?.to_string();
    ensure!(repeated.contains("task_removed"), "{repeated}");
    let progress = client.get(&format!("/api/v1/batches/{batch}")).await?;
    ensure!(progress["tasks"] == 2 && progress["ended"] == 1, "an unfinished batch: {progress}");
    until_it_says(client, &format!("/api/v1/tasks/{early}/result"), "result_removed").await?;
    ensure!(client.get(&format!("/api/v1/tasks/{bound}/result")).await? == 7, "one waits for this result");

    client.post(&format!("/api/v1/tasks/{second}/reschedule"), &json!({"delay": "0s"})).await?;
    // It may be removed as soon as it has ended: then its own result is the proof that is missing, and its end the one that is there.
    for id in [&last, &bound, &second] {
        until_gone(client, id).await.map_err(|error| error.context(cluster.outputs()))?;
    }
    client.post(&format!("/api/v1/tasks/{late}/cancel"), &json!({})).await?;
    until_it_says(client, &format!("/api/v1/batches/{batch}"), "batch_not_found").await?;
    Ok(())
}

/// Each part by its own age, while the task itself stays; a key is free again after the time that was set.
#[tokio::test]
async fn payloads_results_and_logs_go_by_their_own_ages() -> anyhow::Result<()> {
    let env = [
        ("TASKLANE_RETENTION_INTERVAL", "200ms"),
        ("TASKLANE_KEEP_LOGS", "1s"),
        ("TASKLANE_IDEMPOTENCY_TTL", "1s"),
        ("TASKLANE_QUEUES", "default,short"),
    ];
    let cluster = cluster(&env).await?;
    let client = &cluster.client;
    let say = client.submit(&echo(&json!({"payload": {"do": "log", "count": 3}}))).await?;
    let failed = client.submit(&echo(&json!({"payload": {"do": "fail"}, "idempotency_key": "k"}))).await?;
    client.ended(&say).await?;
    client.ended(&failed).await?;
    let path = |id: &str, part: &str| format!("/api/v1/tasks/{id}/{part}");
    until_it_says(client, &path(&say, "logs"), "log_removed")
        .await
        .map_err(|error| error.context(cluster.outputs()))?;
    ensure!(client.text(&path(&say, "result")).await.is_ok(), "only logs have a short age as yet");

    client.put("/api/v1/retention/modules/guest", &json!({"results": "1s", "payloads": "1s"})).await?;
    until_it_says(client, &path(&say, "result"), "result_removed").await?;
    wait_for("the payload to be gone", || async {
        let refused = client.post(&path(&failed, "retry"), &json!({})).await.err();
        Ok(refused.filter(|error| error.to_string().contains("payload_removed")).map(drop))
    })
    .await
    .map_err(|error| error.context(cluster.outputs()))?;
    for (id, state) in [(&say, "succeeded"), (&failed, "failed")] {
        ensure!(client.task(id).await?["state"] == state, "the task itself has an age of its own");
    }

    let shown = client.get("/api/v1/retention").await?;
    ensure!(shown["settings"]["logs"] == "1s" && shown["settings"]["tasks"] == "14d", "{shown}");
    ensure!(shown["modules"]["guest"] == json!({"results": "1s", "payloads": "1s"}), "{shown}");
    // Another body would be refused while the key is remembered.
    wait_for("the key to be free again", || async {
        let again = client.submit(&echo(&json!({"payload": 1, "idempotency_key": "k"}))).await?;
        Ok((again != failed).then_some(()))
    })
    .await
}
