//! What guests ask through their hosts: only what the manifest grants, only while the task goes on, and only within its namespace.

use bytes::Bytes;
use serde_json::{Value, json};
use tasklane_domain::TaskId;
use tasklane_domain::call::{BlobPlace, Call, CallAnswer, CallError, CallRequest, Called};
use tasklane_domain::kv::{KvAnswer, KvAsk};
use tasklane_domain::secret::{Envelope, context};
use tasklane_seal::Recipient;

use crate::secrets::{keyed, line};
use crate::support::{COMMAND, Room};

async fn room(permissions: Value) -> Room {
    let room = Room::with(keyed(&[&line()])).await;
    room.run_background();
    let manifest = json!({"name": "m", "version": "1.0.0", "permissions": permissions});
    assert_eq!(room.deploy(&manifest, COMMAND).await.status, 201);
    room
}

async fn kv(room: &Room, task: TaskId, store: &str, ask: KvAsk) -> Called {
    room.nats.call(CallRequest { task, call: Call::Kv { store: store.parse().unwrap(), ask } }).await
}

fn set(value: &'static str) -> KvAsk {
    KvAsk::Set { key: "k".parse().unwrap(), value: Bytes::from_static(value.as_bytes()), ttl_ms: None }
}

fn get() -> KvAsk {
    KvAsk::Get { key: "k".parse().unwrap() }
}

fn found(answer: Called) -> Option<Bytes> {
    let Ok(CallAnswer::Kv(KvAnswer::Entry(entry))) = answer else { panic!("{answer:?}") };
    entry.map(|entry| entry.value)
}

#[tokio::test]
async fn a_store_needs_its_grant_and_the_grant_suffices() {
    let room = room(json!({"kv": ["own", "shared:a", "shared:b:read"]})).await;
    let task = room.submitted(&json!({"module": "m"})).await;
    assert!(kv(&room, task, "own", set("1")).await.is_ok());
    assert!(kv(&room, task, "shared:a", set("2")).await.is_ok());
    assert_eq!(found(kv(&room, task, "own", get()).await), Some(Bytes::from_static(b"1")));
    assert_eq!(found(kv(&room, task, "shared:b", get()).await), None);
    let denied = kv(&room, task, "shared:b", set("3")).await;
    assert!(matches!(denied, Err(CallError::Denied(_))), "{denied:?}");
    let denied = kv(&room, task, "shared:c", get()).await;
    assert!(matches!(denied, Err(CallError::Denied(_))), "{denied:?}");
    let shown = room.get("/api/v1/kv/module:m/k").await.json();
    assert_eq!(shown["value"], "1", "an operator sees it");
}

#[tokio::test]
async fn without_grants_nothing_is_had() {
    let room = room(json!({})).await;
    let task = room.submitted(&json!({"module": "m"})).await;
    let denied = kv(&room, task, "own", get()).await;
    assert!(matches!(denied, Err(CallError::Denied(_))), "{denied:?}");
    let (denied, _) = secret(&room, task, "a").await;
    assert!(matches!(denied, Err(CallError::Denied(_))), "{denied:?}");
}

#[tokio::test]
async fn an_ended_or_unknown_task_asks_nothing_more() {
    let room = room(json!({"kv": ["own"]})).await;
    let task = room.submitted(&json!({"module": "m"})).await;
    room.succeed(task, b"").await;
    for task in [task, TaskId::new()] {
        let denied = kv(&room, task, "own", get()).await;
        assert!(matches!(denied, Err(CallError::Denied(_))), "{denied:?}");
    }
}

#[tokio::test]
async fn namespaces_do_not_meet() {
    let room = room(json!({"kv": ["own", "shared:a"], "secrets": ["s"]})).await;
    let manifest = json!({"name": "m", "version": "1.0.0",
        "permissions": {"kv": ["own", "shared:a"], "secrets": ["s"]}});
    for namespace in ["one", "two"] {
        assert_eq!(crate::namespaces::deploy(&room, namespace, &manifest).await.status, 201);
    }
    let one = room.submitted(&json!({"module": "m", "namespace": "one"})).await;
    let two = room.submitted(&json!({"module": "m", "namespace": "two"})).await;
    for store in ["own", "shared:a"] {
        kv(&room, one, store, set("1")).await.unwrap();
        assert_eq!(found(kv(&room, two, store, get()).await), None, "{store}");
    }
    let shown = room.get("/api/v1/kv/module:m/k?namespace=one").await.json();
    assert_eq!(shown["value"], "1", "an operator names it as the guest's namespace does");
    room.get("/api/v1/kv/module:m/k").await.problem(404, "kv_key_not_found");
    room.request("PUT", "/api/v1/namespaces/one", &json!({"kv_bytes_max": 4})).await;
    let full = kv(&room, one, "own", set("22")).await;
    assert!(matches!(&full, Err(CallError::Limit(why)) if why.contains("kv_bytes_max")), "{full:?}");
    room.request("PUT", "/api/v1/secrets/s?namespace=one", &json!({"value": "hunter22"})).await;
    let (Ok(CallAnswer::Secret(Some(_))), _) = secret(&room, one, "s").await else { panic!("not had") };
    let (Ok(CallAnswer::Secret(None)), _) = secret(&room, two, "s").await else { panic!("another's was had") };
}

