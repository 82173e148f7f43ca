//! The API's routes for those who ask over NATS: request and reply, and submissions that nobody waits for.

use std::sync::Arc;

use async_trait::async_trait;
use tasklane_api::{Api, Inside};
use tasklane_nats::{Nats, RouteAnswer, RouteRequest, Routes, Topology};
use tokio_util::sync::CancellationToken;

struct InProcess(Inside);

#[async_trait]
impl Routes for InProcess {
    async fn ask(&self, asked: RouteRequest) -> RouteAnswer {
        let (status, body) = self.0.ask(asked.method, &asked.path, asked.headers, asked.body).await;
        RouteAnswer { status, body }
    }
}

/// Serves until `shutdown`. A service that cannot be registered is told; HTTP goes on.
pub(crate) async fn serve(nats: &Nats, topology: &Topology, api: &Api, shutdown: CancellationToken) {
    let routes: Arc<dyn Routes> = Arc::new(InProcess(api.inside()));
    let service = async {
        if let Err(error) = nats.serve_routes(env!("CARGO_PKG_VERSION"), routes.clone(), shutdown.clone()).await {
            tracing::error!(%error, "requests over NATS are not answered");
        }
    };
    tokio::join!(service, nats.take_submissions(topology, routes.clone(), shutdown.clone()));
}
