//! Identifiers as newtypes, so that one can never be passed for another.
//!
//! Called by everyone. Guarantees: ids made by `new` are UUIDv7 and therefore sort by creation time.
//! Does not guarantee that an id names something that exists.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}: expected {expected}")]
pub struct IdError {
    pub(crate) what: &'static str,
    pub(crate) expected: &'static str,
    pub(crate) text: String,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id that sorts after every id made before it in this process.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "every call yields another id; a default would suggest one value")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// Wraps a stored value.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The value for a database column.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map(Self).map_err(|_| IdError {
                    what: $what,
                    expected: "a UUID such as 0198c0de-7a5c-7000-8000-000000000000",
                    text: text.chars().take(64).collect(),
                })
            }
        }
    };
}

uuid_id!(
    /// Names one task for ever.
    TaskId,
    "task id"
);
uuid_id!(
    /// Names tasks that were submitted together.
    BatchId,
    "batch id"
);
uuid_id!(
    /// Names one bulk operation.
    OperationId,
    "operation id"
);
uuid_id!(
    /// Names one life of a host process: a restarted host has a new id.
    HostId,
    "host id"
);

/// SHA-256 of a module's bytes; shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleDigest([u8; 32]);

impl ModuleDigest {
    /// Wraps a computed SHA-256.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ModuleDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ModuleDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModuleDigest({self})")
    }
}

impl FromStr for ModuleDigest {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError {
            what: "module digest",
            expected: "64 hexadecimal digits",
            text: text.chars().take(80).collect(),
        };
        let mut bytes = [0_u8; 32];
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(wrong());
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for ModuleDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_bytes(&self.0) }
    }
}

impl<'de> Deserialize<'de> for ModuleDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        } else {
            let bytes: serde_bytes::ByteArray<32> = Deserialize::deserialize(deserializer)?;
            Ok(Self(bytes.into_array()))
        }
    }
}

/// Which run of a task counts: 1 for the first. Bounded by the retry policy's `max_attempts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempt(u16);

impl Attempt {
    /// The first attempt.
    pub const FIRST: Self = Self(1);

    /// Wraps a stored number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number, from 1.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The attempt after this one; stays at `u16::MAX`, which no policy allows to be reached.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One handing-out of an attempt to a host, totally ordered within the task: the fence of settle.
///
/// It is (dispatch, redelivery): *dispatch* counts how often the control plane published the attempt,
/// *redelivery* how often JetStream has handed that message out. A report whose delivery is lower than the newest
/// recorded one comes from a host that was given up, and is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(u32);

impl DeliveryId {
    /// What a new row records: published once, not yet received.
    pub const FIRST_DISPATCH: Self = Self(1 << 16);

    /// Wraps a stored number.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// The number for a database column (fits an `i64`).
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// The delivery of this dispatch that JetStream numbers `delivered` (from 1; saturates at 65,535).
    #[must_use]
    pub fn received(self, delivered: u64) -> Self {
        let redelivery = u16::try_from(delivered).unwrap_or(u16::MAX);
        Self((self.0 & 0xFFFF_0000) | u32::from(redelivery))
    }

    /// What a row records when the attempt is published again: above every delivery of this dispatch.
    #[must_use]
    pub const fn redispatched(self) -> Self {
        Self((self.0 & 0xFFFF_0000).saturating_add(1 << 16))
    }

    /// How often JetStream has handed out this dispatch.
    #[must_use]
    pub const fn redelivery(self) -> u32 {
        self.0 & 0xFFFF
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 >> 16, self.redelivery())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_text_form() {
        let digest = ModuleDigest::from_bytes([0xAB; 32]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("ab".parse::<ModuleDigest>().is_err());
    }

    #[test]
    fn every_redispatch_outranks_the_deliveries_before_it() {
        let first = DeliveryId::FIRST_DISPATCH;
        let late = first.received(u64::MAX);
        assert!(first < first.received(1));
        assert!(late < first.redispatched());
        assert!(late < late.redispatched());
        assert_eq!(first.redispatched().received(3).to_string(), "2.3");
    }

    #[test]
    fn ids_sort_by_creation() {
        let earlier = TaskId::new();
        assert!(earlier < TaskId::new());
    }
}
