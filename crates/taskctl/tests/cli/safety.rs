//! What must not happen: a secret that is shown, a stranger's file that is removed, a crash because nobody reads.

use std::process::Stdio;

use crate::support::{finish, free_address, run, taskctl};

#[test]
fn fresh_removes_nothing_that_is_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("thesis.txt"), b"years of work").unwrap();
    std::fs::write(dir.path().join("tasklane.db"), b"ours").unwrap();
    let mut command = taskctl();
    // It gets as far as looking for a nats-server.
    command.env("TASKLANE_NATS_SERVER", "/no/such/nats-server");
    command.args(["dev", "--fresh", "--listen", &free_address(), "--data-dir"]).arg(dir.path());
    finish(command, b"").fails(2, &["/no/such/nats-server"]);
    assert!(dir.path().join("thesis.txt").exists());
    assert!(!dir.path().join("tasklane.db").exists());
}

#[test]
fn no_secret_is_shown_in_help_logs_or_errors() {
    let dir = tempfile::tempdir().unwrap();
    let shown = |args: &[&str]| {
        let mut command = taskctl();
        command.env("TASKLANE_NATS_URL", format!("nats://s3cret@{}", free_address())).current_dir(dir.path());
        command.env("TASKLANE_DATABASE_URL", "postgres://me:s3cret@127.0.0.1:1/x?password=s3cret").args(args);
        let run = finish(command, b"");
        assert!(!run.err.contains("s3cret") && !run.out().contains("s3cret"), "{args:?}: {run:?}");
        run
    };
    assert_eq!(shown(&["serve", "--help"]).code, 0);
    assert_eq!(shown(&["serve", "host"]).code, 7);
    assert_eq!(shown(&["serve", "scheduler"]).code, 7);
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    for args in [&["completions", "bash"][..], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = taskctl();
        let output = command.args(args).stdin(Stdio::null()).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_manifest_of_a_crate_is_found_above_its_target() {
    let dir = tempfile::tempdir().unwrap();
    let release = dir.path().join("crate/target/wasm32-wasip1/release");
    std::fs::create_dir_all(&release).unwrap();
    std::fs::write(release.join("a.wasm"), b"").unwrap();
    std::fs::write(dir.path().join("crate/tasklane.toml"), "name = \"a\"\nunheard_of = 1\n").unwrap();
    run(&["deploy", release.join("a.wasm").to_str().unwrap()]).fails(2, &["unheard_of"]);
}
