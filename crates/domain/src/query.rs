//! What can be asked of the store: filters, pages, counts.

use serde::{Deserialize, Serialize};

use crate::id::{BatchId, TaskId};
use crate::name::{ModuleName, Namespace, QueueName};
use crate::state::StateKind;
use crate::task::Task;
use crate::time::Timestamp;

/// Most rows on one page.
pub const PAGE_ROWS_MAX: u32 = 200;

/// All that is `Some` must match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskFilter {
    /// State.
    pub state: Option<StateKind>,
    /// Module name, any version.
    pub module: Option<ModuleName>,
    /// Queue.
    pub queue: Option<QueueName>,
    /// A label with this value.
    pub label: Option<(String, String)>,
    /// Namespace.
    pub namespace: Option<Namespace>,
    /// Tasks that were submitted together.
    pub batch: Option<BatchId>,
    /// Tasks that the guest of this one enqueued.
    pub parent: Option<TaskId>,
    /// Submitted before this time.
    pub created_before: Option<Timestamp>,
}

/// Newest first; `before` is the last id of the previous page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Only tasks older than this one.
    pub before: Option<TaskId>,
    /// 1 to 200.
    pub limit: u32,
}

/// One page, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskPage {
    /// The rows.
    pub tasks: Vec<Task>,
    /// Where the next page starts, if there may be one.
    pub next: Option<TaskId>,
}

/// Tasks in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateCount {
    /// The state.
    pub state: StateKind,
    /// How many.
    pub count: u64,
}

/// What waits in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneDepth {
    /// The lane.
    pub lane: crate::cluster::Lane,
    /// Rows in state `queued`.
    pub queued: u64,
    /// When the oldest of them became queued.
    pub oldest_queued_at: Option<Timestamp>,
}

/// What waits and runs in one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueDepth {
    /// The queue.
    pub queue: QueueName,
    /// Rows that are queued, held ones included.
    pub queued: u64,
    /// Of them, those that flow control holds back.
    pub held: u64,
    /// Rows that run.
    pub running: u64,
    /// Rows that wait for a time or for other tasks.
    pub waiting: u64,
    /// When the oldest queued one became queued.
    pub oldest_queued_at: Option<Timestamp>,
}

/// The whole in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// By state; states without tasks may be missing.
    pub states: Vec<StateCount>,
    /// By lane, non-empty ones only.
    pub lanes: Vec<LaneDepth>,
}
