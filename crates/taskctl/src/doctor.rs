//! `taskctl doctor`: what this machine lacks, and what to do about it.
//!
//! Looks only: nothing is made, migrated or kept, but what a probe makes in a temporary directory. A warning is for something that
//! works less well or less safely; a failure for something that will not work. Exit code 1 when there is a failure.

mod api;
mod cluster;
mod files;
mod machine;
mod walls;

use std::process::ExitCode;

use serde::Serialize;
use tasklane_api_types::{Finding, Verdict};

use crate::cli::{DoctorArgs, Format, Global};
use crate::config::Settings;
use crate::failure::FAILED;
use crate::output::{self, Column, Table, col, state};

const COLUMNS: &[Column] = &[state("STATE"), col("CHECK"), col("FOUND")];

/// One check.
type Check = Finding;

trait Checks {
    fn new(name: &str, verdict: Verdict, found: impl Into<String>) -> Self;
    fn ok(name: &str, found: impl Into<String>) -> Self;
    fn warn(name: &str, found: impl Into<String>, advice: impl Into<String>) -> Self;
    fn fail(name: &str, found: impl Into<String>, advice: impl Into<String>) -> Self;
    /// `Ok` if it is good, else a warning.
    fn good(name: &str, is_good: bool, found: impl Into<String>, advice: &str) -> Self;
}

impl Checks for Check {
    fn new(name: &str, verdict: Verdict, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict, found: found.into(), advice: None }
    }

    fn ok(name: &str, found: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, found)
    }

    fn warn(name: &str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..Self::new(name, Verdict::Warn, found) }
    }

    fn fail(name: &str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..Self::new(name, Verdict::Fail, found) }
    }

    fn good(name: &str, is_good: bool, found: impl Into<String>, advice: &str) -> Self {
        if is_good { Self::ok(name, found) } else { Self::warn(name, found, advice) }
    }
}

/// All checks.
#[derive(Debug, Serialize)]
struct Findings {
    verdict: Verdict,
    checks: Vec<Check>,
}

impl Findings {
    fn of(checks: Vec<Check>) -> Self {
        let has = |verdict| checks.iter().any(|check| check.verdict == verdict);
        let verdict = match (has(Verdict::Fail), has(Verdict::Warn)) {
            (true, _) => Verdict::Fail,
            (false, true) => Verdict::Warn,
            (false, false) => Verdict::Ok,
        };
        Self { verdict, checks }
    }

    fn show(&self, format: Format) -> anyhow::Result<()> {
        let cells = |check: &Check| {
            let advice = check.advice.as_deref().map(|advice| format!("\n→ {advice}")).unwrap_or_default();
            vec![check.verdict.as_str().to_owned(), check.name.clone(), output::inert(&check.found) + &advice]
        };
        let names = self.checks.iter().map(|check| check.name.clone()).collect();
        let table = Table::new(COLUMNS, self.checks.iter().map(cells).collect()).named(names);
        output::list(format, self, "checks", &table)
    }
}

/// What it finds with these settings on this machine.
pub(crate) async fn findings(settings: Settings) -> Vec<Finding> {
    let mut checks = machine::checks();
    checks.extend(files::checks(&settings));
    checks.extend(output::lasting("trying the walls", walls::checks(&settings)).await);
    checks.extend(output::lasting("asking NATS and the database", cluster::checks(&settings)).await);
    checks
}

/// Carries it out.
pub(crate) async fn run(args: DoctorArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let mut checks = findings(args.settings.with_file()?).await;
    checks.extend(output::lasting("asking the API, and comparing clocks", api::checks(global)).await);
    let findings = Findings::of(checks);
    findings.show(global.output)?;
    Ok(if findings.verdict == Verdict::Fail { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts() {
        let ok = || Check::ok("a", "fine");
        let (warn, fail) = (|| Check::warn("b", "so so", "do this"), || Check::fail("c", "broken", "do that"));
        assert_eq!(Findings::of(vec![ok()]).verdict, Verdict::Ok);
        assert_eq!(Findings::of(vec![ok(), warn()]).verdict, Verdict::Warn);
        assert_eq!(Findings::of(vec![fail(), warn(), ok()]).verdict, Verdict::Fail);
    }
}
