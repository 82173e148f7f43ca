//! Access: who asks, which roles they have in which namespaces, whether that is enough, and the ports of tokens and of the audit log.
//!
//! Called by the API's one check (`crates/api/src/access`), which any other way in can use too: what is asked for is an [`Asked`], what
//! somebody has are [`Grants`], and [`Grants::permit`] compares them. Guarantees: pure and total; what no grant names is refused.

mod audit;
mod grants;
mod token;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use audit::{AUDIT_PAGE_MAX, AuditEntry, AuditFilter, AuditRecord, AuditStore};
pub use grants::{Denied, GRANTS_MAX, Grants, GrantsError, Scope};
pub use token::{
    Credential, CredentialError, NewToken, TOKENS_MAX, Token, TokenHash, TokenId, TokenStanding, TokenStore,
};

/// What somebody may do, each role all that those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Submits tasks, and cancels, moves and repeats single ones.
    Submitter,
    /// Runs the place: bulk operations, schedules, webhooks, limits, switches of modules.
    Operator,
    /// Deploys modules and sets secrets.
    Deployer,
    /// Makes tokens, sets quotas, reads the audit log.
    Admin,
}

/// There is no such role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role; there are viewer, submitter, operator, deployer and admin")]
pub struct RoleError(String);

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Submitter, Self::Operator, Self::Deployer, Self::Admin];

    /// The one name used in JSON, SQL, flags and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Submitter => "submitter",
            Self::Operator => "operator",
            Self::Deployer => "deployer",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let unknown = || RoleError(text.chars().take(64).collect());
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(unknown)
    }
}

/// Where the role is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// In some namespace, whichever: it is about what all share.
    Anywhere,
    /// In every namespace.
    Everywhere,
    /// In this one.
    Namespace(crate::Namespace),
}
