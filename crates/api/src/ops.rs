//! `/livez`, `/readyz` and `/metrics` for roles that have no API.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::serve::{self, ServeSettings};

/// Whether the process can do its work right now.
pub type ReadyCheck = Arc<dyn Fn() -> bool + Send + Sync>;

#[derive(Clone)]
struct Ops {
    registry: Registry,
    ready: ReadyCheck,
}

/// Serves until `shutdown`.
pub async fn serve(listener: TcpListener, registry: Registry, ready: ReadyCheck, shutdown: CancellationToken) {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Ops { registry, ready });
    serve::serve(listener, router, ServeSettings::default(), shutdown).await;
}

async fn readyz(State(ops): State<Ops>) -> (StatusCode, &'static str) {
    if (ops.ready)() { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "unavailable\n") }
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
