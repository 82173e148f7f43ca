//! `ETag`, `If-Match`, `If-None-Match`, and CORS.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tasklane_api::{AccessMode, AccessSettings, ApiSettings};

use crate::support::{Answer, Room};

async fn ask(room: &Room, method: &str, path: &str, condition: Option<(&str, &str)>, body: &Value) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    if let Some((name, value)) = condition {
        request = request.header(name, value);
    }
    room.send(request.body(body.to_string().into()).unwrap()).await
}

async fn tag(room: &Room, path: &str) -> String {
    let answer = room.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    answer.header("etag").to_owned()
}

/// A room with one of everything that has tags: its path, its change, and another change.
async fn things(room: &Room) -> Vec<(&'static str, &'static str, Value, Value)> {
    room.deployed("noop", "1.0.0").await;
    room.deployed("noop", "2.0.0").await;
    let made = [
        ("POST", "/api/v1/schedules", json!({"name": "s", "expression": "@hourly", "task": {"module": "noop"}})),
        ("PUT", "/api/v1/modules/noop/aliases/stable", json!({"routes": [{"version": "1.0.0"}]})),
        ("PUT", "/api/v1/flow/modules/noop", json!({"max": 5})),
        ("PUT", "/api/v1/namespaces/acme", json!({"tasks_waiting_max": 5})),
        ("PUT", "/api/v1/kv/shared:s/k", json!({"value": "1"})),
    ];
    for (method, path, body) in made {
        let answer = ask(room, method, path, None, &body).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.text());
    }
    let lead = |version: &str| json!({"routes": [{"version": version}]});
    vec![
        ("PATCH", "/api/v1/schedules/s", json!({"expression": "@daily"}), json!({"expression": "@weekly"})),
        ("PUT", "/api/v1/modules/noop/aliases/stable", lead("2.0.0"), lead("1.0.0")),
        ("PUT", "/api/v1/flow/modules/noop", json!({"max": 6}), json!({"max": 7})),
        ("PUT", "/api/v1/namespaces/acme", json!({"tasks_waiting_max": 6}), json!({"tasks_waiting_max": 7})),
        ("PUT", "/api/v1/kv/shared:s/k", json!({"value": "2"}), json!({"value": "3"})),
        ("PATCH", "/api/v1/queues/default", json!({"fair": true}), json!({"fair": false})),
    ]
}

#[tokio::test]
async fn a_change_is_made_only_to_what_was_seen() {
    let room = Room::new().await;
    for (method, path, first, second) in things(&room).await {
        let seen = tag(&room, path).await;
        assert!(seen.starts_with('"') && seen.len() == 34, "{path}: {seen}");
        let changed = ask(&room, method, path, Some(("if-match", &seen)), &first).await;
        assert_eq!(changed.status, StatusCode::OK, "{path}: {}", changed.text());
        let now = tag(&room, path).await;
        assert_ne!(now, seen, "{path}");
        assert_eq!(changed.header("etag"), now, "{path}");
        let late = ask(&room, method, path, Some(("if-match", &seen)), &second).await;
        let problem = late.problem(412, "precondition_failed");
        assert!(problem["detail"].as_str().unwrap().contains(now.trim_matches('"')), "{problem}");
        assert_eq!(tag(&room, path).await, now, "{path}: a refused change was made");
        let either = format!("\"other\", {now}");
        assert_eq!(ask(&room, method, path, Some(("if-match", &either)), &second).await.status, StatusCode::OK);
        // A weak tag does not hold for a change.
        let weak = format!("W/{}", tag(&room, path).await);
        ask(&room, method, path, Some(("if-match", &weak)), &first).await.problem(412, "precondition_failed");
    }
}

#[tokio::test]
async fn two_that_saw_the_same_are_not_both_heard() {
    let room = Room::new().await;
    for (method, path, first, second) in things(&room).await {
        let seen = tag(&room, path).await;
        let condition = Some(("if-match", seen.as_str()));
        let (one, other) =
            tokio::join!(ask(&room, method, path, condition, &first), ask(&room, method, path, condition, &second));
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "{path}");
    }
}

#[tokio::test]
async fn what_moves_by_itself_is_no_change() {
    let room = Room::working().await;
    ask(
        &room,
        "POST",
        "/api/v1/schedules",
        None,
        &json!({"name": "s", "expression": "@hourly", "task": {"module": "noop"}}),
    )
    .await;
    let (schedule, queue) = (tag(&room, "/api/v1/schedules/s").await, tag(&room, "/api/v1/queues/default").await);
    ask(&room, "POST", "/api/v1/schedules/s/run-now", None, &json!({})).await;
    room.submitted(&json!({"module": "noop"})).await;
    assert_eq!(tag(&room, "/api/v1/schedules/s").await, schedule);
    assert_eq!(tag(&room, "/api/v1/queues/default").await, queue);
    ask(&room, "POST", "/api/v1/schedules/s/pause", None, &json!({})).await;
    assert_ne!(tag(&room, "/api/v1/schedules/s").await, schedule);
}

