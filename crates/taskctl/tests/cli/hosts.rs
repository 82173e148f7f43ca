//! Hosts drained, resumed and scaled, settings, findings and a reset, against one `taskctl dev` each.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::dev::Dev;
use crate::support::wait_for;
use crate::wasm;

/// Thirty-two bytes that seal nothing but a test's secrets.
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// One request as plain as can be, and what it is answered with.
fn http(dev: &Dev, request: &str, body: &str) -> Value {
    let mut stream = TcpStream::connect(dev.listen()).unwrap();
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n",
        dev.listen()
    );
    write!(stream, "{head}content-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 2"), "{answer}");
    serde_json::from_str(body).unwrap_or_default()
}

#[test]
fn hosts_are_led_from_the_terminal() {
    let dev = Dev::start_with(&[("TASKLANE_SLOTS_MAX", "6")]);
    dev.deploy("echo", &wasm::echo());
    let host = dev.host();
    let (name, id) = (host["name"].as_str().unwrap(), host["id"].as_str().unwrap());
    assert_eq!((&host["slots"], &host["slots_max"]), (&json!(4), &json!(6)));

    let drained = dev.run(&["hosts", "drain", name]);
    assert!(drained.code == 0 && drained.out().contains("draining"), "{drained:?}");
    let waiting = dev.submit(&["echo", "--input", "1"]);
    let cluster = dev.run(&["cluster", "-o", "json"]).json();
    assert_eq!((&cluster["info"]["hosts"], &cluster["info"]["slots"]), (&json!(1), &json!(0)));
    assert_eq!(dev.run(&["tasks", "get", &waiting, "-o", "json"]).json()["state"], "queued");
    let resumed = dev.run(&["hosts", "resume", &id[id.len() - 8..], "-o", "json"]).json();
    assert_eq!((&resumed["status"], &resumed["id"]), (&json!("active"), &host["id"]));
    dev.until(&waiting, "succeeded");

    let scaled = dev.run(&["hosts", "scale", id, "6"]);
    assert!(scaled.code == 0 && scaled.out().contains("/6"), "{scaled:?}");
    dev.until(&dev.submit(&["echo", "--input", "2"]), "succeeded");
    dev.run(&["hosts", "scale", id, "7"]).fails(2, &["host_slots", "1 to 6", "slots_max"]);
    dev.run(&["hosts", "scale", id, "0"]).fails(2, &["host_slots"]);
    dev.run(&["hosts", "drain", "nobody"]).fails(3, &["nobody", "taskctl hosts"]);
    dev.run(&["hosts", "drain"]).fails(2, &["<HOST>"]);
    for list in [&["hosts"][..], &["hosts", "list"]] {
        let list = dev.run(list).out();
        assert!(list.starts_with("NAME") && list.contains("active"), "{list}");
    }
}

#[test]
fn a_development_instance_tells_its_settings_and_forgets_everything() {
    let dev = Dev::start_with(&[("TASKLANE_WEBHOOK_ATTEMPTS_MAX", "3"), ("TASKLANE_SECRETS_KEY", KEY)]);
    let get = |path: &str| http(&dev, &format!("GET /api/v1/cluster/{path}"), "");
    let config = get("config");
    assert_eq!((&config["settings"]["webhook_attempts_max"], &config["resettable"]), (&json!(3), &json!(true)));
    assert_eq!(config["settings"]["secrets_key"], "[redacted]");
    assert!(!config.to_string().contains(KEY), "a secret leaked: {config}");
    let checks = get("doctor")["checks"].as_array().unwrap().len();
    assert!(checks >= 10, "{checks} checks");

    dev.deploy("echo", &wasm::echo());
    dev.until(&dev.submit(&["echo", "--input", "1"]), "succeeded");
    let before = dev.host()["id"].clone();
    http(&dev, "POST /api/v1/cluster/reset", r#"{"confirm": "reset"}"#);
    wait_for("another host", || {
        let hosts = dev.hosts();
        (hosts.len() == 1 && hosts[0]["id"] != before).then_some(())
    });
    assert_eq!(dev.run(&["modules", "list", "-o", "json"]).json()["modules"], json!([]));
    assert_eq!(dev.run(&["tasks", "list", "-o", "json"]).json()["tasks"], json!([]));
    dev.deploy("echo", &wasm::echo());
    dev.until(&dev.submit(&["echo", "--input", "2"]), "succeeded");
    assert!(dev.log().contains("forgotten"), "{}", dev.log());
}
