//! Questions on a terminal: what a module asks for, a value that is typed and not shown, and colour where a person looks.

use crate::dev::Dev;
use crate::pty::{LARGE, OnTerminal};
use crate::support::{free_address, taskctl};
use crate::wasm;

const ASKS: &str = "name = \"asker\"\nversion = \"VERSION\"\n[permissions]\nhttp = [HTTP]\n";

fn manifest(dev: &Dev, version: &str, http: &str) {
    let text = ASKS.replace("VERSION", version).replace("HTTP", http);
    dev.file("tasklane.toml", text.as_bytes());
}

fn versions(dev: &Dev) -> Vec<String> {
    let list = dev.run(&["modules", "get", "asker", "-o", "name"]);
    list.out().lines().map(str::to_owned).collect()
}

#[test]
fn deploy_asks_before_a_module_may_do_more() {
    let dev = Dev::start();
    dev.file("asker.wasm", &wasm::echo());
    let deploy = || dev.on_terminal(&["deploy", "asker.wasm"], LARGE);

    manifest(&dev, "1.0.0", "\"GET https://api.example.com\"");
    let mut first = deploy();
    first.shows(&["asker@1.0.0 asks for:", "+ ", "api.example.com", "deploy? [y/N]"]);
    first.keys("\r");
    assert_eq!(first.ends(), 1, "nothing is a no: {}", first.screen());
    assert!(first.screen().contains("nothing was deployed") && first.screen().contains("--yes"));
    assert!(versions(&dev).is_empty());

    let mut first = deploy();
    first.shows(&["deploy? [y/N]"]);
    first.keys("y\r");
    assert_eq!(first.ends(), 0, "{}", first.screen());
    assert_eq!(versions(&dev), ["asker@1.0.0"]);

    // Nothing more than before: nothing is asked.
    manifest(&dev, "1.1.0", "\"GET https://api.example.com\"");
    let mut same = deploy();
    assert_eq!(same.ends(), 0, "{}", same.screen());
    assert!(!same.screen().contains("deploy?"), "{}", same.screen());

    manifest(&dev, "2.0.0", "\"GET https://other.example.com\"");
    let mut other = deploy();
    let asked = other.shows(&["compared with 1.1.0", "deploy? [y/N]"]);
    let line = |host: &str| asked.lines().find(|line| line.contains(host)).unwrap().trim_start().to_owned();
    assert!(line("other.example.com").starts_with('+') && line("api.example.com").starts_with('-'), "{asked}");
    other.keys("no\r");
    assert_eq!(other.ends(), 1);
    let mut agreed = dev.on_terminal(&["deploy", "asker.wasm", "--yes"], LARGE);
    assert_eq!(agreed.ends(), 0, "{}", agreed.screen());
    assert_eq!(versions(&dev), ["asker@2.0.0", "asker@1.1.0", "asker@1.0.0"]);
}

#[test]
fn a_secret_is_typed_unseen() {
    let dev = Dev::start();
    let mut set = dev.on_terminal(&["secrets", "set", "api-key"], LARGE);
    set.shows(&["value (not shown):"]);
    assert!(!set.echoes());
    set.keys("wrong\u{15}hunter22\u{7f}\r");
    assert_eq!(set.ends(), 0, "{}", set.screen());
    let shown = set.screen();
    assert!(shown.contains("secret api-key is set (version 1)"), "{shown}");
    assert!(!set.bytes().contains("hunter") && !set.bytes().contains("wrong"), "what was typed was shown: {shown}");
    assert!(set.echoes());
    set.is_as_before();
    assert_eq!(dev.run(&["secrets", "list", "-o", "name"]).out(), "api-key\n");

    let mut empty = dev.on_terminal(&["secrets", "set", "other"], LARGE);
    empty.shows(&["value (not shown):"]);
    empty.keys("\r");
    assert_eq!(empty.ends(), 2);
    assert!(empty.screen().contains("no value was typed"));

    let mut given_up = dev.on_terminal(&["secrets", "set", "other"], LARGE);
    given_up.shows(&["value (not shown):"]);
    given_up.keys("half\u{3}");
    assert_eq!(given_up.ends(), 130);
    given_up.is_as_before();
    assert_eq!(dev.run(&["secrets", "list", "-o", "name"]).out(), "api-key\n");
}

#[test]
fn there_is_colour_where_a_person_looks_and_nowhere_else() {
    let server = format!("http://{}", free_address());
    let shown = |args: &[&str], no_color: bool| {
        let mut command = taskctl();
        command.args(["hosts", "--server", &server]).args(args);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let mut hosts = OnTerminal::start(command, LARGE);
        assert_eq!(hosts.ends(), 7);
        hosts.bytes()
    };
    assert!(shown(&[], false).contains("\u{1b}[31merror:"));
    assert!(!shown(&[], true).contains("\u{1b}[31m"), "NO_COLOR");
    assert!(shown(&["--color", "always"], true).contains("\u{1b}[31merror:"), "a flag comes before a variable");
    assert!(!shown(&["--color=never"], false).contains("\u{1b}[31m"));
    let piped = crate::support::run(&["hosts", "--server", &server]);
    assert!(!piped.err.contains('\u{1b}'), "{piped:?}");
    let forced = crate::support::run(&["hosts", "--server", &server, "--color", "always"]);
    assert!(forced.err.contains("\u{1b}[31merror:"), "{forced:?}");
}

#[test]
fn what_lasts_longer_than_a_second_is_shown_on_a_terminal_and_goes() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let _length = stream.read(&mut request).unwrap();
        wait.recv().unwrap();
        let body = "{\"hosts\":[]}";
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        stream.write_all(head.as_bytes()).unwrap();
    });
    let mut command = taskctl();
    command.args(["hosts", "--server", &server]);
    let mut hosts = OnTerminal::start(command, LARGE);
    hosts.shows(&["waiting for the server"]);
    go.send(()).unwrap();
    assert_eq!(hosts.ends(), 0);
    let shown = hosts.screen();
    assert!(shown.contains("NAME") && !shown.contains("waiting"), "{shown}");
    answering.join().unwrap();
}
