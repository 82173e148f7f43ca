//! `/api/v1/hosts` and `/api/v1/cluster/…`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use tasklane_api_types::{ClusterInfo, ClusterStats, HostList, Problem};
use tasklane_domain::HostInfo;

use crate::error::ApiResult;
use crate::extract::Params;
use crate::state::State as Room;
use crate::views;

/// The living hosts.
#[utoipa::path(
    get, path = "/api/v1/hosts", tag = "cluster",
    responses(
        (status = 200, description = "Their newest heartbeats", body = HostList),
        (status = 503, description = "NATS is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn hosts(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<HostList>> {
    params.only(&[])?;
    Ok(Json(HostList { hosts: room.ports.hosts.hosts().await? }))
}

/// The cluster: leader, hosts, limits. What NATS would tell is empty while NATS is away.
#[utoipa::path(
    get, path = "/api/v1/cluster/info", tag = "cluster",
    responses((status = 200, description = "The cluster", body = ClusterInfo))
)]
pub(crate) async fn info(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<ClusterInfo>> {
    params.only(&[])?;
    let nats_connected = (room.ports.nats_connected)();
    let (mut leader, mut hosts) = (None, Vec::new());
    if nats_connected {
        leader = room.ports.leases.holder().await.unwrap_or_default();
        hosts = room.ports.hosts.hosts().await.unwrap_or_default();
    }
    Ok(Json(ClusterInfo {
        version: room.settings.version.clone(),
        now: Some(room.clock.now()),
        nats_connected,
        leader,
        hosts: hosts.len(),
        slots: hosts.iter().map(HostInfo::open_slots).sum(),
        limits: room.settings.limits,
        payload_bytes_max: room.settings.payload_bytes_max,
        blob_bytes_max: room.settings.blob_bytes_max,
    }))
}

/// Tasks by state, and lanes that are not empty.
#[utoipa::path(
    get, path = "/api/v1/cluster/stats", tag = "cluster",
    responses(
        (status = 200, description = "Counts", body = ClusterStats),
        (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn stats(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<ClusterStats>> {
    params.only(&[])?;
    Ok(Json(views::stats(&*room.counts.get(&*room.ports.tasks).await?)))
}
