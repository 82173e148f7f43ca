//! `[permissions] blobs`: whether a module's guests may read results of tasks that theirs waited for, and write their own piece by piece.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the two. A task's own payload needs neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlobGrant {
    /// Open results of tasks that this one waited for.
    Read,
    /// Write the result piece by piece.
    Write,
}

impl BlobGrant {
    /// The one name used in manifests and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl fmt::Display for BlobGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
