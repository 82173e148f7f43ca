//! Idempotency keys: a repeat is the first task, another body is a mistake.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tasklane_api::ApiSettings;

use crate::support::Room;

const KEY: &str = "idempotency-key";

#[tokio::test]
async fn a_repeat_is_answered_with_the_first_task() {
    let room = Room::working().await;
    let body = json!({"module": "noop", "payload": {"order": 7}});
    let first = room.post_with("/api/v1/tasks", &body, KEY, "order-7").await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (StatusCode::ACCEPTED, ""));
    let again = room.post_with("/api/v1/tasks", &body, KEY, "order-7").await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (StatusCode::ACCEPTED, "true"));
    assert_eq!(again.json()["id"], first.json()["id"]);
    assert_eq!(again.header("location"), first.header("location"));

    let mut in_body = body.clone();
    in_body["idempotency_key"] = json!("order-7");
    assert_eq!(room.post("/api/v1/tasks", &in_body).await.json()["id"], first.json()["id"]);
    assert_eq!(room.stored_tasks().await, 1);
}

#[tokio::test]
async fn another_body_under_the_same_key_is_refused() {
    let room = Room::working().await;
    let body = json!({"module": "noop", "payload": 1});
    room.post_with("/api/v1/tasks", &body, KEY, "k").await;
    let other = json!({"module": "noop", "payload": 2});
    let problem = room.post_with("/api/v1/tasks", &other, KEY, "k").await.problem(422, "idempotency_conflict");
    assert!(problem["detail"].as_str().unwrap().contains("`k`"), "{problem}");
    assert_eq!(room.stored_tasks().await, 1);
}

#[tokio::test]
async fn concurrent_repeats_make_one_task() {
    let room = Room::working().await;
    let body = json!({"module": "noop"});
    let all = (0..20).map(|_| room.post_with("/api/v1/tasks", &body, KEY, "once"));
    let answers = futures::future::join_all(all).await;
    let first = answers[0].json()["id"].clone();
    assert!(answers.iter().all(|answer| answer.status == StatusCode::ACCEPTED && answer.json()["id"] == first));
    assert_eq!(room.stored_tasks().await, 1);
    let noted = room.nats.until(|noted| !noted.orders.is_empty()).await;
    assert_eq!(noted.orders.len(), 1, "a repeat was ordered too");
}

#[tokio::test]
async fn a_key_is_free_again_after_its_time() {
    let room = Room::working().await;
    let body = json!({"module": "noop", "payload": 1});
    room.post_with("/api/v1/tasks", &body, KEY, "k").await;
    room.clock.advance(Duration::from_secs(24 * 60 * 60 + 1));
    let later = room.post_with("/api/v1/tasks", &json!({"module": "noop", "payload": 2}), KEY, "k").await;
    assert_eq!((later.status, later.header("idempotency-replayed")), (StatusCode::ACCEPTED, ""));
}

#[tokio::test]
async fn keys_that_cannot_be_kept_are_refused() {
    let room = Room::working().await;
    let body = json!({"module": "noop"});
    for key in ["", &"k".repeat(256)] {
        room.post_with("/api/v1/tasks", &body, KEY, key).await.problem(400, "idempotency_key_invalid");
    }
    let odd = json!({"module": "noop", "idempotency_key": "ключ"});
    room.post("/api/v1/tasks", &odd).await.problem(400, "idempotency_key_invalid");
    assert_eq!(room.stored_tasks().await, 0);
}

#[tokio::test]
async fn keys_inside_a_batch_are_kept() {
    let room = Room::working().await;
    let task = |key: &str| json!({"module": "noop", "idempotency_key": key});
    let batch = json!({"tasks": [task("a"), task("b")]});
    let first = room.post("/api/v1/tasks/batch", &batch).await.json();
    assert_eq!(room.post("/api/v1/tasks/batch", &batch).await.json()["tasks"][1]["id"], first["tasks"][1]["id"]);
    assert_eq!(room.stored_tasks().await, 2);
}

#[tokio::test]
async fn the_header_makes_repeating_a_batch_safe() {
    let room = Room::working().await;
    let batch = json!({"tasks": [{"module": "noop"}, {"module": "noop"}]});
    let first = room.post_with("/api/v1/tasks/batch", &batch, KEY, "batch-1").await;
    let again = room.post_with("/api/v1/tasks/batch", &batch, KEY, "batch-1").await;
    assert_eq!((first.status, again.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_eq!(again.json(), first.json());
    assert_eq!(again.header("idempotency-replayed"), "true");
    let longer = json!({"tasks": vec![json!({"module": "noop"}); 3]});
    let longer = room.post_with("/api/v1/tasks/batch", &longer, KEY, "batch-1").await;
    longer.problem(422, "idempotency_conflict");
    assert_eq!(room.stored_tasks().await, 2, "the key was ignored and the batch doubled");
}

#[tokio::test]
async fn how_long_a_key_is_remembered_can_be_set_and_counts_for_each_namespace() {
    let settings = ApiSettings { idempotency_ttl: Duration::from_secs(60), ..ApiSettings::default() };
    let room = Room::with(settings).await;
    room.run_background();
    for namespace in ["a", "b"] {
        crate::namespaces::deployed(&room, namespace, "noop").await;
    }
    let submit = async |namespace: &str| {
        let body = json!({"module": "noop", "namespace": namespace});
        room.post_with("/api/v1/tasks", &body, KEY, "k").await.json()["id"].clone()
    };
    let (first, other) = (submit("a").await, submit("b").await);
    assert_ne!(first, other, "a key counts within its namespace");
    room.clock.advance(Duration::from_secs(59));
    assert_eq!((submit("a").await, submit("b").await), (first.clone(), other));
    room.clock.advance(Duration::from_secs(2));
    assert_ne!(submit("a").await, first);
}
