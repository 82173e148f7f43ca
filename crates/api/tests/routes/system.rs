//! `/api/v1/cluster/config`, `/doctor` and `/reset`. What is shown and looked for is `taskctl`'s.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt as _;
use http::StatusCode;
use serde_json::{Value, json};
use tasklane_api::{ApiSettings, Doctor, Machine};
use tasklane_api_types::{Finding, Verdict};

use crate::support::Room;

#[tokio::test]
async fn settings_are_shown_as_the_program_gave_them() {
    let shown = [("slots".to_owned(), json!(4)), ("nats_password".to_owned(), json!("[redacted]"))];
    let machine = Machine { shown: shown.into(), ..Machine::default() };
    let room = Room::with(ApiSettings { machine, ..ApiSettings::default() }).await;
    let config = room.get("/api/v1/cluster/config").await.json();
    assert_eq!(config, json!({"settings": {"slots": 4, "nats_password": "[redacted]"}, "resettable": false}));
}

#[tokio::test]
async fn the_doctor_looks_once_however_many_ask() {
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = looks.clone();
    let doctor: Doctor = Arc::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let advice = Some("add some".to_owned());
        let one = Finding { name: "disk".to_owned(), verdict: Verdict::Warn, found: "full".to_owned(), advice };
        async { vec![one] }.boxed()
    });
    let machine = Machine { doctor: Some(doctor), ..Machine::default() };
    let room = Room::with(ApiSettings { machine, ..ApiSettings::default() }).await;
    for _ in 0..3 {
        let found = room.get("/api/v1/cluster/doctor").await.json();
        let check = json!({"name": "disk", "verdict": "warn", "found": "full", "advice": "add some"});
        assert_eq!(found["checks"], json!([check]));
    }
    assert_eq!(looks.load(Ordering::SeqCst), 1);
    room.clock.advance(std::time::Duration::from_secs(11));
    room.get("/api/v1/cluster/doctor").await;
    assert_eq!(looks.load(Ordering::SeqCst), 2);
    let nobody: Value = Room::new().await.get("/api/v1/cluster/doctor").await.json();
    assert_eq!(nobody["checks"], json!([]));
}

#[tokio::test]
async fn only_a_development_instance_forgets_and_only_when_it_is_said_twice() {
    let room = Room::new().await;
    room.post("/api/v1/cluster/reset", &json!({"confirm": "reset"})).await.problem(403, "reset_refused");
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let reset: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let machine = Machine { reset: Some(reset), ..Machine::default() };
    let room = Room::with(ApiSettings { machine, ..ApiSettings::default() }).await;
    assert_eq!(room.get("/api/v1/cluster/config").await.json()["resettable"], true);
    for body in [json!({"confirm": "yes"}), json!({"confirm": ""}), json!({})] {
        room.post("/api/v1/cluster/reset", &body).await.problem(422, "invalid_request");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // A page of another origin can send a form, but not this media type without being asked first.
    let form = room.send(http::Request::post("/api/v1/cluster/reset").body("confirm=reset".into()).unwrap()).await;
    form.problem(415, "unsupported_media_type");
    assert_eq!(room.post("/api/v1/cluster/reset", &json!({"confirm": "reset"})).await.status, StatusCode::ACCEPTED);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
