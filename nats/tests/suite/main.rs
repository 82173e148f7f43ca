//! The adapters against a real nats-server: one for each test, in a temporary directory.
//!
//! Needs a nats-server (`TASKLANE_NATS_SERVER`, PATH or the checkout's `.tools/bin`); a missing one fails every test with the
//! ways to get it.
#![expect(clippy::unwrap_used, reason = "a test that finds nothing where something must be fails")]

mod accounts;
mod blobs;
mod bundles;
mod calls;
mod compiled;
mod control;
mod deaths;
mod hosts;
mod intake;
mod keeper;
mod lease;
mod logs;
mod modules;
mod orders;
mod priority;
mod recovery;
mod reports;
mod server;
mod world;
