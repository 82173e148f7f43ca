//! The AsyncAPI document: fresh, whole, and served.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::documents::docs;
use crate::support::Room;

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no configuration but its environment")]
fn the_asyncapi_document_in_docs_is_the_one_that_the_code_makes() {
    let mut made = serde_json::to_string_pretty(&tasklane_api::asyncapi()).unwrap();
    made.push('\n');
    if std::env::var("UPDATE_OPENAPI").is_ok() {
        std::fs::write(docs("asyncapi.json"), &made).unwrap();
    }
    let kept = std::fs::read_to_string(docs("asyncapi.json")).unwrap_or_default();
    assert!(
        kept == made,
        "docs/asyncapi.json is stale: run this test with UPDATE_OPENAPI=1 and look at the difference"
    );
}

/// Every `$ref` in it.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn everything_that_it_names_is_in_it() {
    let document = tasklane_api::asyncapi();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.contains("#/components/schemas/FeedChange") && found.contains("#/components/schemas/SubmitRequest"));
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn both_feeds_have_the_same_events() {
    let document = tasklane_api::asyncapi();
    for channel in ["events", "socket"] {
        let events: Vec<&String> = document["channels"][channel]["messages"].as_object().unwrap().keys().collect();
        assert_eq!(events, ["audit", "hello", "resync", "tasks"], "{channel}");
    }
}

#[tokio::test]
async fn it_is_served() {
    let room = Room::new().await;
    assert_eq!(room.get("/api/v1/asyncapi.json").await.json(), tasklane_api::asyncapi());
}
