//! Namespaces: what one may have at most, what it has, and the port of both.
//!
//! A namespace is there as soon as something names it; a row is only made for its quotas. Called by the API (routes, answers) and by the
//! store, which compares in the transaction that would exceed one. Guarantees: a namespace without quotas has the cluster's limits and
//! pays nothing. It does not say who may speak for a namespace: that is [`crate::access`].

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::name::Namespace;

/// Namespaces with quotas of their own in a cluster: every submit transaction reads them.
pub const NAMESPACES_WITH_QUOTAS_MAX: u32 = 1_000;
/// Largest value of a quota: what a column of the databases holds.
pub const QUOTA_MAX: u64 = i64::MAX.unsigned_abs();

/// What a namespace may have at most; `None`: as much as the cluster lets it. Zero lets nothing in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quotas {
    /// Deployed versions, of all its modules together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules_max: Option<u64>,
    /// Sum of their sizes, in bytes; the same bytes under two versions count twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_bytes_max: Option<u64>,
    /// Tasks that have not ended, running ones included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks_waiting_max: Option<u64>,
    /// Tasks on their way to a host or running, at once; the others wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks_running_max: Option<u64>,
    /// Bytes of keys and values, in all its stores together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_bytes_max: Option<u64>,
    /// Secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets_max: Option<u64>,
    /// Recurring schedules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedules_max: Option<u64>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quota {
    /// [`Quotas::modules_max`].
    Modules,
    /// [`Quotas::module_bytes_max`].
    ModuleBytes,
    /// [`Quotas::tasks_waiting_max`].
    TasksWaiting,
    /// [`Quotas::tasks_running_max`].
    TasksRunning,
    /// [`Quotas::kv_bytes_max`].
    KvBytes,
    /// [`Quotas::secrets_max`].
    Secrets,
    /// [`Quotas::schedules_max`].
    Schedules,
}

impl Quota {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Modules,
        Self::ModuleBytes,
        Self::TasksWaiting,
        Self::TasksRunning,
        Self::KvBytes,
        Self::Secrets,
        Self::Schedules,
    ];

    /// The one name used in JSON, documents and errors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Modules => "modules_max",
            Self::ModuleBytes => "module_bytes_max",
            Self::TasksWaiting => "tasks_waiting_max",
            Self::TasksRunning => "tasks_running_max",
            Self::KvBytes => "kv_bytes_max",
            Self::Secrets => "secrets_max",
            Self::Schedules => "schedules_max",
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Something would be more than a namespace may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("namespace `{namespace}` may have {quota} = {limit}; it has {used}, and {wanted} more are asked for")]
pub struct Exceeded {
    /// Whose.
    pub namespace: Namespace,
    /// Of what.
    pub quota: Quota,
    /// How much it may have.
    pub limit: u64,
    /// How much it has.
    pub used: u64,
    /// How much more was asked for.
    pub wanted: u64,
}

impl Quotas {
    /// One of them.
    #[must_use]
    pub const fn of(&self, quota: Quota) -> Option<u64> {
        match quota {
            Quota::Modules => self.modules_max,
            Quota::ModuleBytes => self.module_bytes_max,
            Quota::TasksWaiting => self.tasks_waiting_max,
            Quota::TasksRunning => self.tasks_running_max,
            Quota::KvBytes => self.kv_bytes_max,
            Quota::Secrets => self.secrets_max,
            Quota::Schedules => self.schedules_max,
        }
    }

    /// Whether nothing is bounded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The first that no database can hold.
    #[must_use]
    pub fn too_large(&self) -> Option<Quota> {
        Quota::ALL.into_iter().find(|quota| self.of(*quota).is_some_and(|max| max > QUOTA_MAX))
    }

