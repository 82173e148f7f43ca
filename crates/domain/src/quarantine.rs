//! Modules that hosts have died of: which were in flight at a death, and which are kept from running until somebody releases them.
//!
//! A host writes down what it runs ([`Death`] is what is left of it); the next host that starts there tells the control plane, which counts
//! in the database and answers with every module that is quarantined. The rule is the pure [`is_quarantined`].

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{QueueError, StoreError};
use crate::id::{HostId, ModuleDigest};
use crate::module::ModuleRef;
use crate::name::{ModuleName, ModuleVersion};
use crate::time::Timestamp;

/// Deaths of hosts with a module in flight from which on it is quarantined: one may be chance, and blames neighbours too.
pub const DEATHS_MAX: u32 = 2;
/// How long a death is held against a module.
pub const DEATH_COUNTS_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Modules of one death that are counted: more were in flight only on very large hosts, where nobody can tell whose fault it was.
pub const SUSPECTS_MAX: usize = 1_000;
/// Modules that can be quarantined at once, and are told to hosts.
pub const QUARANTINED_MAX: u32 = 10_000;

/// A host that ended without being asked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// That life of the host: each is counted once, however often it is told.
    pub host: HostId,
    /// What was loaded or ran then.
    pub modules: Vec<ModuleDigest>,
}

/// Whether so many deaths are too many.
#[must_use]
pub const fn is_quarantined(deaths: u32) -> bool {
    deaths >= DEATHS_MAX
}

/// Deaths and quarantines in the database.
#[async_trait]
pub trait QuarantineStore: Send + Sync + 'static {
    /// Counts deaths. What is quarantined by them is answered: every version whose bytes were in flight at too many.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer; the deaths can be told again.
    async fn died(&self, deaths: Vec<Death>, now: Timestamp) -> Result<Vec<ModuleRef>, StoreError>;

    /// The digests of everything that is quarantined, at most [`QUARANTINED_MAX`].
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    async fn quarantined(&self) -> Result<Vec<ModuleDigest>, StoreError>;

    /// Lets a version run again, and forgets the deaths that were held against it. `false`: it was not quarantined.
    ///
    /// # Errors
    /// `ModuleVersionNotFound` when there is no such version; as above.
    async fn release(&self, name: ModuleName, version: ModuleVersion, now: Timestamp) -> Result<bool, StoreError>;
}

/// A host's way to tell of deaths.
#[async_trait]
pub trait DeathRegister: Send + Sync + 'static {
    /// Tells deaths, none or some, and hears what is quarantined. Once it has an answer the deaths are counted.
    ///
    /// # Errors
    /// [`QueueError`] when nobody answers in time.
    async fn tell(&self, deaths: &[Death]) -> Result<Vec<ModuleDigest>, QueueError>;
}

/// The control plane's end: API processes compete for what hosts tell.
#[async_trait]
pub trait DeathSource: Send + Sync + 'static {
    /// Begins to listen.
    ///
    /// # Errors
    /// [`QueueError`] when NATS does not answer.
    async fn deaths(&self) -> Result<Box<dyn Deaths>, QueueError>;
}

/// A stream of what hosts tell.
#[async_trait]
pub trait Deaths: Send + 'static {
    /// The next; `None` when the connection is closed.
    async fn next(&mut self) -> Option<(Vec<Death>, Box<dyn DeathReply>)>;
}

/// Who waits for an answer.
#[async_trait]
pub trait DeathReply: Send + 'static {
    /// Answers with everything that is quarantined. Best effort: a host that hears nothing tells again.
    async fn answer(self: Box<Self>, quarantined: Vec<ModuleDigest>);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_death_may_be_chance() {
        assert_eq!([0, 1, 2, 3].map(is_quarantined), [false, false, true, true]);
    }
}
