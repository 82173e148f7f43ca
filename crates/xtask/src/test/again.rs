//! The workspace's tests, and once more, alone, the few that failed beside others.
//!
//! Called by the step `tests`. Hundreds of tests start servers, kill hosts and drive terminals beside each other on a machine that may stall for
//! seconds. One of them that fails there and passes [`TIMES_AGAIN`] times by itself is named as unsteady, with what it printed above, and does not
//! end the run (decision 034). More than [`AGAIN_MAX`], one that fails again, and whatever is no test's failure (a crash, a compiler's error) do.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Command;

use anyhow::Context;

/// Most tests that are run again; more have a cause.
const AGAIN_MAX: usize = 3;
/// How often each of them has to pass alone.
const TIMES_AGAIN: usize = 2;

/// What a run of `cargo test --no-fail-fast` said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Run {
    passed: BTreeSet<String>,
    failed: BTreeSet<String>,
    targets_failed: usize,
    summaries_failed: usize,
}

impl Run {
    fn note(&mut self, line: &str) {
        if let Some((name, end)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
            // `test NAME - should panic ... ok`
            let name = name.split(" - ").next().unwrap_or(name).to_owned();
            match end {
                "ok" => self.passed.insert(name),
                "FAILED" => self.failed.insert(name),
                _ => false,
            };
        }
        self.targets_failed += usize::from(line.starts_with("error: test failed, to rerun"));
        self.summaries_failed += usize::from(line.starts_with("test result: FAILED."));
    }

    /// The tests to run again: all that failed, where nothing else did.
    fn again(&self) -> Option<&BTreeSet<String>> {
        let tests_alone = self.targets_failed == self.summaries_failed && !self.failed.is_empty();
        (tests_alone && self.failed.len() <= AGAIN_MAX).then_some(&self.failed)
    }
}

/// Runs `all`, and then what failed by `some`, which is given names.
pub(super) fn run(all: &mut Command, some: impl Fn(&[&str]) -> Command) -> anyhow::Result<()> {
    let (succeeded, seen) = watch(all)?;
    if succeeded {
        return Ok(());
    }
    let again = seen.again().with_context(|| format!("tests failed: {:?}", seen.failed))?;
    let names: Vec<&str> = again.iter().map(String::as_str).collect();
    for _ in 0..TIMES_AGAIN {
        let (succeeded, seen) = watch(&mut some(&names))?;
        let passed = succeeded && again.is_subset(&seen.passed);
        anyhow::ensure!(passed, "tests failed beside others and did not pass alone: {again:?}");
    }
    println!("UNSTEADY: failed beside others, passed {TIMES_AGAIN} times alone: {}", names.join(", "));
    Ok(())
}

/// Runs a command, shows its lines, and answers whether it succeeded and what its tests said.
fn watch(command: &mut Command) -> anyhow::Result<(bool, Run)> {
    let (lines, writer) = std::io::pipe().context("a pipe")?;
    command.env("CARGO_TERM_COLOR", "never").stdout(writer.try_clone().context("a pipe")?).stderr(writer);
    let mut child = command.spawn().context("cargo could not be started")?;
    // Its ends of the pipe are in the command; the last line comes once they are closed.
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut seen = Run::default();
    for line in BufReader::new(lines).split(b'\n') {
        let line = line.context("what cargo prints")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        seen.note(&line);
    }
    Ok((child.wait().context("cargo")?.success(), seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: &str = "\
test formats::every ... FAILED
test help::pages ... ok
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 51.29s
error: test failed, to rerun pass `-p taskctl --test cli`
test result: ok. 40 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s
error: 1 target failed:
    `-p taskctl --test cli`";

    fn seen(text: &str) -> Run {
        let mut run = Run::default();
        text.lines().for_each(|line| run.note(line));
        run
    }

    #[test]
    fn what_failed_is_run_again() {
        assert_eq!(seen(FAILED).again(), Some(&BTreeSet::from(["formats::every".to_owned()])));
    }

    #[test]
    fn a_crash_is_no_tests_failure() {
        let crash = "error: test failed, to rerun pass `-p tasklane-host --test suite`";
        assert_eq!(seen(crash).again(), None);
        assert_eq!(seen(&format!("{FAILED}\n{crash}")).again(), None);
    }

    #[test]
    fn many_have_a_cause() {
        let many: String = (0..=AGAIN_MAX).map(|at| format!("test t{at} ... FAILED\n")).collect();
        let ends = "test result: FAILED. 0 passed; 4 failed;\nerror: test failed, to rerun pass `-p x --lib`";
        assert_eq!(seen(&format!("{many}{ends}")).again(), None);
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn one_that_passes_alone_does_not_end_it_and_one_that_fails_again_does() {
        let script = format!("echo '{}'; exit 1", FAILED.replace('\'', ""));
        let given = std::cell::RefCell::new(Vec::new());
        let passes = |names: &[&str]| {
            given.borrow_mut().push(names.join(" "));
            shell("echo 'test formats::every ... ok'")
        };
        run(&mut shell(&script), passes).unwrap();
        assert_eq!(given.take(), ["formats::every"; TIMES_AGAIN]);
        assert!(run(&mut shell(&script), |_| shell(&script)).is_err());
        let nothing = run(&mut shell(&script), |_| shell("true"));
        assert!(nothing.is_err(), "a run of no test is no pass");
        run(&mut shell("true"), |_| shell("false")).unwrap();
    }
}
