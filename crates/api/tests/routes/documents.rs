//! The documents against the code: every error code is explained, the OpenAPI document is fresh, every operation answers.

use std::collections::BTreeSet;
use std::path::PathBuf;

use axum::body::Body;
use http::{Method, Request, header};
use serde_json::{Value, json};
use tasklane_api_types::ErrorCode;

use crate::support::{MULTIPART, Room, form};

pub(crate) fn docs(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file)
}

#[test]
fn every_error_code_has_its_section_and_no_other_is_there() {
    let text = std::fs::read_to_string(docs("errors.md")).unwrap();
    let known: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let sections: Vec<&str> = text.split("\n## `").skip(1).collect();
    let names = sections.iter().map(|section| section.split('`').next().unwrap());
    assert_eq!(names.collect::<BTreeSet<&str>>(), known);
    assert_eq!(sections.len(), known.len(), "a code has two sections");
    for section in sections {
        let code: ErrorCode = serde_json::from_value(json!(section.split('`').next().unwrap())).unwrap();
        let status = format!("HTTP {}.", code.status());
        for part in [status.as_str(), "**Meaning.**", "**Cause.**", "**What to do.**"] {
            assert!(section.contains(part), "`{}` lacks {part}", code.as_str());
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no configuration but its environment")]
fn the_openapi_document_in_docs_is_the_one_that_the_code_makes() {
    let mut made = serde_json::to_string_pretty(&tasklane_api::openapi()).unwrap();
    made.push('\n');
    if std::env::var("UPDATE_OPENAPI").is_ok() {
        std::fs::write(docs("openapi.json"), &made).unwrap();
    }
    let kept = std::fs::read_to_string(docs("openapi.json")).unwrap_or_default();
    assert!(kept == made, "docs/openapi.json is stale: run this test with UPDATE_OPENAPI=1 and look at the difference");
}

pub(crate) fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let each =
        paths.iter().flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |m| (m.clone(), path.clone())));
    each.collect()
}

