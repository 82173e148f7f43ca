//! A task as clients submit it and as the row records it.
//!
//! [`NewTask`] is what the API hands to the store (everything resolved and checked); [`Task`] is what the store hands back.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{Attempt, DeliveryId, HostId, TaskId};
use crate::limits::Limits;
use crate::log::LogCapture;
use crate::module::ModuleRef;
use crate::name::{Labels, QueueName};
use crate::outcome::{Outcome, Usage};
use crate::payload::Payload;
use crate::priority::Priority;
use crate::retry::RetryPolicy;
use crate::state::StateKind;
use crate::time::Timestamp;
use crate::work::{Progress, WorkOrder};

/// A task to be committed: resolved, checked, and with its id already made.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Made by the API, so that a retry of the commit cannot double it.
    pub id: TaskId,
    /// Pinned version of the module.
    pub module: ModuleRef,
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
    /// Makes repeating the submit safe.
    pub idempotency: Option<Idempotency>,
}

impl NewTask {
    /// The state in which it is committed.
    #[must_use]
    pub fn initial_state(&self) -> StateKind {
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
}

impl Submitted {
    /// The task, whichever.
    #[must_use]
    pub const fn id(self) -> TaskId {
        match self {
            Self::Fresh(id) | Self::Repeated(id) => id,
        }
    }
}

/// Everything recorded about a task but payload, result and log, which can be large.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name for ever.
    pub id: TaskId,
    /// What it runs.
    pub module: ModuleRef,
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
    /// What the guest returned.
    pub bytes: Bytes,
}

/// A task's log: of the newest ended attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskLog {
    /// Which attempt said it.
    pub attempt: Attempt,
    /// What it said.
    pub log: LogCapture,
}
