//! `[permissions] kv`: which stores of keys and values a module may use, and whether only to read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::kv::{Effect, KvName};
use crate::name::NameError;

/// How the end of a grant to read is written.
const READ: &str = ":read";

/// What a module may do with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvAccess {
    /// Look.
    Read,
    /// Look, and change.
    ReadWrite,
}

/// One store: `own`, `shared:NAME`, or `shared:NAME:read`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct KvGrant {
    /// Which.
    pub store: KvName,
    /// What of it.
    pub access: KvAccess,
}

impl KvGrant {
    /// Whether it covers this.
    #[must_use]
    pub fn covers(&self, store: &KvName, effect: Effect) -> bool {
        self.store == *store && (effect == Effect::Read || self.access == KvAccess::ReadWrite)
    }
}

impl fmt::Display for KvGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.access == KvAccess::Read { READ } else { "" };
        write!(f, "{}{end}", self.store)
    }
}

impl FromStr for KvGrant {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = |_| NameError::of("kv permission", text, "must be `own`, `shared:NAME` or `shared:NAME:read`");
        let (store, access) = match text.strip_suffix(READ) {
            Some(store) => (store, KvAccess::Read),
            None => (text, KvAccess::ReadWrite),
        };
        Ok(Self { store: store.parse().map_err(wrong)?, access })
    }
}

impl From<KvGrant> for String {
    fn from(grant: KvGrant) -> Self {
        grant.to_string()
    }
}

impl TryFrom<String> for KvGrant {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_covers_what_it_names_and_no_more() {
        let store = |text: &str| text.parse::<KvName>().unwrap();
        let grant = |text: &str| text.parse::<KvGrant>().unwrap();
        assert!(grant("own").covers(&store("own"), Effect::Write));
        assert!(!grant("own").covers(&store("shared:own"), Effect::Read));
        assert!(grant("shared:a:read").covers(&store("shared:a"), Effect::Read));
        assert!(!grant("shared:a:read").covers(&store("shared:a"), Effect::Write));
        assert!(!grant("shared:a").covers(&store("shared:b"), Effect::Read));
    }

    #[test]
    fn grants_read_back_and_others_are_refused() {
        for text in ["own", "own:read", "shared:a", "shared:a:read"] {
            assert_eq!(text.parse::<KvGrant>().unwrap().to_string(), text);
        }
        for bad in ["", "*", "shared", "shared:*", "shared:a:write", "read", "shared::read"] {
            assert!(bad.parse::<KvGrant>().unwrap_err().to_string().contains("shared:NAME"), "`{bad}`");
        }
    }
}
