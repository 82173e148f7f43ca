//! A `taskctl dev` in a directory of its own.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::cluster::free_address;
use crate::{Client, Process, Role, wait_for};

/// A running `taskctl dev`; ended, with its children, when dropped.
pub struct Dev {
    /// The process; `None` between a stop and the next start.
    process: Option<Process>,
    listen: String,
    env: Vec<(String, String)>,
    dir: TempDir,
}

/// How long an orderly end may take.
const END_PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

impl Drop for Dev {
    fn drop(&mut self) {
        // Asked, it ends its nats-server too; killed, it would leave it behind.
        let Some(process) = &mut self.process else { return };
        let asked = process.signal(rustix::process::Signal::TERM).is_ok();
        let begun = std::time::Instant::now();
        while asked && process.is_running() && begun.elapsed() < END_PATIENCE {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Dev {
    /// Starts one and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready; its output is in the error.
    pub async fn start(env: &[(&str, &str)]) -> anyhow::Result<Self> {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut dev = Self { process: None, listen: free_address()?, env, dir: tempfile::tempdir()? };
        dev.start_again().await?;
        Ok(dev)
    }

    /// Starts it again on the same data.
    ///
    /// # Errors
    /// When it does not become ready; its output is in the error.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let mut env = self.env.clone();
        env.push(("TASKLANE_LISTEN".to_owned(), self.listen.clone()));
        env.push(("TASKLANE_DATA_DIR".to_owned(), self.data_dir().display().to_string()));
        let process = Process::start(Role::Dev, "dev", self.dir.path(), self.listen.clone(), &env)?;
        let client = self.client()?;
        let ready = wait_for("taskctl dev to have a host", || async {
            let hosts = client.get("/api/v1/hosts").await?;
            Ok((hosts["hosts"].as_array().map_or(0, Vec::len) == 1).then_some(()))
        })
        .await;
        let ready = ready.map_err(|error| error.context(process.output()));
        self.process = Some(process);
        ready
    }

    /// The process.
    ///
    /// # Errors
    /// When it is not running.
    pub fn process(&mut self) -> anyhow::Result<&mut Process> {
        self.process.as_mut().ok_or_else(|| anyhow::anyhow!("taskctl dev is not running"))
    }

    /// Where its data are.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Where its API is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// Talks to its API.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn client(&self) -> anyhow::Result<Client> {
        Client::new(&format!("http://{}", self.listen))
    }
}
