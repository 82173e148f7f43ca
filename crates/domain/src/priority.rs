//! How urgent a task is: 1 to 10, 10 the most urgent.
//!
//! Called by the API (parsing), the lanes in `nats` and the host's buffer. Hosts serve more urgent lanes first but give a
//! small share to the others (`nats::lanes`), so a low priority waits, never starves.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// 1 (least urgent) to 10 (most urgent). Default: 5 (`medium`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Priority(u8);

/// A priority outside 1 to 10.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("priority `{0}` is neither 1 to 10 nor one of high (8), medium (5), low (2)")]
pub struct PriorityError(String);

impl Priority {
    /// 8.
    pub const HIGH: Self = Self(8);
    /// 5.
    pub const MEDIUM: Self = Self(5);
    /// 2.
    pub const LOW: Self = Self(2);

    /// Whether hosts keep slots for it: 8 to 10.
    #[must_use]
    pub const fn is_urgent(self) -> bool {
        self.0 >= Self::HIGH.0
    }

    /// The number, 1 to 10.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// All ten, the most urgent first.
    pub fn most_urgent_first() -> impl Iterator<Item = Self> {
        (1..=10).rev().map(Self)
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::MEDIUM
    }
}

impl TryFrom<i64> for Priority {
    type Error = PriorityError;

    fn try_from(number: i64) -> Result<Self, PriorityError> {
        match u8::try_from(number) {
            Ok(level @ 1..=10) => Ok(Self(level)),
            Ok(_) | Err(_) => Err(PriorityError(number.to_string())),
        }
    }
}

impl FromStr for Priority {
    type Err = PriorityError;

    fn from_str(text: &str) -> Result<Self, PriorityError> {
        match text {
            "high" => Ok(Self::HIGH),
            "medium" => Ok(Self::MEDIUM),
            "low" => Ok(Self::LOW),
            number => number
                .parse::<i64>()
                .map_err(|_| PriorityError(text.chars().take(32).collect()))
                .and_then(Self::try_from),
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrAlias;
        impl serde::de::Visitor<'_> for NumberOrAlias {
            type Value = Priority;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a priority from 1 to 10, or high, medium, low")
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Priority, E> {
                Priority::try_from(number).map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Priority, E> {
                self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Priority, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(NumberOrAlias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_aliases_are_read_alike() {
        let read = |json: &str| serde_json::from_str::<Priority>(json);
        assert_eq!(read("8").unwrap(), read("\"high\"").unwrap());
        assert_eq!(read("\"10\"").unwrap().get(), 10);
        for bad in ["0", "11", "-1", "1.5", "\"urgent\"", "99999999999999999999"] {
            assert!(read(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn the_most_urgent_comes_first() {
        let order: Vec<u8> = Priority::most_urgent_first().map(Priority::get).collect();
        assert_eq!(order, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    }
}
