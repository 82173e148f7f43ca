//! The host's tests: every outcome by a guest that earns it, preemption, isolation, and whole hosts with ports in memory.
//!
//! The guests are built by `cargo xtask plugins`; one that is missing fails its tests.

mod cache;
mod cancel;
mod commands;
mod drain;
mod guests;
mod inspector;
mod intake;
mod isolation;
mod outcomes;
mod ports;
mod preemption;
mod reports;
