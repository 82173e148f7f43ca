//! The floors: what the machine does of each part alone, with nothing of Tasklane around it.
//!
//! Each is an example program of the crate that owns the driver (`floor_nats`, `floor_host`, `floor_store`), since only that
//! crate may name it. `cargo xtask bench` builds them.

use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;
use tasklane_testkit::nats::NatsServer;

use crate::line::Line;
use crate::stats::median;

/// Which database a floor is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    /// The arguments of `floor_store`.
    fn args(self) -> Vec<String> {
        match self {
            Self::Sqlite => Vec::new(),
            Self::Postgres => vec!["postgres".to_owned()],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// One round of the three, per second.
#[derive(Debug, Clone, Copy)]
struct Round {
    jetstream: f64,
    instances: f64,
    store: f64,
}

/// Medians, per second.
#[derive(Debug, Serialize)]
pub(crate) struct Floors {
    /// JetStream publish + consume + ack alone, all cores.
    jetstream_messages_per_second: f64,
    /// Fresh store and instance of the no-op component alone, all cores.
    instances_per_second: f64,
    /// Insert + update of a row in batches at full sync, one thread.
    store_rows_per_second: f64,
    /// Cores that the composition counts with.
    cores: f64,
}

impl Floors {
    /// What a machine could do that did nothing but the three, one after the other on every core: the database's thread is
    /// counted as one core's work.
    pub(crate) fn composed(&self) -> f64 {
        let store_all_cores = self.store_rows_per_second * self.cores;
        let seconds =
            1.0 / self.jetstream_messages_per_second + 1.0 / self.instances_per_second + 1.0 / store_all_cores;
        1.0 / seconds
    }

    /// A line for each part.
    pub(crate) fn lines(&self, database: Database) -> Vec<Line> {
        let rows = format!("floor: {} insert + update alone, one thread", database.name());
        vec![
            Line::new(
                "floor: JetStream publish + consume + ack alone",
                self.jetstream_messages_per_second,
                "messages/s",
            ),
            Line::new("floor: fresh instance alone, all cores", self.instances_per_second, "instances/s"),
            Line::new(rows, self.store_rows_per_second, "rows/s"),
        ]
    }
}

/// Gathers rounds, which take turns with whatever else is measured.
pub(crate) struct Gathering {
    database: Database,
    rounds: Vec<Round>,
}

impl Gathering {
    pub(crate) fn new(database: Database) -> Self {
        Self { database, rounds: Vec::new() }
    }

    /// Measures each floor once.
    pub(crate) async fn round(&mut self) -> anyhow::Result<()> {
        let nats = NatsServer::start().await?;
        let jetstream = run("floor_nats", &[nats.url()], "messages_per_second").await?;
        drop(nats);
        let instances = run("floor_host", &[], "instances_per_second").await?;
        let store = run("floor_store", &self.database.args(), "rows_per_second").await?;
        self.rounds.push(Round { jetstream, instances, store });
        Ok(())
    }

    pub(crate) fn medians(&self) -> anyhow::Result<Floors> {
        let of = |figure: fn(&Round) -> f64| median(&self.rounds.iter().map(figure).collect::<Vec<_>>());
        Ok(Floors {
            jetstream_messages_per_second: of(|round| round.jetstream),
            instances_per_second: of(|round| round.instances),
            store_rows_per_second: of(|round| round.store),
            cores: f64::from(u32::try_from(std::thread::available_parallelism()?.get())?),
        })
    }
}

/// Runs an example program, and answers a figure of the JSON that it prints.
pub(crate) async fn run(example: &str, args: &[String], figure: &str) -> anyhow::Result<f64> {
    let program = examples_dir()?.join(example);
    let output = tokio::process::Command::new(&program)
        .args(args)
        .output()
        .await
        .with_context(|| format!("{} could not be started: run it by `cargo xtask bench`", program.display()))?;
    anyhow::ensure!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().rfind(|line| line.starts_with('{')).context("the floor printed no JSON")?;
    let answer: Value = serde_json::from_str(line)?;
    answer[figure].as_f64().with_context(|| format!("{example} told no {figure}: {line}"))
}

pub(crate) fn examples_dir() -> anyhow::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    Ok(exe.parent().context("the target directory")?.join("examples"))
}
