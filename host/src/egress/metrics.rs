//! What is counted about guests' requests.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Why a request was refused. The names are values of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It cannot be called at all: another scheme, a user in the URL, …
    Url,
    /// A method that no rule can allow.
    Method,
    /// The manifest does not ask for it.
    Manifest,
    /// The operator lets no guest call it.
    Operator,
    /// It leads to an address that is not for guests.
    Address,
    /// The attempt has made all its requests.
    Requests,
    /// The attempt has too many requests open.
    Concurrency,
    /// A body is too large.
    Size,
}

impl Refused {
    const ALL: [Self; 8] = [
        Self::Url,
        Self::Method,
        Self::Manifest,
        Self::Operator,
        Self::Address,
        Self::Requests,
        Self::Concurrency,
        Self::Size,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Method => "method",
            Self::Manifest => "manifest",
            Self::Operator => "operator",
            Self::Address => "address",
            Self::Requests => "requests",
            Self::Concurrency => "concurrency",
            Self::Size => "size",
        }
    }
}

/// The numbers; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct EgressMetrics {
    requests: IntCounterVec,
    refusals: IntCounterVec,
    bytes: IntCounterVec,
    pub(super) connections: IntGauge,
}

impl EgressMetrics {
    pub(crate) fn new() -> prometheus::Result<Self> {
        let counters = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let metrics = Self {
            requests: counters(
                "tasklane_egress_requests_total",
                "Outbound HTTP requests of guests, by result.",
                "result",
            )?,
            refusals: counters(
                "tasklane_egress_refusals_total",
                "Outbound HTTP requests refused, by reason.",
                "reason",
            )?,
            bytes: counters("tasklane_egress_bytes_total", "Bytes of guests' HTTP bodies, by direction.", "direction")?,
            connections: IntGauge::new("tasklane_egress_connections", "Open connections of guests' requests.")?,
        };
        metrics.begin();
        Ok(metrics)
    }

    /// Each value is there from the start: a rate of what appears only when it happens misses the first.
    fn begin(&self) {
        for result in ["answered", "failed", "refused"] {
            self.requests.with_label_values(&[result]);
        }
        for reason in Refused::ALL {
            self.refusals.with_label_values(&[reason.as_str()]);
        }
        self.bytes.with_label_values(&["sent"]);
        self.bytes.with_label_values(&["received"]);
    }

    pub(crate) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.requests.clone()))?;
        registry.register(Box::new(self.refusals.clone()))?;
        registry.register(Box::new(self.bytes.clone()))?;
        registry.register(Box::new(self.connections.clone()))
    }

    pub(crate) fn refused(&self, reason: Refused) {
        self.refusals.with_label_values(&[reason.as_str()]).inc();
        self.requests.with_label_values(&["refused"]).inc();
    }

    pub(super) fn answered(&self) {
        self.requests.with_label_values(&["answered"]).inc();
    }

    pub(super) fn failed(&self) {
        self.requests.with_label_values(&["failed"]).inc();
    }

    pub(super) fn sent(&self) -> IntCounter {
        self.bytes.with_label_values(&["sent"])
    }

    pub(super) fn received(&self) -> IntCounter {
        self.bytes.with_label_values(&["received"])
    }
}
