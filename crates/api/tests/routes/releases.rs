//! Aliases, switches, removal, differences and events over HTTP.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{COMMAND, Room};

const STABLE: &str = "/api/v1/modules/noop/aliases/stable";

async fn two_versions() -> Room {
    let room = Room::new().await;
    for version in ["1.0.0", "2.0.0"] {
        room.deployed("noop", version).await;
    }
    room
}

async fn version_of(room: &Room, module: &str) -> Value {
    let id = room.submitted(&json!({"module": module})).await;
    room.get(&format!("/api/v1/tasks/{id}")).await.json()["version"].clone()
}

#[tokio::test]
async fn an_alias_leads_is_promoted_and_rolled_back() {
    let room = two_versions().await;
    room.post("/api/v1/tasks", &json!({"module": "noop@stable"})).await.problem(404, "alias_not_found");
    let set = room.request("PUT", STABLE, &json!({"routes": [{"version": "1.0.0"}]})).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text());
    assert_eq!(version_of(&room, "noop@stable").await, "1.0.0");
    assert_eq!(version_of(&room, "noop").await, "2.0.0");

    let canary = json!({"routes": [{"version": "1.0.0", "weight": 9_999}, {"version": "2.0.0", "weight": 1}]});
    let set = room.request("PUT", STABLE, &canary).await.json();
    assert_eq!((&set["routes"], &set["previous"][0]["version"]), (&canary["routes"], &json!("1.0.0")));
    let promoted = room.post(&format!("{STABLE}/promote"), &json!({})).await.json();
    assert_eq!(promoted["routes"], json!([{"version": "2.0.0", "weight": 100}]));
    assert_eq!(version_of(&room, "noop@stable").await, "2.0.0");
    let back = room.post(&format!("{STABLE}/rollback"), &json!({})).await.json();
    assert_eq!(back["routes"], canary["routes"]);
    let named = room.post(&format!("{STABLE}/promote"), &json!({"version": "1.0.0"})).await.json();
    assert_eq!(named["routes"][0]["version"], "1.0.0");
    assert_eq!(room.get("/api/v1/modules/noop/aliases").await.json()["aliases"][0]["alias"], "stable");

    assert_eq!(room.request("DELETE", STABLE, &Value::Null).await.status, StatusCode::NO_CONTENT);
    room.request("DELETE", STABLE, &Value::Null).await.problem(404, "alias_not_found");
    room.post(&format!("{STABLE}/rollback"), &json!({})).await.problem(404, "alias_not_found");
}

#[tokio::test]
async fn latest_can_be_held_back() {
    let room = two_versions().await;
    let latest = "/api/v1/modules/noop/aliases/latest";
    room.request("PUT", latest, &json!({"routes": [{"version": "1.0.0"}]})).await;
    assert_eq!(version_of(&room, "noop").await, "1.0.0");
    room.post(&format!("{latest}/rollback"), &json!({})).await.problem(409, "alias_nothing_before");
    room.request("DELETE", latest, &Value::Null).await;
    assert_eq!(version_of(&room, "noop").await, "2.0.0");
}

#[tokio::test]
async fn routes_that_make_no_sense_change_nothing() {
    let room = two_versions().await;
    for routes in [
        json!([]),
        json!([{"version": "1.0.0", "weight": 0}]),
        json!([{"version": "1.0.0", "weight": 10_001}]),
        json!([{"version": "1.0.0"}, {"version": "1.0.0"}]),
    ] {
        room.request("PUT", STABLE, &json!({"routes": routes})).await.problem(422, "alias_invalid");
    }
    room.request("PUT", STABLE, &json!({"routes": [{"version": "3.0.0"}]}))
        .await
        .problem(404, "module_version_not_found");
    room.request("PUT", STABLE, &json!({"routes": [{"version": "new"}]})).await.problem(422, "invalid_request");
    room.request("PUT", "/api/v1/modules/noop/aliases/1.0.0", &json!({"routes": [{"version": "1.0.0"}]}))
        .await
        .problem(422, "invalid_request");
    room.request("PUT", "/api/v1/modules/nop/aliases/stable", &json!({"routes": [{"version": "1.0.0"}]}))
        .await
        .problem(404, "module_not_found");
    assert_eq!(room.get("/api/v1/modules/noop/aliases").await.json(), json!({"aliases": []}));
}

#[tokio::test]
async fn a_version_that_is_off_gets_no_new_tasks() {
    let room = two_versions().await;
    let id = room.submitted(&json!({"module": "noop@2.0.0"})).await;
    let off = room.post("/api/v1/modules/noop/2.0.0/disable", &json!({})).await.json();
    assert!(off["disabled_at"].is_string(), "{off}");
    room.post("/api/v1/tasks", &json!({"module": "noop@2.0.0"})).await.problem(409, "module_disabled");
    assert_eq!(version_of(&room, "noop").await, "1.0.0");
    assert_eq!(room.get(&format!("/api/v1/tasks/{id}")).await.json()["state"], "queued");
    room.post("/api/v1/modules/noop/1.0.0/disable", &json!({})).await;
    room.post("/api/v1/tasks", &json!({"module": "noop"})).await.problem(409, "module_disabled");
    let on = room.post("/api/v1/modules/noop/2.0.0/enable", &json!({})).await.json();
    assert!(on.get("disabled_at").is_none(), "{on}");
    assert_eq!(version_of(&room, "noop").await, "2.0.0");
    room.post("/api/v1/modules/noop/9.0.0/enable", &json!({})).await.problem(404, "module_version_not_found");
}

