//! Every benchmark with bounded sizes, one after the other; then one table, its JSON, and the chart.
//!
//! Each is a process of its own, so that one that fails costs its own lines only; the command fails at its end if one did. The sizes are
//! chosen for 15 minutes on two cores; a benchmark that needs longer than its share is ended.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::chart;
use crate::line::{Line, table};

/// What is run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these; table and chart are made of what is in `target/bench` for the others.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Write the table into `docs/performance.md` and the chart to `docs/pictures/performance.svg`.
    #[arg(long)]
    publish: bool,
}

/// Each with its options here.
const PLAN: [(&str, &[&str]); 17] = [
    ("throughput", &["--tasks", "60000", "--rounds", "3"]),
    ("drain", &["--tasks", "200000", "--rounds", "2", "--large", "1000000"]),
    ("submit", &["--seconds", "6", "--rounds", "3"]),
    ("latency", &["--tasks", "1000", "--rounds", "3"]),
    ("priority", &["--backlog", "200000", "--urgent", "200"]),
    ("cold", &["--rounds", "5"]),
    ("parked", &[]),
    ("mixed", &["--seconds", "25"]),
    ("due", &["--lead", "15", "--waiting", "200000", "--tasks", "40000", "--rounds", "2"]),
    ("postgres", &["--tasks", "40000", "--rounds", "3"]),
    ("cores", &["--tasks", "200", "--rounds", "7"]),
    ("languages", &["--tasks", "500", "--rounds", "3"]),
    ("memory", &["--seconds", "25"]),
    ("fair", &["--large", "5000", "--rounds", "1"]),
    ("canary", &["--rounds", "1", "--crowd-only"]),
    ("hosts", &["--tasks", "60000", "--rounds", "1"]),
    ("peers", &["--tasks", "40000", "--rounds", "1"]),
];
/// Longest time of one of them.
const PATIENCE: Duration = Duration::from_secs(240);

const DOCUMENT: &str = "docs/performance.md";
const PICTURE: &str = "docs/pictures/performance.svg";
/// The picture under the table of the document.
const SHOWN: &str = "![Tasklane beside peers and floors](pictures/performance.svg)";
/// Both are between these.
const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// Where a benchmark's JSON goes.
pub(crate) fn json_of(name: &str) -> PathBuf {
    Path::new("target/bench").join(format!("{name}.json"))
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let known = |name: &String| PLAN.iter().any(|(known, _)| known == name);
    let unknown = options.only.iter().find(|name| !known(name));
    anyhow::ensure!(unknown.is_none(), "there is no benchmark `{}`", unknown.map_or("", String::as_str));
    let begun = Instant::now();
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let mut failed = Vec::new();
    for (name, args) in PLAN.into_iter().filter(|(name, _)| wanted(name)) {
        let began = Instant::now();
        println!("── {name} {}", args.join(" "));
        if let Err(error) = one(name, args).await {
            println!("{name} failed: {error:#}");
            failed.push(name);
        }
        println!("   {name}: {:.0} s", began.elapsed().as_secs_f64());
    }
    let rows = rows()?;
    println!("\n{}\n\nall in {:.0} s", table(&rows), begun.elapsed().as_secs_f64());
    write(&rows, options.publish)?;
    anyhow::ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

async fn one(name: &str, args: &[&str]) -> anyhow::Result<()> {
    let path = json_of(name);
    if path.exists() {
        // What an earlier run left must not stand for this one.
        std::fs::remove_file(&path)?;
    }
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    let mut child = command.arg(name).args(args).kill_on_drop(true).spawn()?;
    let status = tokio::time::timeout(PATIENCE, child.wait()).await;
    let status = status.with_context(|| format!("no end within {} s", PATIENCE.as_secs()))??;
    anyhow::ensure!(status.success(), "{status}");
    Ok(())
}

#[derive(Deserialize)]
struct Written {
    lines: Vec<Line>,
}

/// The lines of all that there are, in the order of the plan.
fn rows() -> anyhow::Result<Vec<(String, Line)>> {
    let mut rows = Vec::new();
    for (name, _) in PLAN {
        let Ok(text) = std::fs::read_to_string(json_of(name)) else { continue };
        let written: Written = serde_json::from_str(&text).with_context(|| format!("the JSON of {name}"))?;
        rows.extend(written.lines.into_iter().map(|line| (name.to_owned(), line)));
    }
    Ok(rows)
}

fn write(rows: &[(String, Line)], is_published: bool) -> anyhow::Result<()> {
    let lines: Vec<Value> = rows.iter().map(|(bench, line)| json!({"bench": bench, "line": line})).collect();
    let cores = std::thread::available_parallelism()?.get();
    let json = json!({"bench": "all", "cores": cores, "lines": lines});
    let picture = chart::svg(rows)?;
    std::fs::create_dir_all("target/bench")?;
    std::fs::write(json_of("all"), serde_json::to_string_pretty(&json)?)?;
    std::fs::write("target/bench/all.md", table(rows))?;
    std::fs::write("target/bench/all.svg", &picture)?;
    println!("written to target/bench/all.json, all.md and all.svg");
    if is_published {
        std::fs::write(PICTURE, picture)?;
        let document = std::fs::read_to_string(DOCUMENT).context(DOCUMENT)?;
        std::fs::write(DOCUMENT, with_table(&document, &table(rows))?)?;
        println!("written into {DOCUMENT} and {PICTURE}");
    }
    Ok(())
}

/// The document with another table between its marks.
fn with_table(document: &str, table: &str) -> anyhow::Result<String> {
    let marks = || format!("{DOCUMENT} has no `{BEGIN}` … `{END}`");
    let (before, rest) = document.split_once(BEGIN).with_context(marks)?;
    let (_, after) = rest.split_once(END).with_context(marks)?;
    Ok(format!("{before}{BEGIN}\n\n{table}\n\n{SHOWN}\n\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let document = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        assert_eq!(with_table(&document, "new").unwrap(), format!("a\n{BEGIN}\n\nnew\n\n{SHOWN}\n\n{END}\nb\n"));
        assert!(with_table("a", "new").is_err());
    }
}
