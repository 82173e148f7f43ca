//! What the program around the API says of itself: its settings, its doctor, and its way back to nothing.
//!
//! Filled in by `taskctl`'s role start-up; shown by `routes::system`. Guarantees: however many ask, the doctor looks at most once at a
//! time and once in ten seconds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;
use tasklane_api_types::{Finding, FindingList};
use tasklane_domain::Timestamp;
use tokio::sync::Mutex;

/// How long findings are good enough, and the least time between two looks.
const FINDINGS_AGE_MAX: Duration = Duration::from_secs(10);

/// Looks for what is missing.
pub type Doctor = Arc<dyn Fn() -> BoxFuture<'static, Vec<Finding>> + Send + Sync>;

/// The program around the API.
#[derive(Clone, Default)]
pub struct Machine {
    /// The settings in force, by key, without secrets.
    pub shown: BTreeMap<String, Value>,
    /// The doctor. Default: none, who finds nothing.
    pub doctor: Option<Doctor>,
    /// Begins to forget everything. Only a development instance has one.
    pub reset: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("shown", &self.shown).finish_non_exhaustive()
    }
}

/// What the doctor last found.
#[derive(Default)]
pub(crate) struct Findings(Mutex<Option<FindingList>>);

impl Findings {
    /// What was found lately, or what is found now.
    pub(crate) async fn get(&self, machine: &Machine, now: Timestamp) -> FindingList {
        let mut last = self.0.lock().await;
        if let Some(known) = last.as_ref().filter(|known| now.since(known.at) < FINDINGS_AGE_MAX) {
            return known.clone();
        }
        let checks = match &machine.doctor {
            Some(look) => look().await,
            None => Vec::new(),
        };
        last.insert(FindingList { at: now, checks }).clone()
    }
}
