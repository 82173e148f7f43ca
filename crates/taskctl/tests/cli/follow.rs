//! What goes on: logs by cursor, one task to its end, waiting for several, the feed with filters, lists again and again.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::dev::{Dev, send};
use crate::pty::{LARGE, SMALL};
use crate::support::{PATIENCE, wait_for};
use crate::wasm;

/// A command that goes on, with its lines of standard output and error as they come.
struct Going {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

impl Going {
    fn start(dev: &Dev, args: &[&str]) -> Self {
        let mut command = dev.command(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, err) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Self { child, out, err }
    }

    /// The next line of data.
    #[track_caller]
    fn line(&self) -> String {
        self.out.recv_timeout(PATIENCE).expect("a line of data")
    }

    /// The first line of data that has this word.
    #[track_caller]
    fn line_with(&self, word: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(word) {
                return line;
            }
        }
    }

    /// Ends by itself.
    #[track_caller]
    fn ends(&mut self) -> i32 {
        wait_for("the command to end", || self.child.try_wait().unwrap()).code().unwrap_or(-1)
    }

    /// Everything on standard error, once it has ended.
    fn notes(&self) -> String {
        std::iter::from_fn(|| self.err.recv_timeout(PATIENCE).ok()).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

#[test]
fn logs_are_followed_while_the_guest_speaks_and_from_where_the_reader_was() {
    let dev = Dev::start();
    dev.deploy("talker", &wasm::say_and_spin("one\ntwo\n\u{1b}[31mred\n"));
    let id = dev.submit(&[&["talker", "--max-attempts", "1"][..], &wasm::FOR_LONG].concat());
    let mut follow = Going::start(&dev, &["tasks", "logs", "-f", &id]);
    assert!(follow.line().ends_with("WARN  one"));
    assert!(follow.line().ends_with("WARN  two"));
    assert!(follow.line().ends_with("\\u{1b}[31mred"), "what a guest says is inert");
    send(follow.child.id(), Signal::INT);
    assert_eq!(follow.ends(), 0);
    let told = follow.notes();
    assert!(told.contains(&format!("taskctl tasks logs -f {id} --after 1.3")), "{told}");

    let mut rest = Going::start(&dev, &["tasks", "logs", "-f", &id, "--after", "1.1", "-o", "jsonl"]);
    let line: Value = serde_json::from_str(&rest.line()).unwrap();
    assert_eq!(
        (line["message"].as_str(), line["attempt"].as_u64(), line["source"].as_str()),
        (Some("two"), Some(1), Some("stderr"))
    );
    let line: Value = serde_json::from_str(&rest.line()).unwrap();
    assert_eq!(line["message"], "\u{1b}[31mred", "programs get it as it is");
    dev.run(&["tasks", "cancel", &id]);
    assert_eq!(rest.ends(), 0, "a task that has ended says nothing more");
    assert!(!rest.notes().contains("--after"), "there is nothing to go on with");

    dev.run(&["tasks", "logs", "-f", &id, "--after", "soon"]).fails(2, &["invalid_cursor"]);
    dev.run(&["tasks", "logs", &id, "--after", "1.1"]).fails(2, &["--follow"]);
}

#[test]
fn following_goes_on_over_a_restart_of_the_server() {
    let mut dev = Dev::start();
    dev.deploy("unlucky", &wasm::fail("bad luck\n", 3));
    // The second attempt comes when it is asked for.
    let retried = ["--max-attempts", "2", "--retry-on", "exit_code", "--backoff", "fixed", "--backoff-ms", "600000"];
    let id = dev.submit(&[&["unlucky"][..], &retried].concat());
    let mut logs = Going::start(&dev, &["tasks", "logs", "-f", &id]);
    let mut watch = Going::start(&dev, &["tasks", "watch", &id]);
    let mut events = Going::start(&dev, &["events", "-f", "--module", "unlucky"]);
    assert!(logs.line().contains("bad luck"));
    watch.line_with("  retrying  attempt");
    let heard = |dev: &Dev, events: &Going| {
        let id = dev.submit(&["unlucky", "--max-attempts", "1"]);
        let soon = || events.out.recv_timeout(Duration::from_millis(500)).ok();
        std::iter::from_fn(soon).any(|line| line.contains(&id)).then_some(())
    };
    // The feed must be open before it can be lost, and programs start as late as they like.
    wait_for("an event of the server's first life", || heard(&dev, &events));
    assert_eq!(dev.stop(), 0);
    dev.start_again();
    assert_eq!(dev.run(&["tasks", "reschedule", &id, "--delay", "0s"]).code, 0);
    assert!(logs.line().contains("bad luck"));
    assert_eq!(logs.ends(), 0);
    assert!(watch.line_with("  failed  attempt 2 of 2").contains("exit_code"));
    assert_eq!(watch.ends(), 1, "the exit code tells the outcome");
    wait_for("an event of the server's second life", || heard(&dev, &events));
    send(events.child.id(), Signal::TERM);
    events.ends();
    assert!(events.notes().contains("the feed is lost"));
}

#[test]
fn one_task_is_watched_to_its_end() {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    dev.deploy("spinner", &wasm::spin());
    let id = dev.submit(&[&["spinner"][..], &wasm::FOR_LONG].concat());
    let mut watch = Going::start(&dev, &["tasks", "watch", &id, "-o", "jsonl"]);
    let state = |line: String| serde_json::from_str::<Value>(&line).unwrap()["state"].as_str().unwrap().to_owned();
    while state(watch.line()) != "running" {}
    dev.run(&["tasks", "cancel", &id]);
    assert_eq!(state(watch.line_with("cancelled")), "cancelled");
    assert_eq!(watch.ends(), 1);

    let done = dev.submit(&["echo"]);
    let mut shown = dev.on_terminal(&["tasks", "watch", &done], LARGE);
    assert_eq!(shown.ends(), 0);
    assert!(shown.screen().contains("succeeded  attempt 1 of"), "{}", shown.screen());
    dev.run(&["tasks", "watch", "0198c0de-7a5c-7000-8000-000000000000"]).fails(3, &["task_not_found"]);
}

#[test]
fn waiting_ends_when_all_are_there_or_one_never_will_be() {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    dev.deploy("unlucky", &wasm::fail("bad luck\n", 3));
    dev.deploy("spinner", &wasm::spin());
    let (good, late) = (dev.submit(&["echo"]), dev.submit(&["echo", "--delay-ms", "1500"]));
    let both = dev.run(&["wait", &good, &late, "--for", "succeeded", "-o", "json"]).json();
    assert_eq!(both["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(both["tasks"][1]["state"], "succeeded");

    let bad = dev.submit(&["unlucky", "--max-attempts", "1"]);
    let ended = dev.run(&["wait", &bad]);
    assert!(ended.code == 0 && ended.out().contains("failed"), "{ended:?}");
    assert_eq!(dev.run(&["wait", &bad, "--for=failed"]).code, 0);
    let missed = dev.run(&["wait", &bad, &good, "--for=succeeded"]);
    assert!(
        missed.code == 1 && missed.err.contains(&format!("{bad} is failed")) && missed.err.contains("hint:"),
        "{missed:?}"
    );

    let long = dev.submit(&[&["spinner"][..], &wasm::FOR_LONG].concat());
    assert_eq!(dev.run(&["wait", &long, "--for=running"]).code, 0);
    dev.run(&["wait", &long, "--timeout", "300ms"])
        .fails(6, &["1 of 1 tasks are not ended within 300ms", "they go on"]);
    dev.run(&["tasks", "cancel", &long]);

    let document = r#"{"tasks": [{"name": "a", "module": "echo"}, {"module": "echo", "after": ["a"]}]}"#;
    let batch = dev.feed(&["submit", "--batch", "-", "-o", "json"], document.as_bytes()).json()["batch"].clone();
    let batch = batch.as_str().unwrap();
    let ended = dev.run(&["wait", "--batch", batch, "--for", "succeeded"]);
    assert!(ended.code == 0 && ended.err.contains("2 of 2 tasks have ended"), "{ended:?}");
    let document = r#"{"tasks": [{"module": "echo"}, {"module": "unlucky"}]}"#;
    let batch = dev.feed(&["submit", "--batch", "-", "-o", "json"], document.as_bytes()).json()["batch"].clone();
    let missed = dev.run(&["wait", "--batch", batch.as_str().unwrap(), "--for", "succeeded"]);
    assert!(missed.code == 1 && missed.err.contains("ended without being succeeded"), "{missed:?}");

    dev.run(&["wait"]).fails(2, &["<ID>"]);
    dev.run(&["wait", &good, "--for", "done"]).fails(2, &["done", "succeeded"]);
    dev.run(&["wait", &good, "--for", "suceeded"]).fails(2, &["succeeded"]);
    dev.run(&["wait", &good, "--timeout", "soon"]).fails(2, &["--timeout", "soon"]);
    dev.run(&["wait", "0198c0de-7a5c-7000-8000-000000000000"]).fails(3, &["task_not_found"]);
}

#[test]
fn events_come_as_they_happen_and_only_those_that_are_wanted() {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    dev.deploy("unlucky", &wasm::fail("bad luck\n", 3));
    let failed = Going::start(&dev, &["events", "-f", "--state", "failed"]);
    let echoes = Going::start(&dev, &["events", "-f", "--module", "echo", "--queue", "default", "-o", "jsonl"]);
    // The feed tells from when it is open: until the first is heard, more are made.
    let first = wait_for("an event", || {
        dev.submit(&["echo"]);
        echoes.out.recv_timeout(Duration::from_millis(500)).ok()
    });
    let event: Value = serde_json::from_str(&first).unwrap();
    assert_eq!((event["module"].as_str(), event["queue"].as_str()), (Some("echo"), Some("default")));
    assert!(event["at"].is_string() && event["id"].is_string(), "{event}");
    let unlucky = wait_for("a failed event", || {
        dev.submit(&["unlucky", "--max-attempts", "1"]);
        failed.out.recv_timeout(Duration::from_millis(500)).ok()
    });
    assert!(unlucky.contains("failed") && unlucky.contains("unlucky"), "{unlucky}");
    assert!(echoes.out.try_iter().all(|line| !line.contains("unlucky")), "a filter let something through");

    let history = dev.run(&["events"]);
    assert!(history.code == 0 && history.out().starts_with("AT"), "{history:?}");
    assert!(
        dev.run(&["events", "--seconds", "60", "-o", "json"]).json()["seconds"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
    dev.run(&["events", "--module", "echo"]).fails(2, &["--follow"]);
    dev.run(&["events", "-f", "--state", "fialed"]).fails(2, &["failed"]);
    dev.run(&["events", "--seconds", "901"]).fails(2, &["invalid_query"]);
}

#[test]
fn what_goes_on_ends_when_nobody_reads() {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    for args in [&["events", "-f"][..], &["tasks", "list", "--watch=1"]] {
        let mut going = Going::start(&dev, args);
        let gone = std::mem::replace(&mut going.out, channel().1);
        drop(gone);
        // The thread that reads ends at the next line, and with it the pipe.
        wait_for("the command to end", || {
            dev.submit(&["echo"]);
            going.child.try_wait().unwrap()
        });
    }
}

#[test]
fn lists_are_shown_again_and_again() {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    let mut drawn = dev.on_terminal(&["tasks", "list", "--watch=1"], SMALL);
    drawn.shows(&["no such tasks", "ID"]);
    let id = dev.submit(&["echo"]);
    drawn.shows(&[&id[..8], "succeeded"]);
    drawn.hides("no such tasks");
    drawn.keys("\u{3}");
    assert_ne!(drawn.ends(), 0);
    drawn.is_as_before();

    let watch = Going::start(&dev, &["tasks", "list", "--watch=1", "-o", "name"]);
    assert_eq!(watch.line(), id);
    let second = dev.submit(&["echo"]);
    assert_eq!(watch.line_with(&second), second, "a change is printed");
    let mut first = dev.command(&["hosts", "--watch"]);
    first.env("TASKLANE_SERVER", "http://127.0.0.1:9");
    crate::support::finish(first, b"").fails(7, &["cannot be reached", "hint:"]);
}
