//! HTTP: submit, look, cancel, deploy. Rows first, NATS second.
//!
//! Served by `taskctl`'s API roles. Guarantees: 202 is answered only after the commit; every error is problem+json with a code of
//! `tasklane-api-types`, a hint and the request's id; bodies, headers, connections and times are bounded. It holds nothing that
//! a restart would lose.

mod about;
mod access;
mod assets;
mod asyncapi;
mod background;
mod blobs;
mod calls;
mod children;
mod conditional;
mod counts;
mod dashboard;
mod diff;
mod error;
mod extract;
mod feed;
mod flow;
mod graph;
mod inside;
mod machine;
mod metrics;
mod modules;
mod namespaces;
pub mod ops;
mod quarantine;
mod refusals;
mod routes;
mod schedules;
mod schemas;
mod secrets;
mod serve;
mod state;
mod submit;
mod trace;
mod unique;
mod views;
mod waiters;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use tasklane_domain::Clock;
use tasklane_metrics::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use access::{
    AccessMode, AccessSettings, ClaimGrant, ClaimGrantError, JwtSettings, KeySource, ORIGINS_MAX, Origin, OriginError,
};
pub use inside::Inside;
pub use machine::{Doctor, Machine};
pub use serve::{ServeSettings, Tls, TlsError, TlsFiles};
pub use state::{ApiPorts, ApiSettings};

/// An API process's work.
pub struct Api {
    state: Arc<state::State>,
    orders: tokio::sync::Mutex<Option<background::Orders>>,
}

impl Api {
    /// Puts it together; serves nothing yet.
    ///
    /// # Errors
    /// When a metric of the same name is registered already.
    pub fn new(
        settings: ApiSettings,
        ports: ApiPorts,
        clock: Arc<dyn Clock>,
        registry: Registry,
    ) -> Result<Self, prometheus::Error> {
        let (dispatch, orders) = background::channel();
        let state = Arc::new(state::State::new(settings, ports, clock, registry, dispatch)?);
        Ok(Self { state, orders: tokio::sync::Mutex::new(Some(orders)) })
    }

    /// Every route, for tests and for [`Api::serve`].
    pub fn router(&self) -> Router {
        routes::router(self.state.clone())
    }

    /// The routes for those who ask in this process.
    pub fn inside(&self) -> Inside {
        Inside(self.in_process_router())
    }

    /// Every route, for other protocols that are served by this process: no browser asks there, so no page is kept out.
    pub fn in_process_router(&self) -> Router {
        self.router().layer(axum::Extension(access::InProcess))
    }

    /// The certificate, where one is set.
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.state.settings.tls.clone()
    }

    /// Serves until `shutdown`; then readiness drops and what is under way is finished.
    pub async fn serve(&self, listener: TcpListener, shutdown: CancellationToken) {
        let background = self.run_background(shutdown.clone());
        let settings = &self.state.settings;
        let serving = serve::serve(listener, self.router(), settings.serve, settings.tls.clone(), shutdown.clone());
        tokio::join!(background, serving);
    }

    /// Publishes what was submitted, wakes those who wait, and answers hosts that miss a module.
    pub async fn run_background(&self, shutdown: CancellationToken) {
        let Some(orders) = self.orders.lock().await.take() else { return };
        background::run(self.state.clone(), orders, shutdown).await;
    }
}

/// The AsyncAPI document, in `docs/asyncapi.json`.
#[must_use]
pub fn asyncapi() -> serde_json::Value {
    asyncapi::document()
}

/// The OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes::document()
}
