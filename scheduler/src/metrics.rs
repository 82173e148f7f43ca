//! What a scheduler counts. Names follow Prometheus' rules: base units, one prefix, no free text as a label. Each metric is described in
//! `docs/metrics.md`.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};
use tasklane_domain::settle::{Refusal, SettledTask};
use tasklane_domain::state::TransitionError;
use tasklane_domain::webhook::Verdict;
use tasklane_domain::{OutcomeKind, StateKind};
use tasklane_metrics::make::{BATCH_SIZES, counter, counters, gauge, histogram, times};
use tasklane_metrics::{Registry, TaskMetrics};

/// A scheduler's metrics; clones share the numbers.
#[derive(Clone)]
pub struct Metrics {
    pub(crate) tasks: TaskMetrics,
    settled: IntCounterVec,
    /// The commonest: found without looking.
    succeeded: IntCounter,
    refused: IntCounterVec,
    pub(crate) settle_seconds: Histogram,
    pub(crate) settle_reports: Histogram,
    pub(crate) leader: IntGauge,
    pub(crate) term: IntGauge,
    pub(crate) leader_changes: IntCounter,
    pub(crate) stale_terms: IntCounter,
    pub(crate) admitted: IntCounter,
    pub(crate) promoted: IntCounter,
    pub(crate) fired: IntCounter,
    pub(crate) schedule_lateness: Histogram,
    pub(crate) expired: IntCounter,
    pub(crate) rescued: IntCounter,
    pub(crate) trimmed: IntCounter,
    pub(crate) blobs_swept: IntCounter,
    pub(crate) kv_expired: IntCounter,
    pub(crate) removed: IntCounterVec,
    deliveries: IntCounterVec,
}

/// Why a report is refused.
const REFUSALS: [&str; 5] = ["stale_delivery", "already_ended", "stale_attempt", "not_allowed", "unknown_task"];
/// What becomes of a delivery to a webhook.
const DELIVERIES: [&str; 4] = ["delivered", "again", "dead", "gone"];
/// What retention removes.
const REMOVED: [&str; 7] = ["task", "payload", "result", "log", "idempotency_key", "firing", "operation"];
/// Longest lateness of a schedule that is told apart is 55 minutes.
const LATENESS_BUCKETS: usize = 12;

/// Each value is there from the start: a rate of what appears only when it happens misses the first.
fn with_values(counters: IntCounterVec, values: &[&str]) -> IntCounterVec {
    for value in values {
        counters.with_label_values(&[*value]);
    }
    counters
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let settled = settled(registry)?;
        Ok(Self {
            tasks: registry.tasks()?,
            succeeded: settled.with_label_values(&[OutcomeKind::Ok.as_str(), StateKind::Succeeded.as_str()]),
            settled,
            refused: refused(registry)?,
            settle_seconds: histogram(
                registry,
                "tasklane_settle_seconds",
                "Time to settle one batch of reports, commit and repetitions included.",
                times(0.000_5, 2.0, 14)?,
            )?,
            settle_reports: histogram(
                registry,
                "tasklane_settle_reports",
                "Reports settled in one batch.",
                BATCH_SIZES.to_vec(),
            )?,
            leader: gauge(registry, "tasklane_leader", "1 while this scheduler leads.")?,
            term: gauge(registry, "tasklane_leader_term", "The newest term that this scheduler opened.")?,
            leader_changes: counter(registry, "tasklane_leader_changes_total", "Terms that this scheduler opened.")?,
            stale_terms: counter(
                registry,
                "tasklane_stale_terms_total",
                "Leader transactions refused because a newer term had begun.",
            )?,
            admitted: counter(registry, "tasklane_admitted_total", "Held tasks that flow control let go.")?,
            promoted: counter(
                registry,
                "tasklane_promoted_total",
                "Scheduled and retrying tasks queued at their time.",
            )?,
            fired: counter(registry, "tasklane_schedule_fired_total", "Instants of schedules that became tasks.")?,
            schedule_lateness: histogram(
                registry,
                "tasklane_schedule_lateness_seconds",
                "Time from an instant of a schedule to the commit of its task.",
                times(0.001, 3.9, LATENESS_BUCKETS)?,
            )?,
            expired: counter(registry, "tasklane_expired_total", "Tasks whose deadline passed before a start.")?,
            rescued: counter(
                registry,
                "tasklane_rescued_total",
                "Tasks published anew because they were lost on the way.",
            )?,
            kv_expired: counter(registry, "tasklane_kv_expired_total", "Keys and values removed after their time.")?,
            blobs_swept: counter(registry, "tasklane_blobs_swept_total", "Blobs removed that no task referred to.")?,
            trimmed: counter(registry, "tasklane_trimmed_total", "Done messages deleted from the READY stream.")?,
            removed: removed(registry)?,
            deliveries: deliveries(registry)?,
        })
    }

    /// Counts the attempts that a settle transaction recorded.
    pub(crate) fn count_settled(&self, settled: &[SettledTask]) {
        let kind = |task: &SettledTask| (task.outcome, task.state);
        // One look-up for many that ended alike.
        for alike in settled.chunk_by(|a, b| kind(a) == kind(b)) {
            let count = alike.len() as u64;
            match alike.first().map(kind) {
                Some((Some(OutcomeKind::Ok), StateKind::Succeeded)) => self.succeeded.inc_by(count),
                Some((Some(outcome), state)) => {
                    self.settled.with_label_values(&[outcome.as_str(), state.as_str()]).inc_by(count);
                }
                Some((None, _)) | None => {}
            }
        }
    }

    pub(crate) fn count_delivery(&self, verdict: Verdict) {
        let [delivered, again, dead, gone] = DELIVERIES;
        let result = match verdict {
            Verdict::Delivered => delivered,
            Verdict::Again(_) => again,
            Verdict::Dead => dead,
            Verdict::Gone => gone,
        };
        self.deliveries.with_label_values(&[result]).inc();
    }

    pub(crate) fn count_refused(&self, refusal: &Refusal) {
        let [stale_delivery, already_ended, stale_attempt, not_allowed, unknown_task] = REFUSALS;
        let reason = match refusal {
            Refusal::StaleDelivery { .. } => stale_delivery,
            Refusal::Transition(TransitionError::AlreadyEnded(_)) => already_ended,
            Refusal::Transition(TransitionError::StaleAttempt { .. }) => stale_attempt,
            Refusal::Transition(TransitionError::NotAllowed(_)) => not_allowed,
            Refusal::Unknown => unknown_task,
        };
        self.refused.with_label_values(&[reason]).inc();
    }
}

fn settled(registry: &Registry) -> prometheus::Result<IntCounterVec> {
    let help = "Attempts settled, by outcome and by the state that followed.";
    counters(registry, "tasklane_settled_total", help, &["outcome", "state"])
}

fn refused(registry: &Registry) -> prometheus::Result<IntCounterVec> {
    let counters = counters(registry, "tasklane_fenced_reports_total", "Reports refused, by reason.", &["reason"])?;
    Ok(with_values(counters, &REFUSALS))
}

fn removed(registry: &Registry) -> prometheus::Result<IntCounterVec> {
    let counters = counters(registry, "tasklane_removed_total", "What retention removed, by kind.", &["kind"])?;
    Ok(with_values(counters, &REMOVED))
}

fn deliveries(registry: &Registry) -> prometheus::Result<IntCounterVec> {
    let help = "Deliveries sent to webhooks, by what became of them.";
    let counters = counters(registry, "tasklane_webhook_deliveries_total", help, &["result"])?;
    Ok(with_values(counters, &DELIVERIES))
}
