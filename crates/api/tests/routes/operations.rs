//! Bulk operations: what they are about, how they are followed. The leader's part is the scheduler's and the store's.

use http::StatusCode;
use serde_json::{Value, json};
use tasklane_domain::{Lease, StateKind, Timestamp};

use crate::support::Room;

/// Does the leader's part until nothing goes on.
async fn carry_out(room: &Room) {
    let lease = Lease { generation: Timestamp::from_micros(1), revision: 1 };
    let term = room.store.stores.leader.open_term(lease).await.unwrap();
    for _ in 0..100 {
        if room.store.stores.operations.step(term, room.now(), 2).await.unwrap().is_none() {
            return;
        }
    }
    panic!("the operation does not end");
}

#[tokio::test]
async fn all_that_match_are_cancelled_and_counted() {
    let room = Room::working().await;
    for queue in ["a", "a", "a", "b"] {
        room.submitted(&json!({"module": "noop", "queue": queue})).await;
    }
    let answer = room.post("/api/v1/tasks/cancel", &json!({"queue": "a"})).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let begun = answer.json();
    assert_eq!((&begun["action"], &begun["state"], &begun["total"]), (&json!("cancel"), &json!("running"), &json!(3)));
    let href = begun["href"].as_str().unwrap();
    assert_eq!(answer.header("location"), href);
    carry_out(&room).await;
    let ended = room.get(href).await.json();
    assert_eq!((&ended["state"], &ended["done"], &ended["skipped"]), (&json!("done"), &json!(3), &json!(0)));
    assert_eq!(room.get("/api/v1/operations").await.json()["operations"][0], ended);
    let states = room.get("/api/v1/cluster/stats").await.json()["states"].clone();
    assert_eq!(states, json!({"cancelled": 3, "queued": 1}));
}

#[tokio::test]
async fn all_that_failed_are_retried_with_changes() {
    let room = Room::working().await;
    room.deployed("noop", "1.1.0").await;
    let id = room.submitted(&json!({"module": "noop@1.0.0"})).await;
    room.end(id, tasklane_domain::Outcome::OutOfFuel, b"", Default::default(), true).await;
    let body = json!({"module": "noop", "changes": {"version": "latest", "limits": {"fuel": 77}, "priority": "high"}});
    room.post("/api/v1/tasks/retry", &body).await;
    carry_out(&room).await;
    let tasks = room.get("/api/v1/tasks?status=queued").await.json();
    let new = &tasks["tasks"][0];
    assert_eq!((&new["version"], &new["limits"]["fuel"], &new["priority"]), (&json!("1.1.0"), &json!(77), &json!(8)));
    assert_eq!(new["origin"], id.to_string());
    assert_eq!(room.state(id).await, StateKind::Failed);
}

#[tokio::test]
async fn what_makes_no_sense_begins_nothing() {
    let room = Room::working().await;
    let refuse = async |path: &str, body: Value, status: u16, code: &str| {
        room.post(path, &body).await.problem(status, code);
    };
    refuse("/api/v1/tasks/cancel", json!({}), 422, "filter_missing").await;
    refuse("/api/v1/tasks/cancel", json!({"queue": "No"}), 422, "invalid_request").await;
    refuse("/api/v1/tasks/cancel", json!({"colour": "red"}), 422, "invalid_request").await;
    refuse("/api/v1/tasks/cancel", json!({"label": "novalue"}), 400, "invalid_query").await;
    refuse("/api/v1/tasks/retry", json!({"status": "succeeded"}), 409, "task_not_replayable").await;
    refuse("/api/v1/tasks/retry", json!({"all": true, "changes": {"version": "1.0.0"}}), 422, "invalid_request").await;
    let unknown = json!({"module": "noop", "changes": {"version": "9.9.9"}});
    refuse("/api/v1/tasks/retry", unknown, 404, "module_version_not_found").await;
    let much = json!({"all": true, "changes": {"limits": {"timeout_ms": 4_000_000_000_u32}}});
    refuse("/api/v1/tasks/retry", much, 422, "limit_out_of_bounds").await;
    assert_eq!(room.get("/api/v1/operations").await.json()["operations"], json!([]));
    room.get("/api/v1/operations/nonsense").await.problem(400, "invalid_id");
    room.get("/api/v1/operations/0198c0de-7a5c-7000-8000-000000000000").await.problem(404, "operation_not_found");
}
