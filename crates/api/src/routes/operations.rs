//! `POST /api/v1/tasks/cancel` and `/retry` for all that match, and `GET /api/v1/operations`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use tasklane_api_types::{BulkRequest, ErrorCode, OperationList, OperationView, Problem};
use tasklane_domain::OperationId;
use tasklane_domain::operation::{Action, Operation, Target};
use tasklane_domain::query::TaskFilter;

use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Params, TextPath};
use crate::namespaces;
use crate::routes::tasks::change::changes;
use crate::routes::tasks::list::label;
use crate::state::State as Room;
use crate::submit::nudge;
use crate::trace::SubmitTrace;

/// Commits an operation and wakes the leader for it.
pub(crate) async fn begin(room: &Room, operation: Operation) -> ApiResult<Operation> {
    let operation = room.ports.operations.begin(operation).await?;
    nudge(room, Some(operation.created_at)).await;
    Ok(operation)
}

fn view(operation: &Operation) -> OperationView {
    OperationView {
        id: operation.id.to_string(),
        action: operation.action.as_str().to_owned(),
        state: operation.progress.as_str().to_owned(),
        total: operation.total,
        done: operation.done,
        skipped: operation.skipped,
        created_at: operation.created_at,
        ended_at: operation.ended_at,
        href: format!("/api/v1/operations/{}", operation.id),
    }
}

pub(crate) fn accepted(operation: &Operation) -> Response {
    let view = view(operation);
    (StatusCode::ACCEPTED, [(header::LOCATION, view.href.clone())], Json(view)).into_response()
}

fn parsed<T>(field: &str, text: Option<&str>) -> ApiResult<Option<T>>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let wrong = |error| ApiError::new(ErrorCode::InvalidRequest, format!("`{field}`: {error}"));
    text.map(|text| text.parse().map_err(wrong)).transpose()
}

fn filter(request: &BulkRequest) -> ApiResult<TaskFilter> {
    let namespace = parsed("namespace", request.namespace.as_deref())?;
    let module = request.module.as_deref().map(|text| namespaces::full(text, namespace.as_ref())).transpose()?;
    let filter = TaskFilter {
        state: request.status,
        module: parsed("module", module.as_deref())?,
        queue: parsed("queue", request.queue.as_deref())?,
        label: request.label.as_deref().map(label).transpose()?,
        namespace,
        batch: parsed("batch", request.batch.as_deref())?,
        parent: parsed("parent", request.parent.as_deref())?,
        created_before: request.created_before,
    };
    if filter == TaskFilter::default() && !request.all {
        return Err(ApiError::new(ErrorCode::FilterMissing, "no filter is given, which would mean every task"));
    }
    Ok(filter)
}

/// Cancel all tasks that match and have not ended.
#[utoipa::path(
    post, path = "/api/v1/tasks/cancel", tag = "operations", request_body = BulkRequest,
    responses(
        (status = 202, description = "Begun", body = OperationView),
        (status = "4XX", description = "The filter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel(
    State(room): State<Arc<Room>>,
    params: Params,
    JsonBody(request): JsonBody<BulkRequest>,
) -> ApiResult<Response> {
    params.only(&[])?;
    let target = Target::Matching(filter(&request)?);
    let operation = begin(&room, Operation::new(Action::Cancel, target, room.clock.now())).await?;
    Ok(accepted(&operation))
}

/// Submit anew all tasks that match and failed (or ended as `status` says).
#[utoipa::path(
    post, path = "/api/v1/tasks/retry", tag = "operations", request_body = BulkRequest,
    responses(
        (status = 202, description = "Begun", body = OperationView),
        (status = "4XX", description = "The filter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn retry(
    State(room): State<Arc<Room>>,
    params: Params,
    headers: HeaderMap,
    JsonBody(request): JsonBody<BulkRequest>,
) -> ApiResult<Response> {
    params.only(&[])?;
    let mut trace = SubmitTrace::begin(&room, &headers, "/api/v1/tasks/retry");
    let begun = begin_retry(&room, &request, &mut trace).await;
    trace.end(&room, &begun);
    Ok(accepted(&begun?))
}

async fn begin_retry(room: &Room, request: &BulkRequest, trace: &mut SubmitTrace) -> ApiResult<Operation> {
    let filter = filter(request)?;
    if let Some(state) = filter.state {
        let refuse = |error: tasklane_domain::replay::ReplayError| {
            ApiError::new(ErrorCode::TaskNotReplayable, error.to_string())
        };
        tasklane_domain::replay::check(state).map_err(refuse)?;
    }
    let changes = changes(room, &request.changes, filter.module.as_ref()).await?;
    let mut operation = Operation::new(Action::Retry { changes }, Target::Matching(filter), room.clock.now());
    trace.of_operation(&mut operation);
    begin(room, operation).await
}

/// The newest bulk operations.
#[utoipa::path(
    get, path = "/api/v1/operations", tag = "operations",
    responses((status = 200, description = "At most 100, the newest first", body = OperationList))
)]
pub(crate) async fn list(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<OperationList>> {
    params.only(&[])?;
    let operations = room.ports.operations.operations().await?;
    Ok(Json(OperationList { operations: operations.iter().map(view).collect() }))
}

/// One bulk operation.
#[utoipa::path(
    get, path = "/api/v1/operations/{id}", tag = "operations", params(("id" = String, Path, description = "Operation id")),
    responses(
        (status = 200, description = "How far it is", body = OperationView),
        (status = "4XX", description = "No such operation", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn operation(
    State(room): State<Arc<Room>>,
    TextPath(id): TextPath<String>,
    params: Params,
) -> ApiResult<Json<OperationView>> {
    params.only(&[])?;
    let wrong = |error: tasklane_domain::id::IdError| ApiError::new(ErrorCode::InvalidId, error.to_string());
    let id: OperationId = id.parse().map_err(wrong)?;
    let missing = || ApiError::new(ErrorCode::OperationNotFound, format!("there is no operation {id}"));
    Ok(Json(view(&room.ports.operations.operation(id).await?.ok_or_else(missing)?)))
}
