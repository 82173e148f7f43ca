//! `GET /api/v1/tasks/{id}`, `/result`, `/logs` and `POST …/cancel`: the end of a task as clients see it.

use http::StatusCode;
use serde_json::{Value, json};
use tasklane_domain::live_log::LogPiece;
use tasklane_domain::log::{LogCapture, LogLevel, LogLine, LogSource};
use tasklane_domain::{Attempt, Outcome, StateKind, TaskId};

use crate::support::Room;

const STRANGER: &str = "0198c0de-7a5c-7000-8000-000000000000";

async fn one(room: &Room) -> TaskId {
    room.submitted(&json!({"module": "noop", "retry": {"max_attempts": 1}})).await
}

#[tokio::test]
async fn a_result_comes_as_the_bytes_that_the_guest_returned() {
    let room = Room::working().await;
    for (bytes, media_type) in [
        (br#"{"a": 1}"#.as_slice(), "application/json"),
        ("grüß".as_bytes(), "text/plain; charset=utf-8"),
        (b"\x89PNG\0\xff", "application/octet-stream"),
    ] {
        let id = one(&room).await;
        room.succeed(id, bytes).await;
        let answer = room.get(&format!("/api/v1/tasks/{id}/result")).await;
        assert_eq!((answer.status, answer.bytes.as_ref()), (StatusCode::OK, bytes));
        assert_eq!(answer.header("content-type"), media_type);
    }
}

#[tokio::test]
async fn a_result_that_is_not_there_says_why() {
    let room = Room::working().await;
    let id = one(&room).await;
    let path = format!("/api/v1/tasks/{id}/result");
    let early = room.get(&path).await.problem(409, "task_not_ended");
    assert!(early["detail"].as_str().unwrap().contains("queued"), "{early}");
    room.end(id, Outcome::OutOfFuel, b"", LogCapture::default(), true).await;
    let failed = room.get(&path).await.problem(409, "task_has_no_result");
    assert!(failed["detail"].as_str().unwrap().contains("failed"), "{failed}");
    let task = room.get(&format!("/api/v1/tasks/{id}")).await.json();
    assert_eq!((&task["state"], &task["outcome"]["kind"]), (&json!("failed"), &json!("out_of_fuel")));
    assert_eq!(task["usage"]["fuel"], 7);
}

fn line(message: &str) -> LogLine {
    LogLine { offset_ms: 3, source: LogSource::Log, level: LogLevel::Warn, message: message.to_owned() }
}

fn capture() -> LogCapture {
    LogCapture { head: vec![line("first")], tail: [line("last")].into(), dropped_lines: 5, dropped_bytes: 99 }
}

#[tokio::test]
async fn logs_come_as_json_or_text() {
    let room = Room::working().await;
    let id = one(&room).await;
    let path = format!("/api/v1/tasks/{id}/logs");
    assert_eq!(room.get(&path).await.json()["lines"], json!([]));
    room.end(id, Outcome::Ok, b"", capture(), true).await;
    let logs = room.get(&path).await.json();
    assert_eq!((&logs["dropped_lines"], &logs["dropped_bytes"]), (&json!(5), &json!(99)));
    let last = json!({"offset_ms": 3, "source": "log", "level": "warn", "message": "last"});
    assert_eq!(logs["lines"][1], last);
    let text = room.get_as(&path, "text/plain").await;
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    let expected = "       3 ms WARN  first\n… 5 lines were not kept …\n       3 ms WARN  last\n";
    assert_eq!(text.text(), expected);
}

#[tokio::test]
async fn a_log_is_followed_by_cursor_from_the_host_into_the_row() {
    let room = Room::working().await;
    let id = one(&room).await;
    let live = async |after: &str| room.get(&format!("/api/v1/tasks/{id}/logs/live{after}")).await;
    let quiet = live("").await.json();
    assert_eq!((&quiet["cursor"], &quiet["ended"], &quiet["lines"]), (&json!("1.0"), &json!(false), &json!([])));
    let so_far = LogCapture { head: vec![line("first"), line("second")], ..LogCapture::default() };
    *room.nats.live.lock().await = Some(LogPiece::of(Attempt::FIRST, &so_far, 1));
    let said = live("?after=1.1").await.json();
    assert_eq!((&said["cursor"], &said["lines"][0]["message"]), (&json!("1.2"), &json!("second")));
    let asked = room.nats.noted().log_questions.pop().unwrap();
    assert_eq!((asked.task, asked.after.to_string().as_str()), (id, "1.1"));
    let whole = LogCapture { head: vec![line("first"), line("second"), line("third")], ..LogCapture::default() };
    room.end(id, Outcome::Ok, b"", whole, true).await;
    let rest = live("?after=1.2").await.json();
    assert_eq!((&rest["cursor"], &rest["lines"][0]["message"]), (&json!("1.3"), &json!("third")));
    let over = live("?after=1.3").await.json();
    assert_eq!((&over["ended"], &over["state"], &over["lines"]), (&json!(true), &json!("succeeded"), &json!([])));
    assert_eq!(live("?after=1.0").await.json()["lines"].as_array().unwrap().len(), 3, "from the beginning again");
    live("?after=soon").await.problem(400, "invalid_cursor");
    live("?cursor=1.0").await.problem(400, "invalid_query");
}

#[tokio::test]
async fn hostile_log_text_cannot_steer_a_terminal() {
    let room = Room::working().await;
    let id = one(&room).await;
    let log = LogCapture { head: vec![line("\u{1b}[2J\u{7}gone")], ..LogCapture::default() };
    room.end(id, Outcome::Ok, b"", log, true).await;
    let text = room.get_as(&format!("/api/v1/tasks/{id}/logs"), "text/plain").await.text();
    assert!(!text.contains(['\u{1b}', '\u{7}']), "control characters went through: {text:?}");
}

#[tokio::test]
async fn a_result_in_json_keeps_its_numbers() {
    let room = Room::working().await;
    let big = br#"{"n":123456789012345678901234567890}"#;
    let ended = async {
        let noted = room.nats.until(|noted| !noted.orders.is_empty()).await;
        room.succeed(noted.orders[0].task, big).await;
    };
    let body = json!({"module": "noop"});
    let (answer, ()) = tokio::join!(room.post("/api/v1/tasks?wait=60s", &body), ended);
    assert!(answer.text().contains("123456789012345678901234567890"), "the number changed: {}", answer.text());
}

#[tokio::test]
async fn a_deeply_nested_result_is_not_lost() {
    let room = Room::working().await;
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let ended = async {
        let noted = room.nats.until(|noted| !noted.orders.is_empty()).await;
        room.succeed(noted.orders[0].task, deep.as_bytes()).await;
    };
    let body = json!({"module": "noop"});
    let (answer, ()) = tokio::join!(room.post("/api/v1/tasks?wait=60s", &body), ended);
    assert!(answer.text().contains("[[[["), "the result is missing: {}", answer.text());
}

#[tokio::test]
async fn a_cancel_is_final_told_to_hosts_and_announced() {
    let room = Room::working().await;
    let id = one(&room).await;
    let answer = room.post_text(&format!("/api/v1/tasks/{id}/cancel"), "").await;
    assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::OK, &json!("cancelled")));
    let noted = room.nats.noted();
    assert_eq!((noted.cancelled, noted.announced[0].task), (vec![id], id));
    let again = room.post_text(&format!("/api/v1/tasks/{id}/cancel"), "").await.problem(409, "task_already_ended");
    assert!(again["detail"].as_str().unwrap().contains("cancelled"), "{again}");
}

