//! Instructions of the hot paths, counted by callgrind, against the counts in `bench/instructions.json`.
//!
//! A count depends on the code, the compiler and the libraries, and hardly on the machine or its load: a change of a few per cent is a change
//! of the code. `cargo xtask bench instructions` shows the counts, `--update` writes them down, and a step of `cargo xtask test --long` fails
//! where one has grown by more than [`GROWTH_MAX`]. One that has shrunk as much is told, so that it can be written down.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::process::{output, step};
use crate::{plugins, setup};

const KEPT: &str = "bench/instructions.json";
/// The program that has the hot paths, each as `NAME ITERATIONS`.
const PROGRAM: &str = "target/release/examples/instructions";
/// The hot paths, and how often each is done while it is counted.
const PATHS: [(&str, u32); 8] = [
    ("submit", 400),
    ("receive", 400),
    ("dispatch-bundle", 400),
    ("receive-bundle", 400),
    ("run-noop", 60),
    ("report", 400),
    ("settle-decode", 400),
    ("settle-batch", 10),
];
/// Part by which a count may grow.
const GROWTH_MAX: f64 = 0.05;

type Counts = BTreeMap<String, u64>;

/// `cargo xtask bench instructions [--update]`.
pub(super) fn run_with(args: &[String]) -> anyhow::Result<()> {
    let is_update = match args {
        [] => false,
        [only] if only == "--update" => true,
        other => anyhow::bail!("`{}` is not understood: there is only --update", other.join(" ")),
    };
    setup::for_demo()?;
    plugins::build()?;
    let counts = count()?;
    if is_update {
        std::fs::write(KEPT, format!("{}\n", serde_json::to_string_pretty(&counts)?))?;
        println!("written to {KEPT}");
        return Ok(());
    }
    compare(&kept()?, &counts)
}

/// The step of `cargo xtask test --long`.
pub(crate) fn gate() -> anyhow::Result<()> {
    compare(&kept()?, &count()?)
}

fn kept() -> anyhow::Result<Counts> {
    let text = std::fs::read_to_string(KEPT).context(KEPT)?;
    serde_json::from_str(&text).context(KEPT)
}

/// Instructions of one time each.
fn count() -> anyhow::Result<Counts> {
    setup::valgrind()?;
    step("build (instructions)", || super::build_with(&["instructions"]))?;
    let mut counts = Counts::new();
    for (name, times) in PATHS {
        let per_time = step(&format!("count {name}"), || callgrind(name, times))? / u64::from(times);
        counts.insert(name.to_owned(), per_time);
    }
    Ok(counts)
}

/// Instructions between the program's two marks, in all of its threads.
fn callgrind(name: &str, times: u32) -> anyhow::Result<u64> {
    let dir = std::path::absolute("target/instructions")?.join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--tool=callgrind", "--zero-before=*counted_begin*", "--dump-before=*counted_end*"])
        .arg(format!("--callgrind-out-file={}", dir.join("out").display()))
        .args([PROGRAM, name, &times.to_string()]);
    output(&mut command)?;
    totals(&dump(&dir)?)
}

/// The dump that was made at the second mark: the first one.
fn dump(dir: &Path) -> anyhow::Result<PathBuf> {
    let path = dir.join("out.1");
    anyhow::ensure!(path.exists(), "callgrind left no {}: the program's marks were not found", path.display());
    let second = dir.join("out.2");
    anyhow::ensure!(!second.exists(), "callgrind left {}: the program's two marks are one function", second.display());
    Ok(path)
}

fn totals(path: &Path) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    line.with_context(|| format!("{} has no totals", path.display()))?.trim().parse().context("a number")
}

fn compare(before: &Counts, now: &Counts) -> anyhow::Result<()> {
    let mut grown = Vec::new();
    println!("{:<16} {:>12} {:>12} {:>8}   instructions", "", "kept", "now", "change");
    for (name, count) in now {
        let kept = *before.get(name).with_context(|| format!("{KEPT} has no {name}: {ADVICE}"))?;
        let change = *count as f64 / kept as f64 - 1.0;
        println!("{name:<16} {kept:>12} {count:>12} {:>+7.1}%", change * 100.0);
        if change > GROWTH_MAX {
            grown.push(format!("{name} by {:.1} %", change * 100.0));
        } else if change < -GROWTH_MAX {
            println!("{name} has become cheaper; {ADVICE}");
        }
    }
    anyhow::ensure!(
        grown.is_empty(),
        "more instructions than {KEPT} says: {}. Mend it, or, if it is worth it, {ADVICE}",
        grown.join(", ")
    );
    Ok(())
}

const ADVICE: &str = "`cargo xtask bench instructions --update` writes the counts down";

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(count: u64) -> Counts {
        Counts::from([("submit".to_owned(), count)])
    }

    #[test]
    fn growth_beyond_the_bound_and_unknown_names_are_errors() {
        assert!(compare(&counts(1_000), &counts(1_049)).is_ok());
        assert!(compare(&counts(1_000), &counts(1_051)).is_err());
        assert!(compare(&counts(1_000), &counts(900)).is_ok());
        assert!(compare(&Counts::new(), &counts(1)).is_err());
    }
}
