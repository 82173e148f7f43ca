//! What is gathered for one change, and each namespace's share of it.
//!
//! Called by the feed. Guarantees: a share counts and names what is of its namespace and nothing else; at most [`SHARES_MAX`] namespaces
//! have one, and readers of others are told to look again.

use std::collections::BTreeMap;
use std::sync::Arc;

use tasklane_api_types::{FeedChange, FeedTask};
use tasklane_domain::ports::TaskNews;
use tasklane_domain::{Namespace, Timestamp};

use super::Told;

/// Tasks that one change names.
pub(super) const TASKS_NAMED_MAX: usize = 50;
/// Namespaces that are told apart in one window.
const SHARES_MAX: usize = 256;
/// What submits are counted as.
const SUBMITTED: &str = "submitted";

/// What is gathered.
#[derive(Default)]
pub(super) struct Window {
    whole: Share,
    shares: BTreeMap<Namespace, Share>,
    /// Whether a namespace found no room.
    crowded: bool,
}

#[derive(Default)]
struct Share {
    counts: BTreeMap<&'static str, u64>,
    tasks: Vec<FeedTask>,
    more: bool,
}

/// What was gathered.
pub(super) struct Shares {
    whole: Arc<FeedChange>,
    shares: BTreeMap<Namespace, Arc<FeedChange>>,
    crowded: bool,
}

impl Share {
    fn count(&mut self, what: &'static str, count: u64) {
        *self.counts.entry(what).or_default() += count;
    }

    fn take(&mut self, task: &TaskNews) {
        self.count(task.state.as_str(), 1);
        if self.tasks.len() >= TASKS_NAMED_MAX {
            self.more = true;
            return;
        }
        self.tasks.push(FeedTask {
            id: task.task.to_string(),
            state: task.state,
            module: task.module.to_string(),
            queue: task.queue.to_string(),
        });
    }

    fn close(self, at: Timestamp) -> Arc<FeedChange> {
        let Self { counts, tasks, more } = self;
        Arc::new(FeedChange { at, counts: super::owned(&counts), tasks, more })
    }
}

impl Window {
    pub(super) fn take(&mut self, task: &TaskNews) {
        self.whole.take(task);
        if let Some(share) = self.share(&task.module.namespace()) {
            share.take(task);
        }
    }

    pub(super) fn take_submitted(&mut self, namespace: &Namespace, count: u64) {
        self.whole.count(SUBMITTED, count);
        if let Some(share) = self.share(namespace) {
            share.count(SUBMITTED, count);
        }
    }

    fn share(&mut self, namespace: &Namespace) -> Option<&mut Share> {
        if self.shares.len() >= SHARES_MAX && !self.shares.contains_key(namespace) {
            self.crowded = true;
            return None;
        }
        Some(self.shares.entry(namespace.clone()).or_default())
    }

    /// What was gathered, if there was something.
    pub(super) fn close(self, at: Timestamp) -> Option<Shares> {
        if self.whole.counts.is_empty() {
            return None;
        }
        let shares = self.shares.into_iter().map(|(name, share)| (name, share.close(at))).collect();
        Some(Shares { whole: self.whole.close(at), shares, crowded: self.crowded })
    }
}

impl Shares {
    /// What a reader is told of it: of one namespace, or of all.
    pub(super) fn told_to(&self, namespace: Option<&Namespace>) -> Option<Told> {
        let Some(namespace) = namespace else { return Some(Told::Change(self.whole.clone())) };
        match self.shares.get(namespace) {
            Some(share) => Some(Told::Change(share.clone())),
            None => self.crowded.then_some(Told::Resync),
        }
    }
}
