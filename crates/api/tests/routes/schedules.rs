//! `/api/v1/schedules`. What fires and when is the scheduler's, the store's and `tasklane-recurrence`'s.

use http::{Request, StatusCode};
use serde_json::{Value, json};
use tasklane_domain::StateKind;

use crate::support::{Answer, Room};

fn body(expression: &str) -> Value {
    json!({"name": "report", "expression": expression, "timezone": "europe/vienna", "task": {"module": "noop", "payload": 7}})
}

async fn create(room: &Room, body: &Value) -> Answer {
    room.post("/api/v1/schedules", body).await
}

async fn delete(room: &Room, path: &str) -> Answer {
    room.send(Request::delete(path).body(axum::body::Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_schedule_is_made_shown_and_deleted() {
    let room = Room::working().await;
    let answer = create(&room, &body("30 2 * * MON-FRI")).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    let made = answer.json();
    assert_eq!(answer.header("location"), "/api/v1/schedules/report");
    assert_eq!((&made["timezone"], &made["state"]), (&json!("Europe/Vienna"), &json!("active")));
    assert_eq!(made["description"], "At 02:30, Monday through Friday");
    let runs = made["next_runs"].as_array().unwrap();
    assert!(runs.len() == 5 && runs.iter().all(|run| run.as_str().unwrap().contains("T02:30:00+0")), "{runs:?}");
    assert_eq!(
        (&made["missed"], &made["overlap"], &made["window_ms"]),
        (&json!("skip"), &json!("allow"), &json!(3_600_000))
    );
    let shown = room.get("/api/v1/schedules/report").await.json();
    assert_eq!(shown, made);
    assert_eq!(room.get("/api/v1/schedules").await.json()["schedules"][0]["name"], "report");
    create(&room, &body("@daily")).await.problem(409, "schedule_exists");
    let next = room.get("/api/v1/schedules/report/next?count=2").await.json();
    assert_eq!(next["next_runs"].as_array().unwrap().as_slice(), &runs[..2]);
    assert_eq!(delete(&room, "/api/v1/schedules/report").await.status, StatusCode::NO_CONTENT);
    delete(&room, "/api/v1/schedules/report").await.problem(404, "schedule_not_found");
}

#[tokio::test]
async fn a_paused_schedule_has_no_runs_and_can_be_run_by_hand() {
    let room = Room::working().await;
    create(&room, &body("@hourly")).await;
    let paused = room.post("/api/v1/schedules/report/pause", &json!({})).await.json();
    assert_eq!((&paused["state"], &paused["next_runs"]), (&json!("paused"), &json!([])));
    let answer = room.post("/api/v1/schedules/report/run-now", &json!({})).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(room.state(id.parse().unwrap()).await, StateKind::Queued);
    let orders = room.nats.until(|noted| noted.orders.len() == 1).await.orders;
    assert_eq!(orders[0].payload.bytes, "7");
    let resumed = room.post("/api/v1/schedules/report/resume", &json!({})).await.json();
    assert_eq!((&resumed["last_task"], &resumed["last_state"]), (&json!(id), &json!("queued")));
    assert_eq!(resumed["next_runs"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn bad_schedules_are_refused_and_not_stored() {
    let room = Room::working().await;
    let refuse = async |change: &dyn Fn(&mut Value), status: u16, code: &str, detail: &str| {
        let mut body = body("@daily");
        change(&mut body);
        let problem = create(&room, &body).await.problem(status, code);
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
        assert_eq!(room.get("/api/v1/schedules").await.json()["schedules"], json!([]));
    };
    refuse(&|body| body["expression"] = json!("61 * * * *"), 422, "cron_invalid", "minute").await;
    refuse(&|body| body["expression"] = json!("* * *"), 422, "cron_invalid", "3 fields").await;
    refuse(&|body| body["expression"] = json!("0 0 31 2 *"), 422, "cron_invalid", "never").await;
    refuse(&|body| body["expression"] = json!("1--100000000 * * * *"), 422, "cron_invalid", "minute").await;
    refuse(&|body| body["expression"] = json!("@every 1ms"), 422, "cron_invalid", "").await;
    refuse(&|body| body["timezone"] = json!("Europe/Wien"), 422, "timezone_unknown", "Europe/Wien").await;
    refuse(&|body| body["name"] = json!("No Name"), 422, "schedule_invalid", "schedule name").await;
    refuse(&|body| body["window"] = json!("8 days"), 422, "schedule_invalid", "window").await;
    refuse(&|body| body["jitter"] = json!("soon"), 422, "duration_invalid", "jitter").await;
    refuse(&|body| body["overlap"] = json!("perhaps"), 422, "invalid_request", "perhaps").await;
    refuse(&|body| body["task"]["delay"] = json!("1h"), 422, "schedule_invalid", "task.delay").await;
    refuse(&|body| body["task"]["module"] = json!("nobody"), 404, "module_not_found", "nobody").await;
    refuse(&|body| body["task"]["limits"] = json!({"fuel": 0}), 422, "limit_out_of_bounds", "fuel").await;
    refuse(&|body| body["expression"] = json!("@every 400d"), 422, "cron_invalid", "366d").await;
    let flood = json!({"missed": "all", "window": "7 days", "expression": "* * * * * *"});
    let merge = |body: &mut Value| body.as_object_mut().unwrap().extend(flood.as_object().unwrap().clone());
    refuse(&merge, 422, "schedule_invalid", "window").await;
    let many: serde_json::Map<String, Value> = (0..15).map(|n| (format!("k{n}"), json!(""))).collect();
    refuse(&|body| body["task"]["labels"] = json!(many), 422, "schedule_invalid", "labels").await;
    for path in ["", "/next"] {
        room.get(&format!("/api/v1/schedules/nothing{path}")).await.problem(404, "schedule_not_found");
    }
}

#[tokio::test]
async fn an_expression_is_explained_without_storing() {
    let room = Room::working().await;
    let preview = json!({"expression": "@every 90s", "count": 3});
    let explained = room.post("/api/v1/schedules/preview", &preview).await.json();
    assert_eq!((&explained["timezone"], explained["next_runs"].as_array().unwrap().len()), (&json!("UTC"), 3));
    assert!(!explained["description"].as_str().unwrap().is_empty());
    room.post("/api/v1/schedules/preview", &json!({"expression": "@daily", "count": 1_000}))
        .await
        .problem(400, "invalid_query");
    assert_eq!(room.get("/api/v1/schedules").await.json()["schedules"], json!([]));
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name() {
    let room = Room::working().await;
    let mut whole = body("30 2 * * *");
    whole["overlap"] = json!("skip");
    whole["window"] = json!("2h");
    let task = json!({"module": "noop", "payload": {"a": 1}, "queue": "night", "priority": 9, "labels": {"team": "x"},
        "limits": {"timeout_ms": 1234}, "retry": {"max_attempts": 7}, "concurrency": {"key": "k", "max": 2}});
    whole["task"] = task;
    let made = create(&room, &whole).await.json();
    let path = "/api/v1/schedules/report";
    let change = async |change: &Value| room.request("PATCH", path, change).await;
    let same = change(&json!({})).await;
    assert_eq!((same.status, same.json()), (StatusCode::OK, made.clone()), "nothing was named");
    let payload = room.get(&format!("{path}/payload")).await;
    assert_eq!((payload.header("content-type"), payload.text().as_str()), ("application/json", r#"{"a":1}"#));

    let moved = change(&json!({"expression": "0 5 * * *", "timezone": "UTC", "overlap": "allow"})).await.json();
    assert_eq!((&moved["expression"], &moved["timezone"]), (&json!("0 5 * * *"), &json!("UTC")));
    assert!(moved["next_runs"][0].as_str().unwrap().contains("T05:00:00"), "{moved}");
    assert_eq!((&moved["overlap"], &moved["window_ms"]), (&json!("allow"), &json!(7_200_000)));
    assert_eq!((&moved["task"], &moved["created_at"]), (&made["task"], &made["created_at"]));

    let other = json!({"task": {"payload_text": "hello", "queue": "day", "labels": {}, "limits": {"fuel": 5_000_000}}});
    let other = change(&other).await.json();
    assert_eq!((&other["task"]["queue"], &other["task"]["labels"]), (&json!("day"), &json!({})));
    let limits = &other["task"]["limits"];
    assert_eq!((&limits["fuel"], &limits["timeout_ms"]), (&json!(5_000_000), &json!(1234)));
    assert_eq!(&other["task"]["retry"], &made["task"]["retry"]);
    assert_eq!(room.get(&format!("{path}/payload")).await.text(), "hello");
    room.post(&format!("{path}/run-now"), &json!({})).await;
    let orders = room.nats.until(|noted| noted.orders.len() == 1).await.orders;
    assert_eq!((orders[0].payload.bytes.as_ref(), orders[0].queue.as_str()), (b"hello".as_slice(), "day"));
}

#[tokio::test]
async fn a_paused_schedule_stays_paused_when_it_is_changed_and_bad_changes_change_nothing() {
    let room = Room::working().await;
    create(&room, &body("@hourly")).await;
    let paused = room.post("/api/v1/schedules/report/pause", &json!({})).await.json();
    let path = "/api/v1/schedules/report";
    let changed = room.request("PATCH", path, &json!({"expression": "@daily"})).await.json();
    assert_eq!((&changed["state"], &changed["next_runs"]), (&json!("paused"), &json!([])));
    room.request("PATCH", path, &json!({"expression": paused["expression"]})).await;
    for (bad, status, code) in [
        (json!({"expression": "61 * * * *"}), 422, "cron_invalid"),
        (json!({"timezone": "Mars/Olympus"}), 422, "timezone_unknown"),
        (json!({"task": {"module": "nobody"}}), 404, "module_not_found"),
        (json!({"task": {"module": "acme/noop"}}), 403, "namespace_crossed"),
        (json!({"task": {"payload": 1, "payload_text": "2"}}), 422, "invalid_payload"),
        (json!({"task": {"limits": {"fuel": 0}}}), 422, "limit_out_of_bounds"),
        (json!({"name": "another"}), 422, "invalid_request"),
    ] {
        room.request("PATCH", path, &bad).await.problem(status, code);
    }
    assert_eq!(room.get(path).await.json(), paused);
    room.request("PATCH", "/api/v1/schedules/nobody", &json!({})).await.problem(404, "schedule_not_found");
    room.request("PATCH", &format!("{path}?namespace=acme"), &json!({})).await.problem(404, "schedule_not_found");
    room.get("/api/v1/schedules/nobody/payload").await.problem(404, "schedule_not_found");
}
