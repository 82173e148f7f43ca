//! Replay: a new task from an ended one. Pure.
//!
//! Called by the API (one task, a workflow) and by the store (bulk operations). Guarantees: the ended task never changes; the new
//! one names it as its origin and has a budget of attempts of its own.

use serde::{Deserialize, Serialize};

use crate::binding;
use crate::dependence::After;
use crate::id::TaskId;
use crate::limits::LimitsPatch;
use crate::module::ModuleRef;
use crate::payload::Payload;
use crate::priority::Priority;
use crate::state::StateKind;
use crate::task::{Lineage, NewTask, Task};
use crate::time::Timestamp;

/// What a replayed task has otherwise than its origin.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    /// Another version of the same module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<ModuleRef>,
    /// Other limits; what is not named stays.
    pub limits: LimitsPatch,
    /// Another priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
}

/// Why a task cannot be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It goes on, or waits.
    #[error("the task is {0}: only a task that has ended can be retried")]
    NotEnded(StateKind),
    /// It has its result.
    #[error("the task succeeded: submit a new one instead")]
    Succeeded,
}

/// Whether a task in this state can be replayed.
///
/// # Errors
/// [`ReplayError`] says why not.
pub const fn check(state: StateKind) -> Result<(), ReplayError> {
    match state {
        StateKind::Failed | StateKind::Cancelled | StateKind::Expired => Ok(()),
        StateKind::Succeeded => Err(ReplayError::Succeeded),
        StateKind::Scheduled | StateKind::Blocked | StateKind::Queued | StateKind::Running | StateKind::Retrying => {
            Err(ReplayError::NotEnded(state))
        }
    }
}

/// The new task `id`, to run at once, unless its payload has bindings that were never resolved: then it waits for the tasks that it
/// binds to, and ends as they let it. A deadline that has passed is left out, since nothing could come of it.
#[must_use]
pub fn replay(task: &Task, payload: Payload, changes: &Changes, id: TaskId, now: Timestamp) -> NewTask {
    let bound = payload.bytes.clone();
    NewTask {
        id,
        module: changes.module.clone().unwrap_or_else(|| task.module.clone()),
        alias: None,
        queue: task.queue.clone(),
        priority: changes.priority.unwrap_or(task.priority),
        payload,
        limits: task.limits.patched(&changes.limits),
        retry: task.retry,
        labels: task.labels.clone(),
        created_at: now,
        run_at: None,
        deadline: task.deadline.filter(|deadline| *deadline > now),
        traceparent: None,
        tracestate: None,
        idempotency: None,
        unique: None,
        namespace: task.namespace.clone(),
        lineage: Lineage { origin: Some(task.id), ..Lineage::default() },
        after: still_bound(task, &bound),
        flow: task.flow.clone(),
    }
}

/// What a payload still waits for whose bindings were never resolved: the tasks that it binds to. One that was resolved has the
/// results in it, and waits for nothing.
fn still_bound(task: &Task, payload: &[u8]) -> After {
    let unresolved = binding::references(payload).unwrap_or_default();
    let names: Vec<(String, TaskId)> =
        task.bindings.iter().filter(|(name, _)| unresolved.contains(name)).cloned().collect();
    let mut on: Vec<TaskId> = names.iter().map(|(_, id)| *id).collect();
    on.sort_unstable();
    on.dedup();
    After { on, on_failure: task.on_failure, names }
}
