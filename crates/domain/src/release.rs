//! Which version of a module a task gets: aliases with weights, versions that are switched off, and the record of who changed what.
//!
//! Called by the API (submits, `/api/v1/modules`), the scheduler (firings) and the store (rows). The choice is pure and depends on the
//! task's own id, so it is the same whoever makes it. It guarantees nothing about tasks that were queued before: they are pinned.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::id::{ModuleDigest, TaskId};
use crate::module::ModuleRecord;
use crate::name::{AliasName, ModuleName, ModuleVersion, NameError, Namespace, PlaceError, ScheduleName};
use crate::time::Timestamp;

/// Most versions that one alias may lead to.
pub const ROUTES_MAX: usize = 8;
/// Largest weight of a version.
pub const WEIGHT_MAX: u16 = 10_000;
/// Most aliases of one module.
pub const ALIASES_MAX: u32 = 100;
/// Open tasks of a version that are counted before one stops counting.
pub const OPEN_TASKS_COUNTED_MAX: u64 = 10_000;
/// Changes of one module in one answer.
pub const EVENTS_MAX: u32 = 200;
/// The alias that a bare module name means. Until somebody sets it, it is the newest version.
pub const LATEST: &str = "latest";

/// What a task calls its module: `name`, `name@1.2.0` or `name@alias`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleSpec {
    /// The module.
    pub name: ModuleName,
    /// Which version of it.
    pub selector: Selector,
}

/// Which version of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Exactly this one.
    Version(ModuleVersion),
    /// What an alias leads to; a bare name is `latest`.
    Alias(AliasName),
}

impl Selector {
    /// The alias, if the version is not named.
    #[must_use]
    pub fn alias(self) -> Option<AliasName> {
        match self {
            Self::Version(_) => None,
            Self::Alias(alias) => Some(alias),
        }
    }
}

impl Selector {
    /// A version if it begins like one, else an alias.
    fn read(text: &str) -> Result<Self, NameError> {
        let is_alias = text.starts_with(|first: char| first.is_ascii_alphabetic());
        if is_alias { text.parse().map(Self::Alias) } else { text.parse().map(Self::Version) }
    }
}

impl ModuleSpec {
    /// What a request of `namespace` calls its module.
    ///
    /// # Errors
    /// [`PlaceError`], when it cannot be read, or is a module of another namespace.
    pub fn within(text: &str, namespace: &Namespace) -> Result<Self, PlaceError> {
        let (name, rest) = text.split_once('@').unwrap_or((text, LATEST));
        Ok(Self { selector: Selector::read(rest)?, name: ModuleName::within(name, namespace)? })
    }
}

impl FromStr for ModuleSpec {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (name, rest) = text.split_once('@').unwrap_or((text, LATEST));
        Ok(Self { selector: Selector::read(rest)?, name: name.parse()? })
    }
}

/// A version that an alias leads to, and its part of the tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Where to.
    pub version: ModuleVersion,
    /// Its part, measured against the sum of all: 1 to 10,000.
    pub weight: u16,
}

impl Route {
    /// All tasks to one version.
    #[must_use]
    pub fn whole(version: ModuleVersion) -> Vec<Self> {
        vec![Self { version, weight: 100 }]
    }
}

/// A name that leads to one version, or to several by weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// What it is called.
    pub name: AliasName,
    /// Where it leads.
    pub routes: Vec<Route>,
    /// Where it led before, for an instant way back; empty if nowhere.
    pub previous: Vec<Route>,
    /// Its last change.
    pub changed_at: Timestamp,
}

/// An alias that cannot be set so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AliasError {
    /// None, or too many.
    #[error("an alias leads to 1 to {ROUTES_MAX} versions, not {0}")]
    Count(usize),
    /// Zero, or too large.
    #[error("the weight of version {version} must be from 1 to {WEIGHT_MAX}, not {weight}")]
    Weight {
        /// Whose.
        version: ModuleVersion,
        /// As asked.
        weight: u16,
    },
    /// Named twice.
    #[error("version {0} is named twice")]
    Twice(ModuleVersion),
}

/// Checks the bounds of an alias's routes.
///
/// # Errors
/// [`AliasError`] names the first that breaks one.
pub fn check_routes(routes: &[Route]) -> Result<(), AliasError> {
    if !(1..=ROUTES_MAX).contains(&routes.len()) {
        return Err(AliasError::Count(routes.len()));
    }
    for (at, Route { version, weight }) in routes.iter().enumerate() {
        if !(1..=WEIGHT_MAX).contains(weight) {
            return Err(AliasError::Weight { version: version.clone(), weight: *weight });
        }
        if routes.iter().take(at).any(|earlier| earlier.version == *version) {
            return Err(AliasError::Twice(version.clone()));
        }
    }
    Ok(())
}