#[tokio::test]
async fn only_what_is_not_there_is_made_and_only_what_is_there_is_changed() {
    let room = Room::new().await;
    let (path, body) = ("/api/v1/kv/shared:s/k", json!({"value": "1"}));
    ask(&room, "PUT", path, Some(("if-match", "*")), &body).await.problem(412, "precondition_failed");
    let made = ask(&room, "PUT", path, Some(("if-none-match", "*")), &body).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text());
    ask(&room, "PUT", path, Some(("if-none-match", "*")), &body).await.problem(412, "precondition_failed");
    ask(&room, "DELETE", path, Some(("if-match", "\"other\"")), &json!({})).await.problem(412, "precondition_failed");
    let seen = tag(&room, path).await;
    assert_eq!(ask(&room, "DELETE", path, Some(("if-match", &seen)), &json!({})).await.status, StatusCode::NO_CONTENT);
    ask(&room, "DELETE", path, Some(("if-match", "*")), &json!({})).await.problem(412, "precondition_failed");
}

#[tokio::test]
async fn what_is_known_is_not_sent_again() {
    let room = Room::new().await;
    for (_, path, ..) in things(&room).await {
        let seen = tag(&room, path).await;
        for known in [seen.clone(), format!("W/{seen}"), "*".to_owned()] {
            let answer = ask(&room, "GET", path, Some(("if-none-match", &known)), &json!({})).await;
            assert_eq!((answer.status, answer.bytes.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
            assert_eq!(answer.header("etag"), seen);
        }
        let other = ask(&room, "GET", path, Some(("if-none-match", "\"other\"")), &json!({})).await;
        assert_eq!(other.status, StatusCode::OK);
        let head = ask(&room, "HEAD", path, None, &json!({})).await;
        assert_eq!((head.status, head.header("etag"), head.bytes.len()), (StatusCode::OK, seen.as_str(), 0), "{path}");
    }
}

#[tokio::test]
async fn a_condition_is_never_ignored() {
    let room = Room::working().await;
    let task = json!({"module": "noop"});
    ask(&room, "POST", "/api/v1/tasks", Some(("if-match", "\"a\"")), &task).await.problem(422, "invalid_request");
    assert_eq!(room.stored_tasks().await, 0);
    for wrong in ["a", "", "\"a", "*, \"a\""] {
        let answer =
            ask(&room, "PUT", "/api/v1/kv/shared:s/k", Some(("if-match", wrong)), &json!({"value": "1"})).await;
        answer.problem(422, "invalid_request");
    }
}

async fn preflight(room: &Room, origin: &str) -> Answer {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri("/api/v1/tasks")
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type,idempotency-key");
    room.send(request.body(Body::empty()).unwrap()).await
}

const APP: &str = "https://app.example.com";

fn with_origins(origins: &[&str]) -> ApiSettings {
    let cors_origins = origins.iter().map(|text| text.parse().unwrap()).collect();
    ApiSettings { access: AccessSettings { cors_origins, ..AccessSettings::default() }, ..ApiSettings::default() }
}

#[tokio::test]
async fn pages_of_other_sites_are_let_in_by_name_alone() {
    let room = Room::guarded(with_origins(&[APP])).await;
    let allowed = preflight(&room, APP).await;
    assert_eq!(allowed.status, StatusCode::OK, "{}", allowed.text());
    assert_eq!(allowed.header("access-control-allow-origin"), APP);
    for name in ["authorization", "content-type", "idempotency-key", "if-match"] {
        assert!(allowed.header("access-control-allow-headers").contains(name), "{name}");
    }
    assert!(allowed.header("access-control-allow-credentials").is_empty());
    for other in ["https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "null"] {
        assert!(preflight(&room, other).await.header("access-control-allow-origin").is_empty(), "{other}");
    }
    // The answer, also a refusal, may be read by the page; it is a refusal all the same.
    let request = Request::get("/api/v1/tasks").header(header::ORIGIN, APP).body(Body::empty()).unwrap();
    let answer = room.send(request).await;
    answer.problem(401, "unauthenticated");
    assert_eq!(answer.header("access-control-allow-origin"), APP);
    assert!(answer.header("access-control-expose-headers").contains("x-request-id"));
}

#[tokio::test]
async fn without_names_no_other_page_is_told_anything() {
    let room = Room::guarded(ApiSettings::default()).await;
    let answer = preflight(&room, APP).await;
    assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control")), "{:?}", answer.headers);
}

#[tokio::test]
async fn dev_takes_requests_of_the_pages_that_were_named() {
    let mut settings = with_origins(&["http://localhost:5173"]);
    settings.access.mode = AccessMode::Local;
    let room = Room::guarded(settings).await;
    let from = async |origin: &str| {
        let request =
            Request::get("/api/v1/tasks").header(header::HOST, "localhost:7070").header(header::ORIGIN, origin);
        room.send(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(from("http://localhost:5173").await.status, StatusCode::OK);
    from("http://localhost:5174").await.problem(403, "origin_refused");
}
