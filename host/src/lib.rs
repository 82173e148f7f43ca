//! The data plane: receives work, runs each attempt in a fresh sandbox, reports what it came to.
//!
//! Started by `taskctl serve host` as a process of its own that needs NATS and nothing else. The verbs are files: `receive`,
//! `run`, `report`. Guarantees: every attempt gets a new store and instance with its own fuel, time and memory; a guest cannot
//! delay heartbeats or acknowledgements, which have another runtime; work is acknowledged only after its report is; the host
//! may be killed at any point. It never sees SQL.

mod assets;
mod blobs;
mod board;
mod courtesy;
mod egress;
mod fetch;
mod fit;
mod give_back;
mod heartbeat;
mod host;
mod in_flight;
pub mod inspect;
mod levels;
pub mod local;
mod long;
mod metrics;
mod modules;
mod orders;
mod patience;
mod quarantine;
mod receive;
mod report;
mod run;
mod sandbox;
mod settings;
mod spool;
mod ticks;
mod trace;
mod upload;
mod voices;

pub use egress::{EgressError, EgressSettings, EgressTimeouts, NameServer};
pub use host::{Host, HostError, HostPorts};
pub use in_flight::confirm_death;
pub use modules::compile::{ChildOrder, child_main};
pub use modules::sign::ModuleKey;
pub use settings::{CompileLimits, CompilerCommand, HostSettings};
pub use upload::{UploadSettings, Uploads};
