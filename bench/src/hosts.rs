//! The same backlog with one, two and four hosts on one machine: what another host costs where it brings no processor of its own.

use serde_json::json;

use crate::drain::measure;
use crate::line::{Line, Report};
use crate::stats::median;

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The backlog.
    #[arg(long, default_value_t = 100_000)]
    tasks: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// How many hosts.
const COUNTS: [usize; 3] = [1, 2, 4];

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut rates = COUNTS.map(|_| Vec::new());
    for _ in 0..options.rounds {
        for (count, rates) in COUNTS.into_iter().zip(&mut rates) {
            rates.push(measure(options.tasks, count).await?);
        }
    }
    let [one, ..] = &rates;
    let one = median(one);
    let line = |(count, rates): (usize, &Vec<f64>)| {
        let what = format!("drain of {} by {count} hosts", options.tasks);
        Line::new(what, median(rates), "tasks/s").beside("one host", one)
    };
    let lines = COUNTS.into_iter().zip(&rates).map(line).collect();
    Ok(Report { lines, details: json!({"hosts": COUNTS, "rounds": rates}) })
}
