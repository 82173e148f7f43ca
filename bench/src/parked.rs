//! Thousands of guests asleep in host calls at once, on one host: whether all end, and what each takes.
//!
//! One host with a slot for each. A guest keeps several mappings (its stack, its memory, their guards): where `vm.max_map_count`
//! is too small for all of them, the benchmark says so before it starts.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;
use tasklane_tests::{Client, Cluster, ClusterSettings, guest, wait_at_most, wait_for};

use crate::line::{Bar, Line, Report};
use crate::processes::{mappings, mappings_max, resident_kib};

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Guests; the most that a host has slots for is 10,000.
    #[arg(long, default_value_t = 10_000)]
    guests: u32,
    /// How long each sleeps, in seconds: longer than it takes until the last one sleeps.
    #[arg(long, default_value_t = 20)]
    seconds: u32,
}

/// Longest wait for the end of all.
const PATIENCE: Duration = Duration::from_secs(120);
/// Tasks before anything is measured.
const WARM_UP: usize = 500;
/// Resident memory of all, in MiB, and of each, in KiB.
const RESIDENT_MIB_MAX: f64 = 2_048.0;
const EACH_KIB_MAX: f64 = 200.0;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let guests = options.guests;
    let env = [("TASKLANE_URGENT_SLOTS", "0"), ("TASKLANE_ACK_WAIT_MS", "10000")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let cluster = Cluster::start(ClusterSettings { slots: guests, env, ..ClusterSettings::default() }).await?;
    let client = &cluster.client;
    client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    client.submit_many(&json!({"module": "guest@1.0.0", "payload": {"do": "sleep", "ms": 1}}), WARM_UP).await?;
    client.until_count("succeeded", WARM_UP as u64).await?;
    let host = cluster.hosts.first().context("a host")?;
    let (pid, ops) = (host.pid(), Client::new(&format!("http://{}", host.ops))?);
    let before = resident_kib(pid)?;
    let task = json!({"module": "guest@1.0.0", "payload": {"do": "sleep", "ms": options.seconds * 1_000}});
    let begun = Instant::now();
    client.submit_many(&task, guests as usize).await?;
    let asleep = wait_for("all guests to sleep", || async {
        let running = running(&ops).await?;
        anyhow::ensure!(
            begun.elapsed() < Duration::from_secs(u64::from(options.seconds)) || running >= f64::from(guests),
            "{running} of {guests} sleep, and the first are awake again: take more --seconds"
        );
        Ok((running >= f64::from(guests)).then_some(begun.elapsed()))
    })
    .await
    .with_context(|| hint(pid))?;
    let (resident, maps) = (resident_kib(pid)?, mappings(pid)?);
    wait_at_most(PATIENCE, "all guests to end", || async {
        let ended = client.count("succeeded").await?;
        Ok((ended == u64::from(guests) + WARM_UP as u64).then_some(()))
    })
    .await?;
    let each = (resident.saturating_sub(before)) as f64 / f64::from(guests);
    let lines = vec![
        Line::new(format!("of {guests} guests asleep at once, those that ended well"), f64::from(guests), "tasks")
            .wanted(Bar::AtLeast(f64::from(guests))),
        Line::new("until all slept", asleep.as_secs_f64() * 1_000.0, "ms"),
        Line::new("resident memory of the host", resident as f64 / 1_024.0, "MiB")
            .wanted(Bar::AtMost(RESIDENT_MIB_MAX)),
        Line::new("of it for each guest", each, "KiB").wanted(Bar::AtMost(EACH_KIB_MAX)),
        Line::new("mappings of the host", maps as f64, "mappings").beside("vm.max_map_count", mappings_max()? as f64),
    ];
    Ok(Report { lines, details: json!({"guests": guests, "resident_before_kib": before, "resident_kib": resident}) })
}

/// What the operator can do when the mappings were not enough.
fn hint(pid: u32) -> String {
    let (has, most) = (mappings(pid).unwrap_or(0), mappings_max().unwrap_or(0));
    format!(
        "the host has {has} mappings of {most}: if it has reached them, `sysctl vm.max_map_count=262144` gives more"
    )
}

async fn running(ops: &Client) -> anyhow::Result<f64> {
    let metrics = ops.text("/metrics").await?;
    let line = metrics.lines().find_map(|line| line.strip_prefix("tasklane_slots_running "));
    line.context("the gauge of running guests")?.parse().context("a number")
}
