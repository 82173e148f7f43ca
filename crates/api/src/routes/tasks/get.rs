//! `GET /api/v1/tasks/{id}`, `/result`, `/logs`, `/attempts`.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use tasklane_api_types::{AttemptList, ErrorCode, LogView, Problem, TaskView};
use tasklane_domain::error::StoreError;
use tasklane_domain::log::is_steering;
use tasklane_domain::task::TaskLog;
use tasklane_domain::{PayloadKind, StateKind, TaskId};

use crate::blobs;
use crate::error::{ApiError, ApiResult};
use crate::extract::{IdPath, Params};
use crate::namespaces::own_task;
use crate::state::State as Room;
use crate::views;

fn not_found(id: TaskId) -> ApiError {
    StoreError::TaskNotFound(id).into()
}

/// One task.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}", tag = "tasks",
    params(
        ("id" = String, Path, description = "Task id"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 200, description = "The task", body = TaskView),
        (status = "4XX", description = "No such task", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn task(
    State(room): State<Arc<Room>>,
    IdPath(id): IdPath,
    params: Params,
) -> ApiResult<Json<TaskView>> {
    own_task(&room, id, &params, &[]).await?;
    let task = room.ports.tasks.task(id).await?.ok_or_else(|| not_found(id))?;
    Ok(Json(views::task(task)))
}

/// What the guest returned, as it returned it.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/result", tag = "tasks",
    params(
        ("id" = String, Path, description = "Task id"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 200, description = "The bytes; the content type is what they look like"),
        (status = 409, description = "Not ended, or ended without a result", body = Problem,
         content_type = "application/problem+json"),
        (status = "4XX", description = "No such task", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn result(State(room): State<Arc<Room>>, IdPath(id): IdPath, params: Params) -> ApiResult<Response> {
    own_task(&room, id, &params, &[]).await?;
    let result = room.ports.tasks.result(id).await?.ok_or_else(|| not_found(id))?;
    match result.state {
        StateKind::Succeeded => {
            if let Some(blob) = result.blob {
                return blobs::answer(&room, blob.digest).await;
            }
            let media_type = PayloadKind::detect(&result.bytes).media_type();
            Ok(([(header::CONTENT_TYPE, media_type)], result.bytes).into_response())
        }
        state if state.is_terminal() => {
            Err(ApiError::new(ErrorCode::TaskHasNoResult, format!("task {id} ended as {state}")))
        }
        state => Err(ApiError::new(ErrorCode::TaskNotEnded, format!("task {id} is {state}"))),
    }
}

/// What the guest is given, as it was submitted, with the results of others where they were bound.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/payload", tag = "tasks",
    params(
        ("id" = String, Path, description = "Task id"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 200, description = "The bytes; the content type is the form in which they were given"),
        (status = "4XX", description = "No such task", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn payload(State(room): State<Arc<Room>>, IdPath(id): IdPath, params: Params) -> ApiResult<Response> {
    own_task(&room, id, &params, &[]).await?;
    let payload = room.ports.tasks.payload(id).await?.ok_or_else(|| not_found(id))?;
    match payload.blob {
        Some(blob) => blobs::answer(&room, blob.digest).await,
        None => Ok(([(header::CONTENT_TYPE, payload.kind.media_type())], payload.bytes).into_response()),
    }
}

/// What the guest said: JSON, or plain text with `Accept: text/plain`.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/logs", tag = "tasks",
    params(
        ("id" = String, Path, description = "Task id"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 200, description = "The newest ended attempt's log", body = LogView),
        (status = "4XX", description = "No such task", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn logs(
    State(room): State<Arc<Room>>,
    IdPath(id): IdPath,
    params: Params,
    headers: HeaderMap,
) -> ApiResult<Response> {
    own_task(&room, id, &params, &[]).await?;
    let log = room.ports.tasks.log(id).await?.ok_or_else(|| not_found(id))?;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("text/plain") {
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], as_text(&log)).into_response());
    }
    let TaskLog { attempt, log } = log;
    let (dropped_lines, dropped_bytes) = (log.dropped_lines, log.dropped_bytes);
    let lines = log.head.into_iter().chain(log.tail).collect();
    Ok(Json(LogView { attempt: attempt.get(), lines, dropped_lines, dropped_bytes }).into_response())
}

/// The ended attempts, the first one first, each with the end of what it said.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/attempts", tag = "tasks",
    params(
        ("id" = String, Path, description = "Task id"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 200, description = "The attempts", body = AttemptList),
        (status = "4XX", description = "No such task", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn attempts(
    State(room): State<Arc<Room>>,
    IdPath(id): IdPath,
    params: Params,
) -> ApiResult<Json<AttemptList>> {
    own_task(&room, id, &params, &[]).await?;
    let attempts = room.ports.tasks.attempts(id).await?.ok_or_else(|| not_found(id))?;
    Ok(Json(AttemptList { attempts: attempts.into_iter().map(views::attempt).collect() }))
}

/// A guest's text that cannot steer the terminal of who reads it.
fn inert(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if is_steering(c) && c != '\t' { plain.extend(c.escape_default()) } else { plain.push(c) }
    }
    plain
}

fn as_text(log: &TaskLog) -> String {
    let mut text = String::new();
    let gap = log.log.head.len();
    for (index, line) in log.log.lines().enumerate() {
        if index == gap && log.log.dropped_lines > 0 {
            text.push_str(&format!("… {} lines were not kept …\n", log.log.dropped_lines));
        }
        if writeln!(text, "{:>8} ms {:<5} {}", line.offset_ms, line.level, inert(&line.message)).is_err() {
            return text;
        }
    }
    text
}
