//! `/api/v1/hosts` and `/api/v1/cluster/…`.

use std::sync::atomic::Ordering;

use serde_json::json;
use tasklane_domain::{Clock, HostId, HostInfo, HostStatus};

use crate::support::Room;

pub(crate) fn host() -> HostInfo {
    serde_json::from_value(json!({
        "id": HostId::new(), "name": "h1", "pid": 7, "version": "0.1.0", "status": "active", "slots": 16, "slots_max": 16, "running": 3,
        "buffered": 0, "queues": ["default"], "ended_total": 9, "memory_bytes": 1024,
        "started_at": "2026-01-01T00:00:00Z", "beat_at": "2026-01-01T00:00:01Z",
    }))
    .unwrap()
}

#[tokio::test]
async fn hosts_and_the_leader_are_shown() {
    let room = Room::new().await;
    room.nats.hosts.lock().await.push(host());
    let leader = json!({"scheduler": "s1", "term": 4, "since": "2026-01-01T00:00:00.000000Z"});
    *room.nats.leader.lock().await = serde_json::from_value(leader.clone()).unwrap();
    let hosts = room.get("/api/v1/hosts").await.json();
    assert_eq!((&hosts["hosts"][0]["name"], &hosts["hosts"][0]["status"]), (&json!("h1"), &json!("active")));
    let info = room.get("/api/v1/cluster/info").await.json();
    assert_eq!((&info["leader"], &info["hosts"], &info["slots"]), (&leader, &json!(1), &json!(16)));
    assert_eq!((&info["nats_connected"], &info["limits"]["default"]["timeout_ms"]), (&json!(true), &json!(60_000)));
    assert_eq!(info["now"], room.clock.now().to_string());
}

#[tokio::test]
async fn a_host_that_drains_has_no_slots() {
    let room = Room::new().await;
    let draining = HostInfo { status: HostStatus::Draining, ..host() };
    room.nats.hosts.lock().await.extend([host(), draining]);
    let info = room.get("/api/v1/cluster/info").await.json();
    assert_eq!((&info["hosts"], &info["slots"]), (&json!(2), &json!(16)));
}

#[tokio::test]
async fn while_nats_is_away_the_cluster_is_shown_without_it() {
    let room = Room::new().await;
    room.nats.hosts.lock().await.push(host());
    room.nats.connected.store(false, Ordering::SeqCst);
    let info = room.get("/api/v1/cluster/info").await.json();
    assert_eq!((&info["leader"], &info["nats_connected"]), (&json!(null), &json!(false)));
    let answer = room.get("/api/v1/hosts").await;
    answer.problem(503, "nats_unavailable");
    assert!(!answer.text().contains("10.0.0.9"), "an internal address leaked");
    assert!(!answer.header("retry-after").is_empty());
}

#[tokio::test]
async fn stats_count_states_and_lanes() {
    let room = Room::working().await;
    for _ in 0..3 {
        room.submitted(&json!({"module": "noop", "queue": "fast", "priority": 9})).await;
    }
    room.submitted(&json!({"module": "noop", "delay_ms": 1_000})).await;
    let stats = room.get("/api/v1/cluster/stats").await.json();
    assert_eq!((&stats["states"]["queued"], &stats["states"]["scheduled"]), (&json!(3), &json!(1)));
    let lane = &stats["lanes"][0];
    assert_eq!((&lane["queue"], &lane["priority"], &lane["queued"]), (&json!("fast"), &json!(9), &json!(3)));
    assert_eq!(lane["oldest_queued_at"], room.now().to_string());
}
