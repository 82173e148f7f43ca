//! `/api/v1/blobs`, tasks that name blobs, and results that are blobs: stored whole under their digest, or not at all.

use std::sync::atomic::Ordering;

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tasklane_api::ApiSettings;
use tasklane_domain::blob::{Supply, SweepPlan};
use tasklane_domain::work::Ended;
use tasklane_domain::{
    Attempt, BlobDigest, BlobRef, DeliveryId, HostId, Lease, Outcome, Report, ReportBody, StateKind, TaskId, Usage,
};

use crate::support::{Answer, Room};

const PATH: &str = "/api/v1/blobs";

fn digest(bytes: &[u8]) -> String {
    BlobDigest::from_bytes(Sha256::digest(bytes).into()).to_string()
}

/// Three chunks and a bit, of which no two places look alike.
fn content() -> Bytes {
    (0_u32..).flat_map(u32::to_le_bytes).take(1_600_001).collect::<Vec<u8>>().into()
}

/// Pieces of a network's size, without a length in front.
fn streamed(bytes: Bytes) -> Body {
    let pieces: Vec<Bytes> = bytes.chunks(65_537).map(Bytes::copy_from_slice).collect();
    Body::from_stream(futures::stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)))
}

async fn post(room: &Room, body: impl Into<Body>) -> Answer {
    room.send(Request::post(PATH).body(body.into()).unwrap()).await
}

async fn put(room: &Room, digest: &str, body: impl Into<Body>) -> Answer {
    room.send(Request::put(format!("{PATH}/{digest}")).body(body.into()).unwrap()).await
}

async fn small(blob_bytes_max: u64) -> Room {
    let room = Room::with(ApiSettings { blob_bytes_max, payload_bytes_max: 100, ..ApiSettings::default() }).await;
    room.run_background();
    room.deployed("noop", "1.0.0").await;
    room
}

/// What a sweep finds if everything unused goes: blobs, and chunks of what never became one.
async fn swept(room: &Room) -> (u32, u32) {
    let term = room.store.stores.leader.open_term(Lease { generation: room.now(), revision: 1 }).await.unwrap();
    let now = room.now().plus(std::time::Duration::from_secs(10));
    let plan = SweepPlan { now, unused_since: now, idle_since: now, limit: 1_000 };
    let swept = room.store.stores.blobs.sweep(term, plan).await.unwrap();
    (swept.blobs, swept.chunks)
}

#[tokio::test]
async fn what_was_uploaded_comes_back_and_once_more_is_no_error() {
    let room = Room::new().await;
    let (bytes, expected) = (content(), digest(&content()));
    let created = post(&room, streamed(bytes.clone())).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text());
    assert_eq!(created.json(), json!({"digest": expected, "size_bytes": bytes.len()}));
    assert_eq!(created.header("location"), format!("{PATH}/{expected}"));
    let again = put(&room, &expected, bytes.clone()).await;
    assert_eq!((again.status, again.json()), (StatusCode::OK, created.json()));
    let found = room.get(&format!("{PATH}/{expected}")).await;
    assert_eq!((found.status, found.header("etag")), (StatusCode::OK, format!("\"{expected}\"").as_str()));
    assert_eq!(found.header("content-length"), bytes.len().to_string());
    assert!(found.bytes == bytes, "other bytes came back");
    let head = Request::head(format!("{PATH}/{expected}")).body(Body::empty()).unwrap();
    assert_eq!(room.send(head).await.header("content-length"), bytes.len().to_string());
}

#[tokio::test]
async fn nothing_at_all_is_a_blob_too_and_an_empty_payload() {
    let room = Room::working().await;
    let created = post(&room, Body::empty()).await;
    assert_eq!((created.status, &created.json()["size_bytes"]), (StatusCode::CREATED, &json!(0)));
    let id = room.submitted(&json!({"module": "noop", "payload_blob": digest(b"")})).await;
    let payload = room.store_tasks().payload(id).await.unwrap().unwrap();
    assert!(payload.bytes.is_empty() && payload.blob.is_none(), "{payload:?}");
}