/// The digest of no bytes at all.
const NOTHING: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// One good request for each operation of the document.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn examples(id: &str, batch: &str, operation: &str) -> Vec<(&'static str, &'static str, String, u16)> {
    let task = |rest: &str| format!("/api/v1/tasks/{id}{rest}");
    let batch = |rest: &str| format!("/api/v1/batches/{batch}{rest}");
    vec![
        ("get", "/api/v1/modules", "/api/v1/modules".to_owned(), 200),
        ("post", "/api/v1/modules", "/api/v1/modules".to_owned(), 200),
        ("get", "/api/v1/modules/{name}", "/api/v1/modules/noop".to_owned(), 200),
        ("get", "/api/v1/modules/{name}/{version}", "/api/v1/modules/noop/1.0.0".to_owned(), 200),
        ("get", "/api/v1/tasks", "/api/v1/tasks?limit=1".to_owned(), 200),
        ("post", "/api/v1/tasks", "/api/v1/tasks".to_owned(), 202),
        ("post", "/api/v1/tasks/batch", "/api/v1/tasks/batch".to_owned(), 202),
        ("get", "/api/v1/tasks/status/{status}", "/api/v1/tasks/status/queued".to_owned(), 200),
        ("get", "/api/v1/tasks/{id}", task(""), 200),
        ("get", "/api/v1/tasks/{id}/result", task("/result"), 409),
        ("get", "/api/v1/tasks/{id}/payload", task("/payload"), 200),
        ("get", "/api/v1/tasks/{id}/logs", task("/logs"), 200),
        ("get", "/api/v1/tasks/{id}/logs/live", task("/logs/live?after=1.0"), 200),
        ("get", "/api/v1/tasks/{id}/attempts", task("/attempts"), 200),
        ("post", "/api/v1/tasks/{id}/reschedule", task("/reschedule"), 409),
        ("post", "/api/v1/tasks/{id}/cancel", task("/cancel"), 200),
        ("post", "/api/v1/tasks/{id}/retry", task("/retry"), 202),
        ("post", "/api/v1/tasks/cancel", "/api/v1/tasks/cancel".to_owned(), 202),
        ("post", "/api/v1/tasks/retry", "/api/v1/tasks/retry".to_owned(), 202),
        ("get", "/api/v1/operations", "/api/v1/operations".to_owned(), 200),
        ("get", "/api/v1/operations/{id}", format!("/api/v1/operations/{operation}"), 200),
        ("post", "/api/v1/schedules", "/api/v1/schedules".to_owned(), 201),
        ("get", "/api/v1/schedules", "/api/v1/schedules".to_owned(), 200),
        ("post", "/api/v1/schedules/preview", "/api/v1/schedules/preview".to_owned(), 200),
        ("get", "/api/v1/schedules/{name}", "/api/v1/schedules/nightly".to_owned(), 200),
        ("patch", "/api/v1/schedules/{name}", "/api/v1/schedules/nightly".to_owned(), 200),
        ("get", "/api/v1/schedules/{name}/payload", "/api/v1/schedules/nightly/payload".to_owned(), 200),
        ("get", "/api/v1/schedules/{name}/next", "/api/v1/schedules/nightly/next?count=3".to_owned(), 200),
        ("post", "/api/v1/schedules/{name}/pause", "/api/v1/schedules/nightly/pause".to_owned(), 200),
        ("post", "/api/v1/schedules/{name}/resume", "/api/v1/schedules/nightly/resume".to_owned(), 200),
        ("post", "/api/v1/schedules/{name}/run-now", "/api/v1/schedules/nightly/run-now".to_owned(), 202),
        ("delete", "/api/v1/schedules/{name}", "/api/v1/schedules/nightly".to_owned(), 204),
        ("post", "/api/v1/webhooks", "/api/v1/webhooks".to_owned(), 201),
        ("get", "/api/v1/webhooks", "/api/v1/webhooks".to_owned(), 200),
        ("get", "/api/v1/webhooks/{name}", "/api/v1/webhooks/hook".to_owned(), 200),
        ("post", "/api/v1/webhooks/{name}/rotate", "/api/v1/webhooks/hook/rotate".to_owned(), 200),
        ("post", "/api/v1/webhooks/{name}/test", "/api/v1/webhooks/hook/test".to_owned(), 202),
        ("get", "/api/v1/webhooks/{name}/deliveries", "/api/v1/webhooks/hook/deliveries?state=dead".to_owned(), 200),
        ("get", "/api/v1/webhooks/{name}/deliveries/{id}", "/api/v1/webhooks/hook/deliveries/x-test".to_owned(), 404),
        (
            "post",
            "/api/v1/webhooks/{name}/deliveries/{id}/retry",
            "/api/v1/webhooks/hook/deliveries/x-test/retry".to_owned(),
            404,
        ),
        ("post", "/api/v1/webhooks/{name}/pause", "/api/v1/webhooks/hook/pause".to_owned(), 200),
        ("post", "/api/v1/webhooks/{name}/resume", "/api/v1/webhooks/hook/resume".to_owned(), 200),
        ("delete", "/api/v1/webhooks/{name}", "/api/v1/webhooks/hook".to_owned(), 204),
        ("get", "/api/v1/batches", "/api/v1/batches?limit=1".to_owned(), 200),
        ("get", "/api/v1/batches/{id}", batch(""), 200),
        ("get", "/api/v1/batches/{id}/graph", batch("/graph"), 200),
        ("post", "/api/v1/batches/{id}/cancel", batch("/cancel"), 202),
        ("post", "/api/v1/batches/{id}/retry", batch("/retry"), 409),
        ("post", "/api/v1/blobs", "/api/v1/blobs".to_owned(), 201),
        ("put", "/api/v1/blobs/{digest}", format!("/api/v1/blobs/{NOTHING}"), 201),
        ("get", "/api/v1/blobs/{digest}", format!("/api/v1/blobs/{NOTHING}"), 200),
        ("put", "/api/v1/modules/{name}/aliases/{alias}", "/api/v1/modules/noop/aliases/stable".to_owned(), 200),
        ("get", "/api/v1/modules/{name}/aliases/{alias}", "/api/v1/modules/noop/aliases/stable".to_owned(), 200),
        ("get", "/api/v1/modules/{name}/aliases", "/api/v1/modules/noop/aliases".to_owned(), 200),
        (
            "post",
            "/api/v1/modules/{name}/aliases/{alias}/promote",
            "/api/v1/modules/noop/aliases/stable/promote".to_owned(),
            200,
        ),
        (
            "post",
            "/api/v1/modules/{name}/aliases/{alias}/rollback",
            "/api/v1/modules/noop/aliases/stable/rollback".to_owned(),
            409,
        ),
        ("delete", "/api/v1/modules/{name}/aliases/{alias}", "/api/v1/modules/noop/aliases/stable".to_owned(), 204),
        ("post", "/api/v1/modules/{name}/{version}/disable", "/api/v1/modules/noop/1.0.0/disable".to_owned(), 200),
        ("post", "/api/v1/modules/{name}/{version}/enable", "/api/v1/modules/noop/1.0.0/enable".to_owned(), 200),
        ("post", "/api/v1/modules/{name}/{version}/release", "/api/v1/modules/noop/1.0.0/release".to_owned(), 200),
        ("get", "/api/v1/modules/{name}/diff", "/api/v1/modules/noop/diff?from=1.0.0&to=1.0.0".to_owned(), 200),
        ("get", "/api/v1/modules/{name}/events", "/api/v1/modules/noop/events".to_owned(), 200),
        ("delete", "/api/v1/modules/{name}/{version}", "/api/v1/modules/noop/1.0.0".to_owned(), 409),
        ("get", "/api/v1/queues", "/api/v1/queues".to_owned(), 200),
        ("get", "/api/v1/queues/{name}", "/api/v1/queues/images".to_owned(), 200),
        ("patch", "/api/v1/queues/{name}", "/api/v1/queues/images".to_owned(), 200),
        ("post", "/api/v1/queues/{name}/pause", "/api/v1/queues/images/pause".to_owned(), 200),
        ("post", "/api/v1/queues/{name}/resume", "/api/v1/queues/images/resume".to_owned(), 200),
        ("put", "/api/v1/flow/modules/{name}", "/api/v1/flow/modules/noop".to_owned(), 200),
        ("get", "/api/v1/flow/modules/{name}", "/api/v1/flow/modules/noop".to_owned(), 200),
        ("get", "/api/v1/flow/modules", "/api/v1/flow/modules".to_owned(), 200),
        ("delete", "/api/v1/flow/modules/{name}", "/api/v1/flow/modules/noop".to_owned(), 204),
        ("put", "/api/v1/retention/default", "/api/v1/retention/default".to_owned(), 200),
        ("put", "/api/v1/retention/queues/{name}", "/api/v1/retention/queues/images".to_owned(), 200),
        ("put", "/api/v1/retention/modules/{name}", "/api/v1/retention/modules/noop".to_owned(), 200),
        ("get", "/api/v1/retention", "/api/v1/retention".to_owned(), 200),
        ("delete", "/api/v1/retention/default", "/api/v1/retention/default".to_owned(), 204),
        ("delete", "/api/v1/retention/queues/{name}", "/api/v1/retention/queues/images".to_owned(), 204),
        ("delete", "/api/v1/retention/modules/{name}", "/api/v1/retention/modules/noop".to_owned(), 204),
        ("put", "/api/v1/kv/{store}/{key}", "/api/v1/kv/shared:carts/a".to_owned(), 200),
        ("get", "/api/v1/kv/{store}/{key}", "/api/v1/kv/shared:carts/a".to_owned(), 200),
        ("get", "/api/v1/kv/{store}", "/api/v1/kv/shared:carts".to_owned(), 200),
        ("get", "/api/v1/kv", "/api/v1/kv".to_owned(), 200),
        ("delete", "/api/v1/kv/{store}/{key}", "/api/v1/kv/shared:carts/a".to_owned(), 204),
        ("put", "/api/v1/secrets/{name}", "/api/v1/secrets/stripe-key".to_owned(), 501),
        ("get", "/api/v1/secrets", "/api/v1/secrets".to_owned(), 200),
        ("delete", "/api/v1/secrets/{name}", "/api/v1/secrets/stripe-key".to_owned(), 404),
        ("post", "/api/v1/cluster/secrets/reseal", "/api/v1/cluster/secrets/reseal".to_owned(), 501),
        ("put", "/api/v1/namespaces/{name}", "/api/v1/namespaces/acme".to_owned(), 200),
        ("get", "/api/v1/namespaces/{name}", "/api/v1/namespaces/acme".to_owned(), 200),
        ("get", "/api/v1/namespaces", "/api/v1/namespaces".to_owned(), 200),
        ("delete", "/api/v1/namespaces/{name}", "/api/v1/namespaces/acme".to_owned(), 204),
        ("get", "/api/v1/hosts", "/api/v1/hosts".to_owned(), 200),
        ("patch", "/api/v1/hosts/{id}", format!("/api/v1/hosts/{id}"), 404),
        ("post", "/api/v1/hosts/{id}/drain", format!("/api/v1/hosts/{id}/drain"), 404),
        ("post", "/api/v1/hosts/{id}/resume", format!("/api/v1/hosts/{id}/resume"), 404),
        ("get", "/api/v1/cluster/config", "/api/v1/cluster/config".to_owned(), 200),
        ("get", "/api/v1/cluster/doctor", "/api/v1/cluster/doctor".to_owned(), 200),
        ("post", "/api/v1/cluster/reset", "/api/v1/cluster/reset".to_owned(), 403),
        ("get", "/api/v1/cluster/info", "/api/v1/cluster/info".to_owned(), 200),
        ("get", "/api/v1/cluster/stats", "/api/v1/cluster/stats".to_owned(), 200),
        ("get", "/api/v1/events", "/api/v1/events?cursor=nonsense".to_owned(), 400),
        ("get", "/api/v1/events/ws", "/api/v1/events/ws".to_owned(), 426),
        ("get", "/api/v1/history", "/api/v1/history".to_owned(), 200),
        ("get", "/api/v1/access/whoami", "/api/v1/access/whoami".to_owned(), 200),
        ("post", "/api/v1/tokens", "/api/v1/tokens".to_owned(), 201),
        ("get", "/api/v1/tokens", "/api/v1/tokens".to_owned(), 200),
        ("delete", "/api/v1/tokens/{id}", "/api/v1/tokens/tlk_0123456789abcdef".to_owned(), 404),
        ("get", "/api/v1/audit", "/api/v1/audit".to_owned(), 200),
        ("get", "/livez", "/livez".to_owned(), 200),
        ("get", "/readyz", "/readyz?verbose".to_owned(), 200),
        ("get", "/health", "/health".to_owned(), 200),
        ("get", "/metrics", "/metrics".to_owned(), 200),
    ]
}

