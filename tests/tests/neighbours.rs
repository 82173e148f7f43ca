//! Hostile guests end with their own outcome while other guests and the host's heartbeat go on.

use serde_json::{Value, json};
use tasklane_tests::{Cluster, ClusterSettings, guest, wait_for};

/// Wall-time limit of the hostile guests, in milliseconds.
const TIMEOUT_MS: u64 = 2_000;
/// The limit of one that shall not reach it, in milliseconds.
const PATIENT_MS: u64 = 30_000;
/// What a noisy machine may add before the test calls it a failure; `cargo xtask bench throughput` measures the real figure.
const NOISE_MS: u64 = 5_000;

fn hostile(verb: &str) -> Value {
    json!({
        "module": "guest@1.0.0",
        "payload": {"do": verb},
        "limits": {"timeout_ms": TIMEOUT_MS, "fuel": 1_000_000_000_000_u64},
        "retry": {"max_attempts": 1},
    })
}

#[tokio::test]
async fn hostile_guests_end_with_their_own_outcome_and_neighbours_do_not_notice() -> anyhow::Result<()> {
    let cluster = Cluster::start(ClusterSettings::default()).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let beat_before = cluster.hosts_alive(1).await?[0]["beat_at"].clone();
    let mut ids = Vec::new();
    for verb in ["spin", "hostcall-loop", "spin", "hostcall-loop"] {
        ids.push((cluster.client.submit(&hostile(verb)).await?, "timed_out"));
    }
    // It computes beside the others, and shall not end because the machine is slow.
    let mut hog = hostile("memory-hog");
    hog["limits"]["timeout_ms"] = json!(PATIENT_MS);
    ids.push((cluster.client.submit(&hog).await?, "out_of_memory"));

    // While they spin on both cores, canaries come and go.
    let canary = json!({"module": "guest@1.0.0", "payload": {"do": "echo", "value": "canary"}});
    for _ in 0..20 {
        let task = cluster.client.post("/api/v1/tasks?wait=30s", &canary).await?;
        assert_eq!(task["state"], "succeeded", "{task}");
    }

    for (id, outcome) in ids {
        let task = cluster.client.ended(&id).await?;
        assert_eq!(task["outcome"]["kind"], outcome, "{task}");
        let wall_ms = task["usage"]["wall_us"].as_u64().unwrap_or(u64::MAX) / 1_000;
        let limit_ms = task["limits"]["timeout_ms"].as_u64().unwrap_or(0);
        assert!(wall_ms <= limit_ms + NOISE_MS, "it ran for {wall_ms} ms: {task}");
    }
    // It beats every 2 s, which is all that the guests run.
    wait_for("the heartbeat to go on", || async {
        Ok((cluster.hosts_alive(1).await?[0]["beat_at"].as_str() > beat_before.as_str()).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_task_out_of_fuel_says_so() -> anyhow::Result<()> {
    let cluster = Cluster::start(ClusterSettings::default()).await?;
    cluster.client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let mut task = hostile("spin");
    task["limits"] = json!({"fuel": 10_000_000});
    let task = cluster.client.post("/api/v1/tasks?wait=60s", &task).await?;
    assert_eq!(task["outcome"]["kind"], "out_of_fuel", "{task}");
    assert_eq!(task["usage"]["fuel"], 10_000_000, "{task}");
    Ok(())
}
