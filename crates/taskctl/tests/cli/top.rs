//! `taskctl top` on a pseudo-terminal: what it shows, what its keys do, and that the terminal is given back at every end.

use rustix::process::Signal;

use crate::dev::Dev;
use crate::pty::{LARGE, OnTerminal, SMALL};
use crate::support::{free_address, taskctl};
use crate::wasm;

fn working() -> Dev {
    let dev = Dev::start();
    dev.deploy("spinner", &wasm::spin());
    dev.deploy("echo", &wasm::echo());
    dev
}

#[test]
fn it_shows_the_cluster_live_and_its_keys_act() {
    let dev = working();
    let running = dev.submit(&[&["spinner"][..], &wasm::FOR_LONG].concat());
    let waiting = dev.submit(&["echo", "--queue", "nobody-serves-it"]);
    dev.until(&running, "running");
    let mut top = dev.on_terminal(&["top"], SMALL);
    let words =
        ["Tasklane", "leader", "slots 1/4", "running 1", "nobody-serves-it/", "HOST", "active", "SLOWEST", "q quit"];
    top.shows(&words);
    top.shows(&[&running[..8], "spinner", "echo"]);

    let done = dev.submit(&["echo", "--input", "[1]"]);
    dev.until(&done, "succeeded");
    top.shows(&["ended 0."]);

    top.keys("/nobody\r");
    top.hides("spinner  ");
    top.shows(&["[nobody]", "echo"]);

    top.keys("?");
    top.shows(&["cancel the selected task"]);
    top.keys("x");
    top.hides("cancel the selected task");

    // Lanes: with this filter there is one, also where the picture still has the lane of the task that has just ended.
    top.keys("\tp");
    top.shows(&["pause queue nobody-serves-it? y/n"]);
    top.keys("n");
    top.hides("y/n");
    assert!(!dev.run(&["queues", "get", "nobody-serves-it"]).out().contains("paused"), "one key is not enough");
    top.keys("py");
    top.shows(&["nobody-serves-it is paused", "paused"]);
    assert!(dev.run(&["queues", "get", "nobody-serves-it"]).out().contains("paused"));

    top.keys("/\u{1b}");
    top.shows(&["spinner"]);
    top.keys("\t/spinner\rc");
    top.shows(&[&format!("cancel task {running}? y/n")]);
    top.keys("y");
    dev.until(&running, "cancelled");
    top.shows(&["nothing runs or waits"]);
    top.keys("q");
    assert_eq!(top.ends(), 0);
    top.is_as_before();
    assert_eq!(dev.run(&["tasks", "get", &waiting, "-o", "json"]).json()["state"], "queued", "another was left alone");
}

#[test]
fn it_fits_every_size_and_follows_a_change_of_it() {
    let dev = working();
    let mut top = dev.on_terminal(&["top"], SMALL);
    top.shows(&["q quit", "HOST"]);
    top.resize((5, 30));
    top.shows(&["too small"]);
    top.resize(LARGE);
    top.shows(&["q quit", "HOST"]);
    top.resize(SMALL);
    top.shows(&["q quit", "HOST"]);
    top.keys("\u{3}");
    assert_eq!(top.ends(), 0, "Ctrl-C is an end like q");
    top.is_as_before();
}

#[test]
fn the_terminal_is_given_back_at_every_signal() {
    let dev = working();
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)] {
        let mut top = dev.on_terminal(&["top"], SMALL);
        top.shows(&["q quit"]);
        top.signal(signal);
        assert_eq!(top.ends(), code);
        top.is_as_before();
    }
}

#[test]
fn a_server_that_goes_away_is_told_and_comes_back() {
    let mut dev = working();
    let mut top = dev.on_terminal(&["top"], SMALL);
    top.shows(&["slots 0/4"]);
    assert_eq!(dev.stop(), 0);
    top.shows(&["away: "]);
    dev.start_again();
    top.hides("away: ");
    top.shows(&["slots 0/4"]);
    top.keys("q");
    assert_eq!(top.ends(), 0);
    top.is_as_before();
}

#[test]
fn off_a_terminal_it_is_one_picture() {
    let dev = working();
    let plain = dev.run(&["top"]);
    assert_eq!((plain.code, plain.err.as_str()), (0, ""));
    for word in ["Tasklane", "leader", "slots 0/4", "LANE", "HOST", "SLOWEST", "ended 0.0/s"] {
        assert!(plain.out().contains(word), "`{word}` is missing: {}", plain.out());
    }
    assert!(!plain.out().contains('\u{1b}'));
    let json = dev.run(&["top", "-o", "json"]).json();
    assert!(json["cluster"]["leader"]["term"].is_number() && json["hosts"][0]["slots"] == 4, "{json}");
}

#[test]
fn without_a_server_the_terminal_is_not_touched() {
    let mut command = taskctl();
    command.args(["top", "--server", &format!("http://{}", free_address())]);
    let mut top = OnTerminal::start(command, SMALL);
    assert_eq!(top.ends(), 7);
    let shown = top.screen();
    assert!(shown.contains("cannot be reached") && shown.contains("hint:"), "{shown}");
    assert!(!top.bytes().contains("\u{1b}[?1049h"), "it took the screen");
    top.is_as_before();
}
