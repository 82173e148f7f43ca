//! The listener: connections, streams, headers and messages are bounded, and the end is orderly.

use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::cluster::ClusterService;
use crate::connection::{Acceptor, Most, connections};
use crate::door::Door;
use crate::modules::ModulesService;
use crate::proto;
use crate::tasks::TasksService;

/// How gRPC is served.
#[derive(Debug, Clone, Copy)]
pub struct GrpcSettings {
    /// Largest message, in bytes. Default 4 MiB.
    pub message_bytes_max: usize,
    /// Connections at once; more wait to be accepted. Default 10,000.
    pub connections_max: usize,
    /// Connections at once of one address; more are closed at once. Default 5,000.
    pub connections_per_address_max: usize,
    /// Calls at once on one connection. Default 256.
    pub streams_max: u32,
    /// How long calls under way may take after a stop was asked for. Default 10 s.
    pub drain_timeout: Duration,
}

impl Default for GrpcSettings {
    fn default() -> Self {
        Self {
            message_bytes_max: 4 * 1024 * 1024,
            connections_max: 10_000,
            connections_per_address_max: 5_000,
            streams_max: 256,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Bytes of one call's headers.
const HEADER_BYTES_MAX: u32 = 32 * 1024;
/// Calls that a client may open and reset at once before its connection is closed (rapid reset).
const RESETS_MAX: usize = 20;
/// A silent connection is asked for a sign of life this often, and closed if none comes in [`KEEPALIVE_TIMEOUT`].
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until `shutdown`; then health says so and what is under way is finished.
///
/// `router` is that of the API in this process; without `tls` connections are plain.
///
/// # Errors
/// When the descriptors of the services cannot be read, or the listener is broken.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: GrpcSettings,
    tls: Option<Acceptor>,
    shutdown: CancellationToken,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let door = Door(router);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<proto::tasks_server::TasksServer<TasksService>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let most = settings.message_bytes_max;
    let tasks = proto::tasks_server::TasksServer::new(TasksService(door.clone()));
    let modules = proto::modules_server::ModulesServer::new(ModulesService(door.clone()));
    let cluster = proto::cluster_server::ClusterServer::new(ClusterService(door));
    let server = Server::builder()
        .max_concurrent_streams(settings.streams_max)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESETS_MAX))
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(health)
        .add_service(reflection)
        .add_service(tasks.max_decoding_message_size(most))
        .add_service(modules.max_decoding_message_size(most))
        .add_service(cluster.max_decoding_message_size(most));
    let drained = {
        let shutdown = shutdown.clone();
        async move {
            shutdown.cancelled().await;
            reporter.set_not_serving::<proto::tasks_server::TasksServer<TasksService>>().await;
        }
    };
    let most = Most { all: settings.connections_max, of_address: settings.connections_per_address_max };
    let incoming = connections(listener, most, tls);
    let serving = server.serve_with_incoming_shutdown(incoming, drained);
    tokio::select! {
        served = serving => Ok(served?),
        () = async { shutdown.cancelled().await; tokio::time::sleep(settings.drain_timeout).await } => {
            tracing::warn!("gRPC calls were still under way at the end");
            Ok(())
        }
    }
}
