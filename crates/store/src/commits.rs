//! What the writer counts of its transactions: for `/metrics` and for benchmarks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, IntCounter, Registry};
use tasklane_domain::error::StoreError;

/// Bounds of a commit's time: 0.25 ms to 2 s.
const SECONDS: [f64; 14] =
    [0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 2.0];
/// Bounds of the operations that share a commit.
const OPERATIONS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0, 2_048.0];

/// The numbers; clones share them.
#[derive(Clone)]
pub(crate) struct Commits {
    count: Arc<AtomicU64>,
    seconds: Histogram,
    operations: Histogram,
    failed: IntCounter,
}

impl Commits {
    pub(crate) fn new() -> Result<Self, StoreError> {
        Self::make().map_err(|error| StoreError::Unavailable(Box::new(error)))
    }

    fn make() -> prometheus::Result<Self> {
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))
        };
        Ok(Self {
            count: Arc::default(),
            seconds: histogram("tasklane_commit_seconds", "Time of one write transaction, commit included.", &SECONDS)?,
            operations: histogram(
                "tasklane_commit_operations",
                "Operations that shared one transaction.",
                &OPERATIONS,
            )?,
            failed: IntCounter::new(
                "tasklane_commit_failures_total",
                "Write transactions that failed as a whole and were tried again, one operation at a time.",
            )?,
        })
    }

    pub(crate) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.seconds.clone()))?;
        registry.register(Box::new(self.operations.clone()))?;
        registry.register(Box::new(self.failed.clone()))
    }

    /// One transaction took so long; however it ended.
    pub(crate) fn note(&self, took: Duration, operations: usize) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.seconds.observe(took.as_secs_f64());
        self.operations.observe(u32::try_from(operations).map_or(f64::MAX, f64::from));
    }

    pub(crate) fn note_failure(&self) {
        self.failed.inc();
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
