//! What each firing of a schedule submits, resolved at each firing: `name` without a version is the newest one then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ScheduleName, jitter};
use crate::dependence::After;
use crate::id::TaskId;
use crate::limits::{LimitError, LimitsPatch, LimitsPolicy};
use crate::module::ModuleRecord;
use crate::name::{Labels, ModuleName, ModuleVersion, NameError, Namespace, QueueName};
use crate::payload::Payload;
use crate::priority::Priority;
use crate::retry::{RetryError, RetryPatch, RetryPolicy};
use crate::task::{Lineage, NewTask};
use crate::time::Timestamp;

/// Label of every task of a schedule: the schedule's name.
pub const SCHEDULE_LABEL: &str = "tasklane/schedule";
/// Label of every task of a schedule: its instant, RFC 3339 in UTC.
pub const INSTANT_LABEL: &str = "tasklane/instant";

/// A task without a time. The payload is kept beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskTemplate {
    /// What it runs.
    pub module: ModuleName,
    /// Which version; `None`: the newest release at each firing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<ModuleVersion>,
    /// Where it waits. Default: the module's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueName>,
    /// How urgent it is. Default: the module's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// What each attempt may use.
    #[serde(default)]
    pub limits: LimitsPatch,
    /// How it is tried again.
    #[serde(default)]
    pub retry: RetryPatch,
    /// To find it by; two more are added ([`SCHEDULE_LABEL`], [`INSTANT_LABEL`]).
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Whom it belongs to.
    #[serde(default)]
    pub namespace: Namespace,
}

/// Why a template makes no task.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TemplateError {
    /// A limit is out of bounds.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A retry setting is out of bounds.
    #[error(transparent)]
    Retry(#[from] RetryError),
    /// With the two of a schedule there are too many labels.
    #[error("the task's labels and the two that a schedule adds: {0}")]
    Labels(#[from] NameError),
}

/// Where a template's task comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Which schedule.
    pub schedule: &'a ScheduleName,
    /// For which instant.
    pub instant: Timestamp,
    /// How much later it may start, in milliseconds.
    pub jitter_ms: u32,
}

impl TaskTemplate {
    /// The task of one instant, submitted at `now`.
    ///
    /// # Errors
    /// [`TemplateError`] names what is out of bounds.
    pub fn resolve(
        &self,
        module: &ModuleRecord,
        payload: Payload,
        policy: &LimitsPolicy,
        origin: Origin<'_>,
        now: Timestamp,
    ) -> Result<NewTask, TemplateError> {
        let manifest = &module.manifest;
        let start = origin.instant.plus(jitter(origin.schedule, origin.instant, origin.jitter_ms));
        Ok(NewTask {
            id: TaskId::new(),
            module: module.reference(),
            queue: self.queue.clone().or_else(|| manifest.queue.clone()).unwrap_or_default(),
            priority: self.priority.or(manifest.priority).unwrap_or_default(),
            payload,
            limits: policy.resolve(&self.limits, &manifest.limits)?,
            retry: RetryPolicy::resolve(&self.retry, &manifest.retry)?,
            labels: self.labels_of(origin)?,
            created_at: now,
            run_at: Some(start).filter(|start| *start > now),
            deadline: None,
            traceparent: None,
            idempotency: None,
            unique: None,
            namespace: self.namespace.clone(),
            lineage: Lineage::default(),
            after: After::default(),
        })
    }

    fn labels_of(&self, origin: Origin<'_>) -> Result<Labels, NameError> {
        let mut labels: BTreeMap<String, String> = self.labels.clone().into();
        labels.insert(SCHEDULE_LABEL.to_owned(), origin.schedule.to_string());
        labels.insert(INSTANT_LABEL.to_owned(), origin.instant.to_string());
        Labels::try_from(labels)
    }

    /// `name`, or `name@version`.
    #[must_use]
    pub fn module_text(&self) -> String {
        self.version.as_ref().map_or_else(|| self.module.to_string(), |version| format!("{}@{version}", self.module))
    }
}
