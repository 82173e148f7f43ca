//! Tokens, who somebody is, and the audit log, as clients see them.

use serde::{Deserialize, Serialize};
use tasklane_domain::Timestamp;
use tasklane_domain::access::{Grants, TokenId};
use utoipa::ToSchema;

/// A token to be made.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// What people call it; needs not be unique.
    #[schema(example = "ci")]
    pub name: String,
    /// Roles by namespace, `*` for all: viewer, submitter, operator, deployer or admin.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub grants: Grants,
    /// How long it opens anything, such as `90d`. Default: until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "90d")]
    pub expires_in: Option<String>,
    /// How many requests it may make, such as `100/1s`, in each API process. Default: as the server says for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "100/1s")]
    pub rate: Option<String>,
}

/// A token, without what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// What names it, and how its text begins.
    #[schema(value_type = String, example = "tlk_0123456789abcdef")]
    pub id: TokenId,
    /// What people call it.
    pub name: String,
    /// Roles by namespace.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub grants: Grants,
    /// `active`, `expired` or `revoked`.
    pub state: String,
    /// How many requests it may make, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to within a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    /// The whole token: in the answer that made it, and never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Tokens, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    /// Those that the caller may see.
    pub tokens: Vec<TokenView>,
}

/// Who asks, as the server sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoAmI {
    /// What the audit log calls them; `anonymous` where nobody has to say who they are.
    pub actor: String,
    /// What people call them.
    pub name: String,
    /// Roles by namespace.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub grants: Grants,
}

/// Who did what to which thing from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditView {
    /// Rises; some numbers may be left out.
    pub seq: i64,
    /// When it was answered.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who: `token:tlk_…`, `jwt:ISSUER|SUBJECT`, `anonymous`, or `operator` for what was done at the database.
    pub actor: String,
    /// What people call them.
    pub name: String,
    /// From which address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What: a method and a path's pattern.
    #[schema(example = "POST /api/v1/tasks/{id}/cancel")]
    pub action: String,
    /// To which thing: its path.
    pub target: String,
    /// Whose it is; left out where it is the cluster's, or of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The status that it was answered with.
    pub status: u16,
    /// The request's id.
    pub request_id: String,
}

/// A page of the audit log, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditList {
    /// At most 500.
    pub entries: Vec<AuditView>,
    /// For the next page; left out on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
