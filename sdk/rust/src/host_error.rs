//! Why a host function did not do it.

use std::fmt;

/// A refusal of the host. `?` makes it an error of the task with its code: `unavailable` is tried again, the others are not.
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

impl HostError {
    /// The task's error: retryable where it may pass by itself.
    #[must_use]
    pub fn into_task_error(self) -> crate::TaskError {
        match self.code {
            "unavailable" => crate::TaskError::retryable(self.code, self.message),
            _ => crate::TaskError::permanent(self.code, self.message),
        }
    }
}
