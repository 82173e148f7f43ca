//! Flow control over HTTP: limits of tasks and modules, queues that are paused, and what makes no sense.

use http::StatusCode;
use serde_json::{Value, json};
use tasklane_domain::StateKind;

use crate::support::Room;

#[tokio::test]
async fn a_limited_task_is_held_and_shows_its_limits() {
    let room = Room::working().await;
    let limited = json!({
        "module": "noop",
        "concurrency": {"key": "customer-42", "max": 3},
        "rate": {"key": "api.example.com", "limit": "600/1m burst 20"},
        "share": "acme",
    });
    let id = room.submitted(&limited).await;
    assert_eq!(room.state(id).await, StateKind::Queued);
    let task = room.get(&format!("/api/v1/tasks/{id}")).await.json();
    assert_eq!(task["concurrency"], limited["concurrency"]);
    assert_eq!(task["rate"], limited["rate"]);
    assert_eq!((&task["share"], &task["held"]), (&json!("acme"), &json!(true)));
    assert_eq!(room.nats.noted().admit_nudges, 1);
    let plain = room.submitted(&json!({"module": "noop"})).await;
    assert!(room.get(&format!("/api/v1/tasks/{plain}")).await.json().get("held").is_none());
    let orders = room.nats.until(|noted| !noted.orders.is_empty()).await.orders;
    assert_eq!(orders.iter().map(|order| order.task).collect::<Vec<_>>(), [plain], "held tasks are not published");
}

#[tokio::test]
async fn a_queue_is_paused_and_goes_on() {
    let room = Room::working().await;
    let paused = room.post("/api/v1/queues/images/pause", &json!({})).await;
    assert_eq!(paused.status, StatusCode::OK, "{}", paused.text());
    let since = paused.json()["paused_at"].clone();
    assert!(since.is_string());
    room.submitted(&json!({"module": "noop", "queue": "images"})).await;
    let again = room.post("/api/v1/queues/images/pause", &json!({})).await.json();
    assert_eq!((&again["paused_at"], &again["queued"], &again["held"]), (&since, &json!(1), &json!(1)));
    let on = room.post("/api/v1/queues/images/resume", &json!({})).await.json();
    assert!(on.get("paused_at").is_none(), "{on}");
    let list = room.get("/api/v1/queues").await.json();
    let names: Vec<&Value> = list["queues"].as_array().unwrap().iter().map(|queue| &queue["name"]).collect();
    assert_eq!(names, ["default", "images"]);
    assert_eq!(room.get("/api/v1/queues/nobody-used-it").await.json()["queued"], 0);
}

#[tokio::test]
async fn a_queue_can_share_plain_tasks_fairly() {
    let room = Room::working().await;
    let fair = room.request("PATCH", "/api/v1/queues/default", &json!({"fair": true})).await;
    assert_eq!((fair.status, &fair.json()["fair"]), (StatusCode::OK, &json!(true)));
    let id = room.submitted(&json!({"module": "noop"})).await;
    assert_eq!(room.get(&format!("/api/v1/tasks/{id}")).await.json()["held"], true);
}

#[tokio::test]
async fn a_module_is_limited_until_the_rule_is_removed() {
    let room = Room::working().await;
    let path = "/api/v1/flow/modules/noop";
    let rule = room.request("PUT", path, &json!({"max": 5, "rate": "10/1s"})).await;
    assert_eq!(rule.status, StatusCode::OK, "{}", rule.text());
    assert_eq!(rule.json(), json!({"module": "noop", "max": 5, "rate": "10/1s"}));
    let id = room.submitted(&json!({"module": "noop"})).await;
    assert_eq!(room.get(&format!("/api/v1/tasks/{id}")).await.json()["held"], true);
    assert_eq!(room.get("/api/v1/flow/modules").await.json()["modules"], json!([rule.json()]));
    assert_eq!(room.request("DELETE", path, &Value::Null).await.status, StatusCode::NO_CONTENT);
    room.request("DELETE", path, &Value::Null).await.problem(404, "flow_rule_not_found");
    let id = room.submitted(&json!({"module": "noop"})).await;
    assert!(room.get(&format!("/api/v1/tasks/{id}")).await.json().get("held").is_none());
}

#[tokio::test]
async fn what_makes_no_sense_limits_nothing() {
    let room = Room::working().await;
    let bad = [
        json!({"concurrency": {"key": "a", "max": 0}}),
        json!({"concurrency": {"key": "", "max": 1}}),
        json!({"concurrency": {"key": "a", "max": 10_001}}),
        json!({"rate": {"key": "a", "limit": "fast"}}),
        json!({"rate": {"key": "a", "limit": "0/1s"}}),
        json!({"rate": {"key": "a", "limit": "1/40d"}}),
        json!({"rate": {"key": "x".repeat(129), "limit": "1/1s"}}),
        json!({"share": "a\nb"}),
    ];
    for mut request in bad {
        request["module"] = json!("noop");
        let problem = room.post("/api/v1/tasks", &request).await.problem(422, "flow_invalid");
        assert!(problem["detail"].as_str().unwrap().starts_with('`'), "{problem}");
    }
    assert_eq!(room.get("/api/v1/cluster/stats").await.json()["states"], json!({}), "something was stored");
    let module = "/api/v1/flow/modules/noop";
    room.request("PUT", module, &json!({})).await.problem(422, "flow_invalid");
    room.request("PUT", module, &json!({"max": 0})).await.problem(422, "flow_invalid");
    room.request("PUT", "/api/v1/flow/modules/nope", &json!({"max": 1})).await.problem(404, "module_not_found");
    room.post("/api/v1/queues/Not%20a%20name/pause", &json!({})).await.problem(422, "invalid_request");
    room.request("PATCH", "/api/v1/queues/default", &json!({"unfair": 1})).await.problem(422, "invalid_request");
}
