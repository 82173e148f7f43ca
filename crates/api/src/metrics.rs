//! What an API process counts.

use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};
use tasklane_domain::query::Stats;

/// An API's metrics.
pub(crate) struct Metrics {
    pub(crate) requests: IntCounterVec,
    pub(crate) request_seconds: HistogramVec,
    pub(crate) refused: IntCounterVec,
    pub(crate) audit_lost: IntCounter,
    pub(crate) submitted: IntCounter,
    pub(crate) dispatched: IntCounter,
    pub(crate) dispatch_dropped: IntCounter,
    tasks: IntGaugeVec,
    depth: IntGaugeVec,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry, version: &str) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            prometheus::Result::Ok(counter)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            prometheus::Result::Ok(gauges)
        };
        let requests = IntCounterVec::new(
            Opts::new("tasklane_http_requests_total", "Requests answered, by route, method and status."),
            &["route", "method", "status"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        let request_seconds = HistogramVec::new(
            HistogramOpts::new("tasklane_http_request_duration_seconds", "Time to the answer, by route.")
                .buckets(prometheus::exponential_buckets(0.000_5, 2.5, 12)?),
            &["route"],
        )?;
        registry.register(Box::new(request_seconds.clone()))?;
        let refused = IntCounterVec::new(
            Opts::new("tasklane_access_refused_total", "Requests that access control refused, by error code."),
            &["code"],
        )?;
        registry.register(Box::new(refused.clone()))?;
        gauges("tasklane_build_info", "1, with the version.", &["version"])?.with_label_values(&[version]).set(1);
        Ok(Self {
            requests,
            request_seconds,
            refused,
            audit_lost: counter("tasklane_audit_lost_total", "Audit entries that could only be logged.")?,
            submitted: counter("tasklane_tasks_submitted_total", "Tasks accepted and committed.")?,
            dispatched: counter("tasklane_dispatched_total", "Orders that JetStream has acknowledged.")?,
            dispatch_dropped: counter("tasklane_dispatch_dropped_total", "Orders left to the rescue loop.")?,
            tasks: gauges("tasklane_tasks", "Tasks, by state.", &["state"])?,
            depth: gauges("tasklane_queue_depth", "Queued tasks, by lane.", &["queue", "priority"])?,
        })
    }

    /// Shows what the database counts.
    pub(crate) fn show(&self, stats: &Stats) {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        for state in tasklane_domain::StateKind::ALL {
            let count = stats.states.iter().find(|one| one.state == state).map_or(0, |one| one.count);
            self.tasks.with_label_values(&[state.as_str()]).set(signed(count));
        }
        self.depth.reset();
        for lane in &stats.lanes {
            let labels = [lane.lane.queue.as_str(), &lane.lane.priority.to_string()];
            self.depth.with_label_values(&labels).set(signed(lane.queued));
        }
    }
}
