//! `/api/v1/retention`, and what is answered of what was removed. The removal itself is the scheduler's and the store's.

use http::{Request, StatusCode};
use serde_json::{Value, json};
use tasklane_domain::log::LogCapture;
use tasklane_domain::retention::Kind;
use tasklane_domain::{Lease, Outcome, TaskId, Term, Timestamp};

use crate::support::{Answer, Room};

const PATH: &str = "/api/v1/retention";

async fn put(room: &Room, path: &str, body: &Value) -> Answer {
    room.request("PUT", &format!("{PATH}{path}"), body).await
}

async fn delete(room: &Room, path: &str) -> Answer {
    room.send(Request::delete(format!("{PATH}{path}")).body(axum::body::Body::empty()).unwrap()).await
}

#[tokio::test]
async fn rules_are_set_shown_and_unset() {
    let room = Room::new().await;
    let none = room.get(PATH).await.json();
    let settings = json!({"tasks": "14d", "payloads": "forever", "results": "7d", "logs": "7d"});
    assert_eq!(none, json!({"settings": settings, "queues": {}, "modules": {}}));
    let set = put(&room, "/default", &json!({"tasks": "2 days"})).await;
    assert_eq!((set.status, set.json()), (StatusCode::OK, json!({"tasks": "2d"})));
    put(&room, "/queues/images", &json!({"logs": "90m", "results": "forever"})).await;
    put(&room, "/queues/images", &json!({"logs": "1h 30m"})).await;
    put(&room, "/modules/not-deployed", &json!({"payloads": "0"})).await;
    let rules = json!({
        "settings": settings,
        "default": {"tasks": "2d"},
        "queues": {"images": {"logs": "1h 30m"}},
        "modules": {"not-deployed": {"payloads": "forever"}},
    });
    assert_eq!(room.get(PATH).await.json(), rules);
    for path in ["/default", "/queues/images", "/modules/not-deployed"] {
        assert_eq!(delete(&room, path).await.status, StatusCode::NO_CONTENT);
        delete(&room, path).await.problem(404, "retention_rule_not_found");
    }
    assert_eq!(room.get(PATH).await.json(), none);
}

#[tokio::test]
async fn rules_that_make_no_sense_are_refused_and_not_stored() {
    let room = Room::new().await;
    let none = room.get(PATH).await.json();
    let table = [
        ("/default", json!({}), "retention_invalid", "nothing"),
        ("/default", json!({"tasks": "10ms"}), "retention_invalid", "`tasks`"),
        ("/queues/q", json!({"logs": "soon"}), "duration_invalid", "`logs`"),
        ("/modules/m", json!({"results": "11000d"}), "duration_invalid", "`results`"),
        ("/default", json!({"task": "1d"}), "invalid_request", "task"),
        ("/queues/No%20Name", json!({"tasks": "1d"}), "retention_invalid", "queue name"),
        ("/modules/No%20Name", json!({"tasks": "1d"}), "retention_invalid", "module name"),
    ];
    for (path, body, code, detail) in table {
        let problem = put(&room, path, &body).await.problem(422, code);
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    }
    room.get(&format!("{PATH}?queue=x")).await.problem(400, "invalid_query");
    assert_eq!(room.get(PATH).await.json(), none);
}

async fn lead(room: &Room) -> Term {
    let lease = Lease { generation: Timestamp::from_micros(1), revision: 1 };
    room.store.stores.leader.open_term(lease).await.unwrap()
}

async fn remove(room: &Room, term: Term, kind: Kind, id: TaskId) {
    let removal = room.store.stores.retention.remove(term, kind, vec![id]).await.unwrap();
    assert_eq!(removal.removed, 1, "{kind}");
}

#[tokio::test]
async fn what_was_removed_is_gone_with_a_code_of_its_own() {
    let room = Room::working().await;
    let body = json!({"module": "noop", "payload": 1, "idempotency_key": "k"});
    let (done, failed) = (room.submitted(&body).await, room.submitted(&json!({"module": "noop"})).await);
    room.succeed(done, b"1").await;
    room.end(failed, Outcome::OutOfFuel, b"", LogCapture::default(), true).await;
    let term = lead(&room).await;
    let of = |id: TaskId, part: &str| format!("/api/v1/tasks/{id}{part}");
    for (kind, id) in [(Kind::Result, done), (Kind::Log, done), (Kind::Payload, failed)] {
        remove(&room, term, kind, id).await;
    }
    let problem = room.get(&of(done, "/result")).await.problem(410, "result_removed");
    assert!(problem["detail"].as_str().unwrap().contains(&done.to_string()), "{problem}");
    room.get(&of(done, "/logs")).await.problem(410, "log_removed");
    room.post(&of(failed, "/retry"), &json!({})).await.problem(410, "payload_removed");
    assert_eq!(room.get(&of(done, "")).await.json()["state"], "succeeded");
    let after = json!({"tasks": [{"module": "noop", "after": [done.to_string()]}]});
    assert_eq!(room.post("/api/v1/tasks/batch", &after).await.status, StatusCode::ACCEPTED);

    remove(&room, term, Kind::Task, failed).await;
    for part in ["", "/result", "/logs", "/attempts"] {
        room.get(&of(failed, part)).await.problem(404, "task_not_found");
    }
    room.post(&of(failed, "/retry"), &json!({})).await.problem(404, "task_not_found");
}

#[tokio::test]
async fn a_key_outlives_its_task() {
    let room = Room::working().await;
    let body = json!({"module": "noop", "payload": 1, "idempotency_key": "k"});
    let id = room.submitted(&body).await;
    room.succeed(id, b"1").await;
    remove(&room, lead(&room).await, Kind::Task, id).await;
    let problem = room.post("/api/v1/tasks", &body).await.problem(410, "task_removed");
    assert!(problem["detail"].as_str().unwrap().contains(&id.to_string()), "{problem}");
    let other = json!({"module": "noop", "payload": 2, "idempotency_key": "k"});
    room.post("/api/v1/tasks", &other).await.problem(422, "idempotency_conflict");
    assert_eq!(room.stored_tasks().await, 0);
}
