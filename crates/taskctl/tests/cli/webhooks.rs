//! Webhooks from the terminal, on a `taskctl dev` of the test's own. Nothing listens where they lead, but that is said.

use crate::dev::Dev;
use crate::support::wait_for;
use crate::wasm;

/// The discard port, on which nothing listens.
const NOBODY: &str = "http://127.0.0.1:9/hook";

#[test]
fn webhooks_can_be_led_from_the_terminal() {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    let args = ["webhooks", "create", "hook", NOBODY, "--events", "task.succeeded,batch.ended", "--label", "team=a"];
    let made = dev.run(&args);
    assert!(made.code == 0 && made.out().starts_with("whsec_") && made.err.contains("not shown again"), "{made:?}");
    let list = dev.run(&["webhooks", "list"]).out();
    assert!(list.contains("hook  active") && list.contains("label team:a"), "{list}");
    let shown = dev.run(&["webhooks", "get", "hook"]).out();
    assert!(shown.contains("task.succeeded, batch.ended") && !shown.contains("whsec_"), "{shown}");

    let id = dev.submit(&["echo", "--label", "team=a"]);
    let delivery = wait_for("an attempt", || {
        let list = dev.run(&["webhooks", "deliveries", "hook", "--state", "waiting", "-o", "json"]).json();
        let first = list["deliveries"][0].clone();
        (first["attempts"].as_u64() >= Some(1)).then_some(first)
    });
    assert_eq!(delivery["id"], format!("{id}-succeeded"));
    let why = delivery["last_error"].as_str().unwrap();
    assert!(why.contains("no connection"), "{why}");
    let table = dev.run(&["webhooks", "deliveries", "hook", "--limit", "1"]);
    assert!(table.out().contains("task.succeeded") && table.err.contains("--before"), "{table:?}");
    let again = dev.run(&["webhooks", "retry", "hook", delivery["id"].as_str().unwrap()]);
    assert_eq!(again.out().trim(), format!("{id}-succeeded"));

    assert!(dev.run(&["webhooks", "test", "hook"]).out().trim().ends_with("-test"));
    let rotated = dev.run(&["webhooks", "rotate", "hook"]).out();
    assert!(rotated.starts_with("whsec_") && rotated != made.out());
    assert!(dev.run(&["webhooks", "pause", "hook"]).out().contains("paused"));
    dev.run(&["webhooks", "test", "hook"]).fails(5, &["webhook_paused", "resume"]);
    assert!(dev.run(&["webhooks", "resume", "hook"]).out().contains("active"));
    dev.run(&["webhooks", "create", "hook", NOBODY]).fails(5, &["webhook_exists"]);
    dev.run(&["webhooks", "create", "inside", "https://10.0.0.1/"]).fails(2, &["egress_refused", "private", "hint:"]);
    dev.run(&["webhooks", "create", "clear", "http://example.com/"]).fails(2, &["egress_refused"]);
    dev.run(&["webhooks", "create", "odd", NOBODY, "--events", "task.done"])
        .fails(2, &["webhook_invalid", "task.done"]);
    dev.run(&["webhooks", "create", "odd", NOBODY, "--label", "team"]).fails(2, &["not key=value"]);
    dev.run(&["webhooks", "retry", "hook", "nothing"]).fails(3, &["delivery_not_found"]);
    dev.run(&["webhooks", "deliveries", "hook", "--state", "lost"]).fails(2, &["invalid_query", "dead"]);
    assert_eq!(dev.run(&["webhooks", "delete", "hook"]).code, 0);
    dev.run(&["webhooks", "delete", "hook"]).fails(3, &["webhook_not_found"]);
}