#[tokio::test]
async fn too_much_is_refused_with_or_without_a_length_and_stores_nothing() {
    let room = small(1_000_000).await;
    post(&room, content()).await.problem(413, "payload_too_large");
    post(&room, streamed(content())).await.problem(413, "payload_too_large");
    put(&room, &digest(&content()), streamed(content())).await.problem(413, "payload_too_large");
    room.get(&format!("{PATH}/{}", digest(&content()))).await.problem(404, "blob_not_found");
    let (blobs, _) = swept(&room).await;
    assert_eq!(blobs, 0);
    assert_eq!(swept_again(&room).await, (0, 0), "something of them is left");
    assert_eq!(post(&room, content().slice(..1_000_000)).await.status, StatusCode::CREATED);
}

/// A second look, by the next leader.
async fn swept_again(room: &Room) -> (u32, u32) {
    let term = room.store.stores.leader.open_term(Lease { generation: room.now(), revision: 2 }).await.unwrap();
    let now = room.now().plus(std::time::Duration::from_secs(10));
    let plan = SweepPlan { now, unused_since: now, idle_since: now, limit: 1_000 };
    let swept = room.store.stores.blobs.sweep(term, plan).await.unwrap();
    (swept.blobs, swept.chunks)
}

#[tokio::test]
async fn other_bytes_than_announced_are_refused_and_store_nothing() {
    let room = Room::new().await;
    let announced = digest(b"something else");
    let problem = put(&room, &announced, streamed(content())).await.problem(422, "blob_digest_mismatch");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(&announced) && detail.contains(&digest(&content())), "{detail}");
    for digest in [announced, digest(&content())] {
        room.get(&format!("{PATH}/{digest}")).await.problem(404, "blob_not_found");
    }
    assert_eq!(swept(&room).await, (0, 4), "its chunks go with the next sweep");
}

#[tokio::test]
async fn a_body_that_breaks_off_stores_nothing() {
    let room = Room::new().await;
    let pieces = [Ok(content()), Err(std::io::Error::other("the cable was pulled"))];
    let body = Body::from_stream(futures::stream::iter(pieces));
    post(&room, body).await.problem(408, "request_timeout");
    room.get(&format!("{PATH}/{}", digest(&content()))).await.problem(404, "blob_not_found");
    assert_eq!(swept(&room).await.0, 0);
}

#[tokio::test]
async fn digests_that_are_none_are_told_apart_from_blobs_that_are_not_there() {
    let room = Room::working().await;
    let missing = digest(b"never uploaded");
    for wrong in ["sha256:12", "md5:00", "x", &format!("{missing}00")] {
        room.get(&format!("{PATH}/{wrong}")).await.problem(422, "blob_digest_invalid");
        put(&room, wrong, "x").await.problem(422, "blob_digest_invalid");
        let body = json!({"module": "noop", "payload_blob": wrong});
        room.post("/api/v1/tasks", &body).await.problem(422, "blob_digest_invalid");
    }
    room.get(&format!("{PATH}/{missing}")).await.problem(404, "blob_not_found");
    let body = json!({"module": "noop", "payload_blob": missing});
    room.post("/api/v1/tasks", &body).await.problem(404, "blob_not_found");
    let twice = json!({"module": "noop", "payload_blob": missing, "payload_text": "x"});
    room.post("/api/v1/tasks", &twice).await.problem(422, "invalid_payload");
    let batch = json!({"tasks": [{"module": "noop"}, body]});
    room.post("/api/v1/tasks/batch", &batch).await.problem(404, "blob_not_found");
    assert_eq!(room.stored_tasks().await, 0);
}

/// The newest order that went to the hosts.
async fn order(room: &Room, id: TaskId) -> tasklane_domain::WorkOrder {
    let noted = room.nats.until(|noted| noted.orders.iter().any(|order| order.task == id)).await;
    noted.orders.into_iter().find(|order| order.task == id).unwrap()
}

