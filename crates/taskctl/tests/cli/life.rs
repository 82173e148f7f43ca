//! Batches, retries, bulk operations, other times and schedules: one `taskctl dev`, every command of theirs.

use crate::dev::Dev;
use crate::support::wait_for;
use crate::wasm;

#[test]
fn the_whole_life_of_tasks_can_be_led_from_the_terminal() {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    dev.deploy("unlucky", &wasm::fail("bad luck\n", 3));
    batches(&dev);
    attempts_and_retries(&dev);
    other_times(&dev);
    bulk(&dev);
    unique(&dev);
    schedules(&dev);
    wrong_words(&dev);
}

fn batches(dev: &Dev) {
    let document = r#"{"tasks": [
        {"name": "first", "module": "echo", "payload": {"n": 1}},
        {"name": "second", "module": "echo", "after": ["first"], "payload": {"of": {"$from": "first", "path": "$.n"}}},
        {"name": "third", "module": "unlucky", "after": ["second"]}
    ]}"#;
    dev.file("flow.json", document.as_bytes());
    let accepted = dev.run(&["submit", "--batch", "flow.json", "-o", "json"]).json();
    let batch = accepted["batch"].as_str().unwrap().to_owned();
    let second = accepted["tasks"][1]["id"].as_str().unwrap();
    dev.until(accepted["tasks"][2]["id"].as_str().unwrap(), "failed");
    assert_eq!(dev.run(&["tasks", "result", second]).out(), r#"{"of":1}"#);
    let shown = dev.run(&["batches", "get", &batch]);
    assert!(shown.out().contains("succeeded  2") && shown.err.contains("3 of 3 tasks have ended"), "{shown:?}");
    let graph = dev.run(&["batches", "graph", &batch]).out();
    let line = graph.lines().find(|line| line.starts_with("third")).unwrap();
    assert!(line.contains("unlucky") && line.contains("exit_code") && line.ends_with("second"), "{graph}");
    let again = dev.run(&["batches", "retry", &batch, "-o", "json"]).json();
    assert_eq!(again["tasks"].as_array().unwrap().len(), 1, "what succeeded is not run again");
    let piped = dev.feed(&["submit", "--batch", "-"], br#"{"tasks": [{"module": "echo"}]}"#);
    assert!(piped.code == 0 && piped.err.contains("next: taskctl batches get "), "{piped:?}");
    assert_eq!(dev.run(&["batches", "cancel", &batch]).code, 0, "nothing is left to cancel, and that is fine");

    let cycle = r#"{"tasks": [{"name": "a", "module": "echo", "after": ["b"]}, {"name": "b", "module": "echo", "after": ["a"]}]}"#;
    dev.feed(&["submit", "--batch", "-"], cycle.as_bytes()).fails(2, &["dependency_cycle", "`a` -> `b` -> `a`"]);
    dev.feed(&["submit", "--batch", "-"], b"[1]").fails(2, &["the batch cannot be read", "hint:"]);
    dev.run(&["submit", "--batch", "nothing.json"]).fails(2, &["cannot read nothing.json"]);
    dev.run(&["batches", "get", "0198c0de-7a5c-7000-8000-000000000000"]).fails(3, &["batch_not_found"]);
}

fn attempts_and_retries(dev: &Dev) {
    let args =
        ["unlucky", "--max-attempts", "2", "--backoff", "fixed", "--backoff-ms", "10", "--retry-on", "exit_code"];
    let id = dev.submit(&args);
    dev.until(&id, "failed");
    let attempts = dev.run(&["tasks", "attempts", &id]).out();
    assert_eq!(attempts.lines().filter(|line| line.contains("exit_code")).count(), 2, "{attempts}");
    let new = dev.run(&["tasks", "retry", &id, "--fuel", "123456789", "--priority", "high", "-o", "json"]).json();
    let task = dev.until(new["id"].as_str().unwrap(), "failed");
    assert_eq!((task["origin"].as_str(), task["limits"]["fuel"].as_u64()), (Some(id.as_str()), Some(123_456_789)));
    let shown = dev.run(&["tasks", "get", new["id"].as_str().unwrap()]).out();
    assert!(shown.contains(&format!("origin   {id}")), "{shown}");
    let done = dev.submit(&["echo"]);
    dev.until(&done, "succeeded");
    dev.run(&["tasks", "retry", &done]).fails(5, &["task_not_replayable"]);
    dev.run(&["submit", "echo", "--retry-on", "success"]).fails(2, &["--retry-on", "`success`"]);
}

fn other_times(dev: &Dev) {
    let id = dev.submit(&["echo", "--delay", "1h 30m"]);
    dev.until(&id, "scheduled");
    let moved = dev.run(&["tasks", "reschedule", &id, "--delay", "0s"]);
    assert!(moved.code == 0 && moved.err.contains("is due at"), "{moved:?}");
    dev.until(&id, "succeeded");
    dev.run(&["tasks", "reschedule", &id, "--delay", "1s"]).fails(5, &["task_not_waiting"]);
    dev.run(&["tasks", "reschedule", &id, "--at", "tomorrow"]).fails(2, &["--at", "RFC 3339"]);
    dev.run(&["submit", "echo", "--delay", "soon"]).fails(2, &["duration_invalid", "soon"]);
    let first = dev.submit(&["echo", "--delay", "1h"]);
    let waiting = dev.submit(&["echo", "--after", &first, "--on-failure", "skip"]);
    dev.until(&waiting, "blocked");
    assert_eq!(dev.run(&["tasks", "cancel", &first]).code, 0);
    assert_eq!(dev.until(&waiting, "cancelled")["outcome"]["kind"], "skipped");
}

fn bulk(dev: &Dev) {
    for _ in 0..3 {
        dev.submit(&["echo", "--queue", "later", "--delay", "1h", "--label", "kind=bulk"]);
    }
    let done = dev.run(&["tasks", "cancel", "--queue", "later"]);
    assert!(done.code == 0 && done.err.contains("cancel is done: 3 of 3 tasks"), "{done:?}");
    let operation = done.out().trim().to_owned();
    assert_eq!(dev.run(&["operations", "get", &operation, "-o", "json"]).json()["done"], 3);
    assert!(dev.run(&["operations", "list"]).out().contains(&operation));
    let again = dev.run(&["tasks", "retry", "--status", "cancelled", "--label", "kind=bulk", "-o", "json"]).json();
    assert_eq!((again["state"].as_str(), again["done"].as_u64()), (Some("done"), Some(3)));
    dev.run(&["tasks", "cancel"]).fails(2, &["neither an id nor a filter", "--all"]);
    dev.run(&["tasks", "cancel", "some-id", "--all"]).fails(2, &["an id and a filter"]);
    dev.run(&["tasks", "retry", "--status", "succeeded"]).fails(5, &["task_not_replayable"]);
    dev.run(&["operations", "get", "mine"]).fails(2, &["invalid_id"]);
}

fn unique(dev: &Dev) {
    let args = ["submit", "echo", "--delay", "1h", "--unique", "--unique-by", "module,label:who", "--label", "who=me"];
    let (first, second) = (dev.run(&args), dev.run(&args));
    assert_eq!(first.out(), second.out());
    assert!(second.err.contains("was there already"), "{second:?}");
    dev.run(&["submit", "echo", "--unique", "--unique-by", "colour"]).fails(2, &["unique_invalid", "colour"]);
}

fn schedules(dev: &Dev) {
    let made = dev.run(&["schedules", "create", "tick", "@every 1s", "echo", "--input", "7"]);
    assert!(made.code == 0 && made.out().contains("Every 1 second"), "{made:?}");
    wait_for("two firings", || {
        let view = dev.run(&["schedules", "get", "tick", "-o", "json"]).json();
        (view["fired"].as_u64() >= Some(2)).then_some(())
    });
    assert!(dev.run(&["schedules", "list"]).out().contains("tick  active  Every 1 second  UTC"));
    assert!(dev.run(&["schedules", "pause", "tick"]).out().contains("paused"));
    let by_hand = dev.run(&["schedules", "run-now", "tick"]).out();
    dev.until(by_hand.trim(), "succeeded");
    let changed = [
        "schedules",
        "change",
        "tick",
        "--expression",
        "@every 2s",
        "--input",
        "8",
        "--priority",
        "high",
        "-o",
        "json",
    ];
    let changed = dev.run(&changed).json();
    assert_eq!((&changed["expression"], &changed["state"]), (&"@every 2s".into(), &"paused".into()));
    assert_eq!(changed["task"]["priority"], 8);
    dev.run(&["schedules", "change", "tick", "--expression", "61 * * * *"]).fails(2, &["cron_invalid"]);
    dev.run(&["schedules", "change", "tock", "--jitter", "5s"]).fails(3, &["schedule_not_found"]);
    assert!(dev.run(&["schedules", "resume", "tick"]).out().contains("active"));
    let next = dev.run(&["schedules", "next", "30 2 * * MON-FRI", "--timezone", "Europe/Vienna", "--count", "3"]);
    assert_eq!(next.out().lines().count(), 3);
    assert!(next.err.contains("At 02:30, Monday through Friday (Europe/Vienna)"), "{next:?}");
    assert_eq!(dev.run(&["schedules", "next", "tick", "--count", "2"]).out().lines().count(), 2);
    dev.run(&["schedules", "create", "tick", "@daily", "echo"]).fails(5, &["schedule_exists"]);
    assert_eq!(dev.run(&["schedules", "delete", "tick"]).code, 0);
    dev.run(&["schedules", "delete", "tick"]).fails(3, &["schedule_not_found"]);
    dev.run(&["schedules", "create", "x", "61 * * * *", "echo"]).fails(2, &["cron_invalid", "minute"]);
    dev.run(&["schedules", "create", "x", "@daily", "echo", "--timezone", "Europe/Wein"])
        .fails(2, &["timezone_unknown"]);
    dev.run(&["schedules", "create", "x", "@daily", "ecko"]).fails(3, &["Did you mean echo"]);
    dev.run(&["schedules", "create", "x", "@daily", "echo", "--overlap", "maybe"]).fails(2, &["--overlap", "maybe"]);
}

fn wrong_words(dev: &Dev) {
    dev.run(&["submit", "echo", "--delay", "1s", "--delay-ms", "5"]).fails(2, &["cannot be used with"]);
    dev.run(&["submit", "echo", "--on-failure", "skip"]).fails(2, &["--after"]);
    dev.run(&["tasks", "list", "--batch", "mine"]).fails(2, &["invalid_query"]);
}
