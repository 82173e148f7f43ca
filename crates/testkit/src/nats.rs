//! A real nats-server in a temporary directory.

use std::path::PathBuf;

use anyhow::Context;
use tasklane_nats::server::{ServerProcess, find_server};
use tasklane_nats::{ConnectOptions, Nats};
use tempfile::TempDir;

/// A nats-server of the test's own; ended when dropped.
pub struct NatsServer {
    process: ServerProcess,
    dir: TempDir,
}

/// The nats-server that tests use: `TASKLANE_NATS_SERVER`, else PATH, else the checkout's `.tools/bin`.
///
/// # Errors
/// Says how to get one.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration but their environment")]
pub fn program() -> anyhow::Result<PathBuf> {
    let explicit = std::env::var("TASKLANE_NATS_SERVER").ok().map(PathBuf::from);
    let path = std::env::var("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    dirs.push(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin"));
    find_server(explicit.as_deref(), &dirs).context("the tests need a real nats-server")
}

impl NatsServer {
    /// Starts one on a free loopback port.
    ///
    /// # Errors
    /// When none is found or it does not become ready.
    pub async fn start() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let process = ServerProcess::start(&program()?, dir.path(), None).await?;
        Ok(Self { process, dir })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        self.process.url()
    }

    /// Where it keeps its files.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// A connection to it.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn connect(&self) -> anyhow::Result<Nats> {
        let options = ConnectOptions { urls: vec![self.url()], name: "test".to_owned(), ..ConnectOptions::default() };
        Ok(Nats::connect(&options).await?)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port and files.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        Ok(self.process.restart().await?)
    }

    /// `kill -9`, removes everything that JetStream had stored, and starts it again on the same port.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn wipe_and_restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        std::fs::remove_dir_all(self.dir.path().join("store"))?;
        self.restart().await
    }
}
