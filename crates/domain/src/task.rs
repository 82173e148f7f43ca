//! A task as clients submit it and as the row records it.
//!
//! [`NewTask`] is what the API hands to the store (everything resolved and checked); [`Task`] is what the store hands back.

use std::collections::HashSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::blob::BlobRef;
use crate::dependence::{After, OnFailure};
use crate::flow::Flow;
use crate::id::{Attempt, BatchId, DeliveryId, HostId, TaskId};
use crate::limits::Limits;
use crate::log::LogCapture;
use crate::module::ModuleRef;
use crate::name::{AliasName, Labels, Namespace, QueueName, TaskName};
use crate::outcome::{Outcome, Usage};
use crate::payload::Payload;
use crate::priority::Priority;
use crate::query::StateCount;
use crate::retry::RetryPolicy;
use crate::settle::SettledTask;
use crate::state::StateKind;
use crate::time::Timestamp;
use crate::work::{Progress, WorkOrder};

/// A task to be committed: resolved, checked, and with its id already made.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Made by the API, so that a retry of the commit cannot double it.
    pub id: TaskId,
    /// Pinned version of the module; if the task has an alias and waits, until it becomes queued.
    pub module: ModuleRef,
    /// The alias that chose the version, where none was named. It chooses again when a task that waited first becomes queued.
    pub alias: Option<AliasName>,
    /// Where it waits.
    pub queue: QueueName,
    /// How urgent it is.
    pub priority: Priority,
    /// The guest's input.
    pub payload: Payload,
    /// What each attempt may use.
    pub limits: Limits,
    /// How often and how soon it is tried again.
    pub retry: RetryPolicy,
    /// To find it by.
    pub labels: Labels,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// Not before this time; `None` or the past: at once.
    pub run_at: Option<Timestamp>,
    /// When all of it must have ended.
    pub deadline: Option<Timestamp>,
    /// W3C trace context of the submit.
    pub traceparent: Option<String>,
    /// What vendors beside say of that trace (W3C `tracestate`), handed on as it is.
    pub tracestate: Option<String>,
    /// Makes repeating the submit safe.
    pub idempotency: Option<Idempotency>,
    /// Refuses a second task of the same kind.
    pub unique: Option<Unique>,
    /// Whom it belongs to.
    pub namespace: Namespace,
    /// Where it comes from.
    pub lineage: Lineage,
    /// What it waits for.
    pub after: After,
    /// What it asks of flow control.
    pub flow: Flow,
}

/// Where a task comes from. Empty for one that a client submitted by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The ended task that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<TaskId>,
    /// The tasks that it was submitted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// Its name among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<TaskName>,
    /// The task whose guest enqueued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

/// The task whose guest enqueued this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Which task.
    pub task: TaskId,
    /// The first of all: the one that has no parent.
    pub root: TaskId,
    /// 1 for a child of the root.
    pub depth: u16,
    /// The guest's name for the child: unique below one parent, so that a repeated attempt enqueues nothing twice.
    pub key: String,
}

/// Refuses a task while one of the same kind is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    /// SHA-256 of what makes two tasks the same kind (namespace, module, payload, label, as asked).
    pub hash: [u8; 32],
    /// The states in which an earlier task stands in the way.
    pub while_in: Vec<StateKind>,
    /// How long after its submission an earlier task stands in the way, in milliseconds; `None`: for ever.
    pub for_ms: Option<u64>,
}

impl NewTask {
    /// The state in which it is committed.
    #[must_use]
    pub fn initial_state(&self) -> StateKind {
        if !self.after.on.is_empty() {
            return StateKind::Blocked;
        }
        if self.run_at.is_some_and(|due| due > self.created_at) { StateKind::Scheduled } else { StateKind::Queued }
    }

    /// The order to publish after the commit, if it is to run at once.
    #[must_use]
    pub fn order(&self) -> Option<WorkOrder> {
        (self.initial_state() == StateKind::Queued).then(|| WorkOrder {
            task: self.id,
            attempt: Attempt::FIRST,
            max_attempts: self.retry.max_attempts,
            dispatch: DeliveryId::FIRST_DISPATCH,
            module: self.module.clone(),
            queue: self.queue.clone(),
            priority: self.priority,
            limits: self.limits,
            payload: self.payload.clone(),
            queued_at: self.created_at,
            deadline: self.deadline,
            traceparent: self.traceparent.clone(),
            tracestate: self.tracestate.clone(),
            awaited: false,
        })
    }
}

/// A client's promise that two submits with one key are one submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The client's key: 1 to 255 bytes.
    pub key: String,
    /// SHA-256 of the request's body: the same key with another body is a mistake.
    pub body_hash: [u8; 32],
    /// The key is free again after this time.
    pub expires_at: Timestamp,
}

/// What the store answers to one [`NewTask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// Committed now.
    Fresh(TaskId),
    /// Its idempotency key was used before for this same body: this is the first task.
    Repeated(TaskId),
    /// A task of the same kind is there already and stands in the way: this is it.
    Duplicate(TaskId),
}

