//! How long something stays: a time, or for ever. Pure.
//!
//! Read from settings, requests and stored rules, and shown in the same words. Guarantees: a time is from [`KEEP_MIN`] to
//! [`DURATION_MAX`](crate::duration::DURATION_MAX) in whole milliseconds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::duration::{self, DurationError};
use crate::time::Timestamp;

/// Shortest time that something stays after its task ended.
pub const KEEP_MIN: Duration = Duration::from_secs(1);

/// The word for no end.
const FOREVER: &str = "forever";

/// How long something stays after its task ended, in milliseconds; 0 is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Keep(u64);

/// Text that says no time to keep something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeepError {
    /// It is no duration.
    #[error("{0}; for no end write `forever`")]
    Duration(#[from] DurationError),
    /// It is below [`KEEP_MIN`].
    #[error("`{0}` is too short: keep it for 1s at least, or write `forever` for no end")]
    TooShort(String),
}

impl Keep {
    /// Never removed before the task itself.
    pub const FOREVER: Self = Self(0);

    /// For so many milliseconds; 0 is for ever.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// How long; `None` is for ever.
    #[must_use]
    pub fn time(self) -> Option<Duration> {
        (self != Self::FOREVER).then(|| Duration::from_millis(self.0))
    }

    /// What ended at or before this time may go; `None`: nothing ever.
    #[must_use]
    pub fn cutoff(self, now: Timestamp) -> Option<Timestamp> {
        self.time().map(|time| now.minus(time))
    }
}

impl FromStr for Keep {
    type Err = KeepError;

    fn from_str(text: &str) -> Result<Self, KeepError> {
        let text = text.trim();
        if text == FOREVER || text == "0" {
            return Ok(Self::FOREVER);
        }
        let time = duration::parse(text)?;
        if time.is_zero() {
            return Ok(Self::FOREVER);
        }
        if time < KEEP_MIN {
            return Err(KeepError::TooShort(text.chars().take(64).collect()));
        }
        Ok(Self(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.time() {
            None => f.write_str(FOREVER),
            Some(time) => f.write_str(&duration::show(time)),
        }
    }
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_is_read_and_for_ever_has_three_names() {
        assert_eq!("14d".parse(), Ok(Keep::from_ms(1_209_600_000)));
        for text in ["forever", "0", "0s"] {
            assert_eq!(text.parse(), Ok(Keep::FOREVER));
        }
        assert!(matches!("999ms".parse::<Keep>(), Err(KeepError::TooShort(_))));
        assert!(matches!("soon".parse::<Keep>(), Err(KeepError::Duration(_))));
        assert!(matches!("11000d".parse::<Keep>(), Err(KeepError::Duration(_))));
    }

    #[test]
    fn for_ever_has_no_cutoff() {
        assert_eq!(Keep::FOREVER.cutoff(Timestamp::from_micros(5)), None);
        assert_eq!(Keep::from_ms(1).cutoff(Timestamp::from_micros(5_000)), Some(Timestamp::from_micros(4_000)));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(ms in prop_oneof![Just(0_u64), 1_000_u64..315_360_000_000]) {
            let keep = Keep::from_ms(ms);
            prop_assert_eq!(keep.to_string().parse(), Ok(keep));
            let json = serde_json::to_string(&keep).unwrap();
            prop_assert_eq!(serde_json::from_str::<Keep>(&json).unwrap(), keep);
        }
    }
}
