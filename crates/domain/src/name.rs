//! Names that users choose: modules, versions, queues, labels. Checked once, at the edge, and trusted after.
//!
//! Guarantees: a [`QueueName`], and each part of a [`ModuleName`], is safe as one token of a NATS subject, as a file name and in a
//! URL (no dots, slashes, wildcards, white space or capitals).

mod module;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use module::{Crossed, ModuleName, PlaceError, bare};

/// Longest module or queue name, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest module version, in bytes.
pub const VERSION_BYTES_MAX: usize = 64;
/// Most labels on one task.
pub const LABELS_MAX: usize = 16;
/// Longest label key, in bytes.
pub const LABEL_KEY_BYTES_MAX: usize = 64;
/// Longest label value, in bytes.
pub const LABEL_VALUE_BYTES_MAX: usize = 256;

/// A name that breaks a rule; the message says which and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{text}` {rule}")]
pub struct NameError {
    what: &'static str,
    text: String,
    rule: String,
}

impl NameError {
    /// For names that have a file of their own.
    pub(crate) fn of(what: &'static str, text: &str, rule: &str) -> Self {
        wrong(what, text, rule)
    }
}

fn wrong(what: &'static str, text: &str, rule: impl Into<String>) -> NameError {
    NameError { what, text: text.chars().take(80).collect(), rule: rule.into() }
}

fn check_token(what: &'static str, text: &str) -> Result<(), NameError> {
    let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase());
    let all_allowed = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    if starts_well && all_allowed && text.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    Err(wrong(
        what,
        text,
        format!("must start with a-z, hold only a-z, 0-9, '-' and '_', and be at most {NAME_BYTES_MAX} bytes"),
    ))
}

macro_rules! token_name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The checked text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check_token($what, text)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

token_name!(
    /// A named set of tasks that hosts choose to serve. 1 to 64 bytes of `a-z 0-9 - _`, starting with a letter.
    QueueName,
    "queue name"
);

token_name!(
    /// What a task is called inside its batch, for `after` and bindings. Same rule as [`QueueName`].
    TaskName,
    "task name"
);
token_name!(
    /// What people call an API token. Same rule as [`QueueName`].
    TokenName,
    "token name"
);
token_name!(
    /// What a recurring schedule is called. Same rule as [`QueueName`].
    ScheduleName,
    "schedule name"
);
token_name!(
    /// What a webhook's endpoint is called. Same rule as [`QueueName`].
    WebhookName,
    "webhook name"
);
token_name!(
    /// A name that leads to versions of a module, such as `stable`. Same rule as [`QueueName`].
    AliasName,
    "alias"
);
token_name!(
    /// Who owns modules, tasks, keys and values, secrets: nothing of one namespace meets what another has. Same rule as
    /// [`QueueName`]; `default` if unnamed.
    Namespace,
    "namespace"
);

token_name!(
    /// A store of keys and values that modules share. Same rule as [`QueueName`].
    StoreName,
    "kv store name"
);
token_name!(
    /// What a secret is called, such as `stripe-key`. Same rule as [`QueueName`].
    SecretName,
    "secret name"
);

impl Default for AliasName {
    /// What a bare module name means.
    fn default() -> Self {
        Self(crate::release::LATEST.into())
    }
}

impl Namespace {
    /// Whose everything is that names no namespace.
    pub const DEFAULT: &str = "default";
}

impl Default for Namespace {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl Default for QueueName {
    fn default() -> Self {
        Self("default".into())
    }
}

/// A semantic version (<https://semver.org>), at most 64 bytes. Ordered by precedence.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModuleVersion(semver::Version);

impl ModuleVersion {
    /// Whether it is something like `2.0.0-rc.1`, which is never the newest version by itself.
    #[must_use]
    pub fn is_pre_release(&self) -> bool {
        !self.0.pre.is_empty()
    }
}

impl FromStr for ModuleVersion {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > VERSION_BYTES_MAX {
            return Err(wrong("module version", text, format!("is longer than {VERSION_BYTES_MAX} bytes")));
        }
        semver::Version::parse(text)
            .map(Self)
            .map_err(|why| wrong("module version", text, format!("is not a semantic version such as 1.2.0 ({why})")))
    }
}

impl TryFrom<String> for ModuleVersion {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ModuleVersion> for String {
    fn from(version: ModuleVersion) -> Self {
        version.0.to_string()
    }
}

impl fmt::Display for ModuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

/// Free key-value pairs on a task, to find it by. At most 16 pairs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// The pairs, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn check_label(key: &str, value: &str) -> Result<(), NameError> {
    let key_allowed =
        key.bytes().all(|b| matches!(b, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/'));
    if key.is_empty() || !key_allowed || key.len() > LABEL_KEY_BYTES_MAX {
        return Err(wrong(
            "label key",
            key,
            format!("must be 1 to {LABEL_KEY_BYTES_MAX} bytes of letters, digits, '-', '_', '.' and '/'"),
        ));
    }
    if value.len() > LABEL_VALUE_BYTES_MAX || value.contains('\0') {
        return Err(wrong(
            "label value",
            value,
            format!("must be at most {LABEL_VALUE_BYTES_MAX} bytes and hold no NUL"),
        ));
    }
    Ok(())
}

impl TryFrom<BTreeMap<String, String>> for Labels {
    type Error = NameError;

    fn try_from(pairs: BTreeMap<String, String>) -> Result<Self, NameError> {
        if pairs.len() > LABELS_MAX {
            return Err(wrong("label set of size", &pairs.len().to_string(), format!("is over {LABELS_MAX}")));
        }
        pairs.iter().try_for_each(|(key, value)| check_label(key, value))?;
        Ok(Self(pairs))
    }
}

impl From<Labels> for BTreeMap<String, String> {
    fn from(labels: Labels) -> Self {
        labels.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_escape_their_place_are_refused() {
        for bad in ["", "../etc", "a.b", "A", "9a", "a b", "a>b", "a*", "ü", "a\0", &"a".repeat(65)] {
            assert!(bad.parse::<ModuleName>().is_err(), "{bad:?} was taken");
        }
        assert!("thumb-nail_2".parse::<ModuleName>().is_ok());
    }

    #[test]
    fn versions_order_by_precedence() {
        let older: ModuleVersion = "1.9.0".parse().unwrap();
        let newer: ModuleVersion = "1.10.0".parse().unwrap();
        assert!(older < newer);
        assert!("1.0".parse::<ModuleVersion>().is_err());
    }

    #[test]
    fn labels_are_bounded() {
        let many: BTreeMap<_, _> = (0..17).map(|n| (format!("k{n}"), String::new())).collect();
        assert!(Labels::try_from(many).is_err());
        let odd = BTreeMap::from([("a b".to_owned(), String::new())]);
        assert!(Labels::try_from(odd).is_err());
    }
}
