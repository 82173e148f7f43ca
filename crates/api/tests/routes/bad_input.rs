//! What clients get wrong: each a 4xx with its code and a hint, and nothing stored.

use axum::body::Body;
use http::{Request, header};
use serde_json::json;
use tasklane_api::ApiSettings;

use crate::support::Room;

#[tokio::test]
async fn a_wrong_submit_is_refused_with_its_code() {
    let room = Room::working().await;
    let now = room.now();
    for (body, status, code, word) in [
        (json!({"module": "nope"}), 404, "module_not_found", "nope"),
        (json!({"module": "noop@9.9.9"}), 404, "module_version_not_found", "9.9.9"),
        (json!({"module": "No Such"}), 422, "invalid_request", "No Such"),
        (json!({"module": "noop@one"}), 404, "alias_not_found", "one"),
        (json!({"module": "noop@1.one"}), 422, "invalid_request", "1.one"),
        (json!({}), 422, "invalid_request", "module"),
        (json!({"module": 7}), 422, "invalid_request", "string"),
        (json!([]), 422, "invalid_request", ""),
        (json!({"module": "noop", "colour": 1}), 422, "invalid_request", "colour"),
        (json!({"module": "noop", "limits": {"shoes": 1}}), 422, "invalid_request", "shoes"),
        (json!({"module": "noop", "priority": 11}), 422, "invalid_request", "11"),
        (json!({"module": "noop", "priority": "urgent"}), 422, "invalid_request", "urgent"),
        (json!({"module": "noop", "queue": "A/B"}), 422, "invalid_request", "A/B"),
        (json!({"module": "noop", "labels": {"a b": "c"}}), 422, "invalid_request", "a b"),
        (json!({"module": "noop", "run_at": "tomorrow"}), 422, "invalid_request", "tomorrow"),
        (json!({"module": "noop", "run_at": now, "delay_ms": 1}), 422, "invalid_request", "delay_ms"),
        (json!({"module": "noop", "delay_ms": u64::MAX}), 422, "invalid_request", "delay_ms"),
        (json!({"module": "noop", "limits": {"fuel": 0}}), 422, "limit_out_of_bounds", "fuel"),
        (json!({"module": "noop", "limits": {"timeout_ms": 4_000_000}}), 422, "limit_out_of_bounds", "timeout_ms"),
        (json!({"module": "noop", "retry": {"max_attempts": 0}}), 422, "retry_out_of_bounds", "max_attempts"),
        (json!({"module": "noop", "deadline": now}), 422, "deadline_passed", "deadline"),
        (json!({"module": "noop", "payload": 1, "payload_text": "1"}), 422, "invalid_payload", "more than one"),
        (json!({"module": "noop", "payload_base64": "%%%"}), 422, "invalid_payload", "base64"),
    ] {
        let problem = room.post("/api/v1/tasks", &body).await.problem(status, code);
        assert!(problem["detail"].as_str().unwrap().contains(word), "{body}: {problem}");
    }
    assert_eq!(room.stored_tasks().await, 0);
    assert!(room.nats.noted().orders.is_empty());
}

