//! Logs as JSON: the life of a task, one failure, and one request that fails on our side, each told once and with its ids.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tasklane_tests::{Cluster, ClusterSettings, Process, guest, wait_for};

fn settings() -> ClusterSettings {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let filter = "info,tasklane_api=debug,tasklane_host=debug,tasklane_scheduler=debug";
    let env = vec![pair("TASKLANE_LOG_FORMAT", "json"), pair("TASKLANE_LOG", filter)];
    ClusterSettings { env, ..ClusterSettings::default() }.patient()
}

/// Every line of a process.
fn lines(process: &Process) -> anyhow::Result<Vec<Value>> {
    let output = process.output();
    output.lines().map(|line| serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))).collect()
}

/// A role's lines about a task, without those of repeated looks.
fn about(process: &Process, id: &str) -> anyhow::Result<Vec<Value>> {
    Ok(lines(process)?.into_iter().filter(|line| line["task"] == id).collect())
}

fn messages(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["message"].as_str().unwrap_or_default()).collect()
}

async fn ended(cluster: &Cluster, verb: &str) -> anyhow::Result<String> {
    let task = json!({"module": "guest", "payload": {"do": verb, "value": 1}});
    let id = cluster.client.submit(&task).await?;
    cluster.client.ended(&id).await?;
    // The row is there before the line about it.
    wait_for("the scheduler's line", || async { Ok((!about(&cluster.schedulers[0], &id)?.is_empty()).then_some(())) })
        .await?;
    Ok(id)
}

/// Its attempt and host, as the API shows them.
async fn check_ids(cluster: &Cluster, id: &str, lines: &[Value]) -> anyhow::Result<()> {
    let hosts = cluster.hosts_alive(1).await?;
    for line in lines {
        ensure!(line["attempt"] == "1" && line["host"] == hosts[0]["id"], "{line} lacks the ids of task {id}");
        ensure!(line["level"].is_string() && line["timestamp"].is_string() && line["target"].is_string(), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn the_life_and_the_failure_of_a_task_are_told_with_their_ids() -> anyhow::Result<()> {
    let cluster = Cluster::start(settings()).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let (scheduler, host) = (&cluster.schedulers[0], &cluster.hosts[0]);

    let id = ended(&cluster, "echo").await?;
    ensure!(messages(&about(&cluster.api, &id)?) == ["a task was submitted"], "{}", cluster.api.output());
    let (ran, settled) = (about(host, &id)?, about(scheduler, &id)?);
    ensure!(messages(&ran) == ["an attempt begins", "an attempt ended"], "{ran:?}");
    ensure!(messages(&settled) == ["a task was settled"], "{settled:?}");
    ensure!(ran[1]["outcome"] == "ok" && settled[0]["state"] == "succeeded" && settled[0]["module"] == "guest");
    check_ids(&cluster, &id, &ran).await?;
    check_ids(&cluster, &id, &settled).await?;

    let id = ended(&cluster, "fail").await?;
    let mut loud = Vec::new();
    for process in [&cluster.api, scheduler, host] {
        loud.extend(about(process, &id)?.into_iter().filter(|line| line["level"] != "DEBUG"));
    }
    ensure!(messages(&loud) == ["a task failed"], "a failure is told once: {loud:?}");
    ensure!(loud[0]["outcome"] == "task_error" && loud[0]["queue"] == "default", "{loud:?}");
    check_ids(&cluster, &id, &loud).await?;
    for process in [&cluster.api, scheduler, host] {
        ensure!(!process.output().contains("it was asked to fail"), "what a guest says is not for the log");
    }
    Ok(())
}

#[tokio::test]
async fn a_request_that_fails_on_our_side_is_told_once_with_its_id() -> anyhow::Result<()> {
    let mut cluster = Cluster::start(settings()).await?;
    cluster.nats.kill();
    let problem = wait_for("an answer without NATS", || async {
        let (status, problem) = cluster.client.ask("GET", "/api/v1/hosts", &Value::Null).await?;
        Ok((status == 503).then_some(problem))
    })
    .await?;
    let id = problem["request_id"].as_str().context("an id")?;
    let told: Vec<Value> = lines(&cluster.api)?.into_iter().filter(|line| line["request_id"] == id).collect();
    ensure!(messages(&told) == ["NATS did not answer"] && told[0]["level"] == "ERROR", "{told:?}");
    ensure!(told[0]["error"].as_str().is_some_and(|error| !error.is_empty()), "{told:?}");
    Ok(())
}
