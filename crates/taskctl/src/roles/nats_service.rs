//! The API's routes for those who ask over NATS: request and reply, and submissions that nobody waits for.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::{BodyExt, Limited};
use tasklane_api::Api;
use tasklane_nats::{Nats, RouteAnswer, RouteRequest, Routes, Topology};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Largest answer that is read, in bytes; NATS takes less.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

struct InProcess(Router);

#[async_trait]
impl Routes for InProcess {
    async fn ask(&self, asked: RouteRequest) -> RouteAnswer {
        let Some(request) = request(asked) else {
            return RouteAnswer { status: 400, body: Bytes::from_static(b"{}") };
        };
        let response = match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await {
            Ok(body) => RouteAnswer { status, body: body.to_bytes() },
            Err(error) => {
                tracing::warn!(%error, "an answer for a NATS client broke off");
                RouteAnswer { status: 503, body: Bytes::from_static(b"{}") }
            }
        }
    }
}

fn request(asked: RouteRequest) -> Option<Request<Body>> {
    let mut request = Request::builder().method(asked.method).uri(asked.path);
    if !asked.body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    for (name, value) in asked.headers {
        request = request.header(HeaderName::from_static(name), HeaderValue::try_from(value).ok()?);
    }
    request.body(Body::from(asked.body)).ok()
}

/// Serves until `shutdown`. A service that cannot be registered is told; HTTP goes on.
pub(crate) async fn serve(nats: &Nats, topology: &Topology, api: &Api, shutdown: CancellationToken) {
    let routes: Arc<dyn Routes> = Arc::new(InProcess(api.in_process_router()));
    let service = async {
        if let Err(error) = nats.serve_routes(env!("CARGO_PKG_VERSION"), routes.clone(), shutdown.clone()).await {
            tracing::error!(%error, "requests over NATS are not answered");
        }
    };
    tokio::join!(service, nats.take_submissions(topology, routes.clone(), shutdown.clone()));
}
