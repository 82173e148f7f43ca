//! `/api/v1/modules…`: deploy, list, look.

use http::StatusCode;
use serde_json::json;
use tasklane_api::ApiSettings;

use crate::support::{COMMAND, EMPTY_COMPONENT, Room, SPY};

async fn nothing_stored(room: &Room) {
    assert_eq!(room.get("/api/v1/modules").await.json(), json!({"modules": []}));
    assert!(room.nats.noted().cached.is_empty(), "a refused module reached the cache");
}

#[tokio::test]
async fn a_deploy_is_created_then_unchanged_then_a_conflict() {
    let room = Room::new().await;
    let manifest = json!({"name": "noop", "version": "1.0.0", "queue": "slow", "priority": "high"});
    let created = room.deploy(&manifest, COMMAND).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text());
    assert_eq!(created.header("location"), "/api/v1/modules/noop/1.0.0");
    let view = created.json();
    assert_eq!((view["kind"].as_str(), view["size_bytes"].as_u64()), (Some("command_p1"), Some(COMMAND.len() as u64)));
    assert_eq!(view["digest"].as_str().map(str::len), Some(64));
    assert_eq!(room.deploy(&manifest, COMMAND).await.status, StatusCode::OK);

    let other = json!({"name": "noop", "version": "1.0.0", "description": "other"});
    let conflict = room.deploy(&other, COMMAND).await.problem(409, "module_conflict");
    assert!(conflict["detail"].as_str().unwrap().contains("noop 1.0.0"), "{conflict}");
    assert_eq!(room.get("/api/v1/modules/noop/1.0.0").await.json(), view);
    assert_eq!(room.nats.noted().cached[0].1, COMMAND);
}

#[tokio::test]
async fn versions_come_newest_first() {
    let room = Room::new().await;
    for version in ["1.9.0", "1.10.0", "2.0.0-rc.1"] {
        room.deployed("noop", version).await;
    }
    room.deployed("csv", "0.1.0").await;
    let versions = room.get("/api/v1/modules/noop").await.json();
    let versions: Vec<_> = versions["modules"].as_array().unwrap().iter().map(|one| one["version"].clone()).collect();
    assert_eq!(versions, ["2.0.0-rc.1", "1.10.0", "1.9.0"]);
    assert_eq!(room.get("/api/v1/modules").await.json()["modules"][0]["name"], "csv");
}

#[tokio::test]
async fn what_cannot_run_here_is_refused_and_not_stored() {
    let room = Room::new().await;
    let manifest = json!({"name": "bad", "version": "1.0.0"});
    room.deploy(&manifest, b"not wasm").await.problem(422, "module_invalid");
    room.deploy(&manifest, &COMMAND[..20]).await.problem(422, "module_invalid");
    room.deploy(&manifest, b"").await.problem(422, "module_invalid");
    room.deploy(&manifest, EMPTY_COMPONENT).await.problem(422, "module_wrong_world");
    let spy = room.deploy(&manifest, SPY).await.problem(422, "module_imports_unlisted");
    assert_eq!(spy["errors"], json!(["env.spy"]));
    nothing_stored(&room).await;
}

#[tokio::test]
async fn a_wrong_manifest_or_form_is_refused_and_not_stored() {
    let room = Room::new().await;
    for manifest in [
        json!({"name": "bad"}),
        json!({"name": "../etc", "version": "1.0.0"}),
        json!({"name": "bad", "version": "one"}),
        json!({"name": "bad", "version": "1.0.0", "colour": "red"}),
        json!({"name": "bad", "version": "1.0.0", "description": "x".repeat(9_000)}),
    ] {
        room.deploy(&manifest, COMMAND).await.problem(422, "manifest_invalid");
    }
    let rules = json!(["https://a.test", {"host": "a.test", "port": "any"}]);
    let manifest = json!({"name": "bad", "version": "1.0.0", "permissions": {"http": rules}});
    let problem = room.deploy(&manifest, COMMAND).await.problem(422, "manifest_invalid");
    assert!(problem["detail"].as_str().unwrap().contains("permissions.http[1]: `port`"), "{problem}");
    room.upload(&[("module", COMMAND)]).await.problem(422, "manifest_invalid");
    room.upload(&[("manifest", br#"{"name":"bad","version":"1.0.0"}"#)]).await.problem(422, "manifest_invalid");
    room.upload(&[("extra", b"x")]).await.problem(422, "invalid_request");
    room.post("/api/v1/modules", &json!({})).await.problem(415, "unsupported_media_type");
    nothing_stored(&room).await;
}

#[tokio::test]
async fn too_large_a_module_is_refused_and_not_stored() {
    let settings = ApiSettings { module_bytes_max: 1_000, ..ApiSettings::default() };
    let room = Room::with(settings).await;
    let manifest = json!({"name": "big", "version": "1.0.0"});
    room.deploy(&manifest, &vec![0; 1_001]).await.problem(413, "module_too_large");
    room.deploy(&manifest, &vec![0; 3 * 1024 * 1024]).await.problem(413, "module_too_large");
    nothing_stored(&room).await;
}

#[tokio::test]
async fn near_matches_are_suggested() {
    let room = Room::new().await;
    room.deployed("thumbnail", "1.0.0").await;
    room.deployed("thumbnail", "1.1.0").await;
    let typo = room.get("/api/v1/modules/thumbnial").await.problem(404, "module_not_found");
    assert_eq!(typo["hint"], "Did you mean thumbnail?");
    let version = room.get("/api/v1/modules/thumbnail/9.0.0").await.problem(404, "module_version_not_found");
    assert_eq!(version["hint"], "Its newest versions: 1.1.0, 1.0.0.");
    room.get("/api/v1/modules/..%2Fetc").await.problem(422, "invalid_request");
}

#[tokio::test]
async fn a_module_that_a_host_misses_is_put_into_the_cache_again() {
    let room = Room::working().await;
    let (module, _) = room.nats.noted().cached[0].clone();
    room.nats.want(module.clone());
    let noted = room.nats.until(|noted| noted.wants_done == 1).await;
    assert_eq!(noted.cached[1], (module, COMMAND.into()));
}

#[tokio::test]
async fn a_deploy_succeeds_while_nats_is_away() {
    let room = Room::new().await;
    room.nats.connected.store(false, std::sync::atomic::Ordering::SeqCst);
    room.deployed("noop", "1.0.0").await;
}
