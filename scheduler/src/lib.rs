//! The control plane: settles what hosts report and, while it leads, wakes what is due and rescues what was lost.
//!
//! Started by `taskctl` (`dev`, `serve scheduler`, `serve all`). Any number of schedulers may run: all of them settle, as
//! competing consumers; one of them leads. Guarantees: every loop is idempotent and may be killed at any point; a scheduler that
//! no longer leads cannot commit a leader's change, because each carries its term. It does not run guests and names no driver.

pub mod leader;
mod log;
mod loops;
mod metrics;
mod settings;
mod trace;

use std::sync::Arc;

use tasklane_domain::blob::{BlobStore, ResultStore};
use tasklane_domain::flow::FlowStore;
use tasklane_domain::kv::KeyValueStore;
use tasklane_domain::operation::OperationStore;
use tasklane_domain::ports::{
    Control, Dispatcher, HostRegistry, LeaderStore, LeaseStore, ModuleStore, ReportSource, StreamKeeper, TaskStore,
};
use tasklane_domain::release::ReleaseStore;
use tasklane_domain::retention::RetentionStore;
use tasklane_domain::schedule::ScheduleStore;
use tasklane_domain::webhook::{EventSender, WebhookStore};
use tasklane_domain::{Clock, Term};
use tokio_util::sync::CancellationToken;

pub use metrics::Metrics;
pub use settings::{SchedulerSettings, SettingsError, WebhookSettings};

/// What a scheduler needs of the world.
#[derive(Clone)]
pub struct SchedulerPorts {
    /// The rows.
    pub tasks: Arc<dyn TaskStore>,
    /// Leader-only transactions on them.
    pub leader: Arc<dyn LeaderStore>,
    /// Bulk operations.
    pub operations: Arc<dyn OperationStore>,
    /// Aliases of modules.
    pub releases: Arc<dyn ReleaseStore>,
    /// Recurring schedules.
    pub schedules: Arc<dyn ScheduleStore>,
    /// Flow control.
    pub flow: Arc<dyn FlowStore>,
    /// Who is alive: their slots size the lanes' windows.
    pub hosts: Arc<dyn HostRegistry>,
    /// Webhooks.
    pub webhooks: Arc<dyn WebhookStore>,
    /// The way to their endpoints.
    pub sender: Arc<dyn EventSender>,
    /// The modules, to find the newest version of one.
    pub modules: Arc<dyn ModuleStore>,
    /// Retention rules, and removal.
    pub retention: Arc<dyn RetentionStore>,
    /// The way to the hosts.
    pub dispatcher: Arc<dyn Dispatcher>,
    /// What the hosts report.
    pub reports: Arc<dyn ReportSource>,
    /// What they report of urgent tasks.
    pub urgent_reports: Arc<dyn ReportSource>,
    /// The streams.
    pub keeper: Arc<dyn StreamKeeper>,
    /// The leadership key.
    pub leases: Arc<dyn LeaseStore>,
    /// Large payloads and results.
    pub blobs: Arc<dyn BlobStore>,
    /// Large results on their way.
    pub results: Arc<dyn ResultStore>,
    /// Keys and values of guests.
    pub kv: Arc<dyn KeyValueStore>,
    /// News and nudges.
    pub control: Arc<dyn Control>,
}

/// What every loop holds.
#[derive(Clone)]
pub(crate) struct Room {
    pub(crate) ports: SchedulerPorts,
    pub(crate) settings: Arc<SchedulerSettings>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) log: Arc<log::SettleLog>,
}

/// A leader's time in office, as its loops see it.
#[derive(Clone)]
pub(crate) struct Office {
    /// The fencing token of every transaction.
    pub(crate) term: Term,
    /// Cancelled when the office is over, by whichever side notices first.
    pub(crate) over: CancellationToken,
    /// Whether the lease can still be trusted by this process's own monotonic clock.
    pub(crate) trust: leader::TrustWindow,
}

/// Settle loops for reports of urgent tasks: one commits while the other gathers.
const URGENT_SETTLE_LOOPS: usize = 2;

/// A scheduler process's work.
pub struct Scheduler {
    room: Room,
}

impl Scheduler {
    /// Checks the settings and registers the metrics; starts nothing yet.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting that is out of bounds.
    pub fn new(
        settings: SchedulerSettings,
        ports: SchedulerPorts,
        clock: Arc<dyn Clock>,
        registry: &tasklane_metrics::Registry,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let metrics = Metrics::register(registry).map_err(SettingsError::metrics)?;
        Ok(Self { room: Room { ports, settings: Arc::new(settings), clock, metrics, log: Arc::default() } })
    }

    /// Runs until `shutdown` is cancelled; then finishes the transactions under way and resigns.
    pub async fn run(&self, shutdown: CancellationToken) {
        let SchedulerPorts { reports, urgent_reports, .. } = &self.room.ports;
        let common = std::iter::repeat_n(reports, self.room.settings.settle_loops);
        let sources = common.chain(std::iter::repeat_n(urgent_reports, URGENT_SETTLE_LOOPS)).cloned();
        let settlers =
            sources.map(|source| tokio::spawn(loops::settle::run(self.room.clone(), source, shutdown.clone())));
        let all: Vec<_> = settlers.chain([tokio::spawn(leader::run(self.room.clone(), shutdown.clone()))]).collect();
        for ended in futures::future::join_all(all).await {
            if let Err(panic) = ended {
                tracing::error!(error = %panic, "a scheduler loop panicked");
            }
        }
    }
}
