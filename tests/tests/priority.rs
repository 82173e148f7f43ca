//! The urgent start next, and the patient still get their share.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use serde_json::{Value, json};
use tasklane_tests::{Cluster, ClusterSettings, guest, wait_for};

/// Slots of the only host.
const SLOTS: u32 = 8;
/// Tasks that may start before an urgent one: what is buffered in the host (bounded in time and count) and on its way to it.
const INVERSION_MAX: usize = 1_500;
/// Tasks that wait.
const BACKLOG: usize = 20_000;

fn task(priority: u8) -> Value {
    json!({"module": "guest@1.0.0", "payload": {"do": "echo", "value": "x"}, "priority": priority})
}

/// One of the backlog: slow enough that it cannot be gone before all of it is submitted, and that no more than [`INVERSION_MAX`] of them start
/// while the API stands still for some seconds between the urgent task's submit and its dispatch.
fn patient_task() -> Value {
    json!({"module": "guest@1.0.0", "payload": {"do": "sleep", "ms": 20}, "priority": 1})
}

fn time<'a>(task: &'a Value, field: &str) -> &'a str {
    task["timings"][field].as_str().unwrap_or_default()
}

#[tokio::test]
async fn an_urgent_task_overtakes_a_backlog_which_still_moves() -> anyhow::Result<()> {
    let cluster = Cluster::start(ClusterSettings { slots: SLOTS, ..ClusterSettings::default() }).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let patient = cluster.client.submit_many(&patient_task(), BACKLOG).await?;

    let urgent = cluster.client.post("/api/v1/tasks?wait=60s", &task(10)).await?;
    assert_eq!(urgent["state"], "succeeded", "{urgent}");
    let left = cluster.client.count("queued").await?;
    assert!(left > 0, "the backlog was gone before the urgent task came; the story proves nothing");

    // Those that were received in order from the submit of the urgent one to its start overtook it.
    let mut overtook = 0;
    for id in patient.iter().rev() {
        let task = cluster.client.task(id).await?;
        let started = time(&task, "started_at");
        if started > time(&urgent, "created_at") && started < time(&urgent, "started_at") {
            overtook += 1;
        }
    }
    assert!(overtook <= INVERSION_MAX, "{overtook} tasks of priority 1 started before the urgent one");
    println!("{overtook} of {BACKLOG} started between the urgent task's submit and its start");
    Ok(())
}

#[tokio::test]
async fn the_least_urgent_progress_under_a_steady_stream_of_urgent_ones() -> anyhow::Result<()> {
    let cluster = Cluster::start(ClusterSettings { slots: 2, ..ClusterSettings::default() }).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let slow =
        |priority: u8| json!({"module": "guest@1.0.0", "payload": {"do": "sleep", "ms": 50}, "priority": priority});
    let patient = cluster.client.submit_many(&slow(1), 20).await?;
    cluster.client.submit_many(&slow(10), 1_000).await?;

    wait_for("one of the least urgent to be done", || async {
        for id in &patient {
            if cluster.client.task(id).await?["state"] == "succeeded" {
                return Ok(Some(()));
            }
        }
        Ok(None)
    })
    .await?;
    let queued = cluster.client.count("queued").await?;
    assert!(queued > 0, "the stream of urgent tasks had ended; the story proves nothing");
    Ok(())
}
