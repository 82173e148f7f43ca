//! `/api/v1/hosts/{id}/…`. What a host does with an order is `host/tests`'.

use std::sync::atomic::Ordering;

use http::StatusCode;
use serde_json::{Value, json};
use tasklane_domain::{HostId, HostInfo};

use crate::cluster::host;
use crate::support::Room;

async fn with(hosts: &[&HostInfo]) -> Room {
    let room = Room::new().await;
    room.nats.hosts.lock().await.extend(hosts.iter().copied().cloned());
    room
}

fn path(host: &HostInfo, rest: &str) -> String {
    format!("/api/v1/hosts/{}{rest}", host.id)
}

#[tokio::test]
async fn a_host_drains_resumes_and_has_other_slots() {
    let (one, other) = (host(), host());
    let room = with(&[&one, &other]).await;
    let answer = room.post(&path(&one, "/drain"), &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!((&answer.json()["id"], &answer.json()["status"]), (&json!(one.id), &json!("draining")));
    let again = room.post(&path(&one, "/drain"), &json!({})).await.json();
    assert_eq!(again["status"], "draining", "to repeat an order is no error");
    let resumed = room.post(&path(&one, "/resume"), &json!({})).await.json();
    assert_eq!(resumed["status"], "active");
    let scaled = room.request("PATCH", &path(&one, ""), &json!({"slots": 3})).await.json();
    assert_eq!((&scaled["slots"], &scaled["slots_max"]), (&json!(3), &json!(16)));
    let hosts = room.get("/api/v1/hosts").await.json();
    let slots: Vec<&Value> = hosts["hosts"].as_array().unwrap().iter().map(|host| &host["slots"]).collect();
    assert_eq!(slots, [&json!(3), &json!(16)], "another host obeyed");
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_reaches_no_host() {
    let (one, old) = (host(), HostInfo { slots_max: 0, version: "0.0.1".to_owned(), ..host() });
    let room = with(&[&one, &old]).await;
    for slots in [0, 17] {
        let problem = room.request("PATCH", &path(&one, ""), &json!({"slots": slots})).await.problem(422, "host_slots");
        assert!(problem["detail"].as_str().unwrap().contains("from 1 to 16"), "{problem}");
    }
    let problem = room.request("PATCH", &path(&old, ""), &json!({"slots": 2})).await.problem(422, "host_slots");
    assert!(problem["detail"].as_str().unwrap().contains("0.0.1"), "{problem}");
    room.request("PATCH", &path(&one, ""), &json!({"slot": 2})).await.problem(422, "invalid_request");
    for unknown in [HostId::new().to_string(), "nobody".to_owned()] {
        for rest in ["drain", "resume"] {
            room.post(&format!("/api/v1/hosts/{unknown}/{rest}"), &json!({})).await.problem(404, "host_not_found");
        }
    }
    assert!(room.nats.hosts.lock().await.iter().all(|host| host.slots == 16));
}

#[tokio::test]
async fn a_host_that_says_nothing_and_a_nats_that_is_away_are_told_apart() {
    let deaf = HostInfo { name: "deaf".to_owned(), ..host() };
    let room = with(&[&deaf]).await;
    let problem = room.post(&path(&deaf, "/drain"), &json!({})).await.problem(503, "host_silent");
    assert!(problem["hint"].as_str().unwrap().contains("/api/v1/hosts"), "{problem}");
    room.nats.connected.store(false, Ordering::SeqCst);
    room.post(&path(&deaf, "/drain"), &json!({})).await.problem(503, "nats_unavailable");
}
