//! gRPC beside the API's HTTP, where it is asked for.

use std::sync::Arc;

use tasklane_api::Api;
use tasklane_grpc::{Acceptor, GrpcSettings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;

/// Listens, if it shall: before anything runs, so that an address that is taken ends the start.
pub(crate) async fn listener(settings: &Settings) -> anyhow::Result<Option<TcpListener>> {
    match &settings.grpc_listen {
        Some(address) => Ok(Some(super::listen(address).await?)),
        None => Ok(None),
    }
}

/// Serves until `shutdown`; at once over where there is no listener.
pub(crate) async fn serve(listener: Option<TcpListener>, api: &Api, shutdown: CancellationToken) {
    let Some(listener) = listener else { return };
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "answering gRPC");
    }
    let tls = api.tls().map(|tls| -> Acceptor { Arc::new(move || tls.grpc_acceptor()) });
    let served = tasklane_grpc::serve(listener, api.in_process_router(), GrpcSettings::default(), tls, shutdown);
    if let Err(error) = served.await {
        tracing::error!(%error, "gRPC is no longer answered");
    }
}
