//! `/api/v1/modules/{name}/{version}/release`: what was quarantined may run again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use tasklane_api_types::{ErrorCode, ModuleView, Problem};
use tasklane_domain::name::NameError;
use tasklane_domain::{ModuleName, ModuleVersion};

use crate::error::{ApiError, ApiResult};
use crate::extract::{Params, TextPath};
use crate::modules::missing;
use crate::namespaces::in_path;
use crate::state::State as Room;
use crate::views;

/// Let a quarantined version run again, under every version that has the same bytes. Twice is no error.
#[utoipa::path(
    post, path = "/api/v1/modules/{name}/{version}/release", tag = "modules",
    params(
        ("name" = String, Path, description = "The module"), ("version" = String, Path, description = "The version"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "It may run", body = ModuleView),
        (status = "4XX", description = "No such version", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn release(
    State(room): State<Arc<Room>>,
    TextPath((name, version)): TextPath<(String, String)>,
    params: Params,
) -> ApiResult<Json<ModuleView>> {
    let name = in_path(&name, &params, &[])?;
    let wrong = |error: NameError| ApiError::new(ErrorCode::InvalidRequest, error.to_string());
    let name: ModuleName = name.parse().map_err(wrong)?;
    let version: ModuleVersion = version.parse().map_err(wrong)?;
    room.ports.quarantine.release(name.clone(), version.clone(), room.clock.now()).await?;
    room.modules.forget();
    match room.ports.modules.module(&name, Some(&version)).await? {
        Some(record) => Ok(Json(views::module(record))),
        None => Err(missing(room.ports.modules.as_ref(), &name, Some(&version)).await?),
    }
}
