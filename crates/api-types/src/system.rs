//! Hosts' orders, settings, findings, reset.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tasklane_domain::{HostInfo, Timestamp};
use utoipa::ToSchema;

/// A change of a host.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostRequest {
    /// Guests that run at once: from 1 to the host's `slots_max`.
    #[schema(example = 8)]
    pub slots: u32,
}

/// One host, by its newest heartbeat.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct HostView(pub HostInfo);

/// The settings of one process.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConfigView {
    /// What was set, by key; secrets are `[redacted]`.
    #[schema(value_type = Object)]
    pub settings: BTreeMap<String, Value>,
    /// Whether it is a development instance, which can forget everything.
    pub resettable: bool,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works less well or less safely.
    Warn,
    /// Something will not work.
    Fail,
}

impl Verdict {
    /// The one name used in JSON and the terminal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check of the doctor.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// What was looked at.
    pub name: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// What the doctor found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FindingList {
    /// When it looked.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Each check.
    pub checks: Vec<Finding>,
}

/// Everything shall be forgotten.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetRequest {
    /// `reset`, so that nobody does it by mistake.
    #[schema(example = "reset")]
    pub confirm: String,
}
