//! Seals secrets: at rest with a key of the operator's, and on their way with a key that is made for one call.
//!
//! Used by the API (both) and the host (the way). Guarantees: AES-256-GCM with a key that seals one value only, derived by HKDF-SHA256 from
//! the secret key material and 32 random bytes, so that no nonce is ever used twice; what is sealed opens only in the context it was sealed
//! for, so that rows cannot be exchanged; keys and values are overwritten when dropped. It keeps nothing and decides nothing.

mod aead;
mod ring_of_keys;
mod way;

pub use ring_of_keys::{KeyRing, KeyRingError};
pub use way::{Recipient, envelope};

/// It does not open: another key, another context, or other bytes than were sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not open: it was sealed with another key or for another place, or it was changed")]
pub struct Unopened;

/// The machine has no randomness, or the other side's key is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it could not be sealed: no randomness, or the other side's key is none")]
pub struct Unsealed;