async fn secret(room: &Room, task: TaskId, name: &str) -> (Called, Recipient) {
    let recipient = Recipient::new().unwrap();
    let call = Call::Secret { name: name.parse().unwrap(), to: recipient.public() };
    (room.nats.call(CallRequest { task, call }).await, recipient)
}

#[tokio::test]
async fn a_secret_is_sealed_for_who_asked() {
    let room = room(json!({"secrets": ["stripe-key"]})).await;
    room.request("PUT", "/api/v1/secrets/stripe-key", &json!({"value": "hunter22"})).await;
    let task = room.submitted(&json!({"module": "m"})).await;
    let (answer, recipient) = secret(&room, task, "stripe-key").await;
    let Ok(CallAnswer::Secret(Some(envelope))) = answer else { panic!("{answer:?}") };
    let Envelope { sealed, .. } = &envelope;
    assert!(!sealed.windows(8).any(|part| part == b"hunter22"));
    let name = "stripe-key".parse().unwrap();
    assert_eq!(recipient.open(context(task, &name).as_bytes(), &envelope).unwrap().reveal(), b"hunter22");
    let (denied, _) = secret(&room, task, "other").await;
    assert!(matches!(denied, Err(CallError::Denied(_))), "{denied:?}");
}

#[tokio::test]
async fn a_missing_key_is_named_to_the_guest() {
    let room = room(json!({"secrets": ["a"]})).await;
    room.request("PUT", "/api/v1/secrets/a", &json!({"value": "hunter22"})).await;
    let other = room.again(keyed(&[&line()]));
    let task = other.submitted(&json!({"module": "m"})).await;
    // The room that answers has the key; one that has not cannot reseal it.
    other.post("/api/v1/cluster/secrets/reseal", &json!({})).await.problem(409, "secret_key_unknown");
    let (answer, _) = secret(&room, task, "a").await;
    assert!(answer.is_ok(), "{answer:?}");
}

async fn result(room: &Room, task: TaskId, of: &str) -> Called {
    room.nats.call(CallRequest { task, call: Call::Blob { of: of.to_owned() } }).await
}

fn inline(answer: Called) -> Option<Bytes> {
    match answer {
        Ok(CallAnswer::Blob(Some(BlobPlace::Inline(bytes)))) => Some(bytes),
        Ok(CallAnswer::Blob(None)) => None,
        other => panic!("{other:?}"),
    }
}

/// Two tasks, and one that waits for them; and one that nobody waits for.
async fn waiting(room: &Room) -> [TaskId; 4] {
    let tasks = json!({"tasks": [
        {"name": "bound", "module": "m"},
        {"name": "named", "module": "m"},
        {"name": "last", "module": "m", "after": ["bound", "named"], "payload": {"part": {"$from": "bound"}}},
    ]});
    let answer = room.post("/api/v1/tasks/batch", &tasks).await.json();
    let id = |number: usize| answer["tasks"][number]["id"].as_str().unwrap().parse().unwrap();
    let stranger = room.submitted(&json!({"module": "m"})).await;
    room.succeed(id(0), b"\"one\"").await;
    room.succeed(id(1), b"two").await;
    room.succeed(stranger, b"three").await;
    [id(0), id(1), id(2), stranger]
}

#[tokio::test]
async fn results_of_tasks_that_were_waited_for_are_had_and_no_others() {
    let room = room(json!({"blobs": ["read"]})).await;
    let [bound, named, last, stranger] = waiting(&room).await;
    for (of, wanted) in [
        ("bound".to_owned(), "\"one\""),
        ("named".to_owned(), "two"),
        (bound.to_string(), "\"one\""),
        (named.to_string(), "two"),
    ] {
        assert_eq!(inline(result(&room, last, &of).await), Some(Bytes::from(wanted)), "{of}");
    }
    let absent = TaskId::new().to_string();
    for of in [stranger.to_string(), absent, last.to_string(), "last".to_owned(), "sha256:ab".to_owned(), String::new()]
    {
        let denied = result(&room, last, &of).await;
        assert!(matches!(denied, Err(CallError::Denied(_))), "{of}: {denied:?}");
    }
    room.succeed(last, b"").await;
    let denied = result(&room, last, "bound").await;
    assert!(matches!(denied, Err(CallError::Denied(_))), "it has ended: {denied:?}");
}

#[tokio::test]
async fn reading_results_needs_its_grant() {
    let room = room(json!({"blobs": ["write"]})).await;
    let [_, _, last, _] = waiting(&room).await;
    let denied = result(&room, last, "bound").await;
    assert!(matches!(denied, Err(CallError::Denied(_))), "{denied:?}");
}

#[tokio::test]
async fn a_task_that_failed_has_no_result_to_read() {
    let room = room(json!({"blobs": ["read"]})).await;
    let tasks = json!({"tasks": [
        {"name": "first", "module": "m", "retry": {"max_attempts": 1}},
        {"name": "last", "module": "m", "after": ["first"], "on_failure": "continue"},
    ]});
    let answer = room.post("/api/v1/tasks/batch", &tasks).await.json();
    let id = |number: usize| answer["tasks"][number]["id"].as_str().unwrap().parse().unwrap();
    room.end(id(0), tasklane_domain::Outcome::OutOfFuel, b"", tasklane_domain::log::LogCapture::default(), true).await;
    assert_eq!(inline(result(&room, id(1), "first").await), None);
}
