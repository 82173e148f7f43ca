//! `POST /api/v1/tasks/{id}/retry`, `/reschedule`, `/cancel?tree=true` and `GET …/attempts`.

use http::StatusCode;
use serde_json::json;
use tasklane_domain::log::{LogCapture, LogLevel, LogLine, LogSource};
use tasklane_domain::{Outcome, StateKind};

use crate::support::Room;

const STRANGER: &str = "0198c0de-7a5c-7000-8000-000000000000";

#[tokio::test]
async fn a_failed_task_is_retried_as_a_new_one() {
    let room = Room::working().await;
    let id = room.submitted(&json!({"module": "noop", "payload": {"n": 1}, "labels": {"team": "blue"}})).await;
    let path = format!("/api/v1/tasks/{id}/retry");
    room.post(&path, &json!({})).await.problem(409, "task_not_replayable");
    room.end(id, Outcome::OutOfFuel, b"", LogCapture::default(), true).await;
    let answer = room.post(&path, &json!({"limits": {"fuel": 9}, "priority": 10})).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let new = room.get(answer.header("location")).await.json();
    assert_eq!((&new["origin"], &new["state"], &new["attempt"]), (&json!(id.to_string()), &json!("queued"), &json!(1)));
    assert_eq!(
        (&new["limits"]["fuel"], &new["priority"], &new["labels"]["team"]),
        (&json!(9), &json!(10), &json!("blue"))
    );
    let orders = room.nats.until(|noted| noted.orders.len() == 2).await.orders;
    assert_eq!(orders[1].payload.bytes, r#"{"n":1}"#);
    assert_eq!(room.state(id).await, StateKind::Failed, "the ended task never changes");
    room.post(&format!("/api/v1/tasks/{STRANGER}/retry"), &json!({})).await.problem(404, "task_not_found");
    room.post(&path, &json!({"limits": {"fuel": 0}})).await.problem(422, "limit_out_of_bounds");
    room.post(&path, &json!({"version": "9.9.9"})).await.problem(404, "module_version_not_found");
    assert_eq!(room.stored_tasks().await, 2);
}

#[tokio::test]
async fn a_succeeded_task_is_not_retried() {
    let room = Room::working().await;
    let id = room.submitted(&json!({"module": "noop"})).await;
    room.succeed(id, b"1").await;
    let problem = room.post(&format!("/api/v1/tasks/{id}/retry"), &json!({})).await.problem(409, "task_not_replayable");
    assert!(problem["detail"].as_str().unwrap().contains("succeeded"), "{problem}");
}

#[tokio::test]
async fn a_scheduled_task_can_be_moved() {
    let room = Room::working().await;
    let id = room.submitted(&json!({"module": "noop", "delay": "1h 30m"})).await;
    let due = |view: &serde_json::Value| view["timings"]["due_at"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/tasks/{id}/reschedule");
    let hours = |hours: u64| room.now().plus(std::time::Duration::from_secs(hours * 3_600)).to_string();
    assert_eq!(
        due(&room.get(&format!("/api/v1/tasks/{id}")).await.json()),
        room.now().plus(std::time::Duration::from_secs(5_400)).to_string()
    );
    assert_eq!(due(&room.post(&path, &json!({"delay": "3h"})).await.json()), hours(3));
    assert_eq!(due(&room.post(&path, &json!({"run_at": hours(2)})).await.json()), hours(2));
    room.post(&path, &json!({})).await.problem(422, "invalid_request");
    room.post(&path, &json!({"delay": "soon"})).await.problem(422, "duration_invalid");
    let queued = room.submitted(&json!({"module": "noop"})).await;
    let refused = room.post(&format!("/api/v1/tasks/{queued}/reschedule"), &json!({"delay": "1s"})).await;
    refused.problem(409, "task_not_waiting");
}

#[tokio::test]
async fn times_that_contradict_each_other_are_refused() {
    let room = Room::working().await;
    let at = room.now().to_string();
    for body in [
        json!({"module": "noop", "delay": "1s", "delay_ms": 5}),
        json!({"module": "noop", "run_at": at, "delay": "1s"}),
    ] {
        room.post("/api/v1/tasks", &body).await.problem(422, "invalid_request");
    }
    for delay in ["-1s", "11y", "5", "1 month", "999999999h"] {
        let body = json!({"module": "noop", "delay": delay});
        room.post("/api/v1/tasks", &body).await.problem(422, "duration_invalid");
    }
    assert_eq!(room.stored_tasks().await, 0);
}

#[tokio::test]
async fn every_attempt_can_be_looked_at() {
    let room = Room::working().await;
    let id =
        room.submitted(&json!({"module": "noop", "retry": {"retry_on": ["out_of_fuel"], "backoff": "fixed"}})).await;
    let path = format!("/api/v1/tasks/{id}/attempts");
    assert_eq!(room.get(&path).await.json(), json!({"attempts": []}));
    let line = LogLine { offset_ms: 1, source: LogSource::Log, level: LogLevel::Info, message: "hello".to_owned() };
    let log = LogCapture { head: vec![line], ..LogCapture::default() };
    room.end(id, Outcome::OutOfFuel, b"", log, true).await;
    assert_eq!(room.state(id).await, StateKind::Retrying, "it was listed");
    let attempts = room.get(&path).await.json();
    let one = &attempts["attempts"][0];
    assert_eq!(
        (&one["attempt"], &one["outcome"]["kind"], &one["usage"]["fuel"]),
        (&json!(1), &json!("out_of_fuel"), &json!(7))
    );
    assert_eq!(one["log_tail"][0]["message"], "hello");
    room.get(&format!("/api/v1/tasks/{STRANGER}/attempts")).await.problem(404, "task_not_found");
}

#[tokio::test]
async fn a_cancel_may_take_the_tree_with_it() {
    let room = Room::working().await;
    let id = room.submitted(&json!({"module": "noop"})).await;
    let plain = room.post(&format!("/api/v1/tasks/{id}/cancel"), &json!({})).await.json();
    assert!(plain["operation"].is_null(), "{plain}");
    room.post(&format!("/api/v1/tasks/{id}/cancel"), &json!({})).await.problem(409, "task_already_ended");
    let tree = room.post(&format!("/api/v1/tasks/{id}/cancel?tree=true"), &json!({})).await.json();
    let operation = room.get(&format!("/api/v1/operations/{}", tree["operation"].as_str().unwrap())).await.json();
    assert_eq!((&operation["action"], &operation["total"]), (&json!("cancel"), &json!(0)));
    room.post(&format!("/api/v1/tasks/{id}/cancel?tree=perhaps"), &json!({})).await.problem(400, "invalid_query");
}
