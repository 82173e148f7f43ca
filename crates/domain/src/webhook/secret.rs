//! Signing secrets, as Standard Webhooks writes them: `whsec_` and the base64 of the key.
//!
//! Guarantees: a secret is not shown by accident: its `Debug` hides it, and it is no JSON.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const PREFIX: &str = "whsec_";
/// Size of a generated key, in bytes.
const KEY_BYTES: usize = 32;
/// Sizes of keys that are taken, in bytes.
const KEY_BYTES_ALLOWED: std::ops::RangeInclusive<usize> = 24..=64;

/// Signs what is sent to an endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    key: Vec<u8>,
}

/// It is not a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is `whsec_` and the base64 of 24 to 64 bytes")]
pub struct SecretError;

impl Secret {
    /// A new one, of 32 random bytes.
    #[must_use]
    pub fn generate() -> Self {
        let key: [u8; KEY_BYTES] = rand::random();
        Self { key: key.to_vec() }
    }

    /// What signs.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The text that its owner is shown, once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.key))
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let key = text.strip_prefix(PREFIX).and_then(|rest| STANDARD.decode(rest).ok()).ok_or(SecretError)?;
        if KEY_BYTES_ALLOWED.contains(&key.len()) { Ok(Self { key }) } else { Err(SecretError) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([hidden])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_read_back_differ_and_do_not_show() {
        let (one, two) = (Secret::generate(), Secret::generate());
        assert_ne!(one, two);
        assert_eq!(one.reveal().parse(), Ok(one.clone()));
        assert!(!format!("{one:?}").contains(&one.reveal()[6..]));
        for bad in ["", "whsec_", "whsec_AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "whsec_!"] {
            assert!(bad.parse::<Secret>().is_err(), "`{bad}` was taken");
        }
    }
}
