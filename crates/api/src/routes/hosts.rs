//! `/api/v1/hosts/{id}/…`: what an operator wants of one host. The list itself is in `cluster`.
//!
//! Guarantees: an answer of 200 means that the host itself says so, in a heartbeat after the order. The order holds for this life of
//! the process; nothing of it is kept.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use tasklane_api_types::{ErrorCode, HostRequest, HostView, Problem};
use tasklane_domain::{HostId, HostInfo, HostOrder, HostWish};

use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Params, TextPath};
use crate::state::State as Room;

/// How long a host may take to say that it does as it was told.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(5);
/// Pause between two looks at its heartbeat.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

async fn host(room: &Room, text: &str) -> ApiResult<HostInfo> {
    let missing = || ApiError::new(ErrorCode::HostNotFound, format!("no host `{text}` is alive"));
    let id: HostId = text.parse().map_err(|_| missing())?;
    let hosts = room.ports.hosts.hosts().await?;
    hosts.into_iter().find(|host| host.id == id).ok_or_else(missing)
}

/// Tells the host, and waits until it says that it is so.
async fn order(room: &Room, text: &str, wish: HostWish) -> ApiResult<Json<HostView>> {
    let mut known = host(room, text).await?;
    if let HostWish::Scale(slots) = wish {
        check_slots(&known, slots)?;
    }
    room.ports.control.order_host(HostOrder { host: known.id, wish }).await?;
    let confirmed = async {
        while !wish.is_met(&known) {
            tokio::time::sleep(LOOK_INTERVAL).await;
            known = host(room, text).await?;
        }
        ApiResult::Ok(Json(HostView(known)))
    };
    let silent =
        |_| ApiError::new(ErrorCode::HostSilent, format!("the host has not said so within {CONFIRMED_WITHIN:?}"));
    tokio::time::timeout(CONFIRMED_WITHIN, confirmed).await.map_err(silent)?
}

fn check_slots(host: &HostInfo, slots: u32) -> ApiResult<()> {
    if (1..=host.slots_max).contains(&slots) {
        return Ok(());
    }
    let detail = match host.slots_max {
        0 => format!("the host runs version {}, which cannot be scaled", host.version),
        max => format!("`slots` must be from 1 to {max}, which this host was started with, not {slots}"),
    };
    Err(ApiError::new(ErrorCode::HostSlots, detail))
}

/// Drain a host: it hands back what waits in it, finishes what runs, and takes nothing more until it is resumed.
#[utoipa::path(
    post, path = "/api/v1/hosts/{id}/drain", tag = "cluster",
    params(("id" = String, Path, description = "The host's id")),
    responses(
        (status = 200, description = "It takes nothing more", body = HostView),
        (status = 404, description = "No such host", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "NATS or the host does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn drain(
    State(room): State<Arc<Room>>,
    TextPath(id): TextPath<String>,
    params: Params,
) -> ApiResult<Json<HostView>> {
    params.only(&[])?;
    order(&room, &id, HostWish::Drain).await
}

/// Let a drained host take work again.
#[utoipa::path(
    post, path = "/api/v1/hosts/{id}/resume", tag = "cluster",
    params(("id" = String, Path, description = "The host's id")),
    responses(
        (status = 200, description = "It takes work", body = HostView),
        (status = 404, description = "No such host", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "NATS or the host does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn resume(
    State(room): State<Arc<Room>>,
    TextPath(id): TextPath<String>,
    params: Params,
) -> ApiResult<Json<HostView>> {
    params.only(&[])?;
    order(&room, &id, HostWish::Resume).await
}

/// Change how many guests a host runs at once, for as long as its process lives.
#[utoipa::path(
    patch, path = "/api/v1/hosts/{id}", tag = "cluster", request_body = HostRequest,
    params(("id" = String, Path, description = "The host's id")),
    responses(
        (status = 200, description = "It has so many slots", body = HostView),
        (status = "4XX", description = "No such host, or it cannot have so many", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "NATS or the host does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn scale(
    State(room): State<Arc<Room>>,
    TextPath(id): TextPath<String>,
    params: Params,
    JsonBody(request): JsonBody<HostRequest>,
) -> ApiResult<Json<HostView>> {
    params.only(&[])?;
    order(&room, &id, HostWish::Scale(request.slots)).await
}
