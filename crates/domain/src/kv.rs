//! Keys and values that outlive tasks: whose stores there are, what a write does to an entry and to its store's totals, the port.
//!
//! Called by the host (bounds before it asks), the API (guests' calls and `/api/v1/kv`), the store (which locks a store's totals, reads the
//! entry and commits what [`write`](fn@write) decides) and the scheduler (which removes what has expired). Guarantees: a revision is given
//! once in a store, also to a key that was deleted in between; what has expired is as if it were not there; a store never grows over
//! its limits. It knows nothing of who may use a store: that is [`crate::permission`].

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::call::Repeatability;
use crate::cluster::Term;
use crate::error::StoreError;
use crate::name::Namespace;
use crate::time::Timestamp;

mod name;
mod write;

pub use name::{Key, KvName, Owner, Place, Revision};
pub use write::{Change, Decision, write};

/// Longest key, in bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 512;
/// Largest value where nothing else is configured, in bytes: fits into one message at the NATS server's usual limit of 1 MiB.
pub const VALUE_BYTES_DEFAULT: usize = 512 * 1024;
/// Largest value that can be configured, in bytes.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Most keys of one store where nothing else is configured.
pub const STORE_KEYS_DEFAULT: u64 = 100_000;
/// Most bytes of one store, keys and values together, where nothing else is configured: 64 MiB.
pub const STORE_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;
/// Most keys in one page.
pub const PAGE_KEYS_MAX: u32 = 1_000;
/// Stores in one list.
pub const STORES_LISTED_MAX: u32 = 1_000;

/// A value with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The bytes.
    pub value: Bytes,
    /// Changes with every write.
    pub revision: Revision,
    /// When it goes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Entry {
    /// Whether it has gone by itself.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// What a compare-and-set expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// Nothing.
    Absent,
    /// An entry that nobody has written since.
    Revision(Revision),
}

/// How one entry changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Whatever it was, it is this from now on.
    Set {
        /// The bytes.
        value: Bytes,
        /// When it goes by itself.
        expires_at: Option<Timestamp>,
    },
    /// The same, if it is as expected.
    Swap {
        /// What must be there.
        expected: Expected,
        /// The bytes; `None` to delete.
        value: Option<Bytes>,
        /// When it goes by itself.
        expires_at: Option<Timestamp>,
    },
    /// A number in decimal digits, and what is not there is 0.
    Increment {
        /// How much is added.
        by: i64,
        /// When it goes by itself, if it is not there yet; one that is there keeps its time.
        expires_at: Option<Timestamp>,
    },
    /// It goes.
    Delete,
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It was done, and this is the entry's new revision (or that of its deletion).
    Done(Revision),
    /// It was not as expected, but this.
    Conflict(Option<Entry>),
    /// The number that is there now.
    Number(i64),
    /// Whether there was something to delete.
    Deleted(bool),
}

/// What a store holds, what has expired but is not yet removed included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many keys.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// How many writes there were.
    pub revision: u64,
}

/// What a store may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvLimits {
    /// Largest value, in bytes. Default [`VALUE_BYTES_DEFAULT`], at most [`VALUE_BYTES_MAX`].
    pub value_bytes: usize,
    /// Most keys of a store. Default [`STORE_KEYS_DEFAULT`].
    pub store_keys: u64,
    /// Most bytes of a store, keys and values together. Default [`STORE_BYTES_DEFAULT`].
    pub store_bytes: u64,
}

impl Default for KvLimits {
    fn default() -> Self {
        Self { value_bytes: VALUE_BYTES_DEFAULT, store_keys: STORE_KEYS_DEFAULT, store_bytes: STORE_BYTES_DEFAULT }
    }
}

/// Why a write was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KvFault {
    /// The value is too large.
    #[error("the value has {bytes} bytes, but at most {max} are taken: keep large ones as results or blobs")]
    ValueTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The store has as many keys as it may have.
    #[error("the store has {0} keys, which is the limit: delete some, or let them expire")]
    KeysFull(u64),
    /// The store would have more bytes than it may have.
    #[error("the store would have {bytes} bytes, but at most {max} are kept: delete some keys, or let them expire")]
    BytesFull {
        /// With the write.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// What is incremented is no number.
    #[error("the value is not a whole number in decimal digits: increment only what increment has written")]
    NotANumber,
    /// The number does not fit.
    #[error("the number would be beyond 64 bits")]
    Overflow,
}

