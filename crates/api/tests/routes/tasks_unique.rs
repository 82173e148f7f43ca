//! `unique` and `namespace` of a submit.

use serde_json::{Value, json};
use tasklane_domain::TaskId;

use crate::support::Room;

fn body(unique: &Value) -> Value {
    json!({"module": "noop", "payload": {"b": 2, "a": 1}, "labels": {"customer": "7", "team": "x"}, "unique": unique})
}

async fn submit(room: &Room, body: &Value) -> (TaskId, bool) {
    let answer = room.post("/api/v1/tasks", body).await.json();
    (answer["id"].as_str().unwrap().parse().unwrap(), answer["duplicate"] == true)
}

#[tokio::test]
async fn a_second_task_of_a_kind_is_the_first_one() {
    let room = Room::working().await;
    let (first, fresh) = submit(&room, &body(&json!({}))).await;
    assert!(!fresh);
    let mut same = body(&json!({}));
    same["payload"] = json!({"a": 1, "b": 2});
    assert_eq!(submit(&room, &same).await, (first, true), "the order of keys makes no other payload");
    same["payload"] = json!({"a": 1, "b": 3});
    assert!(!submit(&room, &same).await.1);
    assert_eq!(room.stored_tasks().await, 2);
    room.succeed(first, b"1").await;
    assert!(!submit(&room, &body(&json!({}))).await.1, "the first has ended");
}

#[tokio::test]
async fn what_makes_the_kind_can_be_chosen() {
    let room = Room::working().await;
    let by_customer = json!({"by": ["module", "label:customer"], "for": "1h"});
    let (first, _) = submit(&room, &body(&by_customer)).await;
    let mut other = body(&by_customer);
    other["payload"] = json!("another");
    other["labels"]["team"] = json!("y");
    assert_eq!(submit(&room, &other).await, (first, true));
    other["labels"]["customer"] = json!("8");
    assert!(!submit(&room, &other).await.1);
    room.succeed(first, b"1").await;
    assert_eq!(submit(&room, &body(&by_customer)).await, (first, true), "with a time, a success stands in the way too");
    crate::namespaces::deployed(&room, "acme", "noop").await;
    let mut elsewhere = body(&by_customer);
    elsewhere["namespace"] = json!("acme");
    assert!(!submit(&room, &elsewhere).await.1, "namespaces are apart");
}

#[tokio::test]
async fn what_makes_no_kind_is_refused() {
    let room = Room::working().await;
    for (unique, code) in [
        (json!({"by": ["colour"]}), "unique_invalid"),
        (json!({"while": []}), "unique_invalid"),
        (json!({"while": ["asleep"]}), "invalid_request"),
        (json!({"for": "soon"}), "duration_invalid"),
        (json!({"for": "0s"}), "unique_invalid"),
        (json!({"until": "1h"}), "invalid_request"),
    ] {
        room.post("/api/v1/tasks", &body(&unique)).await.problem(422, code);
    }
    let strange = json!({"module": "noop", "namespace": "No Name"});
    room.post("/api/v1/tasks", &strange).await.problem(422, "invalid_request");
    assert_eq!(room.stored_tasks().await, 0);
}
