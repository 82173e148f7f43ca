//! Tasks that this one enqueues.

use serde::Serialize;

/// A task below this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// What this task calls it: the same key is the same child, however often the attempt is repeated.
    pub key: String,
    /// `name` or `name@version`.
    pub module: String,
    /// The payload.
    pub input: Vec<u8>,
    /// Further fields of a submit, as JSON; empty for none.
    pub options: String,
}

impl Child {
    /// A child with a JSON payload.
    ///
    /// # Errors
    /// When the payload cannot be written as JSON.
    pub fn json(
        key: impl Into<String>,
        module: impl Into<String>,
        payload: &impl Serialize,
    ) -> serde_json::Result<Self> {
        let input = serde_json::to_vec(payload)?;
        Ok(Self { key: key.into(), module: module.into(), input, options: String::new() })
    }

    /// Adds further fields of a submit, such as `json!({"priority": "high", "after": ["part-1"]})`.
    #[must_use]
    pub fn with(mut self, options: &serde_json::Value) -> Self {
        self.options = options.to_string();
        self
    }
}

/// Why nothing was enqueued.
pub type EnqueueError = crate::HostError;

/// Enqueues all or none; when it returns, they are committed. Gives their ids in the same order. The manifest must grant it.
///
/// # Errors
/// [`EnqueueError`] says why nothing was enqueued.
pub fn enqueue(children: &[Child]) -> Result<Vec<String>, EnqueueError> {
    #[cfg(target_family = "wasm")]
    return crate::guest::enqueue(children);
    #[cfg(not(target_family = "wasm"))]
    return Ok(crate::testing::record_children(children));
}