impl Alias {
    /// The alias after a change. The same routes again keep the way back.
    #[must_use]
    pub fn led_to(name: AliasName, before: Option<Self>, routes: Vec<Route>, now: Timestamp) -> Self {
        match before {
            Some(before) if before.routes == routes => before,
            Some(before) => Self { name, routes, previous: before.routes, changed_at: now },
            None => Self { name, routes, previous: Vec::new(), changed_at: now },
        }
    }

    /// Back to where it led before; another call comes back again. `None` if it never led elsewhere.
    #[must_use]
    pub fn rolled_back(self, now: Timestamp) -> Option<Self> {
        let Self { name, routes, previous, .. } = self;
        (!previous.is_empty()).then_some(Self { name, routes: previous, previous: routes, changed_at: now })
    }
}

/// Why no version was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// No version of this module is deployed.
    NoModule,
    /// The module has no such version.
    NoVersion(ModuleVersion),
    /// The module has no such alias.
    NoAlias(AliasName),
    /// The version, or everything that the alias leads to, is switched off.
    Disabled,
    /// As above, and one at least because hosts died of it.
    Quarantined,
}

/// The version that the task with this id gets. `versions` are those of the module, the newest first.
///
/// Weights count only versions that are deployed and not switched off: switching a canary off ends it at once.
///
/// # Errors
/// [`Unresolved`] says why there is none.
pub fn resolve<'a, R: Borrow<ModuleRecord>>(
    selector: &Selector,
    versions: &'a [R],
    aliases: &[Alias],
    task: TaskId,
) -> Result<&'a R, Unresolved> {
    if versions.is_empty() {
        return Err(Unresolved::NoModule);
    }
    match selector {
        Selector::Version(version) => {
            let found = find(versions, version).ok_or_else(|| Unresolved::NoVersion(version.clone()))?;
            enabled(found).ok_or_else(|| off(std::iter::once(found)))
        }
        Selector::Alias(name) => match aliases.iter().find(|alias| alias.name == *name) {
            Some(alias) => pick(&alias.routes, versions, task)
                .ok_or_else(|| off(alias.routes.iter().filter_map(|route| find(versions, &route.version)))),
            None if name.as_str() == LATEST => newest(versions).ok_or_else(|| off(versions.iter())),
            None => Err(Unresolved::NoAlias(name.clone())),
        },
    }
}

fn find<'a, R: Borrow<ModuleRecord>>(versions: &'a [R], version: &ModuleVersion) -> Option<&'a R> {
    versions.iter().find(|one| (*one).borrow().manifest.version == *version)
}

/// Why none of them can be had: quarantine is the graver reason.
fn off<'a, R: Borrow<ModuleRecord> + 'a>(mut versions: impl Iterator<Item = &'a R>) -> Unresolved {
    let is_quarantined = versions.any(|one| one.borrow().quarantined_at.is_some());
    if is_quarantined { Unresolved::Quarantined } else { Unresolved::Disabled }
}

fn enabled<R: Borrow<ModuleRecord>>(one: &R) -> Option<&R> {
    let record = one.borrow();
    (record.disabled_at.is_none() && record.quarantined_at.is_none()).then_some(one)
}

/// The newest release, or the newest pre-release where there is no release.
fn newest<R: Borrow<ModuleRecord>>(versions: &[R]) -> Option<&R> {
    let on = || versions.iter().filter_map(enabled);
    on().find(|one| !(*one).borrow().manifest.version.is_pre_release()).or_else(|| on().next())
}

fn pick<'a, R: Borrow<ModuleRecord>>(routes: &[Route], versions: &'a [R], task: TaskId) -> Option<&'a R> {
    let open: Vec<(&R, u64)> = routes
        .iter()
        .filter_map(|route| Some((find(versions, &route.version).and_then(enabled)?, u64::from(route.weight))))
        .collect();
    let sum: u64 = open.iter().map(|(_, weight)| weight).sum();
    let mut point = chance(task).checked_rem(sum)?;
    for (one, weight) in open {
        if point < weight {
            return Some(one);
        }
        point -= weight;
    }
    None
}

