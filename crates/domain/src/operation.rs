//! Bulk operations: one action on every task that matches a filter, done by the leader in bounded batches and counted.
//!
//! Begun by the API, carried out by `scheduler/src/loops/due.rs` through [`OperationStore`]. Guarantees: an operation looks at
//! each task that was there when it began once, newest first, and ends; it survives a change of leaders between two batches. Does
//! not touch tasks that are submitted after it began.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::cluster::Term;
use crate::error::StoreError;
use crate::id::{OperationId, TaskId};
use crate::query::TaskFilter;
use crate::replay::Changes;
use crate::settle::SettledTask;
use crate::time::Timestamp;
use crate::work::WorkOrder;

/// Most operations that a list shows.
pub const OPERATIONS_LISTED_MAX: u32 = 100;

/// What is done to each task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Action {
    /// Cancel what has not ended.
    Cancel,
    /// Submit anew what failed (or ended as the filter's state says).
    Retry {
        /// What the new tasks have otherwise than the old ones.
        #[serde(default)]
        changes: Changes,
    },
}

impl Action {
    /// The one name used in JSON, metrics and the terminal.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry { .. } => "retry",
        }
    }
}

/// Which tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// All that match.
    Matching(TaskFilter),
    /// Everything that descends from this task, not the task itself.
    Descendants(TaskId),
}

/// Whether it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// There is more to do.
    Running,
    /// Every task has been looked at.
    Done,
}

impl Progress {
    /// The one name used in SQL, JSON and the terminal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
        }
    }
}

/// A bulk operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Its name.
    pub id: OperationId,
    /// What is done.
    pub action: Action,
    /// To which tasks.
    pub target: Target,
    /// Whether it goes on.
    pub progress: Progress,
    /// Tasks that matched when it began.
    pub total: u64,
    /// Tasks that it was done to.
    pub done: u64,
    /// Tasks that it could not be done to: they had ended, or had not, in the meantime.
    pub skipped: u64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// W3C trace context of the request, for the tasks that it submits.
    pub traceparent: Option<String>,
    /// What vendors beside say of that trace.
    pub tracestate: Option<String>,
}

impl Operation {
    /// One that has just begun.
    #[must_use]
    pub fn new(action: Action, target: Target, now: Timestamp) -> Self {
        let id = OperationId::new();
        Self {
            id,
            action,
            target,
            progress: Progress::Running,
            total: 0,
            done: 0,
            skipped: 0,
            created_at: now,
            ended_at: None,
            traceparent: None,
            tracestate: None,
        }
    }
}

/// What one batch did.
#[derive(Debug)]
pub struct Step {
    /// The operation after it.
    pub operation: Operation,
    /// Tasks that ended.
    pub settled: Vec<SettledTask>,
    /// Tasks whose guests may be running: hosts must be told.
    pub stop: Vec<TaskId>,
    /// Orders to publish.
    pub ready: Vec<WorkOrder>,
}

/// The bulk operations.
#[async_trait]
pub trait OperationStore: Send + Sync + 'static {
    /// Commits a new operation, counts what it is about, and returns it with `total`.
    async fn begin(&self, operation: Operation) -> Result<Operation, StoreError>;

    /// One operation.
    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError>;

    /// The newest operations, at most [`OPERATIONS_LISTED_MAX`].
    async fn operations(&self) -> Result<Vec<Operation>, StoreError>;

    /// Leader only: does the next batch of at most `limit` tasks of the oldest operation that goes on. `None` if there is none.
    async fn step(&self, term: Term, now: Timestamp, limit: u32) -> Result<Option<Step>, StoreError>;
}
