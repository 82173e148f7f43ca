//! Calls: what a guest asks of the control plane while it runs (keys and values, secrets, results of other tasks), and the ports between host and API.
//!
//! Asked by the host (the `kv`, `secrets` and `blobs` interfaces of `wit/task.wit`), answered by an API process after what it wrote is committed.
//! Guarantees: an answer that was given is durable; a call that may have taken effect twice is never repeated by itself
//! ([`Call::repeatability`]). What a guest may ask for is checked on both sides: a host may be taken over.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::blob::BlobRef;
use crate::error::QueueError;
use crate::id::TaskId;
use crate::kv::{KvAnswer, KvAsk, KvName};
use crate::name::SecretName;
use crate::secret::{Envelope, PublicKey};

/// Most bytes of a call beside the value that it carries.
pub const OVERHEAD_BYTES_MAX: usize = 8 * 1024;

/// What one guest asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRequest {
    /// Whose guest.
    pub task: TaskId,
    /// What.
    pub call: Call,
}

/// A question, or an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Of a store of keys and values.
    Kv {
        /// Which.
        store: KvName,
        /// What of it.
        ask: KvAsk,
    },
    /// A secret's value, sealed for whoever has the private half of this key.
    Secret {
        /// Which.
        name: SecretName,
        /// Made for this one call.
        to: PublicKey,
    },
    /// The result of a task that this one waited for.
    Blob {
        /// What this one's payload or batch calls it, or its id.
        of: String,
    },
}

/// Whether a call may be made again when nobody knows what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeatability {
    /// Again is the same.
    Safe,
    /// Again may be another effect.
    Unsafe,
}

impl Call {
    /// Whether it may be repeated.
    #[must_use]
    pub const fn repeatability(&self) -> Repeatability {
        match self {
            Self::Secret { .. } | Self::Blob { .. } => Repeatability::Safe,
            Self::Kv { ask, .. } => ask.repeatability(),
        }
    }
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallAnswer {
    /// To [`Call::Kv`].
    Kv(KvAnswer),
    /// To [`Call::Secret`]; `None` if nobody has set it.
    Secret(Option<Envelope>),
    /// To [`Call::Blob`]; `None` if there is no result (any more).
    Blob(Option<BlobPlace>),
}

/// Where a result lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlobPlace {
    /// Here: at most [`crate::blob::RESULT_INLINE_BYTES_MAX`].
    Inline(Bytes),
    /// In the bucket of payloads, once it was wanted there.
    Stored(BlobRef),
}

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", content = "why", rename_all = "snake_case")]
pub enum CallError {
    /// The manifest does not grant it, or the task has ended.
    #[error("{0}")]
    Denied(String),
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Too much, or too large.
    #[error("{0}")]
    Limit(String),
    /// It cannot be done now.
    #[error("{0}")]
    Unavailable(String),
}

/// An answer, or why there is none.
pub type Called = Result<CallAnswer, CallError>;

/// A host's way to the control plane.
#[async_trait]
pub trait Caller: Send + Sync + 'static {
    /// Asks, within a bounded time.
    async fn call(&self, request: CallRequest) -> Called;
}

/// The control plane's end: API processes compete for calls.
#[async_trait]
pub trait CallSource: Send + Sync + 'static {
    /// Begins to listen.
    async fn calls(&self) -> Result<Box<dyn Calls>, QueueError>;
}

/// A stream of calls.
#[async_trait]
pub trait Calls: Send + 'static {
    /// The next one; `None` when the connection is closed.
    async fn next(&mut self) -> Option<(CallRequest, Box<dyn CallReply>)>;
}

/// Who waits for an answer.
#[async_trait]
pub trait CallReply: Send + 'static {
    /// Answers. Best effort: a host that hears nothing asks again where that is safe.
    async fn answer(self: Box<Self>, answer: Called);
}
