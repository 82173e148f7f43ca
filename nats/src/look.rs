//! A look at the server that changes nothing, for `taskctl doctor`.

use tasklane_domain::error::QueueError;

use crate::Nats;
use crate::api::unavailable;

/// What JetStream says of this account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JetStreamLook {
    /// Streams that it has.
    pub streams: usize,
    /// Bytes on disk.
    pub bytes: u64,
}

impl Nats {
    /// Asks JetStream for this account's figures.
    ///
    /// # Errors
    /// `Unavailable` when it is switched off, or does not answer.
    pub async fn look(&self) -> Result<JetStreamLook, QueueError> {
        let account = self.jetstream.query_account().await.map_err(|error| unavailable("ask JetStream", error))?;
        Ok(JetStreamLook { streams: account.streams, bytes: account.storage })
    }
}
