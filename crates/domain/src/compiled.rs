//! The port through which one process's compiled code reaches all others of a cluster.
//!
//! Implemented by `nats/` and used by hosts and by the API when a module is uploaded. A cache that promises nothing: what comes out may
//! be anybody's, and callers check its signature before they use it.

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::QueueError;

/// Signed compiled code by name. A name says module, engine, processor and key, so that code under one name fits all who ask for it.
#[async_trait]
pub trait CompiledStore: Send + Sync + 'static {
    /// What lies under a name.
    ///
    /// # Errors
    /// [`QueueError`] when the store does not answer.
    async fn get(&self, name: &str) -> Result<Option<Bytes>, QueueError>;

    /// Puts code under a name, in place of what is there.
    ///
    /// # Errors
    /// As above.
    async fn put(&self, name: &str, signed: Bytes) -> Result<(), QueueError>;

    /// Asks to be the one who compiles. `false`: somebody else is at it. A claim is forgotten by itself after two minutes.
    ///
    /// # Errors
    /// As above.
    async fn claim(&self, name: &str) -> Result<bool, QueueError>;

    /// Gives the claim back. Best effort: it ends by itself.
    async fn release(&self, name: &str);
}