/// The random part of a UUIDv7, spread over 64 bits (the finaliser of SplitMix64): its counter bits are no lots.
fn chance(task: TaskId) -> u64 {
    let low = u64::try_from(task.as_uuid().as_u128() & u128::from(u64::MAX)).unwrap_or(0);
    let mixed = (low ^ (low >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// What still needs a version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Tasks of it that have not ended, counted up to [`OPEN_TASKS_COUNTED_MAX`].
    pub open_tasks: u64,
    /// Schedules that name it, or the module of which it is the last version.
    pub schedules: Vec<ScheduleName>,
    /// Aliases that lead to it.
    pub aliases: Vec<AliasName>,
}

impl References {
    /// Whether nothing does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

impl fmt::Display for References {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |names: Vec<&str>| names.join(", ");
        let mut parts = Vec::new();
        match self.open_tasks {
            0 => {}
            1 => parts.push("1 task that has not ended".to_owned()),
            OPEN_TASKS_COUNTED_MAX.. => {
                parts.push(format!("{OPEN_TASKS_COUNTED_MAX} or more tasks that have not ended"))
            }
            count => parts.push(format!("{count} tasks that have not ended")),
        }
        if !self.schedules.is_empty() {
            parts.push(format!("schedules {}", names(self.schedules.iter().map(ScheduleName::as_str).collect())));
        }
        if !self.aliases.is_empty() {
            parts.push(format!("aliases {}", names(self.aliases.iter().map(AliasName::as_str).collect())));
        }
        f.write_str(&parts.join("; "))
    }
}

/// One change of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub action: Action,
}

/// What was done to a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// A version came.
    Deployed {
        /// Which.
        version: ModuleVersion,
        /// SHA-256 of its bytes.
        digest: ModuleDigest,
        /// What it was granted, as `kind: what`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        permissions: Vec<String>,
    },
    /// It does not run any more, since hosts died while it ran.
    Quarantined {
        /// Which.
        version: ModuleVersion,
        /// SHA-256 of its bytes.
        digest: ModuleDigest,
        /// How many hosts.
        deaths: u32,
    },
    /// It may run again.
    Released {
        /// Which.
        version: ModuleVersion,
    },
    /// No new tasks of it.
    Disabled {
        /// Which.
        version: ModuleVersion,
    },
    /// New tasks of it again.
    Enabled {
        /// Which.
        version: ModuleVersion,
    },
    /// A version went.
    Deleted {
        /// Which.
        version: ModuleVersion,
        /// SHA-256 of its bytes.
        digest: ModuleDigest,
        /// What needed it all the same, if it was forced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        in_spite_of: Option<String>,
    },
    /// An alias leads elsewhere.
    AliasSet {
        /// Which.
        alias: AliasName,
        /// Where to.
        routes: Vec<Route>,
    },
    /// An alias went.
    AliasRemoved {
        /// Which.
        alias: AliasName,
    },
}

/// How an alias changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AliasChange {
    /// It leads here from now on.
    Lead(Vec<Route>),
    /// It leads where it led before.
    RollBack,
    /// It goes.
    Remove,
}

/// Whether new tasks of a version are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// They are.
    Enabled,
    /// They are not; those that were submitted run.
    Disabled,
}

/// Aliases, switches and removal. Every change and its event are one transaction.
#[async_trait]
pub trait ReleaseStore: Send + Sync + 'static {
    /// A module's aliases, by name.
    async fn aliases(&self, name: &ModuleName) -> Result<Vec<Alias>, StoreError>;

    /// Changes an alias; `None` if it was removed. `AliasNotFound`, `NothingBefore`, `VersionNotFound`, `AliasesFull`.
    async fn change_alias(
        &self,
        module: ModuleName,
        alias: AliasName,
        change: AliasChange,
        now: Timestamp,
    ) -> Result<Option<Alias>, StoreError>;

    /// Switches a version on or off; doing it twice is a no-op. `VersionNotFound`.
    async fn switch(
        &self,
        module: ModuleName,
        version: ModuleVersion,
        to: Availability,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// What still needs a version.
    async fn references(&self, module: &ModuleName, version: &ModuleVersion) -> Result<References, StoreError>;

    /// Removes a version, and its bytes if no other version has the same. The caller has looked at the references. `VersionNotFound`.
    async fn delete(
        &self,
        module: ModuleName,
        version: ModuleVersion,
        in_spite_of: Option<String>,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// What was done to a module, the newest first; at most [`EVENTS_MAX`].
    async fn events(&self, name: &ModuleName) -> Result<Vec<ModuleEvent>, StoreError>;
}

#[cfg(test)]
mod tests;
