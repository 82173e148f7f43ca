//! A line: held tasks that wait for exactly the same things, and so in the order of their submission.
//!
//! The text of a line is a column of the task's row, so that the head of each line is found in an index and nobody stands behind a
//! task that waits for something else. An empty text is the line of plain tasks.

use serde::{Deserialize, Serialize};

use super::{FlowRules, ModuleFlow, Rate};
use crate::cluster::Lane;
use crate::name::{ModuleName, Namespace};
use crate::task::NewTask;

/// What the tasks of one line have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Line {
    /// Whose share of the lane they take.
    #[serde(rename = "s")]
    share: String,
    #[serde(rename = "m")]
    module: Option<ModuleName>,
    /// Whose tasks they are. Lines from before namespaces had quotas do not say.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    namespace: Option<Namespace>,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    concurrency: Option<(String, u32)>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    rate: Option<(String, Rate)>,
    #[serde(rename = "f", default, skip_serializing_if = "ModuleFlow::is_empty")]
    manifest: ModuleFlow,
}

/// Something that only so many tasks hold at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Gate {
    /// Its name among all gates.
    pub id: String,
    /// How many.
    pub max: u32,
}

/// Something that tasks are taken from a bucket for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Meter {
    /// Its name among all meters.
    pub id: String,
    /// How fast.
    pub rate: Rate,
}

/// Keys of different namespaces differ.
fn scoped(namespace: &Namespace, key: &str) -> String {
    format!("{namespace}/{key}")
}

impl Line {
    /// The line of tasks that wait for nothing but their queue.
    #[must_use]
    pub const fn plain() -> Self {
        Self {
            share: String::new(),
            module: None,
            namespace: None,
            concurrency: None,
            rate: None,
            manifest: ModuleFlow { max: None, rate: None },
        }
    }

    /// The line of a new task, under the rules of now; [`Line::plain`] for most.
    #[must_use]
    pub fn of(task: &NewTask, rules: &FlowRules) -> Self {
        let flow = &task.flow;
        let owned = task.namespace != Namespace::default()
            || rules.is_fair(&task.queue)
            || rules.running_max(&task.namespace).is_some();
        let plain = flow.is_empty() && !owned && !rules.modules.contains_key(&task.module.name);
        if plain {
            return Self::plain();
        }
        let keyed = flow.concurrency.as_ref().map(|limit| (scoped(&task.namespace, limit.key.as_str()), limit.max));
        let explicit = flow.share.as_ref().map(|share| scoped(&task.namespace, share.as_str()));
        let by_key = keyed.as_ref().map(|(key, _)| key.clone());
        Self {
            share: explicit.or(by_key).unwrap_or_else(|| task.namespace.as_str().to_owned()),
            module: Some(task.module.name.clone()),
            namespace: Some(task.namespace.clone()),
            concurrency: keyed,
            rate: flow.rate.as_ref().map(|limit| (scoped(&task.namespace, limit.key.as_str()), limit.limit)),
            manifest: flow.module,
        }
    }

    /// Whether its tasks go straight to their lane while their queue is not paused.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::plain()
    }

    /// For the database: empty for plain tasks.
    #[must_use]
    pub fn to_text(&self) -> String {
        if self.is_plain() { String::new() } else { serde_json::to_string(self).unwrap_or_default() }
    }

    /// From the database.
    ///
    /// # Errors
    /// When it is no line's text.
    pub fn from_text(text: &str) -> Result<Self, serde_json::Error> {
        if text.is_empty() { Ok(Self::plain()) } else { serde_json::from_str(text) }
    }

    /// Whose share of the lane its tasks take.
    #[must_use]
    pub fn share(&self) -> &str {
        &self.share
    }

    fn module_flow(&self, rules: &FlowRules) -> ModuleFlow {
        let rule = self.module.as_ref().and_then(|module| rules.modules.get(module));
        rule.copied().unwrap_or(self.manifest)
    }

    fn module_id(&self) -> String {
        self.module.as_ref().map_or_else(String::new, |module| format!("m:{module}"))
    }

    /// What its tasks hold while they are on their way or run, beside a place in the lane's window.
    #[must_use]
    pub fn gates(&self, rules: &FlowRules) -> Vec<Gate> {
        let keyed = self.concurrency.iter().map(|(key, max)| Gate { id: format!("c:{key}"), max: *max });
        let module = self.module_flow(rules).max.map(|max| Gate { id: self.module_id(), max });
        keyed.chain(module).chain(self.namespace_gate(rules)).collect()
    }

    fn namespace_gate(&self, rules: &FlowRules) -> Option<Gate> {
        let namespace = self.namespace.as_ref()?;
        rules.running_max(namespace).map(|max| Gate { id: Self::gate_of(namespace), max })
    }

    /// The gate of everything that runs of a namespace.
    #[must_use]
    pub fn gate_of(namespace: &Namespace) -> String {
        format!("n:{namespace}")
    }

    /// What its tasks take a token of when they are admitted.
    #[must_use]
    pub fn meters(&self, rules: &FlowRules) -> Vec<Meter> {
        let keyed = self.rate.iter().map(|(key, rate)| Meter { id: format!("r:{key}"), rate: *rate });
        let module = self.module_flow(rules).rate.map(|rate| Meter { id: self.module_id(), rate });
        keyed.chain(module).collect()
    }

    /// The gate of a lane's window.
    #[must_use]
    pub fn window_of(lane: &Lane) -> String {
        format!("l:{lane}")
    }
}
