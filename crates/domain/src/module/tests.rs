//! The manifest, and the schema of it that is published.

use serde_json::{Value, json};

use super::*;

fn whole() -> Value {
    json!({
        "name": "every-key", "version": "1.2.0", "description": "Every key.", "queue": "slow", "priority": 8,
        "limits": {"fuel": 1, "timeout_ms": 1, "memory_bytes": 1, "output_bytes": 1, "log_bytes": 1},
        "retry": {"max_attempts": 5}, "flow": {"max": 3},
        "input": {"type": "object"}, "output": true,
        "config": {"endpoint": "https://example.com"},
        "command": {"args": ["--compact"], "env": {"LANG": "C", "KEY": {"secret": "stripe-key"}}},
        "payload": "blob", "assets": {"dir": "data", "path": "/data"},
        "permissions": {"enqueue": ["report"], "http": ["GET https://*.example.com", {"host": "a.example.com", "port": 8443}], "kv": ["own", "shared:a:read"], "secrets": ["stripe-key"], "blobs": ["read", "write"]},
    })
}

fn published() -> crate::schema::Compiled {
    let text = include_str!("../../../../docs/manifest.schema.json");
    crate::schema::Schema::new(serde_json::from_str(text).unwrap()).compile().unwrap()
}

fn read(value: Value) -> Result<Manifest, String> {
    let manifest: Manifest = serde_json::from_value(value).map_err(|error| error.to_string())?;
    manifest.check().map(|()| manifest).map_err(|error| error.to_string())
}

#[test]
fn the_published_schema_knows_every_key_and_no_other() {
    let manifest = read(whole()).unwrap();
    let written = serde_json::to_value(&manifest).unwrap();
    published().check(&written).unwrap();
    published().check(&whole()).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../../../docs/manifest.schema.json")).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    // How a project is built is for editors and `taskctl`; it is never sent.
    for key in keys(&schema["properties"]).into_iter().filter(|key| key != "build") {
        assert!(
            written.get(&key).is_some(),
            "the schema has `{key}`, which the manifest has not, or this test lacks it"
        );
    }
    for key in keys(&schema["properties"]["permissions"]["properties"]) {
        assert!(written["permissions"].get(&key).is_some(), "permissions.{key}");
    }
}

#[test]
fn what_the_manifest_refuses_the_published_schema_refuses_too() {
    let with = |pointer: &str, value: Value| {
        let mut manifest = whole();
        *manifest.pointer_mut(pointer).unwrap() = value;
        manifest
    };
    let mut unknown = whole();
    unknown["prio"] = json!(3);
    let mut nested = whole();
    nested["permissions"]["files"] = json!(["/"]);
    let table = [
        unknown,
        nested,
        with("/name", json!("Not A Name")),
        with("/priority", json!(11)),
        with("/permissions/kv", json!(["carts"])),
        with("/permissions/kv", json!(["shared:a:write"])),
        with("/permissions/secrets", json!(["STRIPE"])),
        with("/limits/fuel", json!("much")),
        with("/payload", json!("pieces")),
        with("/assets/path", json!("data")),
        with("/permissions/blobs", json!(["delete"])),
    ];
    for manifest in table {
        assert!(read(manifest.clone()).is_err(), "the manifest took {manifest}");
        assert!(published().check(&manifest).is_err(), "the schema took {manifest}");
    }
}

#[test]
fn a_variable_from_a_secret_needs_its_permission() {
    let mut manifest = whole();
    manifest["permissions"]["secrets"] = json!([]);
    let error = read(manifest).unwrap_err();
    assert!(error.contains("command.env") && error.contains("[permissions] secrets"), "{error}");
    for bad in [json!({"secret": "stripe-key", "or": "x"}), json!({}), json!(7)] {
        let mut manifest = whole();
        manifest["command"]["env"]["KEY"] = bad.clone();
        assert!(read(manifest.clone()).is_err(), "{bad}");
        assert!(published().check(&manifest).is_err(), "{bad}");
    }
    for name in ["", "A=B"] {
        let mut manifest = whole();
        manifest["command"]["env"] = json!({name: "x"});
        assert!(read(manifest).is_err(), "`{name}`");
    }
    let found = read(whole()).unwrap();
    let secrets: Vec<(&str, &str)> = found.command.secrets().map(|(name, secret)| (name, secret.as_str())).collect();
    assert_eq!(secrets, [("KEY", "stripe-key")]);
}

#[test]
fn a_schema_that_cannot_be_used_is_named() {
    let mut manifest = whole();
    manifest["input"] = json!({"properties": {"a": {"typ": "string"}}});
    let error = read(manifest).unwrap_err();
    assert!(error.contains("`input`") && error.contains("/properties/a/typ"), "{error}");
}

#[test]
fn what_is_granted_is_listed() {
    let lines = read(whole()).unwrap().permissions.lines();
    let http = ["http: GET https://*.example.com:443", "http: https://a.example.com:8443"];
    let rest = ["kv: own", "kv: shared:a:read", "secrets: stripe-key"];
    assert_eq!(lines, [&["blobs: read", "blobs: write", "enqueue: report"], &http[..], &rest].concat());
    assert_eq!(read(whole()).unwrap().grants().last().unwrap(), "assets: /data (read-only)");
    assert!(Permissions::default().lines().is_empty());
}
