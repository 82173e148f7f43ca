//! `POST /api/v1/tasks` and `/batch`: what is committed, what is ordered, what is answered.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tasklane_domain::{PayloadKind, TaskId};

use crate::support::Room;

/// A W3C trace context.
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn a_submit_is_committed_answered_and_ordered() {
    let room = Room::working().await;
    let body = json!({
        "module": "noop", "payload": {"n": 1}, "priority": "high", "queue": "fast", "labels": {"team": "blue"},
        "limits": {"fuel": 1000}, "retry": {"max_attempts": 5},
    });
    let answer = room.post_with("/api/v1/tasks", &body, "traceparent", TRACE).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let accepted = answer.json();
    let id = accepted["id"].as_str().unwrap();
    assert_eq!(accepted, json!({"id": id, "state": "queued", "href": format!("/api/v1/tasks/{id}")}));
    assert_eq!(answer.header("location"), format!("/api/v1/tasks/{id}"));

    let task = room.get(&format!("/api/v1/tasks/{id}")).await.json();
    assert_eq!((&task["state"], &task["queue"], &task["priority"]), (&json!("queued"), &json!("fast"), &json!(8)));
    assert_eq!((&task["module"], &task["version"]), (&json!("noop"), &json!("1.0.0")));
    assert_eq!((&task["limits"]["fuel"], &task["max_attempts"]), (&json!(1000), &json!(5)));
    assert_eq!(task["labels"], json!({"team": "blue"}));
    assert_eq!(task["timings"]["created_at"], room.now().to_string());

    let noted = room.nats.until(|noted| noted.orders.len() == 1).await;
    let order = &noted.orders[0];
    assert_eq!((order.task.to_string().as_str(), order.payload.bytes.as_ref()), (id, br#"{"n":1}"#.as_slice()));
    assert_eq!(order.traceparent.as_deref(), Some(TRACE));
    room.post_with("/api/v1/tasks", &body, "traceparent", "00-a-b-01").await;
    let noted = room.nats.until(|noted| noted.orders.len() == 2).await;
    assert_eq!(noted.orders[1].traceparent, None, "what is no trace context is not carried on");
}

#[tokio::test]
async fn a_module_settles_what_the_task_leaves_open() {
    let room = Room::new().await;
    let manifest = json!({
        "name": "slow", "version": "1.0.0", "queue": "night", "priority": 2, "limits": {"timeout_ms": 5},
        "retry": {"max_attempts": 9},
    });
    assert_eq!(room.deploy(&manifest, crate::support::COMMAND).await.status, StatusCode::CREATED);
    let id = room.submitted(&json!({"module": "slow@1.0.0", "limits": {"fuel": 3}})).await;
    let task = room.get(&format!("/api/v1/tasks/{id}")).await.json();
    assert_eq!((&task["queue"], &task["priority"]), (&json!("night"), &json!(2)));
    assert_eq!((&task["limits"]["timeout_ms"], &task["limits"]["fuel"]), (&json!(5), &json!(3)));
    assert_eq!(task["retry"]["max_attempts"], 9);
}

#[tokio::test]
async fn the_newest_release_is_pinned_and_a_new_deploy_noticed() {
    let room = Room::new().await;
    let version_of = async |room: &Room| {
        let id = room.submitted(&json!({"module": "noop"})).await;
        room.get(&format!("/api/v1/tasks/{id}")).await.json()["version"].clone()
    };
    room.deployed("noop", "1.0.0").await;
    room.deployed("noop", "2.0.0-rc.1").await;
    assert_eq!(version_of(&room).await, "1.0.0");
    room.deployed("noop", "1.1.0").await;
    assert_eq!(version_of(&room).await, "1.1.0");
}

#[tokio::test]
async fn payloads_reach_the_guest_as_they_were_given() {
    let room = Room::working().await;
    let payload = async |body: Value| {
        let id = room.submitted(&body).await;
        let payload = room.store_tasks().payload(id).await.unwrap().unwrap();
        (payload.kind, payload.bytes)
    };
    assert_eq!(payload(json!({"module": "noop", "payload": null})).await.1, "null");
    let text = payload(json!({"module": "noop", "payload_text": "grüß\u{0}"})).await;
    assert_eq!(text, (PayloadKind::Text, "grüß\u{0}".into()));
    let bytes = payload(json!({"module": "noop", "payload_base64": "AP8="})).await;
    assert_eq!(bytes, (PayloadKind::Bytes, vec![0, 255].into()));
    assert!(payload(json!({"module": "noop"})).await.1.is_empty());

    let exact = r#"{"module":"noop","payload":{"big":123456789012345678901234567890,"b":1,"a":1.10}}"#;
    let id: TaskId = room.post_text("/api/v1/tasks", exact).await.json()["id"].as_str().unwrap().parse().unwrap();
    let stored = room.store_tasks().payload(id).await.unwrap().unwrap();
    assert_eq!(stored.bytes, r#"{"big":123456789012345678901234567890,"b":1,"a":1.10}"#);
}

#[tokio::test]
async fn a_task_for_later_is_scheduled_and_the_leader_nudged() {
    let room = Room::working().await;
    let later = room.now().plus(Duration::from_secs(3_600));
    let answer = room.post("/api/v1/tasks", &json!({"module": "noop", "run_at": later})).await;
    assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::ACCEPTED, &json!("scheduled")));
    let delayed = room.post("/api/v1/tasks", &json!({"module": "noop", "delay_ms": 60_000})).await.json();
    assert_eq!(delayed["state"], "scheduled");
    let due = room.now().plus(Duration::from_secs(60));
    assert_eq!(room.nats.noted().nudges, [later, due]);
    let past = room.post("/api/v1/tasks", &json!({"module": "noop", "run_at": "2001-01-01T00:00:00Z"})).await.json();
    assert_eq!(past["state"], "queued");
    let noted = room.nats.until(|noted| !noted.orders.is_empty()).await;
    assert_eq!(noted.orders[0].task.to_string(), past["id"].as_str().unwrap());
}

#[tokio::test]
async fn a_batch_is_accepted_whole_or_not_at_all() {
    let room = Room::working().await;
    let good = json!({"module": "noop", "payload": 1});
    let answer = room.post("/api/v1/tasks/batch", &json!({"tasks": vec![&good; 1_000]})).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json()["tasks"].as_array().map(Vec::len), Some(1_000));
    room.nats.until(|noted| noted.orders.len() == 1_000).await;
    assert_eq!(room.stored_tasks().await, 1_000);

    let unknown = json!({"module": "nope"});
    let mixed = json!({"tasks": [&good, &unknown, &good]});
    let problem = room.post("/api/v1/tasks/batch", &mixed).await.problem(404, "module_not_found");
    assert_eq!(problem["errors"], json!(["/tasks/1"]));
    room.post("/api/v1/tasks/batch", &json!({"tasks": vec![&good; 20_001]})).await.problem(422, "batch_size");
    room.post("/api/v1/tasks/batch", &json!({"tasks": []})).await.problem(422, "batch_size");
    assert_eq!(room.stored_tasks().await, 1_000);
}

