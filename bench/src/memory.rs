//! What an idle `taskctl dev` takes with all its processes, what its host gives back after load, and whether anything grows.
//!
//! Sums of resident memory count what processes share once for each, and so say rather too much; the sum with shared pages divided is
//! beside it. Load is no-op tasks and guests that fill 32 MiB each.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;
use tasklane_tests::{Dev, guest};

use crate::line::{Bar, Line, Report};
use crate::processes::{family, proportional_kib, resident_kib};
use crate::stats::median;
use crate::throughput::{Server, check, round};

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long the load goes on, in seconds. The issue of growth needs minutes: `--seconds 600`.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// After its start, until it is idle.
const REST: Duration = Duration::from_secs(5);
/// After the load, until what is kept for a moment is given back.
const AFTER: Duration = Duration::from_secs(15);
/// After the last guest, until what it had is given back: a host does that when it has rested for a second.
const GIVEN_BACK: Duration = Duration::from_millis(2_500);
/// No-op tasks between two looks.
const TASKS: usize = 20_000;
/// Guests between two looks that fill memory.
const FILLERS: usize = 200;
const IDLE_MIB_MAX: f64 = 150.0;
/// How much more than before the load a host may keep.
const KEPT_MIB_MAX: f64 = 64.0;
/// How much the second half of the load may add to the first.
const GROWTH_RATIO_MAX: f64 = 1.1;

const KIB_PER_MIB: f64 = 1_024.0;

/// MiB of all processes of a `taskctl dev`: resident, and with what is shared divided.
fn all_mib(dev: u32) -> anyhow::Result<(f64, f64, Vec<String>)> {
    let (mut resident, mut proportional, mut parts) = (0, 0, Vec::new());
    for (pid, command) in family(dev)? {
        let own = resident_kib(pid)?;
        resident += own;
        proportional += proportional_kib(pid)?;
        parts.push(format!("{} MiB: {}", own / 1_024, command.chars().take(80).collect::<String>()));
    }
    Ok((resident as f64 / KIB_PER_MIB, proportional as f64 / KIB_PER_MIB, parts))
}

/// The process that runs guests.
fn host_of(dev: u32) -> anyhow::Result<u32> {
    let found = family(dev)?.into_iter().find(|(_, command)| command.contains(" host"));
    Ok(found.context("taskctl dev has no host process")?.0)
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut idle = Dev::start(&[]).await?;
    tokio::time::sleep(REST).await;
    let (resident, proportional, parts) = all_mib(idle.process()?.pid())?;
    drop(idle);
    let mut lines = vec![
        Line::new("taskctl dev idle, all processes, resident", resident, "MiB").wanted(Bar::AtMost(IDLE_MIB_MAX)),
        Line::new("the same, shared pages divided", proportional, "MiB"),
    ];
    let load = load(options.seconds).await?;
    lines.extend(load.lines());
    Ok(Report { lines, details: json!({"idle": parts, "looks_mib": load.looks}) })
}

/// MiB of one host.
struct Load {
    before: f64,
    looks: Vec<f64>,
    after: f64,
}

impl Load {
    fn lines(&self) -> Vec<Line> {
        let (first, second) = self.looks.split_at(self.looks.len() / 2);
        vec![
            Line::new("host before load", self.before, "MiB"),
            Line::new("host under load, second half", median(second), "MiB")
                .beside("first half", median(first))
                .wanted(Bar::RatioAtMost(GROWTH_RATIO_MAX)),
            Line::new("what the host keeps after load", (self.after - self.before).max(0.0), "MiB")
                .wanted(Bar::AtMost(KEPT_MIB_MAX)),
        ]
    }
}

async fn load(seconds: u64) -> anyhow::Result<Load> {
    let mut server = Server::start().await?;
    server.client.deploy("filler", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let host = host_of(server.dev.process()?.pid())?;
    let resident = || anyhow::Ok(resident_kib(host)? as f64 / KIB_PER_MIB);
    tokio::time::sleep(REST).await;
    let before = resident()?;
    let filler = json!({"module": "filler@1.0.0", "payload": {"do": "fill", "mib": 32, "rounds": 1}});
    let (begun, mut looks) = (Instant::now(), Vec::new());
    while begun.elapsed() < Duration::from_secs(seconds) || looks.len() < 2 {
        server.client.submit_many(&filler, FILLERS).await?;
        round(&server, TASKS).await?;
        // Guests that run are no growth.
        check(&server).await?;
        tokio::time::sleep(GIVEN_BACK).await;
        looks.push(resident()?);
    }
    tokio::time::sleep(AFTER).await;
    Ok(Load { before, looks, after: resident()? })
}
