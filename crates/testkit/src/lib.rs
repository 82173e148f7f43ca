//! What tests share: real servers in temporary directories, a clock that a test moves, and the stores' conformance suite.
//!
//! A dev-dependency only. Nothing here skips silently: what is missing is an error that says how to get it.

pub mod clock;
pub mod conformance;
pub mod nats;
pub mod postgres;
