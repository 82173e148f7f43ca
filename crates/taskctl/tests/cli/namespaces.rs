//! Two namespaces led from the terminal, against one `taskctl dev`: `--namespace`, `TASKLANE_NAMESPACE`, quotas.

use crate::dev::Dev;
use crate::support::{finish, run, taskctl};
use crate::wasm;

#[test]
fn two_namespaces_are_led_side_by_side() {
    let dev = Dev::start();
    modules(&dev);
    tasks(&dev);
    batches_and_bulk(&dev);
    the_rest(&dev);
    environment(&dev);
    quotas(&dev);
}

fn modules(dev: &Dev) {
    dev.file("echo.wasm", &wasm::echo());
    dev.file("fail.wasm", &wasm::fail("bad luck\n", 3));
    let deploy = |namespace: &str, file: &str| {
        let args = ["deploy", file, "--name", "app", "--module-version", "1.0.0", "--namespace", namespace];
        let run = dev.run(&args);
        assert_eq!(run.code, 0, "{run:?}");
        run
    };
    assert!(deploy("acme", "echo.wasm").out().starts_with("acme/app@1.0.0"));
    assert!(deploy("beta", "fail.wasm").out().starts_with("beta/app@1.0.0"));
    let all = dev.run(&["modules", "list"]).out();
    assert!(all.contains("acme/app") && all.contains("beta/app"), "{all}");
    let own = dev.run(&["modules", "list", "--namespace", "acme"]).out();
    assert!(own.contains("acme/app") && !own.contains("beta"), "{own}");
    for args in
        [["modules", "get", "app@1.0.0", "--namespace", "acme"], ["modules", "get", "acme/app@1.0.0", "-o", "json"]]
    {
        assert_eq!(dev.run(&args).json()["namespace"], "acme");
    }
    dev.run(&["modules", "get", "app"]).fails(3, &["module_not_found"]);
    dev.run(&["modules", "get", "beta/app", "--namespace", "acme"]).fails(2, &["namespace_crossed"]);
    let crossing = ["deploy", "echo.wasm", "--name", "beta/app", "--module-version", "2.0.0", "--namespace", "acme"];
    dev.run(&crossing).fails(2, &["namespace_crossed"]);
    let alias = dev.run(&["modules", "alias", "app@stable", "1.0.0", "--namespace", "acme"]);
    assert_eq!(alias.code, 0, "{alias:?}");
    assert!(!dev.run(&["modules", "aliases", "app", "--namespace", "beta"]).out().contains("stable"));
    assert_eq!(dev.run(&["flow", "set", "app", "--max", "5", "--namespace", "acme"]).code, 0);
    assert!(dev.run(&["flow", "list"]).out().contains("acme/app"));
    dev.run(&["flow", "unset", "app", "--namespace", "beta"]).fails(3, &["flow_rule_not_found"]);
    assert_eq!(dev.run(&["retention", "set", "--module", "app", "--tasks", "1h", "--namespace", "acme"]).code, 0);
    assert!(dev.run(&["retention", "list"]).out().contains("module acme/app"));
}

fn tasks(dev: &Dev) {
    let echoed = dev.run(&["run", "app", "--input", "[1]", "--namespace", "acme"]);
    assert_eq!((echoed.code, echoed.out().as_str()), (0, "[1]"), "{echoed:?}");
    assert_ne!(dev.run(&["run", "app", "--input", "[1]", "--namespace", "beta"]).code, 0);
    dev.run(&["submit", "beta/app", "--namespace", "acme"]).fails(2, &["namespace_crossed", "acme"]);
    let id = dev.submit(&["app", "--namespace", "beta", "--delay", "1h"]);
    dev.run(&["tasks", "get", &id, "--namespace", "acme"]).fails(3, &["task_not_found"]);
    dev.run(&["tasks", "cancel", &id, "--namespace", "acme"]).fails(3, &["task_not_found"]);
    assert_eq!(dev.run(&["tasks", "get", &id, "--namespace", "beta"]).code, 0);
    assert_eq!(dev.run(&["tasks", "get", &id]).code, 0, "without a namespace, all are seen");
    let listed = dev.run(&["tasks", "list", "--namespace", "acme", "--module", "app"]).out();
    assert!(listed.contains("acme/app@1.0.0") && !listed.contains("beta"), "{listed}");
}