/// What the store answers to a submit.
#[derive(Debug, Default)]
pub struct SubmitAnswer {
    /// One for each task, in their order.
    pub tasks: Vec<Submitted>,
    /// Orders to publish that [`NewTask::order`] does not give: of tasks that waited for what had already ended.
    pub ready: Vec<WorkOrder>,
    /// Tasks that ended at once, because what they waited for had failed.
    pub settled: Vec<SettledTask>,
    /// Queued tasks that flow control holds back: their orders are not published now.
    pub held: HashSet<TaskId>,
}

impl SubmitAnswer {
    /// The orders to publish now, of those that the submit could have led to.
    pub fn ready(self, orders: impl IntoIterator<Item = WorkOrder>) -> impl Iterator<Item = WorkOrder> {
        let fresh: HashSet<TaskId> =
            self.tasks.iter().filter(|one| matches!(one, Submitted::Fresh(_))).map(|one| one.id()).collect();
        let held = self.held;
        let own = orders.into_iter().filter(move |order| fresh.contains(&order.task) && !held.contains(&order.task));
        own.chain(self.ready)
    }
}

impl Submitted {
    /// The task, whichever.
    #[must_use]
    pub const fn id(self) -> TaskId {
        match self {
            Self::Fresh(id) | Self::Repeated(id) | Self::Duplicate(id) => id,
        }
    }
}

/// Everything recorded about a task but payload, result and log, which can be large.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name for ever.
    pub id: TaskId,
    /// What it runs; with an alias, what it would run if it became queued as things were when it was submitted.
    pub module: ModuleRef,
    /// The alias that chooses the version when the task becomes queued; `None` once it has been, or if the version was named.
    pub alias: Option<AliasName>,
    /// Where it waits.
    pub queue: QueueName,
    /// How urgent it is.
    pub priority: Priority,
    /// Where it stands.
    pub state: StateKind,
    /// The attempt that runs, will run, or was the last.
    pub attempt: Attempt,
    /// The newest recorded delivery.
    pub delivery: DeliveryId,
    /// What each attempt may use.
    pub limits: Limits,
    /// How it is tried again.
    pub retry: RetryPolicy,
    /// To find it by.
    pub labels: Labels,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it last became queued; `None` while it waits for its time.
    pub queued_at: Option<Timestamp>,
    /// When a scheduled or retrying task becomes queued.
    pub due_at: Option<Timestamp>,
    /// When the newest attempt started.
    pub started_at: Option<Timestamp>,
    /// When the newest attempt ended, or the task did without one.
    pub ended_at: Option<Timestamp>,
    /// When all of it must have ended.
    pub deadline: Option<Timestamp>,
    /// Where the newest attempt ran.
    pub host: Option<HostId>,
    /// What the newest ended attempt came to.
    pub outcome: Option<Outcome>,
    /// What it used.
    pub usage: Option<Usage>,
    /// How far the guest says it is.
    pub progress: Option<Progress>,
    /// W3C trace context of the submit.
    pub traceparent: Option<String>,
    /// What vendors beside say of that trace (W3C `tracestate`), handed on as it is.
    pub tracestate: Option<String>,
    /// Whom it belongs to.
    pub namespace: Namespace,
    /// Where it comes from.
    pub lineage: Lineage,
    /// What the failure of a task that it waits for means.
    pub on_failure: OnFailure,
    /// How many tasks it still waits for.
    pub waits_for: u32,
    /// What its payload's bindings call the tasks that it waits for, or waited for.
    pub bindings: Vec<(String, TaskId)>,
    /// What it asks of flow control.
    pub flow: Flow,
    /// Whether flow control holds it back: queued, but not on its way.
    pub held: bool,
}

/// An ended attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRecord {
    /// Which.
    pub attempt: Attempt,
    /// Where it ran.
    pub host: Option<HostId>,
    /// When the host took it into a slot.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// What it came to.
    pub outcome: Outcome,
    /// What it used.
    pub usage: Usage,
    /// What it said.
    pub log: LogCapture,
}

/// Tasks that were submitted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its name for ever.
    pub id: BatchId,
    /// When.
    pub created_at: Timestamp,
    /// How many tasks.
    pub tasks: u64,
    /// Its tasks by state; states without tasks are missing.
    pub states: Vec<StateCount>,
}

/// One arrow of a batch's graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The task that is waited for.
    pub on: TaskId,
    /// The task that waits.
    pub task: TaskId,
}

impl Task {
    /// Time from queued to started of the newest attempt, in microseconds.
    #[must_use]
    pub fn queue_wait_us(&self) -> Option<u64> {
        let wait = self.started_at?.since(self.queued_at?);
        u64::try_from(wait.as_micros()).ok()
    }
}

/// A task's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskResult {
    /// Where the task stands: the bytes are only there when it succeeded.
    pub state: StateKind,
    /// What the guest returned; empty while `blob` says where it lies.
    pub bytes: Bytes,
    /// Where the bytes lie, if there are too many of them for a row.
    pub blob: Option<BlobRef>,
}

/// A task's log: of the newest ended attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskLog {
    /// Which attempt said it.
    pub attempt: Attempt,
    /// What it said.
    pub log: LogCapture,
}
