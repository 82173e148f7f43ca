//! Hosts that die: nothing is lost, no attempt is consumed, and a task that every host dies of ends.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use anyhow::Context;
use serde_json::{Value, json};
use tasklane_tests::{Client, Cluster, ClusterSettings, guest, wait_for};

fn sleeper(ms: u32) -> Value {
    json!({"module": "guest@1.0.0", "payload": {"do": "sleep", "ms": ms}})
}

async fn running_on(cluster: &Cluster, ids: &[String]) -> anyhow::Result<usize> {
    let running = cluster.client.get("/api/v1/tasks?status=running&limit=200").await?;
    let running = running["tasks"].as_array().context("tasks")?;
    Ok(running.iter().filter(|task| ids.iter().any(|id| task["id"] == json!(id))).count())
}

#[tokio::test]
async fn a_killed_hosts_tasks_end_once_on_another_and_no_attempt_is_lost() -> anyhow::Result<()> {
    // An eighth of the slots is kept for urgent tasks.
    let settings = ClusterSettings { slots: 128, ..ClusterSettings::default() };
    let mut cluster = Cluster::start(settings).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    // Long enough that the last one begins before the first one ends.
    let ids = cluster.client.submit_many(&sleeper(20_000), 100).await?;
    wait_for("100 running guests", || async { Ok((running_on(&cluster, &ids).await? == 100).then_some(())) }).await?;
    let first = cluster.hosts_alive(1).await?[0]["id"].clone();

    cluster.hosts[0].kill()?;
    cluster.add_host()?;

    cluster.client.until_count("succeeded", 100).await.map_err(|error| error.context(cluster.outputs()))?;
    for id in &ids {
        let task = cluster.client.task(id).await?;
        assert_eq!(task["attempt"], 1, "a lost host must not cost an attempt: {task}");
        assert_ne!(task["host"], first, "the dead host cannot have ended it: {task}");
    }
    Ok(())
}

/// Orders of a module that has been quick share messages. Here one of each message sleeps when its host dies: the others have ended and
/// are not run again, and the sleeper goes on alone.
#[tokio::test]
async fn of_orders_that_travel_together_only_those_that_had_not_ended_run_again() -> anyhow::Result<()> {
    let env = vec![("TASKLANE_ACK_WAIT_MS".to_owned(), "10000".to_owned())];
    let mut cluster = Cluster::start(ClusterSettings { env, ..ClusterSettings::default() }).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let quick = json!({"module": "guest@1.0.0", "payload": {}});
    cluster.client.submit_many(&quick, 5_000).await?;
    cluster.client.until_count("succeeded", 5_000).await?;

    let mut tasks = vec![quick.clone(); 20];
    tasks.push(sleeper(15_000));
    let answer = cluster.client.post("/api/v1/tasks/batch", &json!({"tasks": tasks})).await?;
    let ids: Vec<String> = answer["tasks"]
        .as_array()
        .context("tasks")?
        .iter()
        .filter_map(|one| one["id"].as_str())
        .map(str::to_owned)
        .collect();
    let (sleeping, others) = ids.split_last().context("a sleeper")?;
    wait_for("the sleeper to run", || async {
        Ok((cluster.client.task(sleeping).await?["state"] == "running").then_some(()))
    })
    .await?;
    cluster.client.until_count("succeeded", 5_020).await?;
    let first = cluster.hosts_alive(1).await?[0]["id"].clone();
    cluster.hosts[0].kill()?;
    cluster.add_host()?;

    let task = cluster.client.ended(sleeping).await.map_err(|error| error.context(cluster.outputs()))?;
    assert_eq!((&task["state"], &task["attempt"]), (&json!("succeeded"), &json!(1)), "{task}");
    assert_ne!(task["host"], first, "the dead host cannot have ended it: {task}");
    for id in others {
        let task = cluster.client.task(id).await?;
        assert_eq!(task["host"], first, "what had ended was run again: {task}");
    }
    let ops = &cluster.schedulers.first().context("a scheduler")?.ops;
    let scheduler = Client::new(&format!("http://{ops}"))?;
    // Those that came along with the sleeper were handed back and not run: otherwise nothing here travelled together.
    wait_for("reports of tasks that had ended to be refused", || async {
        let metrics = scheduler.text("/metrics").await?;
        let refused =
            metrics.lines().find(|line| line.starts_with("tasklane_fenced_reports_total{reason=\"already_ended\""));
        Ok(refused.filter(|line| !line.ends_with(" 0")).map(|_| ()))
    })
    .await
}

#[tokio::test]
async fn a_task_that_kills_every_host_ends_as_host_lost() -> anyhow::Result<()> {
    let env = vec![
        ("TASKLANE_DELIVERIES_MAX".to_owned(), "2".to_owned()),
        // A host that stands still for this long counts as lost, too.
        ("TASKLANE_ACK_WAIT_MS".to_owned(), "10000".to_owned()),
    ];
    let mut cluster = Cluster::start(ClusterSettings { hosts: 0, env, ..ClusterSettings::default() }).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let id = cluster.client.submit(&sleeper(600_000)).await?;
    let mut died = Vec::new();
    for _ in 0..2 {
        cluster.add_host()?;
        let host = wait_for("the guest to run on a new host", || async {
            let task = cluster.client.task(&id).await?;
            let fresh = task["state"] == "running" && !died.contains(&task["host"]);
            Ok(fresh.then(|| task["host"].clone()))
        })
        .await
        .map_err(|error| error.context(cluster.outputs()))?;
        died.push(host);
        cluster.hosts.last_mut().context("a host")?.kill()?;
    }
    cluster.add_host()?;
    let task = cluster.client.ended(&id).await?;
    assert_eq!(task["state"], "failed", "{task}");
    assert_eq!(task["outcome"]["kind"], "host_lost", "{task}");
    assert_eq!(task["outcome"]["deliveries"], 2, "{task}");
    Ok(())
}
