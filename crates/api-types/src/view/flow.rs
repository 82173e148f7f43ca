//! Queues, and what operators said of queues and modules, as clients see them.

use serde::{Deserialize, Serialize};
use tasklane_domain::Timestamp;
use tasklane_domain::flow::Rate;
use utoipa::ToSchema;

/// A queue: what operators said of it, and what waits and runs in it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct QueueView {
    /// Its name.
    pub name: String,
    /// Since when nothing of it goes to the hosts; missing while it is not paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub paused_at: Option<Timestamp>,
    /// Whether its plain tasks, too, take fair shares, by namespace.
    pub fair: bool,
    /// Tasks that are queued, held ones included.
    pub queued: u64,
    /// Of them, those that flow control holds back.
    pub held: u64,
    /// Tasks that run.
    pub running: u64,
    /// Tasks that wait for a time or for other tasks.
    pub waiting: u64,
    /// When the oldest queued one became queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub oldest_queued_at: Option<Timestamp>,
}

/// Every queue that has tasks or a rule.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct QueueList {
    /// By name.
    pub queues: Vec<QueueView>,
}

/// What an operator said of a module's flow.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ModuleFlowView {
    /// The module.
    pub module: String,
    /// Tasks of it at once, in the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// How fast its tasks may start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "10/1s")]
    pub rate: Option<Rate>,
}

/// Every module's rule.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ModuleFlowList {
    /// By name.
    pub modules: Vec<ModuleFlowView>,
}
