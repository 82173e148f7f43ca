//! Makes and registers one metric in one call.

use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, Result,
};

fn registered<T: prometheus::core::Collector + Clone + 'static>(registry: &Registry, metric: T) -> Result<T> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// A counter of whole things.
///
/// # Errors
/// As all of these: when a metric of this name is registered already.
pub fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter> {
    registered(registry, IntCounter::new(name, help)?)
}

/// Counters of whole things, by labels.
///
/// # Errors
/// See [`counter`].
pub fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

/// A counter of seconds.
///
/// # Errors
/// See [`counter`].
pub fn seconds_counter(registry: &Registry, name: &str, help: &str) -> Result<Counter> {
    registered(registry, Counter::new(name, help)?)
}

/// Counters of seconds, by labels.
///
/// # Errors
/// See [`counter`].
pub fn seconds_counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<CounterVec> {
    registered(registry, CounterVec::new(Opts::new(name, help), labels)?)
}

/// A number that rises and falls.
///
/// # Errors
/// See [`counter`].
pub fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge> {
    registered(registry, IntGauge::new(name, help)?)
}

/// Numbers that rise and fall, by labels.
///
/// # Errors
/// See [`counter`].
pub fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

/// A broken number that rises and falls.
///
/// # Errors
/// See [`counter`].
pub fn seconds_gauge(registry: &Registry, name: &str, help: &str) -> Result<Gauge> {
    registered(registry, Gauge::new(name, help)?)
}

/// Broken numbers that rise and fall, by labels.
///
/// # Errors
/// See [`counter`].
pub fn seconds_gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec> {
    registered(registry, GaugeVec::new(Opts::new(name, help), labels)?)
}

/// A distribution over these bounds.
///
/// # Errors
/// See [`counter`].
pub fn histogram(registry: &Registry, name: &str, help: &str, buckets: Vec<f64>) -> Result<Histogram> {
    registered(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?)
}

/// Distributions over these bounds, by labels.
///
/// # Errors
/// See [`counter`].
pub fn histograms(
    registry: &Registry,
    name: &str,
    help: &str,
    buckets: Vec<f64>,
    labels: &[&str],
) -> Result<HistogramVec> {
    registered(registry, HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), labels)?)
}

/// Bounds of times that lie between `least` seconds and `count - 1` doublings of it by `factor`.
///
/// # Errors
/// When the bounds would not rise.
pub fn times(least: f64, factor: f64, count: usize) -> Result<Vec<f64>> {
    prometheus::exponential_buckets(least, factor, count)
}

/// Bounds of the times of whole tasks: 1 ms to 19 hours, each four times the one before.
pub const TASK_SECONDS: [f64; 14] = [
    0.001, 0.004, 0.016, 0.064, 0.256, 1.024, 4.096, 16.384, 65.536, 262.144, 1_048.576, 4_194.304, 16_777.216,
    67_108.864,
];

/// Bounds of how many things go together: 1 to 4,096, each twice the one before.
pub const BATCH_SIZES: [f64; 13] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 2_048.0, 4_096.0];
