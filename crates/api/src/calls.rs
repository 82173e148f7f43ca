//! Calls of guests: checks what a task's module may do, does it, answers after the commit.
//!
//! Started with the other loops of an API process. A host has checked the same before it asked; it is checked again here, because a host
//! may be taken over: what it can reach is what the modules of unended tasks are granted.

mod blob;
mod kv;
mod secret;

use std::sync::Arc;
use std::time::Duration;

use tasklane_domain::call::{Call, CallAnswer, CallError, CallReply, CallRequest, Called};
use tasklane_domain::module::Permissions;
use tasklane_domain::task::Task;
use tasklane_domain::{Namespace, TaskId};
use tokio::sync::Semaphore;

use crate::about::{About, about};
use crate::error::ApiError;
use crate::state::State;

pub(crate) use kv::expiry;

/// Calls that one process answers at once.
const ANSWERS_AT_ONCE_MAX: usize = 256;
/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(500);

/// Who asks.
struct Guest {
    task: TaskId,
    namespace: Namespace,
    module: tasklane_domain::ModuleName,
    grants: Permissions,
    /// What its payload calls tasks that it waited for.
    bindings: Vec<(String, TaskId)>,
}

/// Answers hosts until the process ends, also after NATS was away.
pub(crate) async fn serve(state: &Arc<State>) {
    let room = Arc::new(Semaphore::new(ANSWERS_AT_ONCE_MAX));
    loop {
        match state.ports.calls.calls().await {
            Ok(mut calls) => {
                while let Some((request, reply)) = calls.next().await {
                    let Ok(place) = room.clone().acquire_owned().await else { return };
                    let state = state.clone();
                    tokio::spawn(async move {
                        answer(&state, request, reply).await;
                        drop(place);
                    });
                }
            }
            Err(error) => tracing::warn!(%error, "calls of guests cannot be heard"),
        }
        tokio::time::sleep(ERROR_PAUSE).await;
    }
}

async fn answer(state: &State, request: CallRequest, reply: Box<dyn CallReply>) {
    let task = request.task;
    let answer = about(About::Task(task), call(state, request)).await;
    // What is our fault is in the log already.
    if let Err(error) = &answer
        && !matches!(error, CallError::Unavailable(_))
    {
        tracing::debug!(%task, %error, "a guest's call was refused");
    }
    reply.answer(answer).await;
}

async fn call(state: &State, request: CallRequest) -> Called {
    let guest = guest(state, request.task).await?;
    match request.call {
        Call::Kv { store, ask } => kv::answer(state, &guest, &store, ask).await.map(CallAnswer::Kv),
        Call::Blob { of } => blob::answer(state, &guest, &of).await.map(CallAnswer::Blob),
        Call::Secret { name, to } => secret::answer(state, &guest, &name, to).await.map(CallAnswer::Secret),
    }
}

async fn guest(state: &State, id: TaskId) -> Result<Guest, CallError> {
    let found = state.ports.tasks.task(id).await.map_err(|error| unavailable(&error.into()))?;
    let task: Task = found.ok_or_else(|| CallError::Denied(format!("there is no task {id}")))?;
    if task.state.is_terminal() {
        return Err(CallError::Denied(format!("task {id} has ended as {}", task.state)));
    }
    let record = state.modules.exact(&state.ports, &task.module).await.map_err(|error| unavailable(&error))?;
    Ok(Guest {
        task: id,
        namespace: task.namespace,
        module: record.manifest.name.clone(),
        grants: record.manifest.permissions.clone(),
        bindings: task.bindings,
    })
}

fn unavailable(error: &ApiError) -> CallError {
    CallError::Unavailable(error.to_string())
}
