//! Rules of retention, as they are sent and shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long ended tasks and what belongs to them stay. What is left out is decided by the next weaker rule: a module's rule comes
/// before its queue's, that before the default rule, that before the server's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionRule {
    /// Ended tasks, such as `14d`; from `1s` to ten years, or `forever`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "14d")]
    pub tasks: Option<String>,
    /// Their payloads; `forever` is as long as the task. A task without its payload cannot be retried.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "forever")]
    pub payloads: Option<String>,
    /// Their results; `forever` is as long as the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "7d")]
    pub results: Option<String>,
    /// Their logs; `forever` is as long as the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "12h 30m")]
    pub logs: Option<String>,
}

/// Every rule of retention.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct RetentionView {
    /// What holds where no rule says otherwise: the settings of the process that answers.
    pub settings: RetentionRule,
    /// The default rule, if one is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<RetentionRule>,
    /// Rules of queues, by name.
    pub queues: BTreeMap<String, RetentionRule>,
    /// Rules of modules, by name.
    pub modules: BTreeMap<String, RetentionRule>,
}