#[tokio::test]
async fn what_is_no_json_is_malformed() {
    let room = Room::working().await;
    let deep = format!(r#"{{"module":"noop","labels":{}1{}}}"#, r#"{"a":"#.repeat(200), "}".repeat(200));
    for text in ["", "{", r#"{"module":"noop"} trailing"#, "{'module':'noop'}", "nul", r#"{"module":"a","#] {
        let problem = room.post_text("/api/v1/tasks", text).await.problem(400, "malformed_json");
        assert!(problem["detail"].as_str().unwrap().contains("line"), "{text}: {problem}");
    }
    let answer = room.post_text("/api/v1/tasks", b"{\"module\":\"\xff\"}".to_vec()).await;
    answer.problem(400, "malformed_json");
    let doubled = room.post_text("/api/v1/tasks", r#"{"module":"noop","module":"noop"}"#).await;
    doubled.problem(422, "invalid_request");
    let deep = room.post_text("/api/v1/tasks", deep).await;
    assert!(deep.status.is_client_error(), "{}", deep.text());
    assert_eq!(room.stored_tasks().await, 0);
}

#[tokio::test]
async fn other_media_types_are_refused() {
    let room = Room::working().await;
    for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let request = Request::post("/api/v1/tasks").header(header::CONTENT_TYPE, media_type);
        let answer = room.send(request.body(Body::from(r#"{"module":"noop"}"#)).unwrap()).await;
        answer.problem(415, "unsupported_media_type");
    }
    let request = Request::post("/api/v1/tasks").header(header::CONTENT_TYPE, "Application/JSON; charset=utf-8");
    let answer = room.send(request.body(Body::from(r#"{"module":"noop"}"#)).unwrap()).await;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text());
}

#[tokio::test]
async fn sizes_are_bounded() {
    let settings =
        ApiSettings { body_bytes_max: 4_000, payload_bytes_max: 100, blob_bytes_max: 0, ..ApiSettings::default() };
    let room = Room::with(settings).await;
    room.deployed("noop", "1.0.0").await;
    let text = |bytes: usize| json!({"module": "noop", "payload_text": "x".repeat(bytes)});
    room.post("/api/v1/tasks", &text(101)).await.problem(413, "payload_too_large");
    room.post("/api/v1/tasks", &text(5_000)).await.problem(413, "body_too_large");
    let streamed =
        Body::from_stream(futures::stream::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(1_000))).take_n());
    let request = Request::post("/api/v1/tasks").header(header::CONTENT_TYPE, "application/json");
    room.send(request.body(streamed).unwrap()).await.problem(413, "body_too_large");
    assert_eq!(room.stored_tasks().await, 0);
    assert_eq!(room.post("/api/v1/tasks", &text(100)).await.status.as_u16(), 202);
}

/// Ends an endless stream, so that a missing limit shows as a wrong answer and not as a test that hangs.
trait TakeN: futures::Stream + Sized {
    fn take_n(self) -> futures::stream::Take<Self> {
        futures::StreamExt::take(self, 1_000)
    }
}

impl<S: futures::Stream> TakeN for S {}

#[tokio::test]
async fn a_payload_that_nats_does_not_take_is_refused_where_there_are_no_blobs() {
    let room = Room::with(ApiSettings { blob_bytes_max: 0, ..ApiSettings::default() }).await;
    room.deployed("noop", "1.0.0").await;
    room.nats.order_bytes_max.store(10_000, std::sync::atomic::Ordering::SeqCst);
    let body = json!({"module": "noop", "payload_text": "x".repeat(10_000)});
    room.post("/api/v1/tasks", &body).await.problem(413, "payload_too_large");
    assert_eq!(room.stored_tasks().await, 0);
}

#[tokio::test]
async fn unknown_paths_methods_and_encodings_are_problems() {
    let room = Room::new().await;
    let lost = room.get("/api/v1/nothing").await.problem(404, "not_found");
    assert!(lost["detail"].as_str().unwrap().contains("/api/v1/nothing"));
    let request = Request::delete("/api/v1/tasks").body(Body::empty()).unwrap();
    let answer = room.send(request).await;
    answer.problem(405, "method_not_allowed");
    assert!(answer.header("allow").contains("POST"), "Allow is {:?}", answer.header("allow"));
    for path in ["/api/v1/modules/%ff", "/api/v1/modules/a/%ff", "/api/v1/tasks/status/%ff"] {
        let answer = room.get(path).await;
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}: {}", answer.text());
        assert!(answer.status.is_client_error());
    }
}

#[tokio::test]
async fn unknown_parameters_are_refused_wherever_they_stand() {
    let room = Room::working().await;
    let id = room.submitted(&json!({"module": "noop"})).await;
    for path in [
        "/api/v1/modules",
        "/api/v1/modules/noop",
        "/api/v1/modules/noop/1.0.0",
        &format!("/api/v1/tasks/{id}"),
        &format!("/api/v1/tasks/{id}/result"),
        &format!("/api/v1/tasks/{id}/logs"),
        "/api/v1/hosts",
        "/api/v1/cluster/info",
        "/api/v1/cluster/stats",
    ] {
        let problem = room.get(&format!("{path}?colour=red")).await.problem(400, "invalid_query");
        assert!(problem["detail"].as_str().unwrap().contains("colour"));
    }
}

#[tokio::test]
async fn a_parameter_given_twice_is_refused() {
    let room = Room::new().await;
    room.get("/api/v1/tasks?label=a:1&label=b:2").await.problem(400, "invalid_query");
}
