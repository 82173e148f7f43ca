//! The database behind the ports: SQLite and PostgreSQL, one conformance suite for both.
//!
//! Opened by `taskctl`'s API and scheduler roles; hosts never see it. Guarantees: a write is answered only after its commit is on
//! disk (SQLite: WAL with `synchronous=FULL`); writes that wait while one commits share the next transaction; every change of a
//! task is a compare-and-set decided by `domain`. The rooms in `shared/` are compiled once for each database, with
//! `super::Db` naming it: the statements are the same but for a few casts. No sqlx type leaves this crate.
#![expect(clippy::duplicate_mod, reason = "the rooms in shared/ are compiled once for each database, on purpose")]

mod commits;
mod error;
mod look;
mod ops;
mod postgres;
mod queues;
mod sqlite;
mod stretch;
mod writer;

pub use look::{DatabaseLook, look};

use std::sync::Arc;

use tasklane_domain::access::{AuditStore, TokenStore};
use tasklane_domain::blob::BlobStore;
use tasklane_domain::error::StoreError;
use tasklane_domain::flow::FlowStore;
use tasklane_domain::kv::KeyValueStore;
use tasklane_domain::namespace::NamespaceStore;
use tasklane_domain::operation::OperationStore;
use tasklane_domain::ports::{LeaderStore, ModuleStore, TaskStore};
use tasklane_domain::quarantine::QuarantineStore;
use tasklane_domain::release::ReleaseStore;
use tasklane_domain::retention::RetentionStore;
use tasklane_domain::schedule::ScheduleStore;
use tasklane_domain::secret::SecretStore;
use tasklane_domain::webhook::WebhookStore;

use commits::Commits;

/// One open database, as the ports that it implements.
#[derive(Clone)]
pub struct Stores {
    /// The task rows.
    pub tasks: Arc<dyn TaskStore>,
    /// The deployed modules.
    pub modules: Arc<dyn ModuleStore>,
    /// Aliases of modules, and versions that are switched off or removed.
    pub releases: Arc<dyn ReleaseStore>,
    /// Modules that hosts died of.
    pub quarantine: Arc<dyn QuarantineStore>,
    /// Leader-only transactions.
    pub leader: Arc<dyn LeaderStore>,
    /// Bulk operations.
    pub operations: Arc<dyn OperationStore>,
    /// Recurring schedules.
    pub schedules: Arc<dyn ScheduleStore>,
    /// Retention rules, and removal.
    pub retention: Arc<dyn RetentionStore>,
    /// Flow control.
    pub flow: Arc<dyn FlowStore>,
    /// Large payloads and results.
    pub blobs: Arc<dyn BlobStore>,
    /// Webhooks.
    pub webhooks: Arc<dyn WebhookStore>,
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
    commits: Commits,
}

impl Stores {
    /// Transactions committed by this process so far: many writes share one.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.count()
    }

    /// Registers what is counted of write transactions: `tasklane_commit_*`.
    ///
    /// # Errors
    /// When metrics of these names are registered already.
    pub fn register_metrics(&self, registry: &prometheus::Registry) -> prometheus::Result<()> {
        self.commits.register(registry)
    }
}

/// Opens `sqlite://PATH` (created if missing) or `postgres://…`, and migrates it.
///
/// # Errors
/// `Unavailable` when it cannot be opened, `SchemaTooNew` when a newer Tasklane has migrated it.
pub async fn open(url: &str) -> Result<Stores, StoreError> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        return sqlite::open(path).await;
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return postgres::open(url).await;
    }
    Err(StoreError::Unavailable("the database URL must start with sqlite:// or postgres://".into()))
}

fn stores<S>(store: S, commits: Commits) -> Stores
where
    S: TaskStore
        + ModuleStore
        + LeaderStore
        + ReleaseStore
        + QuarantineStore
        + OperationStore
        + ScheduleStore
        + FlowStore
        + RetentionStore
        + WebhookStore
        + KeyValueStore
        + SecretStore
        + NamespaceStore
        + TokenStore
        + AuditStore
        + BlobStore,
{
    let store = Arc::new(store);
    Stores {
        tasks: store.clone(),
        modules: store.clone(),
        releases: store.clone(),
        quarantine: store.clone(),
        leader: store.clone(),
        operations: store.clone(),
        schedules: store.clone(),
        flow: store.clone(),
        retention: store.clone(),
        webhooks: store.clone(),
        kv: store.clone(),
        secrets: store.clone(),
        namespaces: store.clone(),
        tokens: store.clone(),
        audit: store.clone(),
        blobs: store,
        commits,
    }
}
