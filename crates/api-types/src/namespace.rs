//! Namespaces, as operators bound and list them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a namespace may have at most. What is left out is bounded by the cluster alone; zero lets nothing in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QuotasBody {
    /// Deployed versions, of all its modules together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules_max: Option<u64>,
    /// Sum of their sizes, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_bytes_max: Option<u64>,
    /// Tasks that have not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 10_000)]
    pub tasks_waiting_max: Option<u64>,
    /// Tasks on their way to a host or running, at once; the others wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 20)]
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

/// What a namespace has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct UsageView {
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

/// A namespace that somebody has named.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct NamespaceView {
    /// Which.
    pub name: String,
    /// What it may have at most.
    pub quotas: QuotasBody,
    /// What it has.
    pub usage: UsageView,
}

/// Namespaces, by name.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct NamespaceList {
    /// Those that have anything or a quota, and `default`.
    pub namespaces: Vec<NamespaceView>,
}
