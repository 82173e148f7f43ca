//! gRPC: the same as REST, for programs that prefer it.
//!
//! Started by `taskctl`'s API roles beside [`axum::Router`] of `tasklane-api`. Each call becomes a request to that router, in this process:
//! what is checked, who may do it, what is written down and which codes are answered is decided there, once, for both. Guarantees: a
//! task is acknowledged only after its commit; messages, streams, headers and connections are bounded. It holds nothing that a
//! restart would lose. What it costs: one JSON document each way, a few microseconds (docs/grpc.md).

mod cluster;
mod connection;
mod door;
mod modules;
mod serve;
mod status;
mod submit;
mod tasks;
mod view;

pub use connection::Acceptor;
pub use serve::{GrpcSettings, serve};

/// What `proto/` says.
#[expect(
    unreachable_pub,
    clippy::doc_markdown,
    clippy::too_many_lines,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated; the documents are in proto/"
)]
mod proto {
    tonic::include_proto!("tasklane.v1");

    /// For reflection.
    pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tasklane.bin"));
}
