//! Why a host function did not do it.

use std::fmt;

/// A refusal of the host. `?` makes it a retryable error of the task; see [`crate::Permanent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError {
    /// `access-denied`, `limit-exceeded`, `invalid` or `unavailable`.
    pub code: &'static str,
    /// A sentence for people.
    pub message: String,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for HostError {}
