//! `POST /api/v1/tasks/{id}/cancel`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use tasklane_api_types::{Problem, TaskView};
use tasklane_domain::StateKind;
use tasklane_domain::error::StoreError;
use tasklane_domain::ports::TaskNews;

use crate::error::{ApiError, ApiResult};
use crate::extract::{IdPath, Params};
use crate::state::State as Room;
use crate::views;

/// Cancel a task that has not ended. The row is final at once; a running guest is stopped by its host.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/cancel", tag = "tasks", params(("id" = String, Path, description = "Task id")),
    responses(
        (status = 200, description = "Cancelled", body = TaskView),
        (status = 409, description = "It has ended already", body = Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "No such task", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel(
    State(room): State<Arc<Room>>,
    IdPath(id): IdPath,
    params: Params,
) -> ApiResult<Json<TaskView>> {
    params.only(&[])?;
    room.ports.tasks.cancel(id, room.clock.now()).await?;
    let task = room.ports.tasks.task(id).await?.ok_or_else(|| ApiError::from(StoreError::TaskNotFound(id)))?;
    if let Err(error) = room.ports.control.cancel(&[id]).await {
        tracing::warn!(task = %id, %error, "hosts were not told; a running guest goes on to its end, in vain");
    }
    let news =
        TaskNews { task: id, state: StateKind::Cancelled, queue: task.queue.clone(), module: task.module.name.clone() };
    room.waiters.wake(std::slice::from_ref(&news));
    if let Err(error) = room.ports.control.announce(&[news]).await {
        tracing::debug!(%error, "a cancel was not announced");
    }
    Ok(Json(views::task(task)))
}