#[tokio::test]
async fn a_task_that_names_a_blob_travels_with_its_digest_alone() {
    let room = Room::working().await;
    let name = post(&room, content()).await.json()["digest"].as_str().unwrap().to_owned();
    let batch = json!({"tasks": vec![json!({"module": "noop", "payload_blob": name}); 3]});
    let accepted = room.post("/api/v1/tasks/batch", &batch).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.text());
    for task in accepted.json()["tasks"].as_array().unwrap() {
        let id: TaskId = task["id"].as_str().unwrap().parse().unwrap();
        let payload = order(&room, id).await.payload;
        assert_eq!(payload.blob.map(|blob| blob.digest.to_string()), Some(name.clone()));
        assert!(payload.bytes.is_empty());
        let read = room.get(&format!("/api/v1/tasks/{id}/payload")).await;
        assert!(read.bytes == content(), "another payload came back");
        assert_eq!(read.header("content-type"), "application/octet-stream");
    }
}

#[tokio::test]
async fn a_large_payload_in_a_request_goes_by_reference_by_itself() {
    let room = small(10_000_000).await;
    for (field, value) in [
        ("payload", json!({"text": "x".repeat(1_000)})),
        ("payload_text", json!("ä".repeat(700_000))),
        ("payload_base64", json!("AAAA".repeat(100))),
    ] {
        let id = room.submitted(&json!({"module": "noop", field: value})).await;
        let payload = room.store_tasks().payload(id).await.unwrap().unwrap();
        assert!(payload.bytes.is_empty(), "{field} stayed in its row");
        let read = room.get(&format!("/api/v1/tasks/{id}/payload")).await;
        assert_eq!(digest(&read.bytes), payload.blob.unwrap().digest.to_string(), "{field}");
        assert_eq!(order(&room, id).await.payload, payload);
    }
    let small = room.submitted(&json!({"module": "noop", "payload": {"n": 1}})).await;
    let read = room.get(&format!("/api/v1/tasks/{small}/payload")).await;
    assert_eq!((read.text().as_str(), read.header("content-type")), (r#"{"n":1}"#, "application/json"));
}

#[tokio::test]
async fn a_large_payload_of_a_refused_request_is_not_stored() {
    let room = small(10_000_000).await;
    let text = "x".repeat(1_000);
    let late = json!({"module": "noop", "payload_text": text, "deadline": "2001-01-01T00:00:00Z"});
    room.post("/api/v1/tasks", &late).await.problem(422, "deadline_passed");
    let alone = json!({"module": "noop", "payload_text": text, "after": ["nobody"]});
    room.post("/api/v1/tasks", &alone).await.problem(422, "dependency_invalid");
    assert_eq!(swept(&room).await, (0, 0), "a refused request left something");
}

#[tokio::test]
async fn a_payload_with_bindings_must_be_small() {
    let room = small(10_000_000).await;
    let first = room.submitted(&json!({"module": "noop"})).await;
    let large = json!({"bound": {"$from": first.to_string()}, "filler": "x".repeat(200)});
    let body = json!({"module": "noop", "after": [first.to_string()], "payload": large});
    let problem = room.post("/api/v1/tasks", &body).await.problem(413, "payload_too_large");
    assert!(problem["detail"].as_str().unwrap().contains("bindings"), "{problem}");
    assert_eq!(room.stored_tasks().await, 1);
}

#[tokio::test]
async fn one_key_with_one_blob_is_one_task_and_with_another_a_conflict() {
    let room = Room::working().await;
    let (one, two) = (post(&room, content()).await.json(), post(&room, "another").await.json());
    let body = |blob: &Value| json!({"module": "noop", "payload_blob": blob["digest"], "idempotency_key": "k"});
    let first = room.submitted(&body(&one)).await;
    assert_eq!(room.submitted(&body(&one)).await, first);
    room.post("/api/v1/tasks", &body(&two)).await.problem(422, "idempotency_conflict");
    assert_eq!(room.stored_tasks().await, 1);
}

#[tokio::test]
async fn a_schedule_keeps_its_payload_itself() {
    let room = small(10_000_000).await;
    let schedule = |task: Value| json!({"name": "s", "expression": "@hourly", "task": task});
    let named = schedule(json!({"module": "noop", "payload_blob": digest(b"x")}));
    room.post("/api/v1/schedules", &named).await.problem(422, "schedule_invalid");
    let large = schedule(json!({"module": "noop", "payload_text": "x".repeat(200)}));
    room.post("/api/v1/schedules", &large).await.problem(413, "payload_too_large");
}

/// Ends a task as a host and a scheduler would whose result is a blob.
async fn succeed_with(room: &Room, id: TaskId, blob: BlobRef) {
    let ended = Ended {
        outcome: Outcome::Ok,
        result: Bytes::new(),
        result_blob: Some(blob),
        usage: Usage::default(),
        log: tasklane_domain::log::LogCapture::default(),
        started_at: room.now(),
        ended_at: room.now(),
        traceparent: None,
        tracestate: None,
    };
    let report = Report {
        task: id,
        attempt: Attempt::FIRST,
        delivery: DeliveryId::FIRST_DISPATCH.received(1),
        host: HostId::new(),
        body: ReportBody::Ended(Box::new(ended)),
    };
    room.store_tasks().settle(vec![report], room.now()).await.unwrap();
}

#[tokio::test]
async fn a_large_result_is_streamed_and_shown_as_a_reference() {
    let room = Room::working().await;
    post(&room, content()).await;
    let digest: BlobDigest = digest(&content()).parse().unwrap();
    let blob = BlobRef { digest, size_bytes: content().len() as u64 };
    let id = room.submitted(&json!({"module": "noop", "idempotency_key": "k"})).await;
    succeed_with(&room, id, blob).await;
    assert_eq!(room.state(id).await, StateKind::Succeeded);
    let result = room.get(&format!("/api/v1/tasks/{id}/result")).await;
    assert!(result.bytes == content(), "another result came back");
    let waited = room.post("/api/v1/tasks?wait=1s", &json!({"module": "noop", "idempotency_key": "k"})).await.json();
    assert_eq!(waited["result"], json!({"blob": {"digest": digest.to_string(), "size_bytes": blob.size_bytes}}));
}

#[tokio::test]
async fn a_retried_task_has_the_same_blob() {
    let room = Room::working().await;
    let name = post(&room, content()).await.json()["digest"].as_str().unwrap().to_owned();
    let id = room.submitted(&json!({"module": "noop", "payload_blob": name})).await;
    room.end(id, Outcome::OutOfFuel, b"", tasklane_domain::log::LogCapture::default(), true).await;
    let again = room.post(&format!("/api/v1/tasks/{id}/retry"), &json!({})).await.json();
    let again: TaskId = again["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(order(&room, again).await.payload, order(&room, id).await.payload);
}

#[tokio::test]
async fn hosts_are_supplied_with_what_they_miss_and_told_what_is_not_there() {
    let room = Room::working().await;
    post(&room, content()).await;
    let blob = BlobRef { digest: digest(&content()).parse().unwrap(), size_bytes: content().len() as u64 };
    room.nats.want_blob(blob);
    let noted = room.nats.until(|noted| !noted.supplies.is_empty()).await;
    assert_eq!(noted.supplies, [Supply::Stored]);
    assert!(noted.supplied == [(blob, content())], "something else was supplied");
    room.nats.want_blob(BlobRef { digest: digest(b"nothing").parse().unwrap(), size_bytes: 7 });
    let noted = room.nats.until(|noted| noted.supplies.len() == 2).await;
    assert_eq!(noted.supplies, [Supply::Stored, Supply::Unknown]);
    room.nats.connected.store(false, Ordering::SeqCst);
    room.nats.want_blob(blob);
    room.nats.until(|noted| noted.supplies.last() == Some(&Supply::Failed)).await;
}

#[tokio::test]
async fn an_endless_upload_is_ended() {
    let room = small(5_000_000).await;
    let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![7; 100_000])));
    // Far more than allowed, so that a missing limit shows as a wrong answer and not as a test that hangs.
    let body = Body::from_stream(endless.take(10_000));
    post(&room, body).await.problem(413, "payload_too_large");
    let length = Request::post(PATH).header(header::CONTENT_LENGTH, "99999999999").body(Body::empty()).unwrap();
    room.send(length).await.problem(413, "payload_too_large");
}
