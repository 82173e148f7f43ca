//! What a manifest may ask for beside computing, and whether that covers what a guest tries. Pure.
//!
//! Called by the host before it asks the control plane, and by the API before it answers. One file for each kind.

pub mod blobs;
pub mod kv;

pub use blobs::BlobGrant;
pub use kv::{KvAccess, KvGrant};
