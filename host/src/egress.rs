//! The way out for guests: HTTP, within what the manifest asks for and the operator lets through.
//!
//! One [`Gateway`] for each host, made by [`crate::host`]; each attempt asks through [`crate::sandbox::outgoing`]. Guarantees: a name is
//! resolved once for each request, all its addresses are judged, and the connection goes to one of those, with the name in SNI and Host;
//! redirects are answers, never followed; there is no proxy, no cookie, no connection kept for another request; connecting, waiting and
//! bodies are bounded; the network is read and written by futures on the host's own threads, which end when the guest lets go of the
//! request or its attempt ends. It does not judge scheme, host, port and method: that was done before, in [`crate::sandbox::outgoing`].

mod body;
mod connect;
mod dns;
mod exchange;
mod metrics;
mod seat;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tasklane_domain::egress::Policy;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::RequestOptions;

pub(crate) use exchange::{Answered, Exchange, refuse, too_long_a_request};
pub(crate) use metrics::{EgressMetrics, Refused};
pub(crate) use seat::{Open, Seat};

/// Who knows the addresses of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameServer {
    /// What this machine uses: `/etc/hosts`, `/etc/resolv.conf`.
    System,
    /// A DNS server, asked over UDP, and over TCP for long answers.
    At(SocketAddr),
}

/// How long a request waits for what, where the guest says nothing else. The attempt's own time comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EgressTimeouts {
    /// For its turn, the name, the connection and TLS, together. Default 10 s.
    pub connect: Duration,
    /// For the head of the answer. Default 60 s.
    pub first_byte: Duration,
    /// For each next piece of the answer's body. Default 60 s.
    pub between_bytes: Duration,
}

impl Default for EgressTimeouts {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self { connect: Duration::from_secs(10), first_byte: minute, between_bytes: minute }
    }
}

impl EgressTimeouts {
    /// These as the guest wants them, and none beyond the end of its attempt.
    fn of_request(self, options: Option<RequestOptions>, until: Instant) -> Self {
        let options = options.unwrap_or_default();
        let left = until.saturating_duration_since(Instant::now());
        let pick = |wish: Option<Duration>, default: Duration| wish.unwrap_or(default).min(left);
        Self {
            connect: pick(options.connect_timeout, self.connect),
            first_byte: pick(options.first_byte_timeout, self.first_byte),
            between_bytes: pick(options.between_bytes_timeout, self.between_bytes),
        }
    }
}

/// What can be set about the way out.
#[derive(Debug, Clone)]
pub struct EgressSettings {
    /// What guests may call at all, and which networks beside public ones. Default: every public place; manifests choose from that.
    pub policy: Policy,
    /// Who resolves names. Default: the system.
    pub name_server: NameServer,
    /// Root certificates in PEM instead of those of Mozilla that are built in.
    pub ca_file: Option<PathBuf>,
    /// How long a request waits.
    pub timeouts: EgressTimeouts,
    /// Requests that one attempt may have open at once. 1 to 256, default 8.
    pub concurrent_max: u32,
    /// Connections that a host may have open at once; a request waits for its turn within its time to connect. 1 to 65,536,
    /// default 1,024.
    pub connections_max: u32,
}

impl Default for EgressSettings {
    fn default() -> Self {
        Self {
            policy: Policy::guests(Vec::new()),
            name_server: NameServer::System,
            ca_file: None,
            timeouts: EgressTimeouts::default(),
            concurrent_max: 8,
            connections_max: 1_024,
        }
    }
}

/// Why there is no way out.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The file with root certificates cannot be read, or holds none.
    #[error("the root certificates in {file} cannot be used: {why}; the setting `egress_ca_file` must name a PEM file")]
    Roots {
        /// Which.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("TLS for guests' requests cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The metrics cannot be made.
    #[error("the metrics of guests' requests cannot be made")]
    Metrics(#[source] prometheus::Error),
}

/// The way out of one host.
pub(crate) struct Gateway {
    pub(crate) settings: EgressSettings,
    pub(crate) metrics: EgressMetrics,
    tls: TlsConnector,
    connections: Arc<Semaphore>,
    /// The threads for the network; without them those of whoever asks.
    io: Option<Handle>,
}

impl Gateway {
    /// Made on the threads that are for the network.
    pub(crate) fn new(settings: EgressSettings) -> Result<Arc<Self>, EgressError> {
        let tls = tls::connector(settings.ca_file.as_deref())?;
        let metrics = EgressMetrics::new().map_err(EgressError::Metrics)?;
        let connections = Arc::new(Semaphore::new(usize::try_from(settings.connections_max).unwrap_or(usize::MAX)));
        Ok(Arc::new(Self { settings, metrics, tls, connections, io: Handle::try_current().ok() }))
    }

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        match &self.io {
            Some(io) => io.spawn(future),
            None => tokio::spawn(future),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_longer_than_the_attempts() {
        let (short, long) = (Duration::from_millis(1), Duration::from_secs(3_600));
        let wish = RequestOptions {
            connect_timeout: Some(short),
            first_byte_timeout: Some(long),
            between_bytes_timeout: None,
        };
        let until = Instant::now() + Duration::from_secs(50);
        let times = EgressTimeouts::default().of_request(Some(wish), until);
        assert_eq!(times.connect, short);
        assert!(times.first_byte <= Duration::from_secs(50) && times.between_bytes <= Duration::from_secs(50));
        let over = EgressTimeouts::default().of_request(None, Instant::now());
        assert_eq!((over.connect, over.first_byte), (Duration::ZERO, Duration::ZERO));
    }
}