#[tokio::test]
async fn only_what_nothing_needs_is_removed() {
    let room = two_versions().await;
    let id = room.submitted(&json!({"module": "noop@1.0.0"})).await;
    let path = "/api/v1/modules/noop/1.0.0";
    let problem = room.request("DELETE", path, &Value::Null).await.problem(409, "module_in_use");
    assert!(problem["detail"].as_str().unwrap().contains("1 task that has not ended"), "{problem}");
    room.post(&format!("/api/v1/tasks/{id}/cancel"), &json!({})).await;
    room.request("PUT", STABLE, &json!({"routes": [{"version": "1.0.0"}]})).await;
    let problem = room.request("DELETE", path, &Value::Null).await.problem(409, "module_in_use");
    assert!(problem["detail"].as_str().unwrap().contains("aliases stable"), "{problem}");
    room.request("DELETE", &format!("{path}?force=perhaps"), &Value::Null).await.problem(400, "invalid_query");
    let gone = room.request("DELETE", &format!("{path}?force=true"), &Value::Null).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text());
    room.get(path).await.problem(404, "module_version_not_found");
    room.request("DELETE", path, &Value::Null).await.problem(404, "module_version_not_found");
    let events = room.get("/api/v1/modules/noop/events").await.json();
    let newest = &events["events"][0];
    assert_eq!((&newest["action"], &newest["in_spite_of"]), (&json!("deleted"), &json!("aliases stable")));
}

#[tokio::test]
async fn a_schedule_keeps_the_last_version() {
    let room = Room::working().await;
    let schedule = json!({"name": "nightly", "expression": "@daily", "task": {"module": "noop"}});
    assert_eq!(room.post("/api/v1/schedules", &schedule).await.status, StatusCode::CREATED);
    let path = "/api/v1/modules/noop/1.0.0";
    let problem = room.request("DELETE", path, &Value::Null).await.problem(409, "module_in_use");
    assert!(problem["detail"].as_str().unwrap().contains("schedules nightly"), "{problem}");
}

#[tokio::test]
async fn two_versions_are_compared() {
    let room = Room::new().await;
    room.deployed("noop", "1.0.0").await;
    let newer = json!({"name": "noop", "version": "1.1.0", "queue": "slow",
        "permissions": {"enqueue": ["csv"], "http": [{"host": "a.test", "methods": ["GET"]}]}});
    room.deploy(&newer, COMMAND).await;
    let diff = room.get("/api/v1/modules/noop/diff?from=1.0.0&to=1.1.0").await.json();
    assert_eq!(diff["permissions"]["added"], json!(["enqueue = \"csv\"", "http = \"GET https://a.test:443\""]));
    assert_eq!(diff["manifest"]["added"], json!(["queue = \"slow\""]));
    assert_eq!((&diff["same_bytes"], &diff["imports"]), (&json!(true), &json!({})));
    room.get("/api/v1/modules/noop/diff?from=1.0.0").await.problem(400, "invalid_query");
    room.get("/api/v1/modules/noop/diff?from=1.0.0&to=3.0.0").await.problem(404, "module_version_not_found");
}

#[tokio::test]
async fn a_removed_version_keeps_its_number() {
    let room = two_versions().await;
    let path = "/api/v1/modules/noop/1.0.0";
    room.post(&format!("{path}/disable"), &json!({})).await;
    let gone = room.request("DELETE", path, &Value::Null).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text());
    let other = [COMMAND, b"\0\x02\x01x"].concat();
    let manifest = json!({"name": "noop", "version": "1.0.0"});
    let problem = room.deploy(&manifest, &other).await.problem(409, "module_conflict");
    assert!(problem["detail"].as_str().unwrap().contains("was removed"), "{problem}");
    room.deployed("noop", "1.0.0").await;
}

#[tokio::test]
async fn a_refused_removal_leaves_a_version_on() {
    let room = two_versions().await;
    room.submitted(&json!({"module": "noop@1.0.0"})).await;
    room.request("DELETE", "/api/v1/modules/noop/1.0.0", &Value::Null).await.problem(409, "module_in_use");
    let version = room.get("/api/v1/modules/noop/1.0.0").await.json();
    assert!(version.get("disabled_at").is_none(), "{version}");
}

#[tokio::test]
async fn deploying_a_version_again_does_not_switch_it_on() {
    let room = two_versions().await;
    room.post("/api/v1/modules/noop/1.0.0/disable", &json!({})).await;
    let again = room.deploy(&json!({"name": "noop", "version": "1.0.0"}), COMMAND).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text());
    assert!(again.json()["disabled_at"].is_string());
}

#[tokio::test]
async fn a_task_that_waits_names_the_alias_that_will_choose() {
    let room = two_versions().await;
    let task = async |request: Value| {
        let id = room.submitted(&request).await;
        room.get(&format!("/api/v1/tasks/{id}")).await.json()
    };
    assert_eq!(task(json!({"module": "noop", "delay": "1h"})).await["alias"], "latest");
    assert!(task(json!({"module": "noop"})).await.get("alias").is_none());
    assert!(task(json!({"module": "noop@1.0.0", "delay": "1h"})).await.get("alias").is_none());
}
