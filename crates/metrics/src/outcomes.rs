//! One counter for each outcome, made when the outcome is first seen.

use std::sync::OnceLock;

use prometheus::{IntCounter, IntCounterVec};
use tasklane_domain::OutcomeKind;

use crate::LaneLabels;

const KINDS: usize = OutcomeKind::ALL.len();

/// Counters of one lane and module, by outcome. Labels: `queue`, `priority`, `module`, `outcome`, in this order.
pub struct Outcomes {
    all: IntCounterVec,
    labels: [String; 3],
    known: [OnceLock<IntCounter>; KINDS],
}

impl Outcomes {
    /// Those of `all` with these labels.
    #[must_use]
    pub fn new(all: &IntCounterVec, labels: LaneLabels<'_>) -> Self {
        let labels = [labels.queue, labels.priority, labels.module].map(str::to_owned);
        Self { all: all.clone(), labels, known: [const { OnceLock::new() }; KINDS] }
    }

    /// Counts one.
    pub fn count(&self, outcome: OutcomeKind) {
        let [queue, priority, module] = &self.labels;
        let find = || self.all.with_label_values(&[queue.as_str(), priority, module, outcome.as_str()]);
        match self.known.get(outcome as usize) {
            Some(known) => known.get_or_init(find).inc(),
            None => find().inc(),
        }
    }
}
