//! A cluster of real processes: one nats-server, one API, some schedulers and hosts, on SQLite or PostgreSQL.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use serde_json::Value;
use tasklane_testkit::nats::NatsServer;
use tempfile::TempDir;

use crate::{Client, Process, Role, wait_for};

/// What a story may set.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// Hosts started with the cluster.
    pub hosts: usize,
    /// Schedulers started with the cluster.
    pub schedulers: usize,
    /// Slots of each host.
    pub slots: u32,
    /// Further settings, as environment variables of every process.
    pub env: Vec<(String, String)>,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self { hosts: 1, schedulers: 1, slots: 32, env: Vec::new() }
    }
}

impl ClusterSettings {
    /// Nothing counts as lost for half a minute, though the machine stands still for seconds: for stories in which nothing dies, and which
    /// count how often something was run.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.env.extend([pair("TASKLANE_ACK_WAIT_MS", 30_000), pair("TASKLANE_RESCUE_MARGIN_MS", 30_000)]);
        self
    }
}

/// The processes of one story. Everything ends when it is dropped.
pub struct Cluster {
    /// Talks to the API.
    pub client: Client,
    /// The API.
    pub api: Process,
    /// The schedulers, in the order of their start.
    pub schedulers: Vec<Process>,
    /// The hosts, in the order of their start.
    pub hosts: Vec<Process>,
    /// The server.
    pub nats: NatsServer,
    env: Vec<(String, String)>,
    started: AtomicUsize,
    dir: TempDir,
}

fn pair(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

fn common_env(dir: &Path, nats: &NatsServer, settings: &ClusterSettings) -> Vec<(String, String)> {
    let mut env = vec![
        pair("TASKLANE_DATA_DIR", dir.display()),
        pair("TASKLANE_DATABASE_URL", format!("sqlite://{}", dir.join("tasklane.db").display())),
        pair("TASKLANE_NATS_URL", nats.url()),
        pair("TASKLANE_SLOTS", settings.slots),
        pair("TASKLANE_ACK_WAIT_MS", 3_000),
        pair("TASKLANE_LEASE_TTL_MS", 3_000),
        pair("TASKLANE_RESCUE_INTERVAL_MS", 1_000),
        pair("TASKLANE_RESCUE_MARGIN_MS", 2_000),
        pair("TASKLANE_LOG", "info"),
    ];
    env.extend(settings.env.iter().cloned());
    env
}

/// A loopback port for one process of a story. A connection of it rests for a minute (TIME-WAIT): meanwhile the system chooses the port for
/// nobody else, and whoever names it can listen there.
///
/// # Errors
/// When no port is free.
pub fn free_address() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut other_end = TcpStream::connect(address)?;
    // The end that closes first is the one that rests.
    drop(listener.accept()?);
    other_end.read_to_end(&mut Vec::new())?;
    Ok(address.to_string())
}

impl Cluster {
    /// Starts everything and waits until it is ready.
    ///
    /// # Errors
    /// When a part is missing or does not become ready.
    pub async fn start(settings: ClusterSettings) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let nats = NatsServer::start().await?;
        let env = common_env(dir.path(), &nats, &settings);
        let listen = free_address()?;
        let mut api_env = env.clone();
        api_env.push(pair("TASKLANE_LISTEN", &listen));
        let api = Process::start(Role::Api, "api", dir.path(), listen.clone(), &api_env)?;
        let client = Client::new(&format!("http://{listen}"))?;
        let mut cluster = Self {
            client,
            api,
            schedulers: Vec::new(),
            hosts: Vec::new(),
            nats,
            env,
            started: AtomicUsize::new(0),
            dir,
        };
        cluster.ready().await?;
        for _ in 0..settings.schedulers {
            cluster.add_scheduler()?;
        }
        for _ in 0..settings.hosts {
            cluster.add_host()?;
        }
        cluster.hosts_alive(settings.hosts).await?;
        cluster.leader().await?;
        Ok(cluster)
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let client = self.client.clone();
        let waited = wait_for("the API to be ready", || async { client.text("/readyz").await.map(Some) }).await;
        waited.map(drop).map_err(|error| error.context(self.api.output()))
    }

    fn add(&self, role: Role) -> anyhow::Result<Process> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let name = format!("{role:?}-{number}").to_lowercase();
        let ops = free_address()?;
        let mut env = self.env.clone();
        env.push(pair("TASKLANE_OPS_LISTEN", &ops));
        env.push(pair("TASKLANE_NAME", &name));
        let dir = self.dir.path().join(&name);
        std::fs::create_dir_all(&dir)?;
        env.push(pair("TASKLANE_CACHE_DIR", self.dir.path().join("cache").display()));
        Process::start(role, &name, &dir, ops, &env)
    }

    /// Starts one more scheduler.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn add_scheduler(&mut self) -> anyhow::Result<()> {
        let scheduler = self.add(Role::Scheduler)?;
        self.schedulers.push(scheduler);
        Ok(())
    }

    /// Starts one more host.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn add_host(&mut self) -> anyhow::Result<()> {
        let host = self.add(Role::Host)?;
        self.hosts.push(host);
        Ok(())
    }

    /// Waits until `count` hosts beat.
    ///
    /// # Errors
    /// When they do not.
    pub async fn hosts_alive(&self, count: usize) -> anyhow::Result<Vec<Value>> {
        let waited = wait_for(&format!("{count} living hosts"), || async {
            let hosts = self.client.get("/api/v1/hosts").await?;
            let hosts = hosts["hosts"].as_array().cloned().unwrap_or_default();
            Ok((hosts.len() == count).then_some(hosts))
        })
        .await;
        waited.map_err(|error| error.context(self.outputs()))
    }

    /// Waits until somebody leads with a term, and returns the leader as the API shows it.
    ///
    /// # Errors
    /// When nobody does.
    pub async fn leader(&self) -> anyhow::Result<Value> {
        let waited = wait_for("a leader with a term", || async {
            let info = self.client.get("/api/v1/cluster/info").await?;
            let leader = info["leader"].clone();
            Ok(leader["term"].is_number().then_some(leader))
        })
        .await;
        waited.map_err(|error| error.context(self.outputs()))
    }

    /// The index of the leading scheduler, by its name, and its term.
    ///
    /// # Errors
    /// When nobody leads.
    pub async fn leading(&self) -> anyhow::Result<(usize, i64)> {
        let leader = self.leader().await?;
        let name = leader["scheduler"].as_str().context("a name")?.to_owned();
        let term = leader["term"].as_i64().context("a term")?;
        // Processes are numbered in the order of their start; the schedulers come first.
        Ok((name.rsplit('-').next().context("a number")?.parse()?, term))
    }

    /// The end of every process's log, for a failed story.
    #[must_use]
    pub fn outputs(&self) -> String {
        let tail = |process: &Process| {
            let text = process.output();
            let lines: Vec<&str> = text.lines().collect();
            lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
        };
        let all = std::iter::once(&self.api).chain(&self.schedulers).chain(&self.hosts);
        all.map(tail).collect::<Vec<_>>().join("\n---\n")
    }

    /// Where the processes keep their files.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }
}
