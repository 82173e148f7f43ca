//! Connections of gRPC: accepted while there are places, with TLS where that is set.
//!
//! Used by [`crate::serve`]. Guarantees: an accept or a handshake that fails ends no other connection, and a handshake that takes its time
//! holds none up; each connection keeps its place until it is
//! closed; an address has so many at most.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Stream, StreamExt};
use tasklane_domain::{Addresses, OfAddress};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// What shakes hands with the next connection: asked for each, so that a certificate that was read anew is used at once.
pub type Acceptor = Arc<dyn Fn() -> TlsAcceptor + Send + Sync>;

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that wait to be served.
const READY_MAX: usize = 64;
/// Wait after an accept that failed, for example because no file descriptor was left.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Where a call comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection and its place.
pub(crate) struct Connection {
    stream: Box<dyn Duplex>,
    peer: SocketAddr,
    place: Place,
}

/// Its place among all, and among those of its address, until it is closed.
struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_address: OfAddress,
}

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) all: usize,
    pub(crate) of_address: usize,
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        Peer(self.peer)
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// One connection after the other, until it is dropped.
pub(crate) fn connections(
    listener: TcpListener,
    most: Most,
    tls: Option<Acceptor>,
) -> impl Stream<Item = io::Result<Connection>> {
    let (ready, taken) = mpsc::channel(READY_MAX);
    let places = Places { all: Arc::new(Semaphore::new(most.all)), addresses: Addresses::default(), most };
    tokio::spawn(accept_all(listener, places, tls, ready));
    ReceiverStream::new(taken).map(Ok)
}

struct Places {
    all: Arc<Semaphore>,
    addresses: Addresses,
    most: Most,
}

async fn accept_all(listener: TcpListener, places: Places, tls: Option<Acceptor>, ready: mpsc::Sender<Connection>) {
    loop {
        let accepted = tokio::select! {
            () = ready.closed() => return,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some(connection) = accepted else { continue };
        match &tls {
            Some(acceptor) => drop(tokio::spawn(shake_hands(acceptor(), connection, ready.clone()))),
            None if ready.send(connection).await.is_err() => return,
            None => {}
        }
    }
}

/// The next one, unless its address has as many as it may have: then it is closed.
async fn accept(listener: &TcpListener, places: &Places) -> Option<Connection> {
    let of_all = places.all.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            let of_address = places.addresses.enter(peer.ip().to_canonical(), places.most.of_address)?;
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection went away at once");
            }
            let place = Place { _of_all: of_all, _of_address: of_address };
            Some(Connection { stream: Box::new(stream), peer, place })
        }
        Err(error) => {
            tracing::warn!(%error, "a gRPC connection could not be accepted");
            tokio::time::sleep(ERROR_PAUSE).await;
            None
        }
    }
}

async fn shake_hands(acceptor: TlsAcceptor, connection: Connection, ready: mpsc::Sender<Connection>) {
    let Connection { stream, peer, place } = connection;
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        // Nobody takes it when the end was asked for: it is closed.
        Ok(Ok(stream)) => drop(ready.send(Connection { stream: Box::new(stream), peer, place }).await),
        Ok(Err(error)) => tracing::debug!(%error, %peer, "a handshake of gRPC failed"),
        Err(_) => tracing::debug!(%peer, "a handshake of gRPC took too long"),
    }
}
