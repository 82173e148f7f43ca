//! What a host counts.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// A host's metrics; clones share the numbers.
#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) attempts: IntCounterVec,
    pub(crate) attempt_seconds: Histogram,
    pub(crate) queue_wait_seconds: Histogram,
    pub(crate) slots: IntGauge,
    pub(crate) running: IntGauge,
    pub(crate) buffered: IntGauge,
    pub(crate) compiles: IntCounterVec,
    pub(crate) panics: IntCounter,
    pub(crate) handed_back: IntCounter,
    pub(crate) guest_calls: IntCounterVec,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry, slots: u32) -> prometheus::Result<Self> {
        let seconds = |name: &str, help: &str| {
            let buckets = prometheus::exponential_buckets(0.000_05, 4.0, 12)?;
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
            registry.register(Box::new(histogram.clone()))?;
            prometheus::Result::Ok(histogram)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            prometheus::Result::Ok(gauge)
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            prometheus::Result::Ok(counter)
        };
        let counters = |name: &str, help: &str, label: &str| {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            prometheus::Result::Ok(counters)
        };
        let open = gauge("tasklane_slots", "Guests that can run at once.")?;
        open.set(i64::from(slots));
        Ok(Self {
            attempts: counters("tasklane_attempts_total", "Attempts ended, by outcome.", "outcome")?,
            attempt_seconds: seconds("tasklane_attempt_duration_seconds", "Wall time of an attempt.")?,
            queue_wait_seconds: seconds("tasklane_queue_wait_seconds", "Time from queued to started.")?,
            slots: open,
            running: gauge("tasklane_slots_running", "Guests that run.")?,
            buffered: gauge("tasklane_host_buffered", "Deliveries that wait for a slot in this host.")?,
            compiles: counters("tasklane_module_loads_total", "Modules loaded, by where from.", "from")?,
            panics: counter("tasklane_host_panics_total", "Panics of the host that were contained.")?,
            guest_calls: guest_calls(registry)?,
            handed_back: counter("tasklane_handed_back_total", "Deliveries given back unrun.")?,
        })
    }
}

/// Host functions that are counted, by what came of them.
pub(crate) fn guest_calls(registry: &Registry) -> prometheus::Result<IntCounterVec> {
    let opts = Opts::new("tasklane_guest_calls_total", "Calls of host functions, by function and result.");
    let counters = IntCounterVec::new(opts, &["function", "result"])?;
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}
