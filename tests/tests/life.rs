//! The whole life of tasks over real processes: workflows, fan-in through a killed scheduler, children, replay, schedules.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tasklane_tests::{Client, Cluster, ClusterSettings, guest, wait_for};

async fn deployed(settings: ClusterSettings) -> anyhow::Result<Cluster> {
    let cluster = Cluster::start(settings).await?;
    let manifest = json!({"name": "guest", "version": "1.0.0", "permissions": {"enqueue": ["guest"]}});
    cluster.client.deploy_with(manifest, &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    Ok(cluster)
}

fn echo(value: &Value) -> Value {
    json!({"module": "guest@1.0.0", "payload": {"do": "echo", "value": value}})
}

fn with(mut task: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        task[key] = value.clone();
    }
    task
}

async fn batch_ended(client: &Client, id: &str) -> anyhow::Result<Value> {
    wait_for(&format!("the end of batch {id}"), || async {
        let batch = client.get(&format!("/api/v1/batches/{id}")).await?;
        Ok((batch["ended"] == batch["tasks"]).then_some(batch))
    })
    .await
}

#[tokio::test]
async fn ten_thousand_end_in_one_completion_through_a_killed_scheduler() -> anyhow::Result<()> {
    let mut cluster = deployed(ClusterSettings { schedulers: 2, ..ClusterSettings::default() }).await?;
    let body = json!({"tasks": vec![echo(&json!(1)); 10_000], "on_complete": echo(&json!("all"))});
    let answer = cluster.client.post("/api/v1/tasks/batch", &body).await?;
    let (batch, last) = (answer["batch"].as_str().context("a batch")?, &answer["tasks"][10_000]["id"]);
    let last = last.as_str().context("a completion task")?;
    // Both settle; the one that dies does so in the middle of the work.
    wait_for("some tasks to be done", || async {
        Ok((cluster.client.count("succeeded").await? > 1_000).then_some(()))
    })
    .await?;
    cluster.schedulers[0].kill()?;
    let ended = batch_ended(&cluster.client, batch).await.map_err(|error| error.context(cluster.outputs()))?;
    ensure!(ended["states"] == json!({"succeeded": 10_001}), "{ended}");
    let task = cluster.client.task(last).await?;
    ensure!(task["attempt"] == 1 && task["state"] == "succeeded", "{task}");
    let attempts = cluster.client.get(&format!("/api/v1/tasks/{last}/attempts")).await?;
    ensure!(attempts["attempts"].as_array().map(Vec::len) == Some(1), "{attempts}");
    Ok(())
}

#[tokio::test]
async fn a_workflow_passes_results_on_and_is_retried_from_where_it_failed() -> anyhow::Result<()> {
    let cluster = deployed(ClusterSettings::default()).await?;
    let client = &cluster.client;
    let bound = json!({"do": "echo", "value": {"half": {"$from": "size", "path": "$.w"}}});
    let broken = with(echo(&json!("fixed")), &json!({"name": "broken", "after": ["size"], "limits": {"fuel": 1_000}}));
    let body = json!({"tasks": [
        with(echo(&json!({"w": 64})), &json!({"name": "size"})),
        {"name": "half", "module": "guest@1.0.0", "after": ["size"], "payload": bound},
        broken,
        with(echo(&json!("end")), &json!({"name": "end", "after": ["half", "broken"]})),
    ]});
    let answer = client.post("/api/v1/tasks/batch", &body).await?;
    let batch = answer["batch"].as_str().context("a batch")?;
    let ended = batch_ended(client, batch).await?;
    ensure!(ended["states"] == json!({"succeeded": 2, "failed": 2}), "{ended}");
    let half = answer["tasks"][1]["id"].as_str().context("an id")?;
    ensure!(client.get(&format!("/api/v1/tasks/{half}/result")).await? == json!({"half": 64}));
    let end = client.task(answer["tasks"][3]["id"].as_str().context("an id")?).await?;
    ensure!(end["outcome"]["kind"] == "dependency_failed", "{end}");

    let again = client.post(&format!("/api/v1/batches/{batch}/retry"), &json!({})).await?;
    ensure!(again["tasks"].as_array().map(Vec::len) == Some(2), "{again}");
    let ended = batch_ended(client, again["batch"].as_str().context("a batch")?).await?;
    ensure!(ended["states"] == json!({"failed": 2}), "the fuel is as it was: {ended}");
    let origin = &client.task(again["tasks"][0]["id"].as_str().context("an id")?).await?["origin"];
    let fixed = client
        .post(
            &format!("/api/v1/tasks/{}/retry", origin.as_str().context("an origin")?),
            &json!({"limits": {"fuel": 1_000_000_000}}),
        )
        .await?;
    ensure!(client.ended(fixed["id"].as_str().context("an id")?).await?["state"] == "succeeded");
    Ok(())
}

