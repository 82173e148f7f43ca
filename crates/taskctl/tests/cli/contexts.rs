//! Contexts: servers by name, a file that only its user reads, and a token that goes where it belongs and is shown nowhere.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::pty::{LARGE, OnTerminal};
use crate::support::{Run, finish, taskctl};

const TOKEN: &str = "tl_s3cret-0123456789";

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = taskctl();
        command.args(args).env("XDG_CONFIG_HOME", self.path()).current_dir(self.path());
        command
    }

    /// Whatever is run: the token is not shown.
    #[track_caller]
    fn run(&self, args: &[&str]) -> Run {
        let run = finish(self.command(args), b"");
        assert!(!run.out().contains(TOKEN) && !run.err.contains(TOKEN), "{args:?} shows the token: {run:?}");
        run
    }

    fn file(&self) -> std::path::PathBuf {
        self.path().join("tasklane/contexts.toml")
    }

    fn add(&self, name: &str, server: &str, more: &[&str]) -> Run {
        std::fs::write(self.path().join("token"), format!("{TOKEN}\n")).unwrap();
        self.run(&[&["context", "add", name, "--server", server][..], more].concat())
    }
}

/// Answers one request with an empty list of hosts, and tells its head.
fn listening() -> (String, std::thread::JoinHandle<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let count = stream.read(&mut request).unwrap();
        let body = "{\"hosts\":[]}";
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..count]).to_lowercase()
    });
    (server, heard)
}

