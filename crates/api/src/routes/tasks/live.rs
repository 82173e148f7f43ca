//! `GET /api/v1/tasks/{id}/logs/live`: a log as it grows, by cursor.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use tasklane_api_types::{ErrorCode, LiveLogView, Problem};
use tasklane_domain::StateKind;
use tasklane_domain::error::StoreError;
use tasklane_domain::live_log::{LogCursor, LogCursorError, LogPiece, LogQuestion};
use tasklane_domain::task::{Task, TaskLog};

use crate::error::{ApiError, ApiResult};
use crate::extract::{IdPath, Params};
use crate::namespaces::own_task;
use crate::state::State as Room;

/// What a guest has said behind a place in its log, also while it runs.
///
/// Without `after`, everything of the newest attempt that ended, or of the one that runs. A request answers at once: who follows a
/// log asks again with the `cursor` of the answer until `ended` is true.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/logs/live", tag = "tasks",
    params(
        ("id" = String, Path, description = "Task id"),
        ("after" = Option<String>, Query, description = "`cursor` of the answer before"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 200, description = "The lines that followed", body = LiveLogView),
        (status = "4XX", description = "No such task, or the cursor cannot be read", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn live_log(
    State(room): State<Arc<Room>>,
    IdPath(id): IdPath,
    params: Params,
) -> ApiResult<Json<LiveLogView>> {
    own_task(&room, id, &params, &["after"]).await?;
    let wrong = |error: LogCursorError| ApiError::new(ErrorCode::InvalidCursor, error.to_string());
    let after = params.get("after").map(str::parse).transpose().map_err(wrong)?;
    // The row before the log: what ended between them is in the log, and the next request tells that it has.
    let task = room.ports.tasks.task(id).await?.ok_or(StoreError::TaskNotFound(id))?;
    let log = room.ports.tasks.log(id).await?.ok_or(StoreError::TaskNotFound(id))?;
    let piece = match step(&task, &log, after) {
        Step::Said(piece) => piece,
        Step::Over(at) => return Ok(Json(view(nothing(at), task.state, Follows::Nothing))),
        Step::Ask(after) => {
            let heard = room.ports.control.ask_log(&LogQuestion { task: id, after }).await;
            heard.ok().flatten().unwrap_or_else(|| nothing(after))
        }
    };
    Ok(Json(view(piece, task.state, Follows::Perhaps)))
}

/// Where the answer comes from.
enum Step {
    /// The row has it.
    Said(LogPiece),
    /// A host may have it.
    Ask(LogCursor),
    /// Nobody says anything any more.
    Over(LogCursor),
}

fn step(task: &Task, log: &TaskLog, after: Option<LogCursor>) -> Step {
    // Only the newest attempt that ended is kept whole: who is behind it goes on at its beginning.
    let at = after.filter(|after| after.attempt >= log.attempt).unwrap_or(LogCursor::start(log.attempt));
    let said = log.log.said();
    if at.attempt == log.attempt && said > at.lines {
        return Step::Said(LogPiece::of(log.attempt, &log.log, at.lines));
    }
    match task.state {
        state if state.is_terminal() => Step::Over(at),
        StateKind::Running | StateKind::Queued => Step::Ask(at.max(LogCursor::start(task.attempt))),
        _ => Step::Said(nothing(at)),
    }
}

fn nothing(at: LogCursor) -> LogPiece {
    LogPiece { attempt: at.attempt, lines: Vec::new(), dropped: 0, cursor: at, more: false }
}

/// What comes behind an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follows {
    Perhaps,
    Nothing,
}

fn view(piece: LogPiece, state: StateKind, follows: Follows) -> LiveLogView {
    LiveLogView {
        attempt: piece.attempt.get(),
        lines: piece.lines,
        dropped_lines: piece.dropped,
        cursor: piece.cursor.to_string(),
        state,
        ended: follows == Follows::Nothing,
    }
}
