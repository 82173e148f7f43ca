//! What every request sees.

use std::sync::Arc;
use std::time::Duration;

use tasklane_domain::access::{AuditStore, TokenStore};
use tasklane_domain::blob::{BLOB_BYTES_DEFAULT, BlobCache, BlobStore};
use tasklane_domain::call::CallSource;
use tasklane_domain::children::EnqueueSource;
use tasklane_domain::egress::Policy;
use tasklane_domain::flow::FlowStore;
use tasklane_domain::kv::{KeyValueStore, KvLimits};
use tasklane_domain::namespace::NamespaceStore;
use tasklane_domain::operation::OperationStore;
use tasklane_domain::ports::{
    Control, Dispatcher, HostRegistry, LeaseStore, ModuleCache, ModuleInspector, ModuleStore, TaskStore,
};
use tasklane_domain::quarantine::{DeathSource, QuarantineStore};
use tasklane_domain::release::ReleaseStore;
use tasklane_domain::retention::{KeepTimes, RetentionStore};
use tasklane_domain::schedule::ScheduleStore;
use tasklane_domain::secret::SecretStore;
use tasklane_domain::webhook::WebhookStore;
use tasklane_domain::{Clock, LimitsPolicy};
use tasklane_metrics::Registry;
use tasklane_seal::KeyRing;
use tasklane_trace::Tracing;
use tokio::sync::Semaphore;

use crate::access::{Access, AccessSettings, Principal};
use crate::background::DispatchQueue;
use crate::blobs::UPLOADS_AT_ONCE_MAX;
use crate::conditional::Changes;
use crate::counts::Counts;
use crate::feed::Feed;
use crate::machine::{Findings, Machine};
use crate::metrics::Metrics;
use crate::modules::ModuleBook;
use crate::schemas::SchemaBook;
use crate::serve::{ServeSettings, Tls};
use crate::waiters::Waiters;

/// What can be set about an API process.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Largest request body but a module, in bytes. Default 16 MiB.
    pub body_bytes_max: usize,
    /// Largest payload that is kept in its row and travels in its order, in bytes; never more than NATS takes. Default 768 KiB.
    pub payload_bytes_max: usize,
    /// Largest payload of all, kept by reference, in bytes; 0: none. Default 64 MiB.
    pub blob_bytes_max: u64,
    /// Largest module, in bytes. Default 32 MiB.
    pub module_bytes_max: usize,
    /// Longest `?wait`. Default 60 s.
    pub wait_max: Duration,
    /// How long an idempotency key is remembered. Default 24 h.
    pub idempotency_ttl: Duration,
    /// How long ended tasks stay where no rule says otherwise, to show. Default: [`KeepTimes::default`].
    pub keep: KeepTimes,
    /// Defaults and maxima of limits.
    pub limits: LimitsPolicy,
    /// What webhooks may call. Default: HTTPS to public places.
    pub egress: Policy,
    /// What a store of keys and values may hold. Default: [`KvLimits::default`].
    pub kv: KvLimits,
    /// What seals secrets. Default: nothing, so that none can be set.
    pub secret_keys: KeyRing,
    /// Who is let in. Default: who shows a token.
    pub access: AccessSettings,
    /// Spans of submits. Default: off.
    pub tracing: Tracing,
    /// How connections are served.
    pub serve: ServeSettings,
    /// Certificates. Default: none, plain HTTP.
    pub tls: Option<Arc<Tls>>,
    /// Version shown to clients.
    pub version: String,
    /// The program around it. Default: one that says nothing of itself.
    pub machine: Machine,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            body_bytes_max: 16 * 1024 * 1024,
            payload_bytes_max: 768 * 1024,
            blob_bytes_max: BLOB_BYTES_DEFAULT,
            module_bytes_max: 32 * 1024 * 1024,
            wait_max: Duration::from_secs(60),
            idempotency_ttl: Duration::from_secs(24 * 60 * 60),
            keep: KeepTimes::default(),
            limits: LimitsPolicy::default(),
            egress: Policy::default(),
            kv: KvLimits::default(),
            secret_keys: KeyRing::default(),
            access: AccessSettings::default(),
            tracing: Tracing::default(),
            serve: ServeSettings::default(),
            tls: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: Machine::default(),
        }
    }
}

