//! `/livez`, `/readyz`, `/health` and `/metrics` for roles that have no API. The status code is the contract, as in `routes/health.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{StatusCode, header};
use prometheus::{Encoder, Registry, TextEncoder};
use tasklane_api_types::HealthView;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::serve::{self, ServeSettings};

/// Whether the process can do its work right now.
pub type ReadyCheck = Arc<dyn Fn() -> bool + Send + Sync>;

#[derive(Clone)]
struct Ops {
    registry: Registry,
    ready: ReadyCheck,
    facts: BTreeMap<String, String>,
}

impl Ops {
    fn look(&self) -> (StatusCode, HealthView) {
        let is_ready = (self.ready)();
        let (code, status) =
            if is_ready { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "unavailable") };
        let mut checks = self.facts.clone();
        checks.insert("nats".to_owned(), if is_ready { "ok" } else { "away" }.to_owned());
        (code, HealthView { status: status.to_owned(), checks })
    }
}

/// Serves until `shutdown`. `facts` are shown beside the checks and decide nothing, such as how a host's walls stand.
pub async fn serve(
    listener: TcpListener,
    registry: Registry,
    ready: ReadyCheck,
    facts: BTreeMap<String, String>,
    shutdown: CancellationToken,
) {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(Ops { registry, ready, facts });
    serve::serve(listener, router, ServeSettings::default(), None, shutdown).await;
}

async fn readyz(State(ops): State<Ops>, RawQuery(query): RawQuery) -> (StatusCode, Json<HealthView>) {
    let (code, health) = ops.look();
    let is_verbose = query.is_some_and(|query| query.starts_with("verbose"));
    (code, Json(if is_verbose { health } else { without_checks(health) }))
}

/// What a load balancer needs.
pub(crate) fn without_checks(health: HealthView) -> HealthView {
    HealthView { checks: BTreeMap::new(), ..health }
}

async fn health(State(ops): State<Ops>) -> (StatusCode, Json<HealthView>) {
    let (code, health) = ops.look();
    (code, Json(health))
}

async fn metrics(State(ops): State<Ops>) -> Response {
    text_of(&ops.registry)
}

/// A registry in Prometheus' text format.
pub(crate) fn text_of(registry: &Registry) -> Response {
    let mut text = Vec::new();
    let encoder = TextEncoder::new();
    if let Err(error) = encoder.encode(&registry.gather(), &mut text) {
        tracing::error!(%error, "the metrics could not be written");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    ([(header::CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response()
}
