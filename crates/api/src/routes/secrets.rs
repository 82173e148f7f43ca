//! `/api/v1/secrets`: set, list, remove. Nothing gives a value back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use http::StatusCode;
use serde_json::Value;
use tasklane_api_types::{ErrorCode, Problem, ResealView, SecretList, SecretRequest, SecretView};
use tasklane_domain::name::NameError;
use tasklane_domain::secret::{SecretInfo, SecretValue};
use tasklane_domain::{Namespace, SecretName};

use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Params, TextPath};
use crate::secrets;
use crate::state::State as Room;

fn view(info: SecretInfo) -> SecretView {
    SecretView {
        name: info.name.to_string(),
        namespace: info.namespace.to_string(),
        version: info.version,
        key_id: info.key.to_string(),
        created_at: info.created_at,
        changed_at: info.changed_at,
    }
}

fn named(text: &str) -> ApiResult<SecretName> {
    text.parse().map_err(|error: NameError| ApiError::new(ErrorCode::SecretInvalid, error.to_string()))
}

fn namespace(params: &Params) -> ApiResult<Namespace> {
    params.only(&["namespace"])?;
    Ok(params.parsed("namespace")?.unwrap_or_default())
}

/// No part of the body may be in the error.
fn value(body: Value) -> ApiResult<SecretValue> {
    let wrong = |why: &str| ApiError::new(ErrorCode::SecretInvalid, why);
    let shape = "the body must be {\"value\": \"TEXT\"} or {\"value_base64\": \"BASE64\"}";
    if !body.is_object() {
        return Err(wrong(shape));
    }
    let request: SecretRequest = serde_json::from_value(body).map_err(|_| wrong(shape))?;
    let bytes = match (request.value, request.value_base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|_| wrong("`value_base64` is not standard base64"))?,
        (Some(_), Some(_)) | (None, None) => return Err(wrong("give one of `value` and `value_base64`")),
    };
    Ok(SecretValue::new(bytes))
}

/// Set a secret's value, whatever it was before. It is sealed before it is stored, and never given back over HTTP.
#[utoipa::path(
    put, path = "/api/v1/secrets/{name}", tag = "secrets", request_body = SecretRequest,
    params(
        ("name" = String, Path, description = "The secret's name"),
        ("namespace" = Option<String>, Query, description = "Whose tasks may have it; `default` if left out"),
    ),
    responses(
        (status = 200, description = "Set", body = SecretView),
        (status = "4XX", description = "Not set", body = Problem, content_type = "application/problem+json"),
        (status = 501, description = "The server has no key for secrets", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn put(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
    JsonBody(body): JsonBody<Value>,
) -> ApiResult<Json<SecretView>> {
    let (namespace, name) = (namespace(&params)?, named(&name)?);
    let info = secrets::put(&room, namespace, name, &value(body)?).await?;
    tracing::info!(namespace = %info.namespace, name = %info.name, version = info.version, "a secret was set");
    Ok(Json(view(info)))
}

/// The secrets of a namespace: names and times, no values.
#[utoipa::path(
    get, path = "/api/v1/secrets", tag = "secrets",
    params(("namespace" = Option<String>, Query, description = "Whose; `default` if left out")),
    responses((status = 200, description = "By name", body = SecretList))
)]
pub(crate) async fn list(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<SecretList>> {
    let namespace = namespace(&params)?;
    let secrets = room.ports.secrets.list(Some(&namespace)).await?;
    Ok(Json(SecretList { secrets: secrets.into_iter().map(view).collect() }))
}

/// Remove a secret. Attempts that asked for it before may go on with its value.
#[utoipa::path(
    delete, path = "/api/v1/secrets/{name}", tag = "secrets",
    params(
        ("name" = String, Path, description = "The secret's name"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = "4XX", description = "No such secret", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn delete(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<StatusCode> {
    let (namespace, name) = (namespace(&params)?, named(&name)?);
    if room.ports.secrets.remove(namespace.clone(), name.clone()).await? {
        tracing::info!(%namespace, %name, "a secret was removed");
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::new(ErrorCode::SecretNotFound, format!("namespace {namespace} has no secret `{name}`")))
}

/// Seal every secret anew with the newest key, so that older keys can be taken out of the key file.
#[utoipa::path(
    post, path = "/api/v1/cluster/secrets/reseal", tag = "secrets",
    responses(
        (status = 200, description = "All are sealed with it", body = ResealView),
        (status = 409, description = "The key of one is missing", body = Problem, content_type = "application/problem+json"),
        (status = 501, description = "The server has no key for secrets", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn reseal(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<ResealView>> {
    params.only(&[])?;
    let done = secrets::reseal(&room).await?;
    let key_id = room.settings.secret_keys.current().map(ToString::to_string).unwrap_or_default();
    Ok(Json(ResealView { key_id, resealed: done.resealed, unchanged: done.unchanged }))
}
