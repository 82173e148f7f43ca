//! `/api/v1/namespaces`: what each may have at most, and what it has.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use tasklane_api_types::{ErrorCode, NamespaceList, NamespaceView, Problem, QuotasBody, UsageView};
use tasklane_domain::Namespace;
use tasklane_domain::name::NameError;
use tasklane_domain::namespace::{NamespaceInfo, QUOTA_MAX, Quotas};

use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Params, TextPath};
use crate::state::State as Room;
use crate::submit::nudge_admit;

const fn quotas(body: QuotasBody) -> Quotas {
    Quotas {
        modules_max: body.modules_max,
        module_bytes_max: body.module_bytes_max,
        tasks_waiting_max: body.tasks_waiting_max,
        tasks_running_max: body.tasks_running_max,
        kv_bytes_max: body.kv_bytes_max,
        secrets_max: body.secrets_max,
        schedules_max: body.schedules_max,
    }
}

fn view(info: NamespaceInfo) -> NamespaceView {
    let NamespaceInfo { name, quotas, usage } = info;
    NamespaceView {
        name: name.to_string(),
        quotas: QuotasBody {
            modules_max: quotas.modules_max,
            module_bytes_max: quotas.module_bytes_max,
            tasks_waiting_max: quotas.tasks_waiting_max,
            tasks_running_max: quotas.tasks_running_max,
            kv_bytes_max: quotas.kv_bytes_max,
            secrets_max: quotas.secrets_max,
            schedules_max: quotas.schedules_max,
        },
        usage: UsageView {
            modules: usage.modules,
            module_bytes: usage.module_bytes,
            tasks_waiting: usage.tasks_waiting,
            tasks_running: usage.tasks_running,
            kv_bytes: usage.kv_bytes,
            secrets: usage.secrets,
            schedules: usage.schedules,
        },
    }
}

fn named(text: &str) -> ApiResult<Namespace> {
    text.parse().map_err(|error: NameError| ApiError::new(ErrorCode::NamespaceInvalid, error.to_string()))
}

fn missing(name: &Namespace) -> ApiError {
    ApiError::new(ErrorCode::NamespaceNotFound, format!("namespace `{name}` has nothing, and no quota"))
}

async fn shown(room: &Room, name: &Namespace) -> ApiResult<Json<NamespaceView>> {
    let all = room.ports.namespaces.namespaces().await?;
    let found = all.into_iter().find(|info| info.name == *name);
    found.map(|info| Json(view(info))).ok_or_else(|| missing(name))
}

/// Every namespace that has anything or a quota, and `default`.
#[utoipa::path(
    get, path = "/api/v1/namespaces", tag = "namespaces",
    responses((status = 200, description = "By name, with what each has", body = NamespaceList))
)]
pub(crate) async fn list(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<NamespaceList>> {
    params.only(&[])?;
    let namespaces = room.ports.namespaces.namespaces().await?;
    Ok(Json(NamespaceList { namespaces: namespaces.into_iter().map(view).collect() }))
}

/// One namespace.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{name}", tag = "namespaces", params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "Its quotas, and what it has", body = NamespaceView),
        (status = "4XX", description = "It has nothing", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn namespace(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<NamespaceView>> {
    params.only(&[])?;
    shown(&room, &named(&name)?).await
}

/// Set the quotas of a namespace; they replace those before. What it has already stays.
#[utoipa::path(
    put, path = "/api/v1/namespaces/{name}", tag = "namespaces", request_body = QuotasBody,
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "Set", body = NamespaceView),
        (status = "4XX", description = "Not set", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn set(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
    JsonBody(body): JsonBody<QuotasBody>,
) -> ApiResult<Json<NamespaceView>> {
    params.only(&[])?;
    let (name, quotas) = (named(&name)?, quotas(body));
    let wrong = |why: String| Err(ApiError::new(ErrorCode::NamespaceInvalid, why));
    if quotas.is_empty() {
        return wrong("no quota is given; DELETE unsets all of them".to_owned());
    }
    if let Some(quota) = quotas.too_large() {
        return wrong(format!("`{quota}` is over {QUOTA_MAX}"));
    }
    room.ports.namespaces.set_quotas(name.clone(), Some(quotas)).await?;
    tracing::info!(namespace = %name, ?quotas, "quotas were set");
    nudge_admit(&room).await;
    shown(&room, &name).await
}

/// Unset the quotas of a namespace: the cluster's limits alone hold. What it has stays.
#[utoipa::path(
    delete, path = "/api/v1/namespaces/{name}", tag = "namespaces",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "Unset"),
        (status = "4XX", description = "It has no quota", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn unset(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<StatusCode> {
    params.only(&[])?;
    let name = named(&name)?;
    if !room.ports.namespaces.set_quotas(name.clone(), None).await? {
        return Err(ApiError::new(ErrorCode::NamespaceNotFound, format!("namespace `{name}` has no quota")));
    }
    tracing::info!(namespace = %name, "quotas were unset");
    nudge_admit(&room).await;
    Ok(StatusCode::NO_CONTENT)
}