pub(crate) fn request(method: &str, template: &str, path: &str) -> Request<Body> {
    let request = Request::builder().method(Method::from_bytes(method.to_uppercase().as_bytes()).unwrap()).uri(path);
    let manifest = br#"{"name":"noop","version":"1.0.0"}"#.as_slice();
    let (media_type, body): (&str, Vec<u8>) = match (method, template) {
        ("post", "/api/v1/modules") => {
            (MULTIPART, form(&[("manifest", manifest), ("module", crate::support::COMMAND)]))
        }
        ("post", "/api/v1/tasks/batch") => ("application/json", br#"{"tasks":[{"module":"noop"}]}"#.to_vec()),
        ("post", "/api/v1/webhooks") => {
            ("application/json", br#"{"name":"hook","url":"https://example.com/"}"#.to_vec())
        }
        ("post", "/api/v1/schedules") => {
            ("application/json", br#"{"name":"nightly","expression":"@daily","task":{"module":"noop"}}"#.to_vec())
        }
        ("post", "/api/v1/tokens") => ("application/json", br#"{"name":"ci","grants":{"acme":"viewer"}}"#.to_vec()),
        ("post", "/api/v1/schedules/preview") => ("application/json", br#"{"expression":"@daily"}"#.to_vec()),
        ("post", "/api/v1/tasks/{id}/reschedule") => ("application/json", br#"{"delay":"1h"}"#.to_vec()),
        ("put", template) if template.starts_with("/api/v1/retention/") => {
            ("application/json", br#"{"logs":"1h"}"#.to_vec())
        }
        ("put", "/api/v1/kv/{store}/{key}" | "/api/v1/secrets/{name}") => {
            ("application/json", br#"{"value":"one"}"#.to_vec())
        }
        ("put", "/api/v1/modules/{name}/aliases/{alias}") => {
            ("application/json", br#"{"routes":[{"version":"1.0.0"}]}"#.to_vec())
        }
        ("post", "/api/v1/modules/{name}/aliases/{alias}/promote") => ("application/json", b"{}".to_vec()),
        ("patch", "/api/v1/hosts/{id}") => ("application/json", br#"{"slots":5}"#.to_vec()),
        ("post", "/api/v1/cluster/reset") => ("application/json", br#"{"confirm":"reset"}"#.to_vec()),
        ("patch", "/api/v1/schedules/{name}") => ("application/json", br#"{"jitter":"5s"}"#.to_vec()),
        ("patch", "/api/v1/queues/{name}") => ("application/json", br#"{"fair":true}"#.to_vec()),
        ("put", "/api/v1/flow/modules/{name}") => ("application/json", br#"{"max":5,"rate":"10/1s"}"#.to_vec()),
        ("put", "/api/v1/namespaces/{name}") => ("application/json", br#"{"modules_max":5}"#.to_vec()),
        ("post", "/api/v1/tasks/{id}/retry") => ("application/json", b"{}".to_vec()),
        ("post", _) => ("application/json", br#"{"module":"noop"}"#.to_vec()),
        _ => ("", Vec::new()),
    };
    request.header(header::CONTENT_TYPE, media_type).body(body.into()).unwrap()
}

#[tokio::test]
async fn every_operation_of_the_document_answers_as_it_says() {
    let room = Room::working().await;
    let document = serde_json::to_value(tasklane_api::openapi()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let id = room.submitted(&json!({"module": "noop"})).await.to_string();
    let batch = room.post("/api/v1/tasks/batch", &json!({"tasks": [{"module": "noop"}]})).await.json();
    let operation = room.post("/api/v1/tasks/cancel", &json!({"queue": "nobodys"})).await.json();
    let examples = examples(&id, batch["batch"].as_str().unwrap(), operation["id"].as_str().unwrap());
    let exercised = examples.iter().map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned()));
    assert_eq!(exercised.collect::<BTreeSet<_>>(), operations(&document), "an operation has no example here");
    for (method, template, path, status) in examples {
        let answer = room.send(request(method, template, &path)).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.text());
        let responses = document["paths"][template][method]["responses"].as_object().unwrap();
        let declared =
            responses.contains_key(&status.to_string()) || responses.contains_key(&format!("{}XX", status / 100));
        assert!(declared, "{method} {template} does not declare {status}");
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn follow(document: &Value, value: &Value) {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target} is missing");
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|field| follow(document, field)),
            Value::Array(items) => items.iter().for_each(|item| follow(document, item)),
            _ => {}
        }
    }
    let document = serde_json::to_value(tasklane_api::openapi()).unwrap();
    follow(&document, &document);
}