/// What a guest asks of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvAsk {
    /// An entry.
    Get {
        /// Of which key.
        key: Key,
    },
    /// See [`Write::Set`].
    Set {
        /// Which key.
        key: Key,
        /// The bytes.
        value: Bytes,
        /// How long it stays, in milliseconds; for ever if `None`.
        ttl_ms: Option<u32>,
    },
    /// See [`Write::Swap`].
    Swap {
        /// Which key.
        key: Key,
        /// What must be there.
        expected: Expected,
        /// The bytes; `None` to delete.
        value: Option<Bytes>,
        /// How long it stays, in milliseconds; for ever if `None`.
        ttl_ms: Option<u32>,
    },
    /// See [`Write::Increment`].
    Increment {
        /// Which key.
        key: Key,
        /// How much is added.
        by: i32,
        /// How long a new one stays, in milliseconds; for ever if `None`.
        ttl_ms: Option<u32>,
    },
    /// See [`Write::Delete`].
    Delete {
        /// Which key.
        key: Key,
    },
    /// Keys in their order.
    Keys(KeyQuery),
}

/// Whether a call only looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It does.
    Read,
    /// It may change something.
    Write,
}

impl KvAsk {
    /// Whether it only looks.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        match self {
            Self::Get { .. } | Self::Keys(_) => Effect::Read,
            Self::Set { .. } | Self::Swap { .. } | Self::Increment { .. } | Self::Delete { .. } => Effect::Write,
        }
    }

    /// A compare-and-set that took effect conflicts with itself, and an increment adds up.
    pub(crate) const fn repeatability(&self) -> Repeatability {
        match self {
            Self::Get { .. } | Self::Keys(_) | Self::Set { .. } | Self::Delete { .. } => Repeatability::Safe,
            Self::Swap { .. } | Self::Increment { .. } => Repeatability::Unsafe,
        }
    }

    /// Size of the value that it carries, in bytes.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        match self {
            Self::Set { value, .. } | Self::Swap { value: Some(value), .. } => value.len(),
            Self::Get { .. }
            | Self::Keys(_)
            | Self::Swap { value: None, .. }
            | Self::Increment { .. }
            | Self::Delete { .. } => 0,
        }
    }
}

/// Which keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyQuery {
    /// How they begin; empty for all.
    pub prefix: String,
    /// Only those after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Most of them, 1 to [`PAGE_KEYS_MAX`]; what is outside is taken as the nearest that is allowed.
    pub limit: u32,
}

impl KeyQuery {
    /// The limit within its bounds.
    #[must_use]
    pub fn bounded(&self) -> u32 {
        self.limit.clamp(1, PAGE_KEYS_MAX)
    }
}

/// Some keys, by their bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPage {
    /// They.
    pub keys: Vec<String>,
    /// `after` for the next page, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What a guest is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvAnswer {
    /// To a read.
    Entry(Option<Entry>),
    /// See [`Written::Done`].
    Done(Revision),
    /// See [`Written::Conflict`].
    Conflict(Option<Entry>),
    /// See [`Written::Number`].
    Number(i64),
    /// See [`Written::Deleted`].
    Deleted(bool),
    /// To [`KvAsk::Keys`].
    Keys(KeyPage),
}

impl From<Written> for KvAnswer {
    fn from(written: Written) -> Self {
        match written {
            Written::Done(revision) => Self::Done(revision),
            Written::Conflict(entry) => Self::Conflict(entry),
            Written::Number(number) => Self::Number(number),
            Written::Deleted(was_there) => Self::Deleted(was_there),
        }
    }
}

/// One store in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreInfo {
    /// Whose.
    pub owner: Owner,
    /// What it holds.
    pub totals: Totals,
}

/// The rows.
#[async_trait]
pub trait KeyValueStore: Send + Sync + 'static {
    /// The entry, unless it has expired.
    async fn entry(&self, place: &Place, key: &Key, now: Timestamp) -> Result<Option<Entry>, StoreError>;

    /// Keys that have not expired.
    async fn keys(&self, place: &Place, query: &KeyQuery, now: Timestamp) -> Result<KeyPage, StoreError>;

    /// Commits a write. `KvRefused` says why not.
    async fn write(
        &self,
        place: Place,
        key: Key,
        write: Write,
        limits: KvLimits,
        now: Timestamp,
    ) -> Result<Written, StoreError>;

    /// The stores of a namespace that were ever written to, by name; at most [`STORES_LISTED_MAX`].
    async fn stores(&self, namespace: &Namespace) -> Result<Vec<StoreInfo>, StoreError>;

    /// Removes at most `limit` entries that have expired; says how many. Leader only.
    async fn sweep_expired(&self, term: Term, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests;