/// What an API process needs of the world.
#[derive(Clone)]
pub struct ApiPorts {
    /// The rows.
    pub tasks: Arc<dyn TaskStore>,
    /// Bulk operations.
    pub operations: Arc<dyn OperationStore>,
    /// Recurring schedules.
    pub schedules: Arc<dyn ScheduleStore>,
    /// Rules of retention.
    pub retention: Arc<dyn RetentionStore>,
    /// Flow control.
    pub flow: Arc<dyn FlowStore>,
    /// Large payloads and results.
    pub blobs: Arc<dyn BlobStore>,
    /// Large payloads for hosts.
    pub blob_cache: Arc<dyn BlobCache>,
    /// Webhooks.
    pub webhooks: Arc<dyn WebhookStore>,
    /// The modules.
    pub modules: Arc<dyn ModuleStore>,
    /// Their aliases, switches and removal.
    pub releases: Arc<dyn ReleaseStore>,
    /// Modules that hosts died of.
    pub quarantine: Arc<dyn QuarantineStore>,
    /// What hosts tell of deaths.
    pub deaths: Arc<dyn DeathSource>,
    /// The way to the hosts.
    pub dispatcher: Arc<dyn Dispatcher>,
    /// Modules for hosts.
    pub cache: Arc<dyn ModuleCache>,
    /// Living hosts.
    pub hosts: Arc<dyn HostRegistry>,
    /// The leadership key, to show.
    pub leases: Arc<dyn LeaseStore>,
    /// News, nudges and cancels.
    pub control: Arc<dyn Control>,
    /// Keys and values of guests.
    pub kv: Arc<dyn KeyValueStore>,
    /// Sealed secrets.
    pub secrets: Arc<dyn SecretStore>,
    /// Quotas of namespaces.
    pub namespaces: Arc<dyn NamespaceStore>,
    /// API tokens.
    pub tokens: Arc<dyn TokenStore>,
    /// Who did what.
    pub audit: Arc<dyn AuditStore>,
    /// What guests ask while they run.
    pub calls: Arc<dyn CallSource>,
    /// What guests enqueue.
    pub enqueued: Arc<dyn EnqueueSource>,
    /// Looks at uploads.
    pub inspector: Arc<dyn ModuleInspector>,
    /// Whether NATS is connected right now.
    pub nats_connected: Arc<dyn Fn() -> bool + Send + Sync>,
}

pub(crate) struct State {
    pub(crate) settings: ApiSettings,
    pub(crate) ports: ApiPorts,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Registry,
    pub(crate) metrics: Metrics,
    pub(crate) modules: ModuleBook,
    pub(crate) schemas: SchemaBook,
    pub(crate) waiters: Waiters,
    pub(crate) counts: Counts,
    pub(crate) feed: Arc<Feed>,
    pub(crate) findings: Findings,
    pub(crate) dispatch: DispatchQueue,
    pub(crate) access: Access,
    pub(crate) changes: Changes,
    /// Whoever asks where nobody shows a token.
    pub(crate) anonymous: Arc<Principal>,
    /// Places of uploads of blobs.
    pub(crate) uploads: Semaphore,
}

impl State {
    pub(crate) fn new(
        settings: ApiSettings,
        ports: ApiPorts,
        clock: Arc<dyn Clock>,
        registry: Registry,
        dispatch: DispatchQueue,
    ) -> Result<Self, prometheus::Error> {
        let metrics = Metrics::register(&registry)?;
        Ok(Self {
            settings,
            ports,
            clock,
            registry,
            metrics,
            modules: ModuleBook::default(),
            schemas: SchemaBook::default(),
            waiters: Waiters::default(),
            counts: Counts::default(),
            feed: Arc::default(),
            findings: Findings::default(),
            dispatch,
            access: Access::default(),
            changes: Changes::default(),
            anonymous: Arc::new(Principal::anonymous()),
            uploads: Semaphore::new(UPLOADS_AT_ONCE_MAX),
        })
    }
}
