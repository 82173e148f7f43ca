//! Manifests at deploy: schemas, what a module carries, what is written down; and payloads against them at submit.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{COMMAND, Room};

fn with_section(text: &str) -> Vec<u8> {
    let name = b"tasklane:manifest";
    let mut body = vec![u8::try_from(name.len()).unwrap()];
    body.extend_from_slice(name);
    body.extend_from_slice(text.as_bytes());
    assert!(body.len() < 16_384, "two bytes of length are enough");
    let (low, high) = (body.len() & 0x7F, body.len() >> 7);
    let mut wasm = COMMAND.to_vec();
    wasm.extend_from_slice(&[0, u8::try_from(low).unwrap() | 0x80, u8::try_from(high).unwrap()]);
    wasm.extend(body);
    wasm
}

fn sized() -> Value {
    json!({
        "name": "sized", "version": "1.0.0",
        "input": {"required": ["sizes"], "properties": {"sizes": {"items": {"type": "integer"}}}},
        "permissions": {"kv": ["own"]},
    })
}

#[tokio::test]
async fn a_payload_that_does_not_fit_is_refused_with_its_place_and_not_stored() {
    let room = Room::new().await;
    assert_eq!(room.deploy(&sized(), COMMAND).await.status, StatusCode::CREATED);
    let table = [
        (json!({"payload": {"sizes": [1, "two"]}}), "`$.sizes[1]`"),
        (json!({"payload": {}}), "`sizes`"),
        (json!({"payload_text": "no JSON"}), "is not JSON"),
    ];
    for (mut task, words) in table {
        task["module"] = json!("sized");
        let problem = room.post("/api/v1/tasks", &task).await.problem(422, "payload_schema_mismatch");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    let good = json!({"module": "sized", "payload": {"sizes": [1, 2]}});
    let bad = json!({"module": "sized", "payload": {"sizes": [1.5]}});
    let batch = room.post("/api/v1/tasks/batch", &json!({"tasks": [good, bad]})).await;
    assert_eq!(batch.problem(422, "payload_schema_mismatch")["errors"], json!(["/tasks/1"]));
    assert_eq!(room.stored_tasks().await, 0);
    room.submitted(&good).await;
    let bound = json!({"tasks": [
        {"name": "a", "module": "sized", "payload": {"sizes": []}},
        {"module": "sized", "after": ["a"], "payload": {"sizes": {"$from": "a"}}},
    ]});
    let bound = room.post("/api/v1/tasks/batch", &bound).await;
    assert_eq!(bound.status, StatusCode::ACCEPTED, "what is bound later is checked by the host: {}", bound.text());
}

#[tokio::test]
async fn a_schema_that_cannot_be_used_is_refused_at_deploy() {
    let room = Room::new().await;
    for (key, schema, words) in [
        ("input", json!({"type": "objct"}), "objct"),
        ("output", json!({"$ref": "https://example.com/a.json"}), "within the schema only"),
        ("input", json!("a-file.json"), "an object, true or false"),
    ] {
        let mut manifest = json!({"name": "a", "version": "1.0.0"});
        manifest[key] = schema;
        let problem = room.deploy(&manifest, COMMAND).await.problem(422, "manifest_invalid");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(key) && detail.contains(words), "{detail}");
    }
}

#[tokio::test]
async fn what_a_module_carries_is_its_manifest_where_none_is_sent() {
    let room = Room::new().await;
    for (text, version) in [
        ("name = \"carried\"\nversion = \"1.0.0\"\n[permissions]\nkv = [\"own\"]\n", "1.0.0"),
        (r#" {"name": "carried", "version": "2.0.0"}"#, "2.0.0"),
    ] {
        let deployed = room.upload(&[("module", &with_section(text))]).await;
        assert_eq!(deployed.status, StatusCode::CREATED, "{}", deployed.text());
        assert_eq!(
            (deployed.json()["name"].as_str(), deployed.json()["version"].as_str()),
            (Some("carried"), Some(version))
        );
    }
    let sent = json!({"name": "sent", "version": "1.0.0"}).to_string();
    let both = room.upload(&[("manifest", sent.as_bytes()), ("module", &with_section("name = \"carried\""))]).await;
    assert_eq!(both.json()["name"], "sent", "what is sent comes first");
    room.upload(&[("module", COMMAND)]).await.problem(422, "manifest_invalid");
    let wrong = room.upload(&[("module", &with_section("name = \"a\"\nversion = \"1.0.0\"\nprio = 3\n"))]).await;
    assert!(wrong.problem(422, "manifest_invalid")["detail"].as_str().unwrap().contains("prio"));
}

#[tokio::test]
async fn what_was_granted_is_in_the_events() {
    let room = Room::new().await;
    room.deploy(&sized(), COMMAND).await;
    let events = room.get("/api/v1/modules/sized/events").await.json();
    assert_eq!(events["events"][0]["permissions"], json!(["kv: own"]), "{events}");
}
