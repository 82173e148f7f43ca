//! The log lines of settled attempts: every one for who asks for them, failures for everybody, in bounded number.
//!
//! A failure is logged here and nowhere else: here it is decided what follows from it. What the guest said of it is in the row, not in the
//! log of this process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tasklane_domain::StateKind;
use tasklane_domain::settle::SettledTask;

/// Failures that get a line of their own in one [`WINDOW`]; more are counted in one line.
const FAILURES_MAX: u64 = 50;
const WINDOW: Duration = Duration::from_secs(1);

/// Bounds the lines of this process.
#[derive(Debug)]
pub(crate) struct SettleLog {
    window: Mutex<Instant>,
    failures: AtomicU64,
}

impl Default for SettleLog {
    fn default() -> Self {
        Self { window: Mutex::new(Instant::now()), failures: AtomicU64::new(0) }
    }
}

impl SettleLog {
    /// Tells of the attempts that a transaction settled, not of those that have started or got on.
    pub(crate) fn tell(&self, settled: &[SettledTask]) {
        let every_one = tracing::enabled!(tracing::Level::DEBUG);
        for task in settled {
            if task.state == StateKind::Failed {
                self.failed(task);
            } else if every_one && task.outcome.is_some() {
                let SettledTask { id, attempt, host, module, queue, state, .. } = task;
                let outcome = task.outcome.map_or("", tasklane_domain::OutcomeKind::as_str);
                tracing::debug!(task = %id, %attempt, %host, %module, %queue, %state, outcome, "a task was settled");
            }
        }
    }

    fn failed(&self, task: &SettledTask) {
        if let Some(untold) = self.next_window(Instant::now()) {
            tracing::info!(failures = untold, "more tasks failed than are told one by one");
        }
        if self.failures.fetch_add(1, Ordering::Relaxed) >= FAILURES_MAX {
            return;
        }
        let SettledTask { id, attempt, host, module, queue, .. } = task;
        let outcome = task.outcome.map_or("", tasklane_domain::OutcomeKind::as_str);
        tracing::info!(task = %id, %attempt, %host, %module, %queue, outcome, "a task failed");
    }

    /// Begins the next window when it is time; how many were not told of in the last one, if any.
    fn next_window(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock();
        if now.duration_since(*window) < WINDOW {
            return None;
        }
        *window = now;
        let untold = self.failures.swap(0, Ordering::Relaxed).saturating_sub(FAILURES_MAX);
        (untold > 0).then_some(untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_told_is_counted_when_the_next_window_begins() {
        let log = SettleLog::default();
        let begun = *log.window.lock();
        log.failures.store(FAILURES_MAX + 7, Ordering::Relaxed);
        assert_eq!(log.next_window(begun + WINDOW / 2), None);
        assert_eq!(log.next_window(begun + WINDOW), Some(7));
        assert_eq!(log.next_window(begun + WINDOW * 2), None);
    }
}
