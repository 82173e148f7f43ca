//! What stores, keys and revisions are called, in manifests, messages, rows and routes. Each reads back as it is written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::KEY_BYTES_MAX;
use crate::name::{ModuleName, NameError, Namespace, StoreName};

/// How the word for a module's own store is written.
const OWN: &str = "own";
/// How the word for a shared store begins.
const SHARED: &str = "shared:";
/// How the word for a module's store begins, where there is no module that it could be the own one of.
const MODULE: &str = "module:";

/// What a manifest and a guest call a store: `own`, or `shared:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum KvName {
    /// The module's own: of all its versions, and of no other module.
    Own,
    /// One that several modules use.
    Shared(StoreName),
}

impl fmt::Display for KvName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.pad(OWN),
            Self::Shared(name) => f.pad(&format!("{SHARED}{name}")),
        }
    }
}

impl FromStr for KvName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.strip_prefix(SHARED) {
            Some(name) => name.parse().map(Self::Shared),
            None if text == OWN => Ok(Self::Own),
            None => Err(NameError::of("kv store", text, "must be `own` or `shared:NAME`")),
        }
    }
}

impl From<KvName> for String {
    fn from(name: KvName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for KvName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

/// Whose store it is, in a namespace: `module:NAME` or `shared:NAME`, as rows and operators call it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// A module's own, under its bare name: the store is in a room of its namespace's own.
    Module(ModuleName),
    /// Nobody's in particular.
    Shared(StoreName),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module(name) => f.pad(&format!("{MODULE}{name}")),
            Self::Shared(name) => f.pad(&format!("{SHARED}{name}")),
        }
    }
}

impl FromStr for Owner {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match (text.strip_prefix(MODULE), text.strip_prefix(SHARED)) {
            (Some(name), _) => name.parse().map(Self::Module),
            (None, Some(name)) => name.parse().map(Self::Shared),
            (None, None) => Err(NameError::of("kv store", text, "must be `module:NAME` or `shared:NAME`")),
        }
    }
}

/// One store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Whose tasks use it.
    pub namespace: Namespace,
    /// Which of theirs.
    pub owner: Owner,
}

/// A key: 1 to [`KEY_BYTES_MAX`] bytes of UTF-8, ordered by its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Key(String);

impl Key {
    /// The checked text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Key {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Key {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        if (1..=KEY_BYTES_MAX).contains(&text.len()) {
            return Ok(Self(text));
        }
        Err(NameError::of("key", &text, &format!("must have 1 to {KEY_BYTES_MAX} bytes")))
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Which write of its store made an entry. Opaque to guests: text that they only compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// The `number`-th write of its store.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Which it is, for rows.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Revision {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self).map_err(|_| NameError::of("revision", text, "must be one that a read or a write gave"))
    }
}
