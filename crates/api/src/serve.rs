//! The accept loop: caps on connections, of all and of one address; time limits for headers, handshakes and what a client does not
//! read; TLS; an orderly end.
//!
//! Ours rather than `axum::serve`, which sets no header timeout: a client that sends one byte a second would keep its connection
//! for ever.

mod tls;

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tasklane_domain::Addresses;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

pub use tls::{Tls, TlsError, TlsFiles};

/// How connections are served.
#[derive(Debug, Clone, Copy)]
pub struct ServeSettings {
    /// How long a request's headers may take. Default 10 s.
    pub header_timeout: Duration,
    /// How long a JSON body may take to arrive. Default 30 s.
    pub body_timeout: Duration,
    /// How long an upload may take to arrive. Default 10 min.
    pub upload_timeout: Duration,
    /// Connections at once; more wait to be accepted. Default 10,000.
    pub connections_max: usize,
    /// Connections at once of one address; more are closed at once. Default 5,000.
    pub connections_per_address_max: usize,
    /// How long a client may take nothing of what is sent to it. Default 30 s.
    pub write_timeout: Duration,
    /// How long requests under way may take after a stop was asked for. Default 10 s.
    pub drain_timeout: Duration,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            upload_timeout: Duration::from_secs(600),
            connections_max: 10_000,
            connections_per_address_max: 5_000,
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Bytes of one connection's read buffer, which bounds a request's headers too.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// Wait after an accept that failed, for example because no file descriptor was left.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// What every connection is served with.
#[derive(Clone)]
struct Serving {
    router: Router,
    settings: ServeSettings,
    tls: Option<Arc<Tls>>,
    ending: CancellationToken,
}

pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    settings: ServeSettings,
    tls: Option<Arc<Tls>>,
    shutdown: CancellationToken,
) {
    let connections = TaskTracker::new();
    let serving = Serving { router, settings, tls: tls.clone(), ending: shutdown.clone() };
    let watch = async {
        match &tls {
            Some(tls) => tls.watch().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = accept_all(&listener, &serving, &connections) => {}
        () = watch => {}
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(settings.drain_timeout, connections.wait()).await.is_err() {
        tracing::warn!("requests were still under way at the end");
    }
}

/// Until the end is asked for.
async fn accept_all(listener: &TcpListener, serving: &Serving, connections: &TaskTracker) {
    let places = Arc::new(Semaphore::new(serving.settings.connections_max));
    let addresses = Addresses::default();
    loop {
        let accepted = tokio::select! {
            () = serving.ending.cancelled() => return,
            accepted = accept(listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let most = serving.settings.connections_per_address_max;
        let Some(of_address) = addresses.enter(peer.ip().to_canonical(), most) else {
            tracing::debug!(%peer, "the address has as many connections as it may have");
            continue;
        };
        let serving = serving.clone();
        connections.spawn(async move {
            serving.connection(stream, peer).await;
            drop((place, of_address));
        });
    }
}

impl Serving {
    async fn connection(self, stream: TcpStream, peer: SocketAddr) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection went away at once");
        }
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.settings.write_timeout));
        let stream: Pin<Box<TimeoutStream<TcpStream>>> = Box::pin(stream);
        let Some(tls) = self.tls.clone() else { return self.http(stream, peer).await };
        match tokio::time::timeout(self.settings.header_timeout, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => self.http(stream, peer).await,
            Ok(Err(error)) => tracing::debug!(%error, %peer, "a handshake failed"),
            Err(_) => tracing::debug!(%peer, "a handshake took too long"),
        }
    }

    async fn http(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: SocketAddr) {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.settings.header_timeout)
            .max_buf_size(BUFFER_BYTES_MAX)
            .max_headers(HEADERS_MAX);
        let service = self.router.map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        });
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.ending.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ERROR_PAUSE).await;
            None
        }
    }
}
