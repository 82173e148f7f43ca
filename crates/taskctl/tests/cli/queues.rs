//! Queues, limits and shares from the terminal, against one `taskctl dev`.

use crate::dev::Dev;
use crate::wasm;

#[test]
fn queues_and_limits_are_led_from_the_terminal() {
    let dev = Dev::start_with(&[("TASKLANE_QUEUES", "default,images")]);
    dev.deploy("echo", &wasm::echo());
    pauses(&dev);
    keys(&dev);
    modules(&dev);
    shares(&dev);
}

fn pauses(dev: &Dev) {
    let paused = dev.run(&["queues", "pause", "images"]);
    assert!(paused.code == 0 && paused.out().contains("paused since"), "{paused:?}");
    let id = dev.submit(&["echo", "--input", "7", "--queue", "images"]);
    let shown = dev.run(&["queues", "get", "images", "-o", "json"]).json();
    assert_eq!((shown["queued"].as_u64(), shown["held"].as_u64()), (Some(1), Some(1)), "{shown}");
    let list = dev.run(&["queues", "list"]).out();
    assert!(list.starts_with("QUEUE") && list.contains("default") && list.contains("images"), "{list}");
    assert!(dev.run(&["queues", "resume", "images"]).out().contains("active"));
    dev.until(&id, "succeeded");
    dev.run(&["queues", "pause", "Not a name"]).fails(2, &["invalid_request"]);
    dev.run(&["queues", "pause"]).fails(2, &["<NAME>"]);
}

fn keys(dev: &Dev) {
    let args = ["echo", "--concurrency", "customer-42=3", "--rate", "api=600/1m burst 20", "--share", "acme"];
    let task = dev.until(&dev.submit(&args), "succeeded");
    assert_eq!((&task["concurrency"]["key"], &task["concurrency"]["max"]), (&"customer-42".into(), &3.into()));
    assert_eq!((&task["rate"]["limit"], &task["share"]), (&"600/1m burst 20".into(), &"acme".into()));
    dev.run(&["submit", "echo", "--concurrency", "customer-42"]).fails(2, &["--concurrency", "KEY=MAX"]);
    dev.run(&["submit", "echo", "--concurrency", "customer-42=many"]).fails(2, &["--concurrency", "many"]);
    dev.run(&["submit", "echo", "--concurrency", "a=0"]).fails(2, &["flow_invalid", "1 to 10000"]);
    dev.run(&["submit", "echo", "--rate", "a=fast"]).fails(2, &["flow_invalid", "`fast`"]);
}

fn modules(dev: &Dev) {
    let set = dev.run(&["flow", "set", "echo", "--max", "5", "--rate", "100/1s"]);
    assert!(set.code == 0 && set.out().contains("echo    5    100/1s"), "{set:?}");
    dev.until(&dev.submit(&["echo"]), "succeeded");
    assert_eq!(dev.run(&["flow", "list", "-o", "json"]).json()["modules"][0]["max"], 5);
    assert_eq!(dev.run(&["flow", "unset", "echo"]).code, 0);
    dev.run(&["flow", "unset", "echo"]).fails(3, &["flow_rule_not_found"]);
    dev.run(&["flow", "set", "ecko", "--max", "5"]).fails(3, &["module_not_found"]);
    dev.run(&["flow", "set", "echo"]).fails(2, &["--max"]);
}

fn shares(dev: &Dev) {
    assert!(dev.run(&["queues", "set", "default", "--fair", "true"]).out().contains("yes"));
    dev.until(&dev.submit(&["echo"]), "succeeded");
    assert!(dev.run(&["queues", "set", "default", "--fair", "false"]).out().contains("no"));
    dev.run(&["queues", "set", "default"]).fails(2, &["--fair"]);
}
