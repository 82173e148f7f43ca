//! The floors: what the machine does of each part alone, with nothing of Tasklane around it.
//!
//! Each is an example program of the crate that owns the driver (`floor_nats`, `floor_host`, `floor_store`), since only that
//! crate may name it. `cargo xtask bench` builds them.

use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;
use tasklane_testkit::nats::NatsServer;

use crate::stats::median;

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

    pub(crate) fn table(&self) -> String {
        [
            format!("floor: JetStream alone       {:>12.0} messages/s", self.jetstream_messages_per_second),
            format!("floor: fresh instance alone  {:>12.0} instances/s", self.instances_per_second),
            format!("floor: SQLite rows alone     {:>12.0} rows/s (one thread)", self.store_rows_per_second),
            format!("composed floor               {:>12.0} tasks/s", self.composed()),
        ]
        .join("\n")
    }
}

/// Measures each floor `rounds` times.
pub(crate) async fn measure(rounds: usize) -> anyhow::Result<Floors> {
    let (mut jetstream, mut instances, mut store) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let nats = NatsServer::start().await?;
        jetstream.push(run("floor_nats", &[nats.url()], "messages_per_second").await?);
        drop(nats);
        instances.push(run("floor_host", &[], "instances_per_second").await?);
        store.push(run("floor_store", &[], "rows_per_second").await?);
    }
    let cores = f64::from(u32::try_from(std::thread::available_parallelism()?.get())?);
    Ok(Floors {
        jetstream_messages_per_second: median(&jetstream),
        instances_per_second: median(&instances),
        store_rows_per_second: median(&store),
        cores,
    })
}

async fn run(example: &str, args: &[String], figure: &str) -> anyhow::Result<f64> {
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

fn examples_dir() -> anyhow::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    Ok(exe.parent().context("the target directory")?.join("examples"))
}
