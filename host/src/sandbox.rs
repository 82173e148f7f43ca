//! Everything about one guest: the engine's settings, the store's data, limits, standard streams, host functions, time.

pub(crate) mod bindings;
pub(crate) mod blobs;
pub(crate) mod capabilities;
pub(crate) mod classify;
pub(crate) mod clock;
pub(crate) mod engine;
pub(crate) mod env;
pub(crate) mod guest;
pub(crate) mod init;
mod kv;
pub(crate) mod limiter;
pub(crate) mod memories;
pub(crate) mod meter;
pub(crate) mod outgoing;
mod pages;
mod redact;
pub(crate) mod secrets;
mod shelf;
mod stacks;
pub(crate) mod stdio;
pub(crate) mod units;
mod wiper;
