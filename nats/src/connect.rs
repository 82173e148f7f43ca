//! The connection: where, as whom, with which TLS. Reconnects by itself for ever.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tasklane_domain::error::QueueError;

use crate::api::unavailable;
use crate::pace::Pace;

/// As whom to connect.
#[derive(Debug, Clone, Default)]
pub enum Auth {
    /// Nobody in particular.
    #[default]
    None,
    /// User and password.
    UserPassword(String, String),
    /// A token.
    Token(String),
    /// A `.creds` file (JWT and NKey seed).
    CredentialsFile(PathBuf),
    /// An NKey seed.
    NKeySeed(String),
}

/// How to be sure of the server.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Further root certificates, PEM.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate and key, PEM.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Refuse a server without TLS.
    pub required: bool,
}

/// Where and how to connect.
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    /// `nats://host:port` of one or more servers of a cluster.
    pub urls: Vec<String>,
    /// Shown in the server's list of connections.
    pub name: String,
    /// As whom.
    pub auth: Auth,
    /// How to be sure of the server.
    pub tls: Tls,
}

/// How long the first connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait between two attempts to reconnect.
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(1);
/// Messages that may wait in one subscription.
const SUBSCRIPTION_MESSAGES_MAX: usize = 65_536;
/// How long JetStream may take to acknowledge a publish.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// Publishes that may await their acknowledgement.
const UNACKNOWLEDGED_MAX: usize = 4_096;

/// One connection; clones share it.
#[derive(Clone)]
pub struct Nats {
    pub(crate) client: async_nats::Client,
    pub(crate) jetstream: async_nats::jetstream::Context,
    /// Learned from the news that this process tells and hears, used where it dispatches.
    pub(crate) pace: Arc<Pace>,
}

impl Nats {
    /// Connects.
    ///
    /// # Errors
    /// `Unavailable` when no server answers within 5 s or refuses the credentials.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, QueueError> {
        let settings = settings(options).await?;
        let client = settings.connect(&options.urls).await.map_err(|error| unavailable("connect", error))?;
        let jetstream = async_nats::jetstream::ContextBuilder::new()
            .timeout(ACK_TIMEOUT)
            .ack_timeout(ACK_TIMEOUT)
            .max_ack_inflight(UNACKNOWLEDGED_MAX)
            .backpressure_on_inflight(true)
            .build(client.clone());
        Ok(Self { client, jetstream, pace: Arc::default() })
    }

    /// Whether the connection stands right now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    /// How often the connection was lost and made again.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed).saturating_sub(1)
    }

    /// Version of the server, if it has said.
    #[must_use]
    pub fn server_version(&self) -> Option<String> {
        self.client.try_server_info().map(|info| info.version)
    }

    /// Largest message that the server takes, in bytes.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.client.max_payload()
    }
}

async fn settings(options: &ConnectOptions) -> Result<async_nats::ConnectOptions, QueueError> {
    let mut settings = async_nats::ConnectOptions::new()
        .name(&options.name)
        .connection_timeout(CONNECT_TIMEOUT)
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| {
            let tenths = u64::try_from(attempts).unwrap_or(u64::MAX).min(10);
            Duration::from_millis(tenths * 100).min(RECONNECT_DELAY_MAX)
        })
        .subscription_capacity(SUBSCRIPTION_MESSAGES_MAX)
        .event_callback(|event| async move { tracing::info!(%event, "nats") });
    settings = match &options.auth {
        Auth::None => settings,
        Auth::UserPassword(user, password) => settings.user_and_password(user.clone(), password.clone()),
        Auth::Token(token) => settings.token(token.clone()),
        Auth::NKeySeed(seed) => settings.nkey(seed.clone()),
        Auth::CredentialsFile(path) => {
            settings.credentials_file(path).await.map_err(|error| unavailable("read the credentials file", error))?
        }
    };
    if let Some(ca) = &options.tls.ca_file {
        settings = settings.add_root_certificates(ca.clone());
    }
    if let Some((certificate, key)) = &options.tls.client {
        settings = settings.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(settings.require_tls(options.tls.required))
}
