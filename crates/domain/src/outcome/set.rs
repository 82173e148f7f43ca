//! A set of outcomes that another attempt may follow: the `retry_on` list of a retry policy.
//!
//! Guarantees: holds only kinds that an attempt can fail with, so that a list never promises to repeat a success or a cancel.

use serde::{Deserialize, Serialize};

use super::OutcomeKind;

/// What may be listed.
const LISTED: [OutcomeKind; 10] = [
    OutcomeKind::TaskError,
    OutcomeKind::OutOfFuel,
    OutcomeKind::TimedOut,
    OutcomeKind::OutOfMemory,
    OutcomeKind::StackOverflow,
    OutcomeKind::OutputTooLarge,
    OutcomeKind::Trap,
    OutcomeKind::ExitCode,
    OutcomeKind::HostLost,
    OutcomeKind::HostError,
];

/// Some of the kinds that an attempt can fail with. In JSON: a list of their names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct OutcomeSet(u16);

/// A name that cannot be listed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be retried; list some of {names}", names = names())]
pub struct OutcomeSetError(String);

fn names() -> String {
    LISTED.map(OutcomeKind::as_str).join(", ")
}

fn bit(kind: OutcomeKind) -> u16 {
    LISTED.iter().position(|listed| *listed == kind).map_or(0, |place| 1 << place)
}

impl OutcomeSet {
    /// Whether the kind is listed.
    #[must_use]
    pub fn contains(self, kind: OutcomeKind) -> bool {
        self.0 & bit(kind) != 0
    }
}

impl TryFrom<Vec<String>> for OutcomeSet {
    type Error = OutcomeSetError;

    fn try_from(names: Vec<String>) -> Result<Self, OutcomeSetError> {
        names.into_iter().try_fold(Self::default(), |set, name| {
            let kind = LISTED.into_iter().find(|kind| kind.as_str() == name);
            kind.map(|kind| Self(set.0 | bit(kind))).ok_or_else(|| OutcomeSetError(name.chars().take(32).collect()))
        })
    }
}

impl From<OutcomeSet> for Vec<String> {
    fn from(set: OutcomeSet) -> Self {
        LISTED.into_iter().filter(|kind| set.contains(*kind)).map(|kind| kind.as_str().to_owned()).collect()
    }
}
