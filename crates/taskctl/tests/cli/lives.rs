//! `taskctl dev` over several lives: restarted, killed, and with its children killed.

use rustix::process::Signal;

use crate::dev::{Dev, is_alive, send};
use crate::support::{finish, free_address, taskctl, wait_for};
use crate::wasm;

fn nats_pid(dev: &Dev) -> u32 {
    // A server that starts writes it anew.
    wait_for("the nats-server's process id", || {
        let text = std::fs::read_to_string(dev.data_dir().join("nats/nats-server.pid")).ok()?;
        text.trim().parse().ok()
    })
}

fn echoes(dev: &Dev) {
    let run = dev.run(&["run", "echo", "--input", "[7]", "--wait-timeout", "60"]);
    assert_eq!((run.code, run.out()), (0, "[7]".to_owned()), "{run:?}\n{}", dev.log());
}

#[test]
fn it_says_where_everything_is() {
    let dev = Dev::start();
    let log = dev.log();
    for word in [dev.listen(), "/docs", dev.data_dir().to_str().unwrap(), "taskctl deploy", "Ctrl-C"] {
        assert!(log.contains(word), "`{word}` is missing: {log}");
    }
}

#[test]
fn a_second_one_on_the_same_data_is_refused() {
    let dev = Dev::start();
    let second = |more: &[&str]| {
        let mut command = taskctl();
        command.args(["dev", "--listen", &free_address(), "--data-dir"]).arg(dev.data_dir()).args(more);
        finish(command, b"")
    };
    second(&[]).fails(5, &["another `taskctl dev`", dev.data_dir().to_str().unwrap(), "hint:"]);
    second(&["--fresh"]).fails(5, &["another `taskctl dev`"]);
    assert!(dev.data_dir().join("tasklane.db").exists(), "--fresh must not remove what is in use");
}

#[test]
fn a_restart_keeps_what_was_accepted_and_fresh_forgets_it() {
    let mut dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    let done = dev.submit(&["echo", "--input", "[1]"]);
    dev.until(&done, "succeeded");
    let waiting = dev.submit(&["echo", "--input", "[2]", "--delay-ms", "4000"]);
    let (nats, hosts) = (nats_pid(&dev), dev.host_pids());
    assert_eq!(dev.stop(), 0, "{}", dev.log());
    for pid in hosts.into_iter().chain([nats]) {
        assert!(!is_alive(pid), "process {pid} was left behind");
    }

    dev.start_again();
    assert_eq!(dev.run(&["tasks", "result", &done]).out(), "[1]");
    dev.until(&waiting, "succeeded");
    echoes(&dev);

    assert_eq!(dev.stop(), 0, "{}", dev.log());
    dev.start_fresh();
    dev.run(&["tasks", "get", &done]).fails(3, &["task_not_found"]);
    dev.run(&["modules", "get", "echo"]).fails(3, &["module_not_found"]);
}

#[test]
fn a_killed_host_is_replaced() {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    let first = wait_for("one host", || match dev.host_pids()[..] {
        [pid] => Some(pid),
        _ => None,
    });
    send(first, Signal::KILL);
    wait_for("another host", || dev.host_pids().into_iter().find(|pid| *pid != first));
    echoes(&dev);
}

#[test]
fn a_killed_nats_server_is_replaced() {
    let dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    let first = nats_pid(&dev);
    send(first, Signal::KILL);
    // Accepted while NATS is away, run when it is back.
    let id = dev.submit(&["echo", "--input", "[3]"]);
    dev.until(&id, "succeeded");
    wait_for("another nats-server", || (nats_pid(&dev) != first).then_some(()));
    echoes(&dev);
}

#[test]
fn a_killed_dev_takes_its_host_along_and_starts_again() {
    let mut dev = Dev::start();
    dev.deploy("echo", &wasm::echo());
    let waiting = dev.submit(&["echo", "--input", "[4]", "--delay-ms", "3000"]);
    let (hosts, nats) = (dev.host_pids(), nats_pid(&dev));
    dev.kill();
    wait_for("the host to die with its parent", || hosts.iter().all(|pid| !is_alive(*pid)).then_some(()));
    dev.start_again();
    assert!(!is_alive(nats), "the nats-server of the life before was left behind");
    dev.until(&waiting, "succeeded");
    echoes(&dev);
}

#[test]
fn a_second_signal_stops_at_once() {
    let mut dev = Dev::start_with(&[("TASKLANE_DRAIN_TIMEOUT_MS", "600000")]);
    dev.deploy("spinner", &wasm::spin());
    let id = dev.submit(&[&["spinner"][..], &wasm::FOR_LONG].concat());
    dev.until(&id, "running");
    send(dev.pid(), Signal::TERM);
    wait_for("the host to drain", || dev.hosts().iter().any(|host| host["status"] == "draining").then_some(()));
    // Without the second signal it would drain for ten minutes.
    assert_eq!(dev.stop(), 0, "{}", dev.log());
}
