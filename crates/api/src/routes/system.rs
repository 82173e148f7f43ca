//! `/api/v1/cluster/config`, `/doctor` and `/reset`: what the process was started with, what is wrong around it, and, in a
//! development instance alone, the way back to nothing.
//!
//! Guarantees: settings are shown as the process redacted them at its start; no secret reaches this crate. A reset is there only where
//! the process was started with one (`taskctl dev`), and asks for a word.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use tasklane_api_types::{ConfigView, ErrorCode, FindingList, Problem, ResetRequest};

use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Params};
use crate::state::State as Room;

/// What a reset's `confirm` must say.
const RESET_WORD: &str = "reset";

/// The settings of the API process that answers, secrets left out.
#[utoipa::path(
    get, path = "/api/v1/cluster/config", tag = "cluster",
    responses((status = 200, description = "What was set, by key; docs/config.md has the defaults of the others", body = ConfigView))
)]
pub(crate) async fn config(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<ConfigView>> {
    params.only(&[])?;
    let machine = &room.settings.machine;
    Ok(Json(ConfigView { settings: machine.shown.clone(), resettable: machine.reset.is_some() }))
}

/// What the doctor finds on the machine of the API process that answers. Looked at anew at most every ten seconds.
#[utoipa::path(
    get, path = "/api/v1/cluster/doctor", tag = "cluster",
    responses((status = 200, description = "Each check, with what to do about it", body = FindingList))
)]
pub(crate) async fn doctor(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<FindingList>> {
    params.only(&[])?;
    Ok(Json(room.findings.get(&room.settings.machine, room.clock.now()).await))
}

/// Forget everything: tasks, modules, schedules. Only a development instance (`taskctl dev`) can, and it starts again at once.
#[utoipa::path(
    post, path = "/api/v1/cluster/reset", tag = "cluster", request_body = ResetRequest,
    responses(
        (status = 202, description = "It begins: the instance goes away and comes back empty"),
        (status = "4XX", description = "Not confirmed, or no development instance", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn reset(
    State(room): State<Arc<Room>>,
    params: Params,
    JsonBody(request): JsonBody<ResetRequest>,
) -> ApiResult<StatusCode> {
    params.only(&[])?;
    let Some(reset) = &room.settings.machine.reset else {
        return Err(ApiError::new(ErrorCode::ResetRefused, "this is no development instance"));
    };
    if request.confirm != RESET_WORD {
        let detail = format!("`confirm` must be `{RESET_WORD}`, since everything is removed");
        return Err(ApiError::new(ErrorCode::InvalidRequest, detail));
    }
    tracing::warn!("everything is forgotten, as somebody asked for");
    reset();
    Ok(StatusCode::ACCEPTED)
}
