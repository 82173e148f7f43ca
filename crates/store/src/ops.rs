//! What the writer is told about keys and values, about secrets and about tokens: the same for both databases.

use tasklane_domain::access::{Token, TokenId};
use tasklane_domain::kv::{Key, KvLimits, Place, Write};
use tasklane_domain::secret::{Sealed, SecretInfo};
use tasklane_domain::{Namespace, SecretName, Timestamp};

/// Bytes of a value that count as one row of a transaction.
const BYTES_PER_ROW: usize = 512;

/// One write to a store.
#[derive(Debug, Clone)]
pub(crate) struct KvWrite {
    pub(crate) place: Place,
    pub(crate) key: Key,
    pub(crate) write: Write,
    pub(crate) limits: KvLimits,
    pub(crate) now: Timestamp,
}

impl KvWrite {
    /// How many rows of a transaction it counts as.
    pub(crate) fn rows(&self) -> usize {
        let bytes = match &self.write {
            Write::Set { value, .. } | Write::Swap { value: Some(value), .. } => value.len(),
            Write::Swap { value: None, .. } | Write::Increment { .. } | Write::Delete => 0,
        };
        1 + bytes / BYTES_PER_ROW
    }
}

/// One change of a secret.
#[derive(Debug, Clone)]
pub(crate) enum SecretChange {
    Put(Namespace, SecretName, Sealed, Timestamp),
    Reseal(SecretInfo, Sealed),
    Remove(Namespace, SecretName),
}

/// One change of tokens.
#[derive(Debug, Clone)]
pub(crate) enum TokenChange {
    Create(Token),
    Revoke(TokenId, Timestamp),
    Used(Vec<(TokenId, Timestamp)>),
}
