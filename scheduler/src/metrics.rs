//! What a scheduler counts. Names follow Prometheus' rules: base units, one prefix, no free text as a label.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use tasklane_domain::settle::{Refusal, SettledTask};
use tasklane_domain::state::TransitionError;
use tasklane_domain::webhook::Verdict;

/// A scheduler's metrics; clones share the numbers.
#[derive(Clone)]
pub struct Metrics {
    pub(crate) settled: IntCounterVec,
    pub(crate) refused: IntCounterVec,
    pub(crate) settle_seconds: Histogram,
    pub(crate) leader: IntGauge,
    pub(crate) term: IntGauge,
    pub(crate) stale_terms: IntCounter,
    pub(crate) admitted: IntCounter,
    pub(crate) promoted: IntCounter,
    pub(crate) fired: IntCounter,
    pub(crate) expired: IntCounter,
    pub(crate) rescued: IntCounter,
    pub(crate) trimmed: IntCounter,
    pub(crate) blobs_swept: IntCounter,
    pub(crate) kv_expired: IntCounter,
    pub(crate) removed: IntCounterVec,
    pub(crate) deliveries: IntCounterVec,
}

fn counter(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntCounter> {
    let counter = IntCounter::new(name, help)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let seconds = Histogram::with_opts(
            HistogramOpts::new("tasklane_settle_seconds", "Time of one settle transaction, commit included.")
                .buckets(prometheus::exponential_buckets(0.000_5, 2.0, 14)?),
        )?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Self {
            settled: counters(
                registry,
                "tasklane_settled_total",
                "Attempts settled, by outcome and state.",
                &["outcome", "state"],
            )?,
            refused: counters(registry, "tasklane_fenced_reports_total", "Reports refused, by reason.", &["reason"])?,
            settle_seconds: seconds,
            leader: gauge(registry, "tasklane_leader", "1 while this scheduler leads.")?,
            term: gauge(registry, "tasklane_leader_term", "The newest term that this scheduler opened.")?,
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
            expired: counter(registry, "tasklane_expired_total", "Tasks whose deadline passed before a start.")?,
            rescued: counter(
                registry,
                "tasklane_rescued_total",
                "Tasks published anew because they were lost on the way.",
            )?,
            kv_expired: counter(registry, "tasklane_kv_expired_total", "Keys and values removed after their time.")?,
            blobs_swept: counter(registry, "tasklane_blobs_swept_total", "Blobs removed that no task referred to.")?,
            trimmed: counter(registry, "tasklane_trimmed_total", "Done messages deleted from the READY stream.")?,
            removed: counters(registry, "tasklane_removed_total", "What retention removed, by kind.", &["kind"])?,
            deliveries: counters(
                registry,
                "tasklane_webhook_deliveries_total",
                "Deliveries sent to webhooks, by what became of them.",
                &["result"],
            )?,
        })
    }

    pub(crate) fn count_settled(&self, settled: &[SettledTask]) {
        let kind = |task: &SettledTask| (task.outcome, task.state);
        // One look-up for many that ended alike.
        for alike in settled.chunk_by(|a, b| kind(a) == kind(b)) {
            if let Some((Some(outcome), state)) = alike.first().map(kind) {
                self.settled.with_label_values(&[outcome.as_str(), state.as_str()]).inc_by(alike.len() as u64);
            }
        }
    }

    pub(crate) fn count_delivery(&self, verdict: Verdict) {
        let result = match verdict {
            Verdict::Delivered => "delivered",
            Verdict::Again(_) => "again",
            Verdict::Dead => "dead",
            Verdict::Gone => "gone",
        };
        self.deliveries.with_label_values(&[result]).inc();
    }

    pub(crate) fn count_refused(&self, refusal: &Refusal) {
        let reason = match refusal {
            Refusal::StaleDelivery { .. } => "stale_delivery",
            Refusal::Transition(TransitionError::AlreadyEnded(_)) => "already_ended",
            Refusal::Transition(TransitionError::StaleAttempt { .. }) => "stale_attempt",
            Refusal::Transition(TransitionError::NotAllowed(_)) => "not_allowed",
            Refusal::Unknown => "unknown_task",
        };
        self.refused.with_label_values(&[reason]).inc();
    }
}
