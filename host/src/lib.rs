//! The data plane: receives work, runs each attempt in a fresh sandbox, reports what it came to.
//!
//! Started by `taskctl serve host` as a process of its own that needs NATS and nothing else. The verbs are files: `receive`,
//! `run`, `report`. Guarantees: every attempt gets a new store and instance with its own fuel, time and memory; a guest cannot
//! delay heartbeats or acknowledgements, which have another runtime; work is acknowledged only after its report is; the host
//! may be killed at any point. It never sees SQL.

mod blobs;
mod board;
mod fit;
mod heartbeat;
mod host;
pub mod inspect;
mod levels;
pub mod local;
mod metrics;
mod modules;
mod receive;
mod report;
mod run;
mod sandbox;
mod settings;

pub use host::{Host, HostError, HostPorts};
pub use modules::compile::child_main;
pub use settings::{CompilerCommand, HostSettings};
