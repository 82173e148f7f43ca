//! `POST /api/v1/tasks/{id}/cancel`, `/reschedule` and `/retry`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use tasklane_api_types::{ErrorCode, Problem, RescheduleRequest, RetryRequest, TaskAccepted, TaskView};
use tasklane_domain::error::StoreError;
use tasklane_domain::operation::{Action, Operation, Target};
use tasklane_domain::replay::{self, Changes};
use tasklane_domain::task::{Submitted, Task};
use tasklane_domain::{ModuleName, ModuleRef, StateKind, TaskId};

use crate::error::{ApiError, ApiResult};
use crate::extract::{IdPath, JsonBody, Params};
use crate::namespaces::own_task;
use crate::routes::operations;
use crate::state::State as Room;
use crate::submit::{Wish, announce, commit, dispatch, nudge, run_at};
use crate::trace::SubmitTrace;
use crate::views;

/// Cancel a task that has not ended. The row is final at once; a running guest is stopped by its host.
///
/// With `?tree=true` everything that descends from it is cancelled too, by a bulk operation that the answer names; then the task
/// itself may have ended already.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/cancel", tag = "tasks",
    params(
        ("id" = String, Path, description = "Task id"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
        ("tree" = Option<bool>, Query, description = "Cancel its descendants too"),
    ),
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
    own_task(&room, id, &params, &["tree"]).await?;
    let tree = params.parsed::<bool>("tree")?.unwrap_or(false);
    match room.ports.tasks.cancel(id, room.clock.now()).await {
        Ok(cancelled) => {
            stop(&room, id).await;
            dispatch(&room, cancelled.ready);
            announce(&room, &cancelled.settled).await;
        }
        Err(StoreError::AlreadyEnded { .. }) if tree => {}
        Err(error) => return Err(error.into()),
    }
    let mut view = views::task(known(&room, id).await?);
    if tree {
        let operation = Operation::new(Action::Cancel, Target::Descendants(id), room.clock.now());
        view.operation = Some(operations::begin(&room, operation).await?.id.to_string());
    }
    Ok(Json(view))
}

async fn known(room: &Room, id: TaskId) -> ApiResult<Task> {
    room.ports.tasks.task(id).await?.ok_or_else(|| StoreError::TaskNotFound(id).into())
}

async fn stop(room: &Room, id: TaskId) {
    if let Err(error) = room.ports.control.cancel(&[id]).await {
        tracing::warn!(task = %id, %error, "hosts were not told; a running guest goes on to its end, in vain");
    }
}

/// Move the time of a scheduled or retrying task.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/reschedule", tag = "tasks", request_body = RescheduleRequest,
    params(
        ("id" = String, Path, description = "Task id"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 200, description = "The task with its new time", body = TaskView),
        (status = 409, description = "It does not wait for a time", body = Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "No such task, or no time", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn reschedule(
    State(room): State<Arc<Room>>,
    IdPath(id): IdPath,
    params: Params,
    JsonBody(request): JsonBody<RescheduleRequest>,
) -> ApiResult<Json<TaskView>> {
    own_task(&room, id, &params, &[]).await?;
    let wish = Wish { run_at: request.run_at, delay_ms: None, delay: request.delay.as_deref() };
    let missing = || ApiError::new(ErrorCode::InvalidRequest, "neither `run_at` nor `delay` is given");
    let due = run_at(&wish, room.clock.now())?.ok_or_else(missing)?;
    room.ports.tasks.reschedule(id, due).await?;
    nudge(&room, Some(due)).await;
    Ok(Json(views::task(known(&room, id).await?)))
}

/// Submit an ended task anew: a new task with the same payload, which names this one as its origin.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/retry", tag = "tasks", request_body = RetryRequest,
    params(
        ("id" = String, Path, description = "Task id"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 202, description = "The new task", body = TaskAccepted),
        (status = 409, description = "It has not ended, or succeeded", body = Problem,
         content_type = "application/problem+json"),
        (status = "4XX", description = "No such task", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn retry(
    State(room): State<Arc<Room>>,
    IdPath(id): IdPath,
    params: Params,
    headers: HeaderMap,
    JsonBody(request): JsonBody<RetryRequest>,
) -> ApiResult<Response> {
    own_task(&room, id, &params, &[]).await?;
    let mut trace = SubmitTrace::begin(&room, &headers, "/api/v1/tasks/{id}/retry");
    let submitted = again(&room, id, &request, &mut trace).await;
    trace.end(&room, &submitted);
    let (answer, state) = submitted?;
    let href = format!("/api/v1/tasks/{}", answer.id());
    let body = TaskAccepted { id: answer.id().to_string(), state, href: href.clone(), duplicate: false };
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, href)], Json(body)).into_response())
}

/// Commits the new task.
async fn again(
    room: &Room,
    id: TaskId,
    request: &RetryRequest,
    trace: &mut SubmitTrace,
) -> ApiResult<(Submitted, StateKind)> {
    let task = known(room, id).await?;
    replay::check(task.state).map_err(|error| ApiError::new(ErrorCode::TaskNotReplayable, error.to_string()))?;
    let payload = room.ports.tasks.payload(id).await?.ok_or_else(|| ApiError::from(StoreError::TaskNotFound(id)))?;
    let changes = changes(room, request, Some(&task.module.name)).await?;
    let mut new = [replay::replay(&task, payload, &changes, TaskId::new(), room.clock.now())];
    trace.carried_by(&mut new);
    Ok(commit(room, new.into()).await?.pop().unwrap_or((Submitted::Fresh(id), StateKind::Queued)))
}

/// What a retry changes, checked. A version needs the name of its module.
pub(crate) async fn changes(room: &Room, request: &RetryRequest, module: Option<&ModuleName>) -> ApiResult<Changes> {
    let out_of_bounds =
        |error: tasklane_domain::limits::LimitError| ApiError::new(ErrorCode::LimitOutOfBounds, error.to_string());
    room.settings.limits.resolve(&request.limits, &tasklane_domain::LimitsPatch::default()).map_err(out_of_bounds)?;
    let module = match &request.version {
        None => None,
        Some(version) => Some(version_of(room, version, module).await?),
    };
    Ok(Changes { module, limits: request.limits, priority: request.priority })
}

async fn version_of(room: &Room, version: &str, module: Option<&ModuleName>) -> ApiResult<ModuleRef> {
    let missing =
        || ApiError::new(ErrorCode::InvalidRequest, "`changes.version` needs `module`, or nobody knows which module's");
    let name = module.ok_or_else(missing)?;
    Ok(room.modules.find(&room.ports, &format!("{name}@{version}"), TaskId::new()).await?.reference())
}
