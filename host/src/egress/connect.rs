//! From a place that may be called to a connection: its turn, its addresses, TCP, TLS.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use rustls::pki_types::ServerName;
use tasklane_domain::egress::{Host, Refusal, Scheme, Target};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout_at;
use wasmtime_wasi_http::Error;

use super::{Gateway, dns, tls};

/// A connection, with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum NotConnected {
    /// Its address is not for guests.
    Refused(Refusal),
    /// It could not be had.
    Failed(Error),
}

impl From<Error> for NotConnected {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Gateway {
    /// One of the host's connections. Waiting for it is part of the time to connect.
    pub(super) async fn turn(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Error> {
        let turn = timeout_at(deadline.into(), self.connections.clone().acquire_owned()).await;
        turn.map_err(|_| Error::ConnectionLimitReached)?.map_err(|_| Error::ConnectionLimitReached)
    }

    /// Connects to an address that was judged.
    pub(super) async fn connect(&self, target: &Target, deadline: Instant) -> Result<Box<dyn Stream>, NotConnected> {
        let connecting = self.connect_in_time(target, deadline);
        let connected = timeout_at(deadline.into(), connecting).await;
        connected.unwrap_or(Err(NotConnected::Failed(Error::ConnectionTimeout)))
    }

    async fn connect_in_time(&self, target: &Target, deadline: Instant) -> Result<Box<dyn Stream>, NotConnected> {
        let addresses = self.addresses(target).await?;
        let tcp = reach(&addresses, target.port(), deadline).await?;
        if target.scheme() == Scheme::Http {
            return Ok(Box::new(tcp));
        }
        let name = server_name(target.host())?;
        let tls = self.tls.connect(name, tcp).await.map_err(|error| tls::failure(&error))?;
        Ok(Box::new(tls))
    }

    /// Every address of the target, each of them judged.
    async fn addresses(&self, target: &Target) -> Result<Vec<IpAddr>, NotConnected> {
        let policy = &self.settings.policy;
        match target.host() {
            Host::Address(address) => {
                policy.check_address(*address).map_err(NotConnected::Refused)?;
                Ok(vec![*address])
            }
            Host::Name(name) => {
                let found = dns::resolve(self.settings.name_server, name).await?;
                policy.all_checked(name, &found).map_err(|refusal| match refusal {
                    Refusal::NoAddress(_) => NotConnected::Failed(dns::failure("no address")),
                    refusal => NotConnected::Refused(refusal),
                })
            }
        }
    }
}

/// The first address that answers; each has its share of the time that is left.
async fn reach(addresses: &[IpAddr], port: u16, deadline: Instant) -> Result<TcpStream, Error> {
    let mut last = Error::DestinationUnavailable;
    for (at, address) in addresses.iter().enumerate() {
        let waiting = u32::try_from(addresses.len().saturating_sub(at)).unwrap_or(u32::MAX).max(1);
        let share = deadline.saturating_duration_since(Instant::now()) / waiting;
        match tokio::time::timeout(share, TcpStream::connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(stream)) => {
                // Requests are small and wait for answers. Without it they are merely slower.
                drop(stream.set_nodelay(true));
                return Ok(stream);
            }
            Ok(Err(error)) => last = unreachable(&error),
            Err(_) => last = Error::ConnectionTimeout,
        }
    }
    Err(last)
}

fn unreachable(error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        std::io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => Error::DestinationIpUnroutable,
        _ => Error::DestinationUnavailable,
    }
}

fn server_name(host: &Host) -> Result<ServerName<'static>, Error> {
    match host {
        Host::Address(address) => Ok(ServerName::from(*address)),
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid),
    }
}
