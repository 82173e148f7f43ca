//! The live feed and the throughput of late, as clients see them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tasklane_domain::{StateKind, Timestamp};
use utoipa::ToSchema;

/// A task whose state has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeedTask {
    /// Its id.
    pub id: String,
    /// Where it stands now.
    #[schema(value_type = String)]
    pub state: StateKind,
    /// Name of its module.
    pub module: String,
    /// Its queue.
    pub queue: String,
}

/// What has changed within a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeedChange {
    /// When it was noted down.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How many tasks came to which state; `submitted` counts those that were submitted through the process that answers.
    pub counts: BTreeMap<String, u64>,
    /// The first of them, at most 50.
    pub tasks: Vec<FeedTask>,
    /// Whether there were more than are named.
    pub more: bool,
}

/// Tasks that ended within one second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistorySecond {
    /// Its beginning.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How many, by state.
    pub ended: BTreeMap<String, u64>,
}

/// What ended of late. Seconds in which nothing ended are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryView {
    /// Since when there is a history: the start of the process that answers, or as long ago as was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// The oldest first.
    pub seconds: Vec<HistorySecond>,
}
