//! `/api/v1/blobs…`: large payloads before the tasks that name them.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::{HeaderMap, StatusCode, header};
use tasklane_api_types::{BlobView, Problem};
use tasklane_domain::BlobDigest;
use tasklane_domain::blob::Finished;

use crate::blobs;
use crate::error::ApiResult;
use crate::extract::{Params, TextPath};
use crate::state::State as Room;

/// Store bytes to be named by a task's `payload_blob`. The answer has their digest.
///
/// The body is streamed, and hashed on the way. The same content again is no error. What no task names is removed after an hour.
#[utoipa::path(
    post, path = "/api/v1/blobs", tag = "blobs",
    request_body(content_type = "application/octet-stream", content = String),
    responses(
        (status = 200, description = "The same content was there before", body = BlobView),
        (status = 201, description = "Stored", body = BlobView),
        (status = "4XX", description = "Not stored", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create(
    State(room): State<Arc<Room>>,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    params.only(&[])?;
    upload(&room, &headers, body, None).await
}

/// Store bytes whose digest is known. Other bytes are refused.
#[utoipa::path(
    put, path = "/api/v1/blobs/{digest}", tag = "blobs",
    params(("digest" = String, Path, description = "`sha256:` and 64 hexadecimal digits")),
    request_body(content_type = "application/octet-stream", content = String),
    responses(
        (status = 200, description = "The same content was there before", body = BlobView),
        (status = 201, description = "Stored", body = BlobView),
        (status = "4XX", description = "Not stored", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn put(
    State(room): State<Arc<Room>>,
    TextPath(digest): TextPath<String>,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    params.only(&[])?;
    let digest = blobs::parse(&digest)?;
    upload(&room, &headers, body, Some(digest)).await
}

async fn upload(room: &Room, headers: &HeaderMap, body: Body, announced: Option<BlobDigest>) -> ApiResult<Response> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let mut arriving = body.into_data_stream();
    if let Err(too_large) = blobs::check_cap(room, length.unwrap_or(0)) {
        drain(room, &mut arriving).await;
        return Err(too_large);
    }
    let finished = blobs::receive(room, &mut arriving, announced).await;
    if finished.is_err() {
        drain(room, &mut arriving).await;
    }
    let finished = finished?;
    let status = if matches!(finished, Finished::Created(_)) { StatusCode::CREATED } else { StatusCode::OK };
    let view = BlobView::from(finished.info().reference());
    Ok((status, [(header::LOCATION, format!("/api/v1/blobs/{}", view.digest))], Json(view)).into_response())
}

/// Takes in what a refused client still sends, within bounds: many clients read no answer before they have sent everything.
async fn drain(room: &Room, arriving: &mut axum::body::BodyDataStream) {
    let mut left = room.settings.blob_bytes_max.max(DRAINED_BYTES_MAX);
    let rest = async {
        while let Some(Ok(piece)) = arriving.next().await {
            left = left.saturating_sub(piece.len() as u64);
            if left == 0 {
                return;
            }
        }
    };
    if tokio::time::timeout(DRAIN_TIMEOUT, rest).await.is_err() {
        tracing::debug!("a refused upload went on for too long");
    }
}

/// Bytes that are taken in of an upload that was refused, at least.
const DRAINED_BYTES_MAX: u64 = 1024 * 1024;
/// And how long.
const DRAIN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// The bytes of one blob.
#[utoipa::path(
    get, path = "/api/v1/blobs/{digest}", tag = "blobs",
    params(("digest" = String, Path, description = "`sha256:` and 64 hexadecimal digits")),
    responses(
        (status = 200, description = "The bytes", content_type = "application/octet-stream"),
        (status = "4XX", description = "No such blob", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(
    State(room): State<Arc<Room>>,
    TextPath(digest): TextPath<String>,
    params: Params,
) -> ApiResult<Response> {
    params.only(&[])?;
    blobs::answer(&room, blobs::parse(&digest)?).await
}
