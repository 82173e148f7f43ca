//! Secrets: values that modules use and nobody reads back. What is stored of them, how they travel to a host, the port.
//!
//! The API seals and opens values (`tasklane-seal`); the store keeps what is sealed; a host opens the envelope that was made for one call.
//! Guarantees: a value in the clear is a [`SecretValue`], which is no JSON, hides itself from `Debug` and is overwritten when dropped.
//! It does not say who may have which: that is [`crate::permission`].

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::id::TaskId;
use crate::name::{Namespace, SecretName};
use crate::time::Timestamp;

/// Largest value, in bytes: 64 KiB.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Most secrets of one namespace.
pub const SECRETS_MAX: u32 = 1_000;

/// A value in the clear.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<Vec<u8>>);

impl SecretValue {
    /// Takes the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue([hidden])")
    }
}

/// Which key a value is sealed with: the first 8 hexadecimal digits of the key's SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// As computed, or as a row has it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A value as rows have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// With which key.
    pub key: KeyId,
    /// What only that key opens.
    pub bytes: Bytes,
}

/// What may be known of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretInfo {
    /// Whose tasks may have it.
    pub namespace: Namespace,
    /// What it is called.
    pub name: SecretName,
    /// 1 for the first value, one more for each later.
    pub version: u32,
    /// Which key the value is sealed with.
    pub key: KeyId,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When its value was last set.
    pub changed_at: Timestamp,
}

/// The public half of an X25519 key that was made for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublicKey(pub [u8; 32]);

/// A value on its way to the one host that asked: whoever overhears it has nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The sender's half of the exchange, made for this one envelope.
    pub from: PublicKey,
    /// The sealed value.
    pub sealed: Bytes,
}

/// What an envelope is bound to: the task that asks, and the secret.
#[must_use]
pub fn context(task: TaskId, name: &SecretName) -> String {
    format!("{task}/{name}")
}

/// The rows.
#[async_trait]
pub trait SecretStore: Send + Sync + 'static {
    /// Sets a value, whatever it was. `SecretsFull`.
    async fn put(
        &self,
        namespace: Namespace,
        name: SecretName,
        sealed: Sealed,
        now: Timestamp,
    ) -> Result<SecretInfo, StoreError>;

    /// The secrets of a namespace, or of all, by name.
    async fn list(&self, namespace: Option<&Namespace>) -> Result<Vec<SecretInfo>, StoreError>;

    /// One with its sealed value.
    async fn sealed(
        &self,
        namespace: &Namespace,
        name: &SecretName,
    ) -> Result<Option<(SecretInfo, Sealed)>, StoreError>;

    /// Replaces how a value is sealed, if it is still that `version`; `false` if it is not.
    async fn reseal(&self, of: SecretInfo, sealed: Sealed) -> Result<bool, StoreError>;

    /// Whether there was one.
    async fn remove(&self, namespace: Namespace, name: SecretName) -> Result<bool, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_hides_itself() {
        let value = SecretValue::new(b"hunter2".to_vec());
        assert_eq!(value.reveal(), b"hunter2");
        assert!(!format!("{value:?}").contains("hunter2"));
    }
}
