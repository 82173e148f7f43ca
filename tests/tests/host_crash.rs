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

/// Quick tasks, and as many that sleep.
struct Mixed {
    quick: Vec<String>,
    sleeping: Vec<String>,
}

/// One batch in which every other task sleeps, once all that are quick have ended and the others sleep. `None` if each of its orders had a message
/// of its own: on a busy machine a quick task may take long, and then the next go alone.
async fn travelled_together(cluster: &Cluster, quick: &Value) -> anyhow::Result<Option<Mixed>> {
    cluster.client.submit_many(quick, 1_000).await?;
    until_nothing_is_open(cluster).await?;
    let before = ready_messages(cluster).await?;
    let tasks = vec![[quick.clone(), sleeper(15_000)]; 10].concat();
    let answer = cluster.client.post("/api/v1/tasks/batch", &json!({"tasks": tasks})).await?;
    let ids = answer["tasks"].as_array().context("tasks")?.iter();
    let ids: Vec<String> = ids.filter_map(|one| one["id"].as_str()).map(str::to_owned).collect();
    let every_other = |skipped| ids.iter().skip(skipped).step_by(2).cloned().collect();
    let mixed = Mixed { quick: every_other(0), sleeping: every_other(1) };
    wait_for("the sleepers to run", || async {
        Ok((running_on(cluster, &ids).await? == mixed.sleeping.len()).then_some(()))
    })
    .await?;
    for id in &mixed.quick {
        cluster.client.ended(id).await?;
    }
    if ready_messages(cluster).await? - before < ids.len() as u64 {
        return Ok(Some(mixed));
    }
    for id in &mixed.sleeping {
        cluster.client.post(&format!("/api/v1/tasks/{id}/cancel"), &json!({})).await?;
    }
    Ok(None)
}

async fn until_nothing_is_open(cluster: &Cluster) -> anyhow::Result<()> {
    let open = || async {
        Ok::<_, anyhow::Error>(cluster.client.count("queued").await? + cluster.client.count("running").await?)
    };
    wait_for("all tasks to end", || async { Ok((open().await? == 0).then_some(())) }).await
}

async fn ready_messages(cluster: &Cluster) -> anyhow::Result<u64> {
    Ok(cluster.nats.connect().await?.ready_messages().await?)
}

/// Orders of a module that has been quick share messages. Here every other one of them sleeps when its host dies: those that have ended are
/// not run again, and the sleepers go on alone.
#[tokio::test]
async fn of_orders_that_travel_together_only_those_that_had_not_ended_run_again() -> anyhow::Result<()> {
    let env = vec![("TASKLANE_ACK_WAIT_MS".to_owned(), "10000".to_owned())];
    let mut cluster = Cluster::start(ClusterSettings { env, ..ClusterSettings::default() }).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let quick = json!({"module": "guest@1.0.0", "payload": {}});
    // Whichever of them share a message: some of those have ended, and some have not.
    let Mixed { quick: others, sleeping } =
        wait_for("orders that travel together", || travelled_together(&cluster, &quick)).await?;
    let first = cluster.hosts_alive(1).await?[0]["id"].clone();
    cluster.hosts[0].kill()?;
    cluster.add_host()?;

    for id in &sleeping {
        let task = cluster.client.ended(id).await.map_err(|error| error.context(cluster.outputs()))?;
        assert_eq!((&task["state"], &task["attempt"]), (&json!("succeeded"), &json!(1)), "{task}");
        assert_ne!(task["host"], first, "the dead host cannot have ended it: {task}");
    }
    for id in &others {
        let task = cluster.client.task(id).await?;
        assert_eq!(task["host"], first, "what had ended was run again: {task}");
    }
    let ops = &cluster.schedulers.first().context("a scheduler")?.ops;
    let scheduler = Client::new(&format!("http://{ops}"))?;
    // Those that came along with a sleeper were handed back and not run: otherwise nothing here travelled together.
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