fn batches_and_bulk(dev: &Dev) {
    let document =
        r#"{"tasks": [{"module": "app", "delay": "1h"}, {"module": "app", "delay": "1h", "namespace": "acme"}]}"#;
    dev.file("two.json", document.as_bytes());
    dev.run(&["submit", "--batch", "two.json"]).fails(3, &["module_not_found"]);
    dev.run(&["submit", "--batch", "two.json", "--namespace", "beta"]).fails(2, &["namespace_crossed"]);
    let batch = dev.run(&["submit", "--batch", "two.json", "--namespace", "acme", "-o", "json"]).json();
    let id = batch["batch"].as_str().unwrap();
    dev.run(&["batches", "get", id, "--namespace", "beta"]).fails(3, &["batch_not_found"]);
    assert_eq!(dev.run(&["batches", "get", id, "--namespace", "acme"]).code, 0);
    // It may come from the environment, and would mean everything.
    dev.run(&["tasks", "cancel", "--namespace", "acme"]).fails(2, &["neither an id nor a filter", "--all"]);
    let done = dev.run(&["tasks", "cancel", "--all", "--namespace", "acme", "-o", "json"]).json();
    assert_eq!(done["done"], 2, "{done}");
    assert!(dev.run(&["tasks", "list", "--status", "scheduled"]).out().contains("beta/app"), "another's was cancelled");
}

fn the_rest(dev: &Dev) {
    let schedule = ["schedules", "create", "nightly", "@daily", "app", "--namespace", "acme"];
    assert_eq!(dev.run(&schedule).code, 0);
    assert!(!dev.run(&["schedules", "list", "--namespace", "beta"]).out().contains("nightly"));
    dev.run(&["schedules", "pause", "nightly", "--namespace", "beta"]).fails(3, &["schedule_not_found"]);
    assert_eq!(dev.run(&["schedules", "pause", "nightly", "--namespace", "acme"]).code, 0);
    assert_eq!(dev.run(&["kv", "set", "module:app", "k", "1", "--namespace", "acme"]).code, 0);
    assert_eq!(dev.run(&["kv", "get", "module:app", "k", "--namespace", "acme"]).out(), "1");
    dev.run(&["kv", "get", "module:app", "k", "--namespace", "beta"]).fails(3, &["kv_key_not_found"]);
    assert_eq!(dev.feed(&["secrets", "set", "s", "--namespace", "acme"], b"value\n").code, 0);
    assert!(dev.run(&["secrets", "list", "--namespace", "acme"]).out().contains('s'));
    dev.run(&["secrets", "delete", "s", "--namespace", "beta"]).fails(3, &["secret_not_found"]);
}

fn environment(dev: &Dev) {
    let with = |args: &[&str]| {
        let mut command = taskctl();
        command.args(args).env("TASKLANE_SERVER", format!("http://{}", dev.listen())).env("TASKLANE_NAMESPACE", "acme");
        finish(command, b"")
    };
    assert_eq!(with(&["run", "app", "--input", "[2]"]).out(), "[2]");
    assert!(!with(&["modules", "list"]).out().contains("beta"));
    assert!(with(&["modules", "list", "--namespace", "beta"]).out().contains("beta/app"), "the flag comes first");
    // What belongs to no namespace is not bothered by it.
    for args in [&["hosts"][..], &["cluster"], &["queues", "list"], &["namespaces", "list"], &["secrets", "reseal"]] {
        let run = with(args);
        assert_eq!(run.code, 0, "{run:?}");
    }
}

fn quotas(dev: &Dev) {
    let set = dev.run(&["namespaces", "set", "acme", "--tasks-waiting-max", "1", "--kv-bytes-max", "1024"]);
    assert!(set.out().contains("tasks waiting") && set.out().contains('1'), "{set:?}");
    let more = dev.run(&["namespaces", "set", "acme", "--tasks-running-max", "3", "-o", "json"]).json();
    let wanted = serde_json::json!({"tasks_waiting_max": 1, "tasks_running_max": 3, "kv_bytes_max": 1024});
    assert_eq!(more["quotas"], wanted, "what is not named stays");
    dev.submit(&["app", "--namespace", "acme", "--delay", "1h"]);
    let full = dev.run(&["submit", "app", "--namespace", "acme", "--delay", "1h"]);
    assert!(
        full.code != 0 && full.err.contains("quota_exceeded") && full.err.contains("tasks_waiting_max = 1"),
        "{full:?}"
    );
    dev.submit(&["app", "--namespace", "beta", "--delay", "1h"]);
    let list = dev.run(&["namespaces", "list"]).out();
    assert!(list.contains("1 of 1") && list.contains("beta"), "{list}");
    assert_eq!(dev.run(&["namespaces", "get", "acme", "-o", "json"]).json()["usage"]["tasks_waiting"], 1);
    assert_eq!(dev.run(&["namespaces", "unset", "acme"]).code, 0);
    dev.run(&["namespaces", "unset", "acme"]).fails(3, &["namespace_not_found"]);
    dev.submit(&["app", "--namespace", "acme", "--delay", "1h"]);
    run(&["namespaces", "set", "acme"]).fails(2, &["--tasks-waiting-max"]);
}
