//! Flow control with real processes: limits hold over two hosts and a kill, pauses outlive leaders, small customers are served.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use anyhow::Context;
use serde_json::{Value, json};
use tasklane_tests::{Client, Cluster, ClusterSettings, guest, wait_for};
use tokio::sync::oneshot::error::TryRecvError;

/// Most tasks of the key at once.
const KEY_MAX: usize = 3;

fn sleeper(ms: u32, more: &Value) -> Value {
    let mut task = json!({"module": "guest@1.0.0", "payload": {"do": "sleep", "ms": ms}});
    if let (Some(task), Some(more)) = (task.as_object_mut(), more.as_object()) {
        task.extend(more.clone());
    }
    task
}

async fn cluster(settings: ClusterSettings) -> anyhow::Result<Cluster> {
    let cluster = Cluster::start(settings).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    Ok(cluster)
}

/// The hosts of the tasks that run now.
async fn running(client: &Client) -> anyhow::Result<Vec<String>> {
    let page = client.get("/api/v1/tasks?status=running&limit=200").await?;
    let tasks = page["tasks"].as_array().context("tasks")?;
    Ok(tasks.iter().map(|task| task["host"].as_str().unwrap_or_default().to_owned()).collect())
}

#[tokio::test]
async fn a_limited_key_is_never_exceeded_through_the_loss_of_a_host() -> anyhow::Result<()> {
    let mut cluster = cluster(ClusterSettings { hosts: 2, slots: 8, ..ClusterSettings::default() }).await?;
    let limited = json!({"concurrency": {"key": "customer-42", "max": KEY_MAX}});
    let ids = cluster.client.submit_many(&sleeper(200, &limited), 40).await?;
    // Long ones, so that the host which is killed surely runs one of them.
    let long = cluster.client.submit_many(&sleeper(2_500, &limited), 6).await?;

    let watched = cluster.client.clone();
    let (over, mut ended) = tokio::sync::oneshot::channel::<()>();
    let watch = tokio::spawn(async move {
        let mut most = 0;
        while ended.try_recv() == Err(TryRecvError::Empty) {
            most = most.max(running(&watched).await?.len());
        }
        anyhow::Ok(most)
    });
    let hosts = cluster.hosts_alive(2).await?;
    let busy = wait_for("a task to run", || async { Ok(running(&cluster.client).await?.first().cloned()) }).await?;
    let pid = hosts.iter().find(|host| host["id"] == json!(busy)).context("its host")?["pid"].clone();
    let index = cluster.hosts.iter().position(|host| json!(host.pid()) == pid).context("its process")?;
    cluster.hosts[index].kill()?;

    let all: Vec<String> = ids.into_iter().chain(long).collect();
    cluster
        .client
        .until_count("succeeded", all.len() as u64)
        .await
        .map_err(|error| error.context(cluster.outputs()))?;
    drop(over);
    let seen = watch.await??;
    let most = cluster.client.most_at_once(&all).await?;
    assert!(seen <= KEY_MAX && most <= KEY_MAX, "{seen} were seen running, {most} by the hosts' times");
    assert_eq!(most, KEY_MAX, "the key never had all that it may have; the story proves nothing");
    Ok(())
}

#[tokio::test]
async fn a_pause_outlives_the_leader() -> anyhow::Result<()> {
    let env = vec![("TASKLANE_QUEUES".to_owned(), "default,images".to_owned())];
    let mut cluster = cluster(ClusterSettings { schedulers: 2, env, ..ClusterSettings::default() }).await?;
    let images = json!({"queue": "images"});
    let backlog = cluster.client.submit_many(&sleeper(100, &images), 2_000).await?;
    wait_for("the backlog to move", || async { Ok((cluster.client.count("succeeded").await? > 50).then_some(())) })
        .await?;
    cluster.client.post("/api/v1/queues/images/pause", &json!({})).await?;
    let still = wait_for("what the host had taken over to end", || async {
        let (ended, running) = (cluster.client.count("succeeded").await?, cluster.client.count("running").await?);
        // Twice a task's time without an end, while others run: nothing more of it starts.
        let id = cluster.client.submit(&sleeper(400, &json!({}))).await?;
        cluster.client.ended(&id).await?;
        let later = cluster.client.count("succeeded").await?;
        Ok((running == 0 && later == ended + 1).then_some(later))
    })
    .await?;
    assert!(still < 2_000, "the backlog was gone before the pause; the story proves nothing");

    let (index, term) = cluster.leading().await?;
    cluster.schedulers[index].kill()?;
    let held = cluster.client.submit(&sleeper(1, &images)).await?;
    wait_for("another leader", || async { Ok((cluster.leader().await?["term"].as_i64() > Some(term)).then_some(())) })
        .await?;
    let other = cluster.client.submit(&sleeper(400, &json!({}))).await?;
    cluster.client.ended(&other).await?;
    // A count that took long is shown for a while.
    let ended = wait_for("it to be counted", || async {
        let ended = cluster.client.count("succeeded").await?;
        Ok((ended > still).then_some(ended))
    })
    .await?;
    assert_eq!(ended, still + 1, "the other leader let the queue go on");
    assert_eq!(cluster.client.task(&held).await?["held"], true);

    cluster.client.post("/api/v1/queues/images/resume", &json!({})).await?;
    for id in [&held, &backlog[0], &backlog[1_999]] {
        let task = cluster.client.ended(id).await.map_err(|error| error.context(cluster.outputs()))?;
        assert_eq!(task["state"], "succeeded", "{task}");
    }
    Ok(())
}

#[tokio::test]
async fn a_rate_is_kept_and_what_fits_into_it_does_not_wait() -> anyhow::Result<()> {
    const TASKS: u32 = 9;
    const BURST: u32 = 3;
    const PERIOD_MS: u32 = 200;
    let cluster = cluster(ClusterSettings::default()).await?;
    let limited = json!({"rate": {"key": "api", "limit": format!("1/{PERIOD_MS}ms burst {BURST}")}});
    let ids = cluster.client.submit_many(&sleeper(1, &limited), TASKS as usize).await?;
    let mut starts = Vec::new();
    for id in &ids {
        let task = cluster.client.ended(id).await?;
        let time = task["timings"]["started_at"].as_str().context("a time")?.to_owned();
        starts.push(time.parse::<tasklane_domain::Timestamp>()?);
    }
    let created = cluster.client.task(&ids[0]).await?["timings"]["created_at"].as_str().context("a time")?.parse()?;
    // The bucket was full at the first submit and cannot have refilled faster: a lower bound, on any machine.
    for (number, start) in (0_u32..).zip(&starts) {
        let earliest = number.saturating_sub(BURST - 1) * PERIOD_MS;
        let waited = start.since(created).as_millis();
        assert!(waited >= u128::from(earliest), "start {number} came {waited} ms after the submit, not {earliest}");
    }
    Ok(())
}

#[tokio::test]
async fn a_small_customer_is_served_beside_a_large_one() -> anyhow::Result<()> {
    let cluster = cluster(ClusterSettings { slots: 4, ..ClusterSettings::default() }).await?;
    // Slow enough that half of them last for longer than any machine stands still.
    cluster.client.submit_many(&sleeper(50, &json!({"share": "large"})), 4_000).await?;
    let small = cluster.client.submit_many(&sleeper(10, &json!({"share": "small"})), 10).await?;
    for id in &small {
        assert_eq!(cluster.client.ended(id).await?["state"], "succeeded");
    }
    let left = cluster.client.count("queued").await?;
    assert!(left > 2_000, "only {left} of the large customer's 4,000 tasks were left when the small one's had ended");
    Ok(())
}
