//! The NATS side of the ports: lanes, reports, leadership, module cache, hosts, control. The only crate that names a subject.
//!
//! Connected by `taskctl`'s role start-up; API, scheduler and host see the ports only. Guarantees: what must not be lost is
//! acknowledged by JetStream before it is answered; every stream, consumer and bucket that is missing is made anew, also while
//! running, since JetStream may be wiped. It does not hold the truth: rows in the database do.

mod api;
mod blobs;
mod calls;
mod codec;
mod compiled;
mod connect;
mod control;
mod deaths;
mod dispatch;
mod enqueue;
mod hosts;
mod keeper;
mod lease;
mod logs;
mod look;
mod modules;
mod pace;
mod reports;
pub mod server;
mod service;
mod submissions;
mod topology;
mod wire;
mod work;

pub use blobs::{NatsBlobCache, NatsResultStore};
pub use calls::NatsCalls;
pub use compiled::NatsCompiledStore;
pub use connect::{Auth, ConnectOptions, Nats, Tls};
pub use control::NatsControl;
pub use deaths::NatsDeaths;
pub use dispatch::NatsDispatcher;
pub use hosts::NatsHostRegistry;
pub use keeper::NatsKeeper;
pub use lease::NatsLeaseStore;
pub use look::JetStreamLook;
pub use modules::NatsModuleCache;
pub use reports::{NatsReportSink, NatsReportSource};
pub use service::{RouteAnswer, RouteRequest, Routes};
pub use topology::Topology;
pub use work::NatsWorkSource;
