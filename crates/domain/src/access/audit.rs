//! The audit log: who did what to which thing from where, and how it was answered. Append-only.
//!
//! Guarantees: an entry holds names, a path and a status, never a body, a query or a credential; entries have a number each, which rises.
//! It does not promise that an entry is there for a change whose process died between the commit and the entry.

use async_trait::async_trait;

use crate::error::StoreError;
use crate::name::Namespace;
use crate::time::Timestamp;

/// Most entries of one page.
pub const AUDIT_PAGE_MAX: u32 = 500;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When it was answered.
    pub at: Timestamp,
    /// Who: `token:tlk_…`, `jwt:ISSUER|SUBJECT`, `anonymous`, `operator` (at the database itself).
    pub actor: String,
    /// What people call them.
    pub name: String,
    /// From which address.
    pub source: Option<String>,
    /// What: a method and a path's pattern, such as `POST /api/v1/tasks/{id}/cancel`.
    pub action: String,
    /// To which thing: its path.
    pub target: String,
    /// Whose it is; `None` where it is the cluster's.
    pub namespace: Option<Namespace>,
    /// The status that it was answered with; 403 for what was refused.
    pub status: u16,
    /// The request's id.
    pub request: String,
}

/// An entry with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Later entries have higher ones; some may be left out.
    pub seq: i64,
    /// What was done.
    pub entry: AuditEntry,
}

/// Which entries: all that is given must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this namespace.
    pub namespace: Option<Namespace>,
    /// Of this actor.
    pub actor: Option<String>,
    /// Not before this time.
    pub since: Option<Timestamp>,
}

/// The rows.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// Adds entries, in this order.
    async fn append(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError>;

    /// Those with a lower number than `before`, the newest first, at most `limit`.
    async fn page(&self, filter: &AuditFilter, before: Option<i64>, limit: u32)
    -> Result<Vec<AuditRecord>, StoreError>;

    /// Those with a higher number than `after`, the oldest first, at most `limit`.
    async fn after(&self, after: i64, limit: u32) -> Result<Vec<AuditRecord>, StoreError>;
}
