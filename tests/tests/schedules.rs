//! A schedule of every second while leaders are killed, frozen and stopped: each instant becomes exactly one task.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;
use serde_json::{Value, json};
use tasklane_tests::{Cluster, ClusterSettings, guest, wait_at_most, wait_for};

/// Forced changes of leaders.
const CHANGES: usize = 50;
/// The shortest lease, so that a killed leader is followed soon.
const LEASE_TTL_MS: u64 = 1_000;
/// Another leads within this, on a machine that is busy with other things.
const TAKEOVER_MAX: Duration = Duration::from_secs(30);
/// How long a leader is frozen at most.
const FREEZE_MAX: Duration = Duration::from_secs(4);
const NAME: &str = "every-second";

/// Position in `cluster.schedulers`, name and term of the leader.
async fn leading(cluster: &Cluster, names: &[String], than: i64, within: Duration) -> anyhow::Result<(usize, i64)> {
    let found = wait_at_most(within, "a newer leader", || async {
        let leader = cluster.client.get("/api/v1/cluster/info").await?["leader"].clone();
        let position = names.iter().position(|name| leader["scheduler"].as_str() == Some(name));
        let term = leader["term"].as_i64().filter(|term| *term > than);
        Ok(position.zip(term))
    });
    found.await.map_err(|error| error.context(cluster.outputs()))
}

/// The instants of all tasks of the schedule, with how many tasks each has.
async fn tasks_by_instant(cluster: &Cluster) -> anyhow::Result<BTreeMap<String, usize>> {
    let (mut instants, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let path = format!("/api/v1/tasks?limit=200&label=tasklane/schedule:{NAME}{cursor}");
        let page: Value = cluster.client.get(&path).await?;
        for task in page["tasks"].as_array().context("tasks")? {
            let instant = task["labels"]["tasklane/instant"].as_str().context("an instant")?;
            *instants.entry(instant.to_owned()).or_default() += 1;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(instants),
        }
    }
}

fn seconds(instant: &str) -> anyhow::Result<i64> {
    let time: tasklane_domain::Timestamp = instant.parse()?;
    anyhow::ensure!(time.as_micros() % 1_000_000 == 0, "{instant} is no whole second");
    Ok(time.as_micros() / 1_000_000)
}

#[tokio::test]
async fn an_instant_is_one_task_through_fifty_changes_of_leaders() -> anyhow::Result<()> {
    let env = vec![("TASKLANE_LEASE_TTL_MS".to_owned(), LEASE_TTL_MS.to_string())];
    let mut cluster = Cluster::start(ClusterSettings { schedulers: 2, env, ..ClusterSettings::default() }).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let task = json!({"module": "guest", "payload": {"do": "echo", "value": "x"}});
    let schedule = json!({"name": NAME, "expression": "* * * * * *", "timezone": "Europe/Vienna", "task": task});
    cluster.client.post("/api/v1/schedules", &schedule).await?;

    // Processes are numbered in the order of their start: two schedulers, a host, then the schedulers started here.
    let mut names: Vec<String> = vec!["scheduler-0".to_owned(), "scheduler-1".to_owned()];
    let mut term = 0;
    for change in 0..CHANGES {
        let (index, newer) = leading(&cluster, &names, term, TAKEOVER_MAX).await?;
        term = newer;
        match change % 3 {
            0 => cluster.schedulers[index].kill()?,
            1 => cluster.schedulers[index].signal(Signal::TERM)?,
            _ => {
                // Awake again after a while even if nobody leads: one that freezes in a transaction keeps SQLite's lock with it.
                cluster.schedulers[index].signal(Signal::STOP)?;
                let followed = leading(&cluster, &names, term, FREEZE_MAX).await;
                cluster.schedulers[index].signal(Signal::CONT)?;
                drop(followed);
                continue;
            }
        }
        names.push(format!("scheduler-{}", 3 + names.len() - 2));
        cluster.add_scheduler()?;
    }
    leading(&cluster, &names, term, TAKEOVER_MAX).await?;

    let paused = cluster.client.post(&format!("/api/v1/schedules/{NAME}/pause"), &json!({})).await?;
    let fired = paused["fired"].as_u64().context("a count")?;
    assert_eq!(paused["skipped"], 0, "{paused}");
    let instants = tasks_by_instant(&cluster).await?;
    assert!(instants.values().all(|count| *count == 1), "an instant has several tasks: {instants:?}");
    assert_eq!(instants.len() as u64, fired, "records and tasks differ");
    let times = instants.keys().map(|instant| seconds(instant)).collect::<anyhow::Result<Vec<_>>>()?;
    assert!(times.windows(2).all(|pair| pair[1] == pair[0] + 1), "an instant is missing: {times:?}");
    assert!(fired >= 20, "only {fired} instants in {CHANGES} changes");
    wait_for("every task to succeed", || async {
        Ok((cluster.client.count("succeeded").await? == fired).then_some(()))
    })
    .await
    .map_err(|error| error.context(cluster.outputs()))?;
    println!("{fired} instants, one task each, in {CHANGES} changes of leaders, up to term {term}");
    Ok(())
}
