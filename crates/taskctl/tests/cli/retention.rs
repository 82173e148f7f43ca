//! Rules of retention from the terminal, on a `taskctl dev` of the test's own.

use crate::dev::Dev;
use crate::support::wait_for;
use crate::wasm;

#[test]
fn retention_can_be_led_from_the_terminal() {
    let dev = Dev::start_with(&[("TASKLANE_KEEP_TASKS", "30d"), ("TASKLANE_RETENTION_INTERVAL", "200ms")]);
    dev.deploy("echo", &wasm::echo());
    dev.deploy("unlucky", &wasm::fail("bad luck\n", 3));
    let list = dev.run(&["retention", "list"]).out();
    let row: Vec<&str> = list.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["the", "settings", "30d", "forever", "7d", "7d"], "{list}");

    let (done, failed) = (dev.submit(&["echo"]), dev.submit(&["unlucky", "--max-attempts", "1"]));
    dev.until(&done, "succeeded");
    dev.until(&failed, "failed");
    let set = dev.run(&["retention", "set", "--module", "echo", "--results", "1s"]);
    assert!(set.out().contains("module echo"), "{set:?}");
    dev.run(&["retention", "set", "--default", "--payloads", "1s", "--logs", "1s"]);
    dev.run(&["retention", "set", "--queue", "night", "--tasks", "forever"]);
    let view = dev.run(&["retention", "list", "-o", "json"]).json();
    assert_eq!((&view["modules"]["echo"]["results"], &view["default"]["payloads"]), (&"1s".into(), &"1s".into()));
    assert!(dev.run(&["retention", "list"]).out().contains("queue night"));

    let gone = |args: &[&str], code: &str| {
        wait_for(code, || {
            let run = dev.run(args);
            run.err.contains(code).then(|| run.fails(3, &[code, "hint:"]))
        });
    };
    gone(&["tasks", "result", &done], "result_removed");
    gone(&["tasks", "logs", &failed], "log_removed");
    gone(&["tasks", "retry", &failed], "payload_removed");
    dev.until(&done, "succeeded");
    dev.run(&["retention", "set", "--default", "--tasks", "1s"]);
    gone(&["tasks", "get", &done], "task_not_found");
    gone(&["tasks", "get", &failed], "task_not_found");

    for scope in [["--module", "echo"], ["--queue", "night"]] {
        assert_eq!(dev.run(&[&["retention", "unset"], &scope[..]].concat()).code, 0);
        dev.run(&[&["retention", "unset"], &scope[..]].concat()).fails(3, &["retention_rule_not_found"]);
    }
    assert_eq!(dev.run(&["retention", "unset", "--default"]).code, 0);
    dev.run(&["retention", "set", "--queue", "q", "--tasks", "10ms"]).fails(2, &["retention_invalid", "`tasks`"]);
    dev.run(&["retention", "set", "--queue", "q", "--tasks", "soon"]).fails(2, &["duration_invalid"]);
    dev.run(&["retention", "set", "--queue", "q"]).fails(2, &["--tasks"]);
    dev.run(&["retention", "set", "--queue", "q", "--default", "--logs", "1d"]).fails(2, &["cannot be used with"]);
}
