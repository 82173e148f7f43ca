//! `/livez`, `/readyz`, `/health`, `/metrics`. The status code is the contract.
//!
//! Ready means that tasks can be accepted: the database answers. While NATS is away tasks are still accepted and run later, so
//! that is `degraded`, not unready.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tasklane_api_types::HealthView;

use crate::extract::Params;
use crate::ops::{text_of, without_checks};
use crate::state::State as Room;

/// How long the database may take to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// The process runs.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, description = "It runs")))]
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

async fn look(room: &Room) -> HealthView {
    let ping = tokio::time::timeout(PING_TIMEOUT, room.ports.tasks.ping()).await;
    let database = matches!(ping, Ok(Ok(())));
    let nats = (room.ports.nats_connected)();
    let word = |good: bool| if good { "ok" } else { "away" }.to_owned();
    let checks = BTreeMap::from([("database".to_owned(), word(database)), ("nats".to_owned(), word(nats))]);
    let status = match (database, nats) {
        (true, true) => "ok",
        (true, false) => "degraded",
        (false, _) => "unavailable",
    };
    HealthView { status: status.to_owned(), checks }
}

fn code_of(health: &HealthView) -> StatusCode {
    if health.status == "unavailable" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

/// Tasks can be accepted. `?verbose` tells each check.
#[utoipa::path(
    get, path = "/readyz", tag = "health", params(("verbose" = Option<String>, Query, description = "Tell each check")),
    responses((status = 200, description = "Ready", body = HealthView), (status = 503, description = "Not ready", body = HealthView))
)]
pub(crate) async fn readyz(State(room): State<Arc<Room>>, params: Params) -> Response {
    let health = look(&room).await;
    let code = code_of(&health);
    let is_verbose = params.get("verbose").is_some();
    (code, Json(if is_verbose { health } else { without_checks(health) })).into_response()
}

/// The same as `/readyz?verbose`.
#[utoipa::path(
    get, path = "/health", tag = "health",
    responses((status = 200, description = "Ready", body = HealthView), (status = 503, description = "Not ready", body = HealthView))
)]
pub(crate) async fn health(State(room): State<Arc<Room>>) -> Response {
    let health = look(&room).await;
    (code_of(&health), Json(health)).into_response()
}

/// Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, description = "The metrics")))]
pub(crate) async fn metrics(State(room): State<Arc<Room>>) -> Response {
    match room.counts.get(&*room.ports.tasks).await {
        Ok(stats) => room.metrics.show(&stats, room.clock.now()),
        Err(error) => tracing::warn!(%error, "the metrics lack what the database counts"),
    }
    text_of(&room.registry)
}