#[tokio::test]
async fn a_guest_enqueues_children_once_however_often_it_is_tried() -> anyhow::Result<()> {
    let cluster = deployed(ClusterSettings::default()).await?;
    let client = &cluster.client;
    let body =
        json!({"module": "guest@1.0.0", "payload": {"do": "enqueue", "count": 20, "module": "guest", "fail_first": 1}});
    let id = client.submit(&body).await?;
    let parent = client.ended(&id).await?;
    ensure!(parent["state"] == "succeeded" && parent["attempt"] == 2, "{parent}");
    let children = wait_for("the children to end", || async {
        let page = client.get(&format!("/api/v1/tasks?parent={id}&limit=200")).await?;
        let tasks = page["tasks"].as_array().context("tasks")?.clone();
        Ok((tasks.iter().all(|task| task["state"] == "succeeded")).then_some(tasks))
    })
    .await?;
    ensure!(children.len() == 21, "{} children", children.len());
    let names: BTreeSet<&str> = children.iter().filter_map(|task| task["name"].as_str()).collect();
    ensure!(names.len() == 21 && names.contains("done"), "{names:?}");

    let stranger = json!({"module": "guest@1.0.0", "payload": {"do": "enqueue", "count": 1, "module": "other"}});
    let denied = client.ended(&client.submit(&stranger).await?).await?;
    let message = denied["outcome"]["message"].as_str().unwrap_or_default();
    ensure!(message.contains("AccessDenied") && message.contains("[permissions] enqueue"), "{denied}");
    Ok(())
}

#[tokio::test]
async fn everything_of_a_queue_is_cancelled_and_running_guests_stop() -> anyhow::Result<()> {
    let cluster = deployed(ClusterSettings::default()).await?;
    let client = &cluster.client;
    let endless = json!({"module": "guest@1.0.0", "payload": {"do": "spin"}, "limits": {"timeout_ms": 60_000, "fuel": 1_000_000_000_000_u64}});
    let running = client.submit(&endless).await?;
    client.submit_many(&with(echo(&json!(1)), &json!({"delay": "1h"})), 700).await?;
    wait_for("the guest to run", || async { Ok((client.task(&running).await?["state"] == "running").then_some(())) })
        .await?;
    let begun = client.post("/api/v1/tasks/cancel", &json!({"queue": "default"})).await?;
    ensure!(begun["total"] == 701, "{begun}");
    let href = begun["href"].as_str().context("an address")?;
    let done = wait_for("the operation to end", || async {
        let operation = client.get(href).await?;
        Ok((operation["state"] == "done").then_some(operation))
    })
    .await?;
    ensure!(done["done"] == 701 && client.count("cancelled").await? == 701, "{done}");
    // A slot that is still taken would keep the host's count up.
    wait_for("the guest to stop", || async {
        let hosts = client.get("/api/v1/hosts").await?;
        Ok((hosts["hosts"][0]["running"] == 0).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_schedule_fires_each_instant_once_while_leaders_are_killed() -> anyhow::Result<()> {
    let mut cluster = deployed(ClusterSettings { schedulers: 3, ..ClusterSettings::default() }).await?;
    let schedule = json!({"name": "tick", "expression": "@every 1s", "missed": "all", "task": echo(&json!(1))});
    cluster.client.post("/api/v1/schedules", &schedule).await?;
    for number in 0..2 {
        let before = cluster.client.get("/api/v1/schedules/tick").await?["fired"].as_u64().context("a count")?;
        wait_for("some more firings", || async {
            let fired = cluster.client.get("/api/v1/schedules/tick").await?["fired"].as_u64().context("a count")?;
            Ok((fired > before + 2).then_some(()))
        })
        .await?;
        // Whichever leads: two of three die, and the last must lead in the end.
        cluster.schedulers[number].kill()?;
    }
    let view = wait_for("twelve firings", || async {
        let view = cluster.client.get("/api/v1/schedules/tick").await?;
        Ok((view["fired"].as_u64() >= Some(12)).then_some(view))
    })
    .await
    .map_err(|error| error.context(cluster.outputs()))?;
    cluster.client.post("/api/v1/schedules/tick/pause", &json!({})).await?;
    let view = cluster.client.get("/api/v1/schedules/tick").await.unwrap_or(view);
    let firings = view["firings"].as_array().context("firings")?;
    let instants: BTreeSet<&str> = firings.iter().filter_map(|one| one["at"].as_str()).collect();
    let tasks: BTreeSet<&str> = firings.iter().filter_map(|one| one["task"].as_str()).collect();
    ensure!(instants.len() == firings.len() && tasks.len() == firings.len(), "an instant fired twice: {view}");
    let fired = view["fired"].as_u64().context("a count")?;
    cluster.client.until_count("succeeded", fired).await
}