#[test]
fn contexts_are_kept_used_and_forgotten() {
    let home = Home::new();
    assert!(home.run(&["context", "list"]).err.contains("taskctl context add"));
    let added = home.add("dev", "http://127.0.0.1:7071", &[]);
    assert!(added.code == 0 && added.err.contains("dev is kept; is in use"), "{added:?}");
    let added = home.add("prod", "https://tasks.example.com/", &["--namespace", "acme", "--token-file", "token"]);
    assert!(added.code == 0 && added.err.contains("taskctl context use prod"), "{added:?}");
    let mode = std::fs::metadata(home.file()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(std::fs::read_to_string(home.file()).unwrap().contains(TOKEN), "it is kept in the file");

    let list = home.run(&["context", "list", "-o", "json"]).json();
    assert_eq!(
        (list["contexts"][0]["current"].as_bool(), list["contexts"][1]["token"].as_bool()),
        (Some(true), Some(true))
    );
    assert_eq!(home.run(&["context", "list", "-o", "name"]).out(), "dev\nprod\n");
    assert!(home.run(&["context", "show"]).out().contains("http://127.0.0.1:7071"));
    assert_eq!(home.run(&["context", "use", "prod"]).code, 0);
    let shown = home.run(&["context", "show"]).out();
    assert!(shown.contains("acme") && shown.contains("kept"), "{shown}");
    assert!(home.run(&["context", "previous"]).err.contains("dev is in use"));
    assert!(home.run(&["context", "previous"]).err.contains("prod is in use"));

    home.run(&["context", "use", "prd"]).fails(3, &["no context `prd`", "did you mean `prod`"]);
    home.run(&["--context", "nowhere", "hosts"]).fails(3, &["no context `nowhere`"]);
    home.add("prod", "https://other.example.com", &[]).fails(5, &["already", "--force"]);
    assert_eq!(home.add("prod", "https://other.example.com", &["--force"]).code, 0);
    home.add("bad name", "https://x", &[]).fails(2, &["bad name"]);
    home.add("x", "tasks.example.com", &[]).fails(2, &["is no server", "https://"]);
    home.add("x", "https://me:pw@x", &[]).fails(2, &["leave user and password out", "[redacted]"]);
    home.run(&["context", "add", "x"]).fails(2, &["no server is given"]);
    std::fs::write(home.path().join("empty"), "\n").unwrap();
    home.add("x", "https://x", &["--token-file", "empty"]).fails(2, &["empty", "no token"]);
    assert_eq!(home.run(&["context", "remove", "prod"]).code, 0);
    home.run(&["context", "remove", "prod"]).fails(3, &["no context"]);
    home.run(&["context", "show"]).fails(2, &["no context is in use"]);
}

#[test]
fn a_token_is_asked_for_unseen() {
    let home = Home::new();
    let mut add =
        OnTerminal::start(home.command(&["context", "add", "p", "--server", "https://p", "--ask-token"]), LARGE);
    add.shows(&["token (not shown):"]);
    add.keys(&format!("{TOKEN}\r"));
    assert_eq!(add.ends(), 0, "{}", add.screen());
    assert!(!add.bytes().contains(TOKEN), "it was shown");
    add.is_as_before();
    assert!(std::fs::read_to_string(home.file()).unwrap().contains(TOKEN));
    let piped =
        finish(home.command(&["context", "add", "q", "--server", "https://q", "--ask-token"]), TOKEN.as_bytes());
    assert_eq!(piped.code, 0, "{piped:?}");
}

#[test]
fn flags_come_before_variables_before_the_context() {
    let home = Home::new();
    let sent = |args: &[&str], env: &[(&str, &str)]| {
        let (server, heard) = listening();
        let mut command = home.command(&[&["hosts"], args].concat());
        if !args.contains(&"--context") {
            command.env("TASKLANE_SERVER", &server);
        } else {
            assert_eq!(home.add("here", &server, &["--force", "--token-file", "token"]).code, 0);
        }
        command.envs(env.iter().copied());
        let run = finish(command, b"");
        assert_eq!(run.code, 0, "{run:?}");
        assert!(!run.err.contains("tl_") && !run.out().contains("tl_"), "{run:?}");
        heard.join().unwrap()
    };
    assert_eq!(home.add("elsewhere", "https://tasks.example.com", &["--token-file", "token"]).code, 0);
    assert!(!sent(&[], &[]).contains("authorization"), "a context's token goes to its own server only");
    let head = sent(&["--context", "here"], &[]);
    assert!(head.contains(&format!("authorization: bearer {TOKEN}").to_lowercase()), "{head}");
    let head = sent(&["--context", "here"], &[("TASKLANE_TOKEN", "tl_variable")]);
    assert!(head.contains("bearer tl_variable"), "{head}");
    std::fs::write(home.path().join("flag"), "tl_flag\n").unwrap();
    let head = sent(&["--context", "here", "--token-file", "flag"], &[("TASKLANE_TOKEN", "tl_variable")]);
    assert!(head.contains("bearer tl_flag"), "{head}");
    let head = sent(&[], &[("TASKLANE_TOKEN_FILE", "flag")]);
    assert!(head.contains("bearer tl_flag"), "{head}");
}

#[test]
fn what_is_wrong_with_a_token_or_its_file_is_told_without_it() {
    let home = Home::new();
    let missing = home.run(&["hosts", "--server", "http://127.0.0.1:9", "--token-file", "nothing"]);
    missing.fails(2, &["cannot read nothing"]);
    std::fs::write(home.path().join("two"), format!("{TOKEN} {TOKEN}")).unwrap();
    home.run(&["hosts", "--token-file", "two"]).fails(2, &["more than a token"]);
    assert_eq!(home.add("p", "http://127.0.0.1:9", &["--token-file", "token"]).code, 0);
    std::fs::set_permissions(home.file(), PermissionsExt::from_mode(0o644)).unwrap();
    home.run(&["hosts"]).fails(7, &["others can read it", "chmod 600", "127.0.0.1:9"]);
    std::fs::write(home.file(), format!("current = \"p\"\n[contexts.p]\nserver = 1\ntoken = \"{TOKEN}\"\n")).unwrap();
    home.run(&["hosts"]).fails(2, &["contexts.toml", "hint:"]);
    assert_eq!(home.run(&["hosts", "--server", "http://127.0.0.1:9"]).code, 7, "who names a server needs no file");
    home.run(&["hosts", "--server", "http://127.0.0.1:9", "--ca-file", "token"]).fails(2, &["token", "certificates"]);
    // Nothing is sent: the file is not there.
    let mut open = home.command(&["deploy", "/no/such/file.wasm", "--server", "http://tasks.example.com"]);
    open.env("TASKLANE_TOKEN", TOKEN);
    let run = finish(open, b"");
    assert!(run.code == 2 && run.err.contains("unencrypted") && !run.err.contains(TOKEN), "{run:?}");
}

#[test]
fn who_may_not_is_told_apart() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _count = stream.read(&mut request).unwrap();
        let body = r#"{"type":"t","title":"t","status":403,"detail":"a page","code":"origin_refused","hint":"h"}"#;
        let head =
            format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        stream.write_all(head.as_bytes()).unwrap();
    });
    Home::new().run(&["hosts", "--server", &server]).fails(4, &["origin_refused", "hint:"]);
    answering.join().unwrap();
}
