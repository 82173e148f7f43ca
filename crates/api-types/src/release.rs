//! Aliases of modules, differences of versions, and what was done to modules, as clients see them.

use serde::{Deserialize, Serialize};
use tasklane_domain::Timestamp;
use tasklane_domain::release::Action;
use utoipa::ToSchema;

/// A version that an alias leads to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteBody {
    /// Where to.
    #[schema(example = "2.1.0")]
    pub version: String,
    /// Its part, measured against the sum of all: 1 to 10,000. Default: 100.
    #[serde(default = "whole")]
    #[schema(example = 5)]
    pub weight: u16,
}

const fn whole() -> u16 {
    100
}

/// Where an alias leads.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasRequest {
    /// 1 to 8 versions.
    pub routes: Vec<RouteBody>,
}

/// Which version gets all tasks of an alias.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PromoteRequest {
    /// Default: the newest of those that it leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// An alias.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct AliasView {
    /// Its name.
    pub alias: String,
    /// Where it leads.
    pub routes: Vec<RouteBody>,
    /// Where a rollback would lead; empty if it led nowhere else before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<RouteBody>,
    /// Its last change.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
}

/// A module's aliases.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct AliasList {
    /// By name.
    pub aliases: Vec<AliasView>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What one version has and the other has not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Changes {
    /// Only the second has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// Only the first has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// How many more there are: at most 1,000 of each are named.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

/// The difference of two versions.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct ModuleDiff {
    /// The module.
    pub name: String,
    /// The first version.
    pub from: String,
    /// The second version.
    pub to: String,
    /// Whether the bytes are the same.
    pub same_bytes: bool,
    /// Size of the first, in bytes.
    pub from_size_bytes: u64,
    /// Size of the second, in bytes.
    pub to_size_bytes: u64,
    /// What it needs of the host.
    pub imports: Changes,
    /// What it offers.
    pub exports: Changes,
    /// What its manifest asks for, as `key = value`.
    pub permissions: Changes,
    /// The rest of the manifest, as `key = value`.
    pub manifest: Changes,
}

/// One change of a module.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct ModuleEventView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What: `action` and its data.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub action: Action,
}

/// What was done to a module.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct ModuleEventList {
    /// The newest first, at most 200.
    pub events: Vec<ModuleEventView>,
}