    /// Whether `wanted` more may come to `used`.
    ///
    /// # Errors
    /// [`Exceeded`], with all that somebody needs to know.
    pub fn check(&self, namespace: &Namespace, quota: Quota, used: u64, wanted: u64) -> Result<(), Exceeded> {
        match self.of(quota) {
            Some(limit) if wanted > limit.saturating_sub(used) => {
                Err(Exceeded { namespace: namespace.clone(), quota, limit, used, wanted })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// What a namespace has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Deployed versions.
    pub modules: u64,
    /// Sum of their sizes, in bytes.
    pub module_bytes: u64,
    /// Tasks that have not ended.
    pub tasks_waiting: u64,
    /// Tasks that run; where their number has a quota, those on their way to a host, too.
    pub tasks_running: u64,
    /// Bytes of keys and values.
    pub kv_bytes: u64,
    /// Secrets.
    pub secrets: u64,
    /// Recurring schedules.
    pub schedules: u64,
}

impl Usage {
    /// One of them.
    #[must_use]
    pub const fn of(&self, quota: Quota) -> u64 {
        match quota {
            Quota::Modules => self.modules,
            Quota::ModuleBytes => self.module_bytes,
            Quota::TasksWaiting => self.tasks_waiting,
            Quota::TasksRunning => self.tasks_running,
            Quota::KvBytes => self.kv_bytes,
            Quota::Secrets => self.secrets,
            Quota::Schedules => self.schedules,
        }
    }
}

/// A namespace that somebody has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceInfo {
    /// Which.
    pub name: Namespace,
    /// What it may have at most; empty if nobody said anything.
    pub quotas: Quotas,
    /// What it has.
    pub usage: Usage,
}

/// Quotas and what is used of them.
#[async_trait]
pub trait NamespaceStore: Send + Sync + 'static {
    /// Every namespace that has anything or a quota, and `default`, by name. Counts: not for a hot path.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    async fn namespaces(&self) -> Result<Vec<NamespaceInfo>, StoreError>;

    /// Sets all quotas of a namespace, or unsets them with `None`. Says whether it had any before. What it has already stays.
    ///
    /// # Errors
    /// `NamespacesFull`; as above.
    async fn set_quotas(&self, namespace: Namespace, quotas: Option<Quotas>) -> Result<bool, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_lets_in_what_fits() {
        let quotas = Quotas { tasks_waiting_max: Some(10), ..Quotas::default() };
        let check = |used, wanted| quotas.check(&Namespace::default(), Quota::TasksWaiting, used, wanted);
        assert_eq!(check(0, 10), Ok(()));
        assert_eq!(check(9, 1), Ok(()));
        assert_eq!(check(10, 0), Ok(()));
        assert_eq!(check(12, 0), Ok(()), "what is there stays");
        for (used, wanted) in [(0, 11), (10, 1), (12, 1), (0, u64::MAX), (u64::MAX, 1)] {
            let refused = check(used, wanted).unwrap_err();
            assert_eq!((refused.limit, refused.used, refused.wanted), (10, used, wanted));
        }
        assert_eq!(quotas.check(&Namespace::default(), Quota::Secrets, u64::MAX, u64::MAX), Ok(()), "none is set");
    }

    #[test]
    fn an_excess_says_what_and_how_much() {
        let quotas = Quotas { kv_bytes_max: Some(0), ..Quotas::default() };
        let refused = quotas.check(&"acme".parse().unwrap(), Quota::KvBytes, 0, 7).unwrap_err().to_string();
        for part in ["acme", "kv_bytes_max = 0", "has 0", "7 more"] {
            assert!(refused.contains(part), "{refused}");
        }
    }

    #[test]
    fn each_quota_has_its_own_name_and_place() {
        for quota in Quota::ALL {
            let quotas: Quotas = serde_json::from_value(serde_json::json!({quota.as_str(): 5})).unwrap();
            assert_eq!(Quota::ALL.map(|one| quotas.of(one).is_some()), Quota::ALL.map(|one| one == quota), "{quota}");
            assert_eq!(quotas.too_large(), None);
            let far: Quotas = serde_json::from_value(serde_json::json!({quota.as_str(): u64::MAX})).unwrap();
            assert_eq!(far.too_large(), Some(quota));
        }
        assert!(Quotas::default().is_empty());
    }
}
