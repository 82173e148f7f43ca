//! What can go wrong at a port, classified for the caller. No driver's type crosses these.

use crate::blob::{BlobDigest, BlobFault};
use crate::cluster::Term;
use crate::id::TaskId;
use crate::name::{ModuleName, ModuleVersion};
use crate::state::StateKind;

/// The driver's error behind a port error.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be reached or is too busy; trying again may help.
    #[error("the database did not answer")]
    Unavailable(#[source] Source),
    /// The database answered something that cannot be true.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
    /// The schema was written by a newer Tasklane.
    #[error(
        "the database schema is at version {found}, but this Tasklane knows only up to {known}: use a newer Tasklane"
    )]
    SchemaTooNew {
        /// In the database.
        found: i64,
        /// In this binary.
        known: i64,
    },
    /// A newer leader has committed: this one must stop.
    #[error("term {held} is over: {highest} has begun")]
    StaleTerm {
        /// The caller's.
        held: Term,
        /// The database's.
        highest: Term,
    },
    /// The idempotency key was used before for another body.
    #[error("idempotency key `{key}` was used before with another body, for task {first}")]
    IdempotencyConflict {
        /// The key.
        key: String,
        /// The task of its first use.
        first: TaskId,
    },
    /// Other bytes or another manifest are deployed under this name and version.
    #[error("module {name} {version} is already deployed with other content")]
    ModuleConflict {
        /// The module.
        name: ModuleName,
        /// The version.
        version: ModuleVersion,
    },
    /// The version had other bytes before it was removed.
    #[error(
        "{name}@{version} was removed, and its number stays that of its bytes: deploy others under another version"
    )]
    VersionRemoved {
        /// The module.
        name: ModuleName,
        /// The version.
        version: ModuleVersion,
    },
    /// The task has ended.
    #[error("task {id} has already ended as {state}")]
    AlreadyEnded {
        /// The task.
        id: TaskId,
        /// How.
        state: StateKind,
    },
    /// No such task.
    #[error("there is no task {0}")]
    TaskNotFound(TaskId),
    /// A task waits for one that does not exist.
    #[error("there is no task {0} to wait for")]
    DependencyNotFound(TaskId),
    /// The state machine does not allow it.
    #[error("task {id}: {why}")]
    NotAllowed {
        /// The task.
        id: TaskId,
        /// Why not.
        why: crate::state::TransitionError,
    },
    /// A schedule of this name is there.
    #[error("there is a schedule `{0}` already")]
    ScheduleExists(crate::name::ScheduleName),
    /// The cluster has as many schedules as it may have.
    #[error("there are {0} schedules already, which is the limit")]
    SchedulesFull(u32),
    /// It was kept as long as the rules of retention say.
    #[error("the {kind} of task {id} was removed: it was kept as long as the rules of retention say")]
    Removed {
        /// The task.
        id: TaskId,
        /// What of it.
        kind: crate::retention::Kind,
    },
    /// A payload binds to a result that was removed.
    #[error("the payload binds to the result of task {0}, which was removed by the rules of retention")]
    BoundResultRemoved(TaskId),
    /// The cluster has as many tokens as it may have.
    #[error("there are {0} tokens already that open something, which is the limit")]
    TokensFull(u32),
    /// The cluster has as many rules of retention as it may have.
    #[error("there are {0} rules of retention already, which is the limit")]
    RulesFull(u32),
    /// The cluster has as many flow control rules as it may have.
    #[error("there are {0} rules of queues and modules already, which is the limit")]
    FlowRulesFull(u32),
    /// A webhook of this name is there.
    #[error("there is a webhook `{0}` already")]
    WebhookExists(crate::name::WebhookName),
    /// The cluster has as many webhooks as it may have.
    #[error("there are {0} webhooks already, which is the limit")]
    WebhooksFull(u32),
    /// The module has no such version.
    #[error("module {module} has no version {version}")]
    VersionNotFound {
        /// The module.
        module: ModuleName,
        /// The version.
        version: ModuleVersion,
    },
    /// The module has no such alias.
    #[error("module {module} has no alias `{alias}`")]
    AliasNotFound {
        /// The module.
        module: ModuleName,
        /// The alias.
        alias: crate::name::AliasName,
    },
    /// The alias never led elsewhere.
    #[error("alias `{alias}` of module {module} has led nowhere else before")]
    NothingBefore {
        /// The module.
        module: ModuleName,
        /// The alias.
        alias: crate::name::AliasName,
    },
    /// The module has as many aliases as it may have.
    #[error("the module has {0} aliases already, which is the limit")]
    AliasesFull(u32),
    /// The task that enqueues has ended.
    #[error("task {0} has ended and can enqueue no more tasks")]
    ParentEnded(TaskId),
    /// An upload did not become a blob.
    #[error(transparent)]
    BlobRefused(BlobFault),
    /// No such blob, or no longer.
    #[error("there is no blob {0}")]
    BlobNotFound(BlobDigest),
    /// A write to a store of keys and values was refused.
    #[error(transparent)]
    KvRefused(crate::kv::KvFault),
    /// The namespace has as many secrets as it may have.
    #[error("there are {0} secrets already, which is the limit")]
    SecretsFull(u32),
    /// A task would run a module of another namespace than its own.
    #[error(transparent)]
    NamespaceCrossed(#[from] crate::name::Crossed),
    /// It would be more than the namespace may have.
    #[error(transparent)]
    NamespaceQuota(#[from] crate::namespace::Exceeded),
    /// As many namespaces have quotas as may have some.
    #[error("{0} namespaces have quotas already, which is the limit")]
    NamespacesFull(u32),
    /// A task, or the tree that it belongs to, has enqueued too much.
    #[error("{what} may have at most {max} tasks below it")]
    Quota {
        /// What is full: the task, or its whole tree.
        what: &'static str,
        /// The limit.
        max: u64,
    },
}

/// Why the queue (NATS) did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// NATS cannot be reached, or has no leader for the stream; trying again may help.
    #[error("NATS did not answer: {context}")]
    Unavailable {
        /// What was tried.
        context: &'static str,
        /// Why it failed.
        #[source]
        source: Source,
    },
    /// A message cannot be read: it was written by something else.
    #[error("a message cannot be read: {0}")]
    Corrupt(String),
    /// The message is larger than the NATS server takes.
    #[error("a message of {bytes} bytes is over the NATS server's limit of {max}")]
    TooLarge {
        /// Size of the message.
        bytes: usize,
        /// `max_payload` of the server.
        max: usize,
    },
    /// Somebody else holds the lease, or this one was lost.
    #[error("the lease is not held")]
    LeaseLost,
    /// Nothing is stored under that name.
    #[error("nothing is stored as `{0}`")]
    NotFound(String),
}
