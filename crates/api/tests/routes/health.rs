//! `/livez`, `/readyz`, `/health`, `/metrics`, request ids, and what a client sees while the database is away.

use std::sync::atomic::Ordering;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;

use crate::flaky::SECRET;
use crate::support::Room;

#[tokio::test]
async fn ready_means_that_tasks_can_be_accepted() {
    let room = Room::new().await;
    assert_eq!(room.get("/readyz").await.status, StatusCode::OK);
    assert_eq!(room.get("/health").await.json()["status"], "ok");

    room.nats.connected.store(false, Ordering::SeqCst);
    let degraded = room.get("/readyz?verbose").await;
    assert_eq!(degraded.status, StatusCode::OK);
    let checks = json!({"database": "ok", "nats": "away"});
    assert_eq!(degraded.json(), json!({"status": "degraded", "checks": checks}));
    assert_eq!(room.get("/readyz").await.json(), json!({"status": "degraded", "checks": {}}));

    room.store.away.store(true, Ordering::SeqCst);
    assert_eq!(room.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(room.get("/health").await.json()["status"], "unavailable");
    assert_eq!(room.get("/livez").await.status, StatusCode::OK);
}

#[tokio::test]
async fn while_the_database_is_away_clients_are_told_to_come_back() {
    let room = Room::working().await;
    let id = room.submitted(&json!({"module": "noop"})).await;
    room.store.away.store(true, Ordering::SeqCst);
    let mut answers = vec![
        room.post("/api/v1/tasks", &json!({"module": "noop@1.0.0"})).await,
        room.post("/api/v1/tasks/batch", &json!({"tasks": [{"module": "noop@1.0.0"}]})).await,
        room.post_text(&format!("/api/v1/tasks/{id}/cancel"), "").await,
        room.deploy(&json!({"name": "late", "version": "1.0.0"}), crate::support::COMMAND).await,
    ];
    for path in ["/api/v1/tasks", "/api/v1/modules", "/api/v1/cluster/stats", &format!("/api/v1/tasks/{id}")] {
        answers.push(room.get(path).await);
    }
    for answer in answers {
        answer.problem(503, "database_unavailable");
        assert!(!answer.header("retry-after").is_empty());
        assert!(!answer.text().contains(SECRET) && !answer.text().contains("hunter2"), "{}", answer.text());
    }
    room.store.away.store(false, Ordering::SeqCst);
    assert_eq!(room.stored_tasks().await, 1);
}

#[tokio::test]
async fn every_answer_carries_a_request_id() {
    let room = Room::new().await;
    let with_id = |id: &str| Request::get("/livez").header("x-request-id", id).body(Body::empty()).unwrap();
    assert_eq!(room.send(with_id("abc-123")).await.header("x-request-id"), "abc-123");
    for odd in ["has space", "", &"x".repeat(200)] {
        let made = room.send(with_id(odd)).await;
        assert_eq!(made.header("x-request-id").len(), 36, "{odd:?} was taken");
    }
    let (a, b) = (room.get("/livez").await, room.get("/livez").await);
    assert_ne!(a.header("x-request-id"), b.header("x-request-id"));
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let room = Room::working().await;
    room.submitted(&json!({"module": "noop", "queue": "fast", "priority": 9})).await;
    room.nats.until(|noted| noted.orders.len() == 1).await;
    room.get("/api/v1/nothing").await;
    let text = room.get("/metrics").await.text();
    for line in [
        r#"tasklane_http_requests_total{method="POST",route="/api/v1/tasks",status="202"} 1"#,
        r#"tasklane_tasks{state="queued"} 1"#,
        r#"tasklane_tasks{state="failed"} 0"#,
        r#"tasklane_queue_depth{priority="9",queue="fast"} 1"#,
        r#"tasklane_tasks_submitted_total{module="noop",priority="9",queue="fast"} 1"#,
        r#"tasklane_queue_oldest_age_seconds{priority="9",queue="fast"} 0"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    for name in ["tasklane_http_request_duration_seconds_bucket", "tasklane_dispatched_total", "tasklane_build_info"] {
        assert!(text.contains(name), "{name} is missing");
    }
    assert!(!text.contains("/api/v1/nothing"), "a path of a client's making is a label");
}

#[tokio::test]
async fn the_front_page_and_the_documents_are_served() {
    let room = Room::new().await;
    let home = room.get("/").await.text();
    assert!(home.contains("Tasklane") && home.contains("/docs/"));
    assert_eq!(room.get("/docs/").await.status, StatusCode::OK);
    assert_eq!(room.get("/docs/swagger-ui.css").await.status, StatusCode::OK);
    let document = room.get("/api/v1/openapi.json").await.json();
    assert_eq!(document, serde_json::to_value(tasklane_api::openapi()).unwrap());
}
