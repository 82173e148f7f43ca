//! `throughput` with PostgreSQL in place of SQLite, beside a floor that is composed with PostgreSQL's own inserts and updates.
//!
//! A cluster of the benchmark's own, which syncs every commit, on the same machine.

use serde_json::json;
use tasklane_testkit::postgres::{Durability, Postgres};

use crate::floors::{Database, Gathering};
use crate::line::Report;
use crate::throughput::{Server, check, lines, round};

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Tasks in one round.
    #[arg(long, default_value_t = 60_000)]
    tasks: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let postgres = Postgres::start(Durability::Full)?;
    let server = Server::start_with(&[("TASKLANE_DATABASE_URL", &postgres.database()?)]).await?;
    let (mut floors, mut ours) = (Gathering::new(Database::Postgres), Vec::new());
    for _ in 0..options.rounds {
        floors.round().await?;
        ours.push(round(&server, options.tasks).await?);
    }
    check(&server).await?;
    let floors = floors.medians()?;
    let lines = lines(&floors, Database::Postgres, &ours, 12_000.0, 0.6);
    Ok(Report { lines, details: json!({"rounds": ours, "floors": floors}) })
}
