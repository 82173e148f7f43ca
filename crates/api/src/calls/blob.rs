//! The result of a task that another one waited for, as its guest asks for it.
//!
//! Entitled is who waited: the arrow is a row that was made when the task was submitted, as for results that payloads bind. So nothing is
//! gained by trying digests or ids: what is not of a task that this one waited for is denied, whether it exists or not.

use tasklane_domain::call::{BlobPlace, CallError};
use tasklane_domain::permission::BlobGrant;
use tasklane_domain::task::Task;
use tasklane_domain::{StateKind, TaskId};

use super::Guest;
use crate::error::ApiError;
use crate::state::State;

/// Tasks that were waited for among which an id is looked for.
const WAITED_FOR_MAX: u32 = 20_000;
/// Tasks that were waited for whose own names are looked at, where the payload names none so.
const NAMED_MAX: u32 = 256;

fn unavailable(error: impl Into<ApiError>) -> CallError {
    CallError::Unavailable(error.into().to_string())
}

pub(super) async fn answer(state: &State, guest: &Guest, of: &str) -> Result<Option<BlobPlace>, CallError> {
    if !guest.grants.may(BlobGrant::Read) {
        return Err(CallError::Denied("the manifest does not grant reading blobs".to_owned()));
    }
    let Some(found) = waited_for(state, guest, of).await? else {
        return Err(CallError::Denied("the task has waited for none that is called so".to_owned()));
    };
    let result = state.ports.tasks.result(found).await.map_err(unavailable)?;
    let result = result.filter(|result| result.state == StateKind::Succeeded);
    Ok(result.map(|result| match result.blob {
        Some(blob) => BlobPlace::Stored(blob),
        None => BlobPlace::Inline(result.bytes),
    }))
}

/// By the name in the payload's bindings, by id, or by its own name or key.
async fn waited_for(state: &State, guest: &Guest, of: &str) -> Result<Option<TaskId>, CallError> {
    if let Some((_, id)) = guest.bindings.iter().find(|(name, _)| name == of) {
        return Ok(Some(*id));
    }
    let arrows = |most| state.ports.tasks.dependencies(guest.task, most);
    if let Ok(id) = of.parse::<TaskId>() {
        return Ok(arrows(WAITED_FOR_MAX).await.map_err(unavailable)?.contains(&id).then_some(id));
    }
    for id in arrows(NAMED_MAX).await.map_err(unavailable)? {
        let task = state.ports.tasks.task(id).await.map_err(unavailable)?;
        if task.is_some_and(|task| is_called(&task, of)) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

fn is_called(task: &Task, name: &str) -> bool {
    let lineage = &task.lineage;
    lineage.name.as_ref().is_some_and(|own| own.as_str() == name)
        || lineage.parent.as_ref().is_some_and(|parent| parent.key == name)
}
