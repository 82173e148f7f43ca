//! The words and rules of Tasklane: ids, states, limits, retry, outcomes and the ports that adapters implement.
//!
//! Every other crate depends on this one; it depends on no driver (no SQL, no NATS, no wasmtime, no HTTP)
//! and does no I/O. State changes are pure functions here; adapters only compare-and-set what they decide.
#![deny(clippy::wildcard_enum_match_arm)]

pub mod access;
mod addresses;
pub mod assets;
pub mod binding;
pub mod blob;
pub mod call;
pub mod children;
pub mod cluster;
pub mod compiled;
pub mod dependence;
pub mod duration;
pub mod egress;
pub mod error;
pub mod flow;
pub mod id;
pub mod kv;
pub mod limits;
pub mod live_log;
pub mod log;
pub mod module;
pub mod name;
pub mod namespace;
pub mod operation;
pub mod outcome;
pub mod payload;
pub mod permission;
pub mod ports;
pub mod priority;
pub mod quarantine;
pub mod query;
pub mod release;
pub mod replay;
pub mod retention;
pub mod retry;
pub mod schedule;
pub mod schema;
pub mod secret;
pub mod settle;
pub mod state;
pub mod task;
pub mod time;
pub mod webhook;
pub mod work;

pub use addresses::{Addresses, OfAddress};
pub use blob::{BlobDigest, BlobRef};
pub use cluster::{HostInfo, HostOrder, HostStatus, HostWish, Lane, Lease, Term};
pub use id::{Attempt, BatchId, DeliveryId, HostId, ModuleDigest, OperationId, TaskId};
pub use limits::{Limits, LimitsPatch, LimitsPolicy};
pub use module::{Manifest, ModuleKind, ModuleRecord, ModuleRef};
pub use name::{
    AliasName, Labels, ModuleName, ModuleVersion, Namespace, QueueName, ScheduleName, SecretName, StoreName, TaskName,
    TokenName, WebhookName,
};
pub use outcome::{Outcome, OutcomeKind, Usage};
pub use payload::{Payload, PayloadKind};
pub use priority::Priority;
pub use retry::{RetryPatch, RetryPolicy};
pub use state::{StateKind, TaskState};
pub use task::{NewTask, Task};
pub use time::{Clock, SystemClock, Timestamp};
pub use work::{Delivery, Report, ReportBody, WorkOrder};
