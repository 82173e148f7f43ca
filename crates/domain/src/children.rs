//! Children: tasks that a guest enqueues. Their quotas, and the ports between a host and the control plane.
//!
//! Called by the host (the `tasks` interface of `wit/task.wit`), the API (which commits what hosts ask for) and the store (which
//! counts). Guarantees: a child is identified by (parent, key), so that a repeated attempt or delivery enqueues nothing twice;
//! what was answered is committed.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::QueueError;
use crate::id::TaskId;

/// Most children of one task.
pub const CHILDREN_MAX: u64 = 1_000;
/// Most tasks below one root.
pub const TREE_TASKS_MAX: u64 = 10_000;
/// Deepest child: the root's children have depth 1.
pub const DEPTH_MAX: u16 = 8;
/// Longest key of a child, in bytes.
pub const KEY_BYTES_MAX: usize = 128;
/// Most bytes of one call: keys, payloads and options together. Fits into one message at the NATS server's usual limit of 1 MiB.
pub const CALL_BYTES_MAX: usize = 768 * 1024;

/// What a guest asks for in one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnqueueRequest {
    /// Whose guest asks.
    pub parent: TaskId,
    /// What it wants.
    pub children: Vec<ChildRequest>,
}

/// One child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildRequest {
    /// The guest's name for it.
    pub key: String,
    /// `name` or `name@version`.
    pub module: String,
    /// The payload.
    pub input: Bytes,
    /// A JSON object with further fields of a submit, or empty.
    pub options: String,
}

/// Why nothing was enqueued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", content = "why", rename_all = "snake_case")]
pub enum EnqueueError {
    /// The manifest does not grant it, or the task has ended.
    #[error("{0}")]
    Denied(String),
    /// Something of the request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Too many children, too deep, or too large.
    #[error("{0}")]
    Quota(String),
    /// The control plane does not answer; the call can be repeated.
    #[error("{0}")]
    Unavailable(String),
}

/// What was enqueued, in the order of the request.
pub type Enqueued = Result<Vec<TaskId>, EnqueueError>;

impl EnqueueRequest {
    /// Checks the bounds that need no look at anything else.
    ///
    /// # Errors
    /// [`EnqueueError`] names the first that is broken.
    pub fn check(&self) -> Result<(), EnqueueError> {
        if self.children.is_empty() {
            return Err(EnqueueError::Invalid("no child is given".to_owned()));
        }
        if self.children.len() as u64 > CHILDREN_MAX {
            return Err(EnqueueError::Quota(format!("a task may have at most {CHILDREN_MAX} children")));
        }
        let bytes: usize = self.children.iter().map(ChildRequest::bytes).sum();
        if bytes > CALL_BYTES_MAX {
            return Err(EnqueueError::Quota(format!("one call may carry at most {CALL_BYTES_MAX} bytes, not {bytes}")));
        }
        self.children.iter().try_for_each(ChildRequest::check)
    }
}

impl ChildRequest {
    fn bytes(&self) -> usize {
        self.key.len() + self.module.len() + self.input.len() + self.options.len()
    }

    fn check(&self) -> Result<(), EnqueueError> {
        if (1..=KEY_BYTES_MAX).contains(&self.key.len()) && !self.key.contains('\0') {
            return Ok(());
        }
        Err(EnqueueError::Invalid(format!("a key must have 1 to {KEY_BYTES_MAX} bytes and no NUL")))
    }
}

/// A host's way to the control plane.
#[async_trait]
pub trait Enqueuer: Send + Sync + 'static {
    /// Asks, and waits for the commit, within a bounded time.
    async fn enqueue(&self, request: EnqueueRequest) -> Enqueued;
}

/// The control plane's end: API processes compete for requests.
#[async_trait]
pub trait EnqueueSource: Send + Sync + 'static {
    /// Begins to listen.
    async fn requests(&self) -> Result<Box<dyn EnqueueRequests>, QueueError>;
}

/// A stream of requests.
#[async_trait]
pub trait EnqueueRequests: Send + 'static {
    /// The next one; `None` when the connection is closed.
    async fn next(&mut self) -> Option<(EnqueueRequest, Box<dyn EnqueueReply>)>;
}

/// Who waits for an answer.
#[async_trait]
pub trait EnqueueReply: Send + 'static {
    /// Answers. Best effort: a host that hears nothing asks again, with the same keys.
    async fn answer(self: Box<Self>, answer: Enqueued);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(key: &str, count: usize, bytes: usize) -> EnqueueRequest {
        let child = ChildRequest {
            key: key.to_owned(),
            module: "m".to_owned(),
            input: vec![0; bytes].into(),
            options: String::new(),
        };
        EnqueueRequest { parent: TaskId::new(), children: vec![child; count] }
    }

    #[test]
    fn calls_have_bounds() {
        assert!(request("a", 1, 10).check().is_ok());
        assert!(matches!(request("", 1, 0).check(), Err(EnqueueError::Invalid(_))));
        assert!(matches!(request("a", 0, 0).check(), Err(EnqueueError::Invalid(_))));
        assert!(matches!(request("a", 1_001, 0).check(), Err(EnqueueError::Quota(_))));
        assert!(matches!(request("a", 1, CALL_BYTES_MAX).check(), Err(EnqueueError::Quota(_))));
        assert!(matches!(request(&"k".repeat(129), 1, 0).check(), Err(EnqueueError::Invalid(_))));
    }
}
