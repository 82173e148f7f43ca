//! `GET /api/v1/tasks` and `/status/{status}`: newest first, a page at a time.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use tasklane_api_types::{ErrorCode, Problem, TaskList};
use tasklane_domain::name::NameError;
use tasklane_domain::query::{PAGE_ROWS_MAX, PageRequest, TaskFilter};
use tasklane_domain::{StateKind, TaskId};

use crate::error::{ApiError, ApiResult};
use crate::extract::{Params, TextPath};
use crate::modules::near;
use crate::namespaces;
use crate::state::State as Room;
use crate::views;

/// Rows on a page that asks for no number.
const PAGE_ROWS: u32 = 50;
const PARAMETERS: [&str; 9] = ["status", "module", "queue", "label", "cursor", "limit", "namespace", "batch", "parent"];

/// Tasks that match every filter.
#[utoipa::path(
    get, path = "/api/v1/tasks", tag = "tasks",
    params(
        ("status" = Option<String>, Query, description = "A state"),
        ("module" = Option<String>, Query, description = "A module's name"),
        ("queue" = Option<String>, Query, description = "A queue"),
        ("label" = Option<String>, Query, description = "`key:value`"),
        ("namespace" = Option<String>, Query, description = "A namespace"),
        ("batch" = Option<String>, Query, description = "A batch's id"),
        ("parent" = Option<String>, Query, description = "The id of the task whose guest enqueued them"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "1 to 200, default 50"),
    ),
    responses(
        (status = 200, description = "A page, newest first", body = TaskList),
        (status = "4XX", description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<TaskList>> {
    params.only(&PARAMETERS)?;
    let state = params.get("status").map(state_named).transpose()?;
    page(&room, &params, state).await
}

/// Tasks in one state.
#[utoipa::path(
    get, path = "/api/v1/tasks/status/{status}", tag = "tasks",
    params(
        ("status" = String, Path, description = "A state"),
        ("module" = Option<String>, Query, description = "A module's name"),
        ("queue" = Option<String>, Query, description = "A queue"),
        ("label" = Option<String>, Query, description = "`key:value`"),
        ("namespace" = Option<String>, Query, description = "A namespace"),
        ("batch" = Option<String>, Query, description = "A batch's id"),
        ("parent" = Option<String>, Query, description = "The id of the task whose guest enqueued them"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "1 to 200, default 50"),
    ),
    responses(
        (status = 200, description = "A page, newest first", body = TaskList),
        (status = "4XX", description = "No such state, or a parameter is wrong", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn by_status(
    State(room): State<Arc<Room>>,
    TextPath(status): TextPath<String>,
    params: Params,
) -> ApiResult<Json<TaskList>> {
    let [_, known @ ..] = PARAMETERS;
    params.only(&known)?;
    page(&room, &params, Some(state_named(&status)?)).await
}

fn state_named(text: &str) -> ApiResult<StateKind> {
    text.parse().map_err(|error: tasklane_domain::state::StateKindError| {
        let error = ApiError::new(ErrorCode::UnknownStatus, error.to_string());
        let names = StateKind::ALL.map(|kind| kind.as_str().to_owned());
        let near = near(text, &names);
        if near.is_empty() { error } else { error.hint(format!("Did you mean {}?", near.join(" or "))) }
    })
}

async fn page(room: &Room, params: &Params, state: Option<StateKind>) -> ApiResult<Json<TaskList>> {
    let limit: u32 = params.parsed("limit")?.unwrap_or(PAGE_ROWS);
    if !(1..=PAGE_ROWS_MAX).contains(&limit) {
        return Err(ApiError::new(ErrorCode::InvalidQuery, format!("limit: must be from 1 to {PAGE_ROWS_MAX}")));
    }
    let namespace = namespaces::asked(params)?;
    let module = params.get("module").map(|text| namespaces::full(text, namespace.as_ref())).transpose()?;
    let wrong = |error: NameError| ApiError::new(ErrorCode::InvalidQuery, format!("module: {error}"));
    let filter = TaskFilter {
        state,
        module: module.map(|text| text.parse().map_err(wrong)).transpose()?,
        queue: params.parsed("queue")?,
        label: params.get("label").map(label).transpose()?,
        namespace,
        batch: params.parsed("batch")?,
        parent: params.parsed("parent")?,
        created_before: None,
    };
    let before = params.get("cursor").map(decode_cursor).transpose()?.map(TaskId::from_uuid);
    let page = room.ports.tasks.list(&filter, PageRequest { before, limit }).await?;
    let next_cursor = page.next.map(|id| encode_cursor(id.as_uuid()));
    Ok(Json(TaskList { tasks: page.tasks.into_iter().map(views::task).collect(), next_cursor }))
}

/// `key:value`.
pub(crate) fn label(text: &str) -> ApiResult<(String, String)> {
    let pair = text.split_once(':').map(|(key, value)| (key.to_owned(), value.to_owned()));
    pair.ok_or_else(|| ApiError::new(ErrorCode::InvalidQuery, format!("label: `{text}` is not key:value")))
}

/// An id as a cursor.
pub(crate) fn encode_cursor(id: uuid::Uuid) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(id.as_bytes())
}

/// The id in a cursor.
pub(crate) fn decode_cursor(text: &str) -> ApiResult<uuid::Uuid> {
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok();
    bytes
        .and_then(|bytes| uuid::Uuid::from_slice(&bytes).ok())
        .ok_or_else(|| ApiError::new(ErrorCode::InvalidCursor, "the cursor cannot be read"))
}
