//! What an API process counts. Each metric is described in `docs/metrics.md`.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use prometheus::{GaugeVec, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec};
use tasklane_api_types::ErrorCode;
use tasklane_domain::cluster::Lane;
use tasklane_domain::query::{LaneDepth, Stats};
use tasklane_domain::{StateKind, Timestamp};
use tasklane_metrics::make::{counter, counters, gauges, histograms, seconds_gauges, times};
use tasklane_metrics::{OTHER, Registry, TaskMetrics, priority_label};

/// Lanes that have labels of their own in one process; the tasks of others are counted under the queue [`OTHER`].
const LANES_MAX: usize = 200;

/// An API's metrics.
pub(crate) struct Metrics {
    pub(crate) requests: IntCounterVec,
    pub(crate) request_seconds: HistogramVec,
    pub(crate) refused: IntCounterVec,
    pub(crate) audit_lost: IntCounter,
    pub(crate) tasks: TaskMetrics,
    pub(crate) dispatched: IntCounter,
    pub(crate) dispatch_dropped: IntCounter,
    states: IntGaugeVec,
    lanes: LaneGauges,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            requests: counters(
                registry,
                "tasklane_http_requests_total",
                "Requests answered, by route, method and status.",
                &["route", "method", "status"],
            )?,
            request_seconds: histograms(
                registry,
                "tasklane_http_request_duration_seconds",
                "Time to the answer, by route.",
                times(0.000_5, 2.5, 12)?,
                &["route"],
            )?,
            refused: refused(registry)?,
            audit_lost: counter(registry, "tasklane_audit_lost_total", "Audit entries that could only be logged.")?,
            tasks: registry.tasks()?,
            dispatched: counter(registry, "tasklane_dispatched_total", "Orders that JetStream has acknowledged.")?,
            dispatch_dropped: counter(
                registry,
                "tasklane_dispatch_dropped_total",
                "Orders that were not published and are left to the rescue loop.",
            )?,
            states: gauges(registry, "tasklane_tasks", "Tasks in the database, by state.", &["state"])?,
            lanes: LaneGauges::register(registry)?,
        })
    }

    /// Shows what the database counts.
    pub(crate) fn show(&self, stats: &Stats, now: Timestamp) {
        for state in StateKind::ALL {
            let count = stats.states.iter().find(|one| one.state == state).map_or(0, |one| one.count);
            self.states.with_label_values(&[state.as_str()]).set(signed(count));
        }
        self.lanes.show(&stats.lanes, now);
    }
}

/// Both codes from the start, so that a rate over them is 0 where nobody was refused.
fn refused(registry: &Registry) -> Result<IntCounterVec, prometheus::Error> {
    let help = "Requests that access control refused, by error code.";
    let refused = counters(registry, "tasklane_access_refused_total", help, &["code"])?;
    for code in [ErrorCode::Unauthenticated, ErrorCode::PermissionDenied] {
        refused.with_label_values(&[code.as_str()]).reset();
    }
    Ok(refused)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What waits in each lane. A lane that has been seen is shown with 0 when it is empty, so that graphs fall to the ground.
struct LaneGauges {
    depth: IntGaugeVec,
    oldest: GaugeVec,
    seen: Mutex<BTreeSet<Lane>>,
}

impl LaneGauges {
    fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let labels = ["queue", "priority"];
        Ok(Self {
            depth: gauges(registry, "tasklane_queue_depth", "Queued tasks, held ones included, by lane.", &labels)?,
            oldest: seconds_gauges(
                registry,
                "tasklane_queue_oldest_age_seconds",
                "How long the task that was queued first has waited, by lane; 0 where none waits.",
                &labels,
            )?,
            seen: Mutex::default(),
        })
    }

    fn show(&self, lanes: &[LaneDepth], now: Timestamp) {
        let mut seen = self.seen.lock();
        self.depth.reset();
        self.oldest.reset();
        for lane in seen.iter() {
            self.add(lane.queue.as_str(), lane, 0, 0.0);
        }
        for depth in lanes {
            let has_room = seen.len() < LANES_MAX || seen.contains(&depth.lane);
            let queue = if has_room { depth.lane.queue.as_str() } else { OTHER };
            let age = depth.oldest_queued_at.map_or(0.0, |oldest| now.since(oldest).as_secs_f64());
            self.add(queue, &depth.lane, depth.queued, age);
            if has_room {
                seen.insert(depth.lane.clone());
            }
        }
    }

    fn add(&self, queue: &str, lane: &Lane, queued: u64, age: f64) {
        let labels = [queue, priority_label(lane.priority)];
        self.depth.with_label_values(&labels).add(signed(queued));
        let oldest = self.oldest.with_label_values(&labels);
        oldest.set(oldest.get().max(age));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(60_000_000);

    fn lane(queue: &str, queued: u64) -> LaneDepth {
        let lane = Lane { queue: queue.parse().unwrap(), priority: tasklane_domain::Priority::HIGH };
        LaneDepth { lane, queued, oldest_queued_at: Some(NOW.minus(Duration::from_secs(queued))) }
    }

    fn text(registry: &Registry) -> String {
        prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
    }

    #[test]
    fn an_empty_lane_is_shown_with_nothing_in_it() {
        let registry = Registry::new().unwrap();
        let gauges = LaneGauges::register(&registry).unwrap();
        gauges.show(&[lane("q", 7)], NOW);
        assert!(text(&registry).contains("tasklane_queue_oldest_age_seconds{priority=\"8\",queue=\"q\"} 7"));
        gauges.show(&[], NOW);
        let text = text(&registry);
        assert!(text.contains("tasklane_queue_depth{priority=\"8\",queue=\"q\"} 0"), "{text}");
        assert!(text.contains("tasklane_queue_oldest_age_seconds{priority=\"8\",queue=\"q\"} 0"), "{text}");
    }

    #[test]
    fn lanes_beyond_the_limit_are_added_up() {
        let registry = Registry::new().unwrap();
        let gauges = LaneGauges::register(&registry).unwrap();
        let lanes: Vec<LaneDepth> = (0..LANES_MAX + 3).map(|number| lane(&format!("q{number}"), 2)).collect();
        gauges.show(&lanes, NOW);
        let text = text(&registry);
        assert!(text.contains("tasklane_queue_depth{priority=\"8\",queue=\"other\"} 6"), "{text}");
        let lines = text.lines().filter(|line| line.starts_with("tasklane_queue_depth{")).count();
        assert_eq!(lines, LANES_MAX + 1);
    }
}
