//! What a host counts. Each metric is described in `docs/metrics.md`.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{Counter, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry};
use tasklane_domain::{Outcome, Usage, WorkOrder};
use tasklane_metrics::make::{counter, counters, gauge, histogram, histograms, seconds_counters, times};
use tasklane_metrics::{Lanes, Outcomes};

/// Bounds of an attempt's largest memory: 64 KiB to 4 GiB, each four times the one before.
const MEMORY_BYTES: [f64; 9] = [
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
];

/// The handles of one queue, priority and module.
pub(crate) struct AttemptSeries {
    started: IntCounter,
    ended: Outcomes,
    wait: Histogram,
    wall: Histogram,
    fuel: IntCounter,
    cpu: Counter,
    memory: Histogram,
}

impl AttemptSeries {
    /// A guest is about to run, after so long a wait.
    pub(crate) fn started(&self, waited: Duration) {
        self.started.inc();
        self.wait.observe(waited.as_secs_f64());
    }

    /// An attempt is over.
    pub(crate) fn ended(&self, outcome: &Outcome, usage: &Usage) {
        self.ended.count(outcome.kind());
        if usage.wall_us == 0 {
            return;
        }
        self.wall.observe(Duration::from_micros(usage.wall_us).as_secs_f64());
        self.fuel.inc_by(usage.fuel);
        self.cpu.inc_by(Duration::from_micros(usage.cpu_us).as_secs_f64());
        // Exact up to 2^53 bytes.
        self.memory.observe(usage.peak_memory_bytes as f64);
    }
}

/// A host's metrics; clones share the numbers.
#[derive(Clone)]
pub(crate) struct Metrics {
    attempts: Arc<Lanes<AttemptSeries>>,
    pub(crate) slots: IntGauge,
    pub(crate) running: IntGauge,
    pub(crate) buffered: IntGauge,
    pub(crate) loads: IntCounterVec,
    pub(crate) load_seconds: HistogramVec,
    pub(crate) compile_seconds: Histogram,
    pub(crate) warm_starts: IntCounter,
    pub(crate) cold_starts: IntCounter,
    pub(crate) panics: IntCounter,
    pub(crate) handed_back: IntCounter,
    pub(crate) guest_calls: IntCounterVec,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry, slots: u32) -> prometheus::Result<Self> {
        let open = gauge(registry, "tasklane_slots", "Guests that can run at once.")?;
        open.set(i64::from(slots));
        let help = "Guests that began, by whether their module was ready in memory (warm) or had to be loaded (cold).";
        let starts = counters(registry, "tasklane_starts_total", help, &["start"])?;
        Ok(Self {
            attempts: attempts(registry)?,
            slots: open,
            running: gauge(registry, "tasklane_slots_running", "Slots that are taken.")?,
            buffered: gauge(registry, "tasklane_host_buffered", "Deliveries that wait for a slot in this host.")?,
            loads: loads(registry)?,
            load_seconds: load_seconds(registry)?,
            compile_seconds: histogram(
                registry,
                "tasklane_module_compile_seconds",
                "Time to compile a module in its child process.",
                times(0.01, 2.0, 14)?,
            )?,
            warm_starts: starts.with_label_values(&["warm"]),
            cold_starts: starts.with_label_values(&["cold"]),
            panics: counter(registry, "tasklane_host_panics_total", "Panics of the host that were contained.")?,
            guest_calls: guest_calls(registry)?,
            handed_back: counter(registry, "tasklane_handed_back_total", "Deliveries given back unrun.")?,
        })
    }

    /// The handles for attempts like this.
    pub(crate) fn of(&self, order: &WorkOrder) -> Arc<AttemptSeries> {
        self.attempts.of(&order.queue, order.priority, &order.module.name)
    }
}

fn attempts(registry: &Registry) -> prometheus::Result<Arc<Lanes<AttemptSeries>>> {
    let lane = ["queue", "priority", "module"];
    let started = counters(registry, "tasklane_attempts_started_total", "Attempts taken into a slot.", &lane)?;
    let ended = counters(
        registry,
        "tasklane_attempts_total",
        "Attempts ended, by outcome.",
        &["queue", "priority", "module", "outcome"],
    )?;
    let wait = histograms(
        registry,
        "tasklane_queue_wait_seconds",
        "Time from queued to taken into a slot.",
        times(0.000_25, 4.0, 12)?,
        &["priority"],
    )?;
    let wall = histograms(
        registry,
        "tasklane_attempt_duration_seconds",
        "Wall time of an attempt.",
        times(0.000_05, 4.0, 12)?,
        &["module"],
    )?;
    let fuel = counters(registry, "tasklane_fuel_used_total", "Fuel that guests used.", &["module"])?;
    let help = "Processor time of guests.";
    let cpu = seconds_counters(registry, "tasklane_guest_cpu_seconds_total", help, &["module"])?;
    let memory = histogram(
        registry,
        "tasklane_attempt_memory_peak_bytes",
        "Most memory that an attempt held at once.",
        MEMORY_BYTES.to_vec(),
    )?;
    Ok(Arc::new(Lanes::new(move |labels| AttemptSeries {
        started: started.with_label_values(&[labels.queue, labels.priority, labels.module]),
        ended: Outcomes::new(&ended, labels),
        wait: wait.with_label_values(&[labels.priority]),
        wall: wall.with_label_values(&[labels.module]),
        fuel: fuel.with_label_values(&[labels.module]),
        cpu: cpu.with_label_values(&[labels.module]),
        memory: memory.clone(),
    })))
}

/// Where compiled code comes from.
const PLACES: [&str; 3] = ["disk", "shared", "compiler"];

fn loads(registry: &Registry) -> prometheus::Result<IntCounterVec> {
    let loads = counters(registry, "tasklane_module_loads_total", "Modules loaded, by where from.", &["from"])?;
    for place in PLACES {
        loads.with_label_values(&[place]);
    }
    Ok(loads)
}

fn load_seconds(registry: &Registry) -> prometheus::Result<HistogramVec> {
    let help = "Time until a module that was not in memory was ready, by where its code came from.";
    let seconds = histograms(registry, "tasklane_module_load_seconds", help, times(0.001, 2.5, 13)?, &["from"])?;
    for place in PLACES {
        seconds.with_label_values(&[place]);
    }
    Ok(seconds)
}

/// Host functions that are shown before they are first called.
const FUNCTIONS: [&str; 5] = ["kv_get", "kv_set", "secrets_get", "blobs_read", "blobs_write"];

/// Host functions that are counted, by what came of them.
pub(crate) fn guest_calls(registry: &Registry) -> prometheus::Result<IntCounterVec> {
    let help = "Calls of host functions, by function and result.";
    let calls = counters(registry, "tasklane_guest_calls_total", help, &["function", "result"])?;
    for function in FUNCTIONS {
        calls.with_label_values(&[function, "ok"]);
    }
    Ok(calls)
}