#[tokio::test]
async fn a_task_that_succeeded_cannot_be_cancelled() {
    let room = Room::working().await;
    let id = one(&room).await;
    room.succeed(id, b"1").await;
    room.post_text(&format!("/api/v1/tasks/{id}/cancel"), "").await.problem(409, "task_already_ended");
    assert_eq!(room.state(id).await, StateKind::Succeeded);
    assert!(room.nats.noted().cancelled.is_empty());
}

#[tokio::test]
async fn a_cancel_works_while_nats_is_away_and_wakes_those_who_wait() {
    let room = Room::working().await;
    let body = json!({"module": "noop"});
    let cancelled = async {
        let noted = room.nats.until(|noted| !noted.orders.is_empty()).await;
        room.nats.connected.store(false, std::sync::atomic::Ordering::SeqCst);
        room.post_text(&format!("/api/v1/tasks/{}/cancel", noted.orders[0].task), "").await
    };
    let (waited, cancelled) = tokio::join!(room.post("/api/v1/tasks?wait=60s", &body), cancelled);
    assert_eq!((waited.status, cancelled.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(waited.json()["state"], "cancelled");
}

#[tokio::test]
async fn unknown_and_odd_ids_are_told_apart() {
    let room = Room::new().await;
    for rest in ["", "/result", "/logs"] {
        room.get(&format!("/api/v1/tasks/{STRANGER}{rest}")).await.problem(404, "task_not_found");
        room.get(&format!("/api/v1/tasks/17{rest}")).await.problem(400, "invalid_id");
    }
    room.post_text(&format!("/api/v1/tasks/{STRANGER}/cancel"), "").await.problem(404, "task_not_found");
    let odd: Value = room.get("/api/v1/tasks/%ff").await.problem(400, "invalid_id");
    assert!(odd["hint"].as_str().unwrap().contains("0198c0de"), "{odd}");
}
