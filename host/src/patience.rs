//! How long the report of a task may wait for others, so that one message, one transaction and one acknowledgement serve several.
//!
//! Asked by [`crate::report`]. A report that goes its way alone costs all processes together about as much as 2 to 3 ms of computing
//! (`bench latency`); that is nothing to a task that nobody else waits behind, and much beside a backlog of guests that compute 20 ms each
//! (`bench cores`). So a report waits for a share of the time that its task has waited already: what was not queued for long is not kept.
//! It costs nothing but this delay: a host that is killed meanwhile leaves attempts that are run again, as those that it was running.

use std::time::Duration;

use tasklane_domain::work::{Delivery, ReportBody};
use tasklane_domain::{Report, Timestamp};

/// A report waits for at most one part in so many of its task's age since it was queued.
const SHARE: u32 = 10;
/// Longest wait.
const MAX: Duration = Duration::from_millis(100);
/// What would wait for less goes at once: a timer is no more exact.
const MIN: Duration = Duration::from_millis(2);
/// What the reports that wait may come to.
const GATHERED_MAX: Gathered = Gathered { reports: 64, bytes: 128 * 1024 };

/// Reports that wait: more of them in one batch make each hardly cheaper, and larger ones keep others waiting for their commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gathered {
    pub(crate) reports: usize,
    /// Of logs and results.
    pub(crate) bytes: u64,
}

impl Gathered {
    /// With one more.
    pub(crate) fn with(self, report: &Report) -> Self {
        let bytes = match &report.body {
            ReportBody::Ended(ended) => ended.usage.log_bytes.saturating_add(ended.result.len() as u64),
            ReportBody::Started { .. } | ReportBody::Progress(_) | ReportBody::HandedBack(_) => 0,
        };
        Self { reports: self.reports + 1, bytes: self.bytes.saturating_add(bytes) }
    }

    /// Whether nothing more is to be waited for.
    pub(crate) fn is_enough(self) -> bool {
        self.reports >= GATHERED_MAX.reports || self.bytes >= GATHERED_MAX.bytes
    }
}

/// How long this may wait.
pub(crate) fn patience(delivery: &Delivery, body: &ReportBody, now: Timestamp) -> Duration {
    let order = &delivery.order;
    match body {
        // Somebody else is to run it.
        ReportBody::HandedBack(_) => Duration::ZERO,
        ReportBody::Ended(_) | ReportBody::Started { .. } | ReportBody::Progress(_) => {
            if order.awaited || order.priority.is_urgent() {
                Duration::ZERO
            } else {
                of_age(now.since(order.queued_at))
            }
        }
    }
}

fn of_age(age: Duration) -> Duration {
    let patience = (age / SHARE).min(MAX);
    if patience < MIN { Duration::ZERO } else { patience }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_age_and_never_long() {
        let of_ms = |age| of_age(Duration::from_millis(age));
        assert_eq!(of_ms(0), Duration::ZERO);
        assert_eq!(of_ms(19), Duration::ZERO, "too little for a timer");
        assert_eq!(of_ms(20), MIN);
        assert_eq!(of_ms(500), Duration::from_millis(50));
        assert_eq!(of_ms(1_000), MAX);
        assert_eq!(of_age(Duration::MAX), MAX);
    }
}