#[tokio::test]
async fn tasks_are_accepted_while_nats_is_away() {
    let room = Room::working().await;
    room.nats.connected.store(false, Ordering::SeqCst);
    let id = room.submitted(&json!({"module": "noop", "delay_ms": 1_000})).await;
    room.submitted(&json!({"module": "noop"})).await;
    assert_eq!(room.get(&format!("/api/v1/tasks/{id}")).await.json()["state"], "scheduled");
}

#[tokio::test]
async fn wait_answers_with_the_result_when_done_in_time() {
    let room = Room::working().await;
    let ended = async {
        let noted = room.nats.until(|noted| !noted.orders.is_empty()).await;
        room.succeed(noted.orders[0].task, br#"{"ok":true}"#).await;
    };
    let body = json!({"module": "noop"});
    let (answer, ()) = tokio::join!(room.post("/api/v1/tasks?wait=60s", &body), ended);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let task = answer.json();
    assert_eq!((&task["state"], &task["outcome"]), (&json!("succeeded"), &json!({"kind": "ok"})));
    assert_eq!(task["result"], json!({"json": {"ok": true}}));
}

#[tokio::test]
async fn wait_notices_an_end_that_nobody_announced() {
    let room = Room::working().await;
    let ended = async {
        let noted = room.nats.until(|noted| !noted.orders.is_empty()).await;
        let (id, quiet) = (noted.orders[0].task, tasklane_domain::log::LogCapture::default());
        room.end(id, tasklane_domain::Outcome::Ok, b"plain text", quiet, false).await;
    };
    let body = json!({"module": "noop"});
    let (answer, ()) = tokio::join!(room.post("/api/v1/tasks?wait=60s", &body), ended);
    assert_eq!((answer.status, &answer.json()["result"]), (StatusCode::OK, &json!({"text": "plain text"})));
}

#[tokio::test]
async fn wait_answers_202_when_time_is_up_and_names_its_unit() {
    let room = Room::working().await;
    let answer = room.post("/api/v1/tasks?wait=50ms", &json!({"module": "noop"})).await;
    assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::ACCEPTED, &json!("queued")));
    room.post("/api/v1/tasks?wait=soon", &json!({"module": "noop"})).await.problem(400, "invalid_query");
    assert_eq!(room.stored_tasks().await, 1);
}
