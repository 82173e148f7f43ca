//! Looks at the server that change nothing, for `taskctl doctor` and the stories.

use serde_json::json;
use tasklane_domain::error::QueueError;

use crate::Nats;
use crate::api::{number, unavailable};
use crate::topology::READY;

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

    /// Messages that the READY stream has taken since it exists: fewer than orders, where those of quick tasks share messages (decision 044).
    ///
    /// # Errors
    /// `Unavailable` when there is no such stream, or no answer.
    pub async fn ready_messages(&self) -> Result<u64, QueueError> {
        let info = self.api_done(&format!("STREAM.INFO.{READY}"), &json!({})).await?;
        Ok(number(&info, "/state/last_seq"))
    }
}
