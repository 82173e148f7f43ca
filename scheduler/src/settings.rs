//! What can be set about a scheduler, with units, defaults and bounds.

use std::time::Duration;

use tasklane_domain::retention::KeepTimes;
use tasklane_domain::webhook::{ATTEMPTS_MAX, Links, RetryPlan, WAIT_FIRST_MAX, WAITING_MAX};
use tasklane_trace::Tracing;

/// What can be set about webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// How often and how soon deliveries are sent again. 1 to 30 attempts, default 12; first wait 10 ms to 1 h, default 5 s.
    pub retry: RetryPlan,
    /// Deliveries of one endpoint that may wait before it is paused. 1 to 100,000, the default.
    pub waiting_max: u32,
    /// How people reach this cluster. Default: not known, so links are paths.
    pub links: Links,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self { retry: RetryPlan::default(), waiting_max: WAITING_MAX, links: Links::default() }
    }
}

/// Settings of one scheduler process.
#[derive(Debug, Clone)]
pub struct SchedulerSettings {
    /// Name shown as the leader's. Default: empty; `taskctl` passes `<machine>-<pid>`.
    pub name: String,
    /// How long a leadership lease lasts without renewal. 1 s to 5 min, default 10 s: longer than a JetStream failover takes
    /// (4.6 s was measured on three nodes).
    pub lease_ttl: Duration,
    /// How many settle loops run at once, so that one fetches while another commits. 1 to 16, default 3.
    pub settle_loops: usize,
    /// Reports after which one settle operation takes in no further message. 1 to 10,000, default 1,000.
    pub settle_reports_max: usize,
    /// How often the rescue loop compares rows with the lanes. 100 ms to 10 min, default 5 s.
    pub rescue_interval: Duration,
    /// How much older than its lane's watermark a row must be to be published anew: covers the time from commit to publish and
    /// the difference of two machines' clocks. 100 ms to 10 min, default 5 s.
    pub rescue_margin: Duration,
    /// How often done messages are deleted from the streams. 100 ms to 10 min, default 5 s.
    pub trim_interval: Duration,
    /// How long a blob stays after its last use when no task refers to it. 1 s to 30 days, default 1 h.
    pub blob_grace: Duration,
    /// How long ended tasks and what belongs to them stay, where no rule says otherwise. Default: [`KeepTimes::default`].
    pub retention: KeepTimes,
    /// How often the retention loop looks for what may go. 100 ms to 1 h, default 30 s.
    pub retention_interval: Duration,
    /// Most rows that one leader transaction changes. 1 to 10,000, default 1,000.
    pub batch_rows_max: u32,
    /// Webhooks.
    pub webhooks: WebhookSettings,
    /// Spans of settled reports. Default: off.
    pub tracing: Tracing,
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            lease_ttl: Duration::from_secs(10),
            settle_loops: 3,
            settle_reports_max: 1_000,
            rescue_interval: Duration::from_secs(5),
            rescue_margin: Duration::from_secs(5),
            trim_interval: Duration::from_secs(5),
            blob_grace: Duration::from_secs(3_600),
            retention: KeepTimes::default(),
            retention_interval: Duration::from_secs(30),
            batch_rows_max: 1_000,
            webhooks: WebhookSettings::default(),
            tracing: Tracing::default(),
        }
    }
}

/// A setting out of bounds.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Which, and what is allowed.
    #[error("scheduler setting `{name}` must be {bounds}")]
    OutOfBounds {
        /// The setting.
        name: &'static str,
        /// What is allowed.
        bounds: &'static str,
    },
    /// The metrics could not be registered.
    #[error("the scheduler's metrics could not be registered")]
    Metrics(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl SettingsError {
    pub(crate) fn metrics(source: prometheus::Error) -> Self {
        Self::Metrics(Box::new(source))
    }
}

const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// Shortest first wait of a delivery.
const WAIT_FIRST_MIN: Duration = Duration::from_millis(10);
const INTERVAL_MAX: Duration = Duration::from_secs(600);
const BLOB_GRACE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const RETENTION_INTERVAL_MAX: Duration = Duration::from_secs(3_600);

impl SchedulerSettings {
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let bounded = |name, bounds, good: bool| {
            if good { Ok(()) } else { Err(SettingsError::OutOfBounds { name, bounds }) }
        };
        let interval = |value: Duration| (INTERVAL_MIN..=INTERVAL_MAX).contains(&value);
        let ttl = (Duration::from_secs(1)..=Duration::from_secs(300)).contains(&self.lease_ttl);
        bounded("lease_ttl", "from 1 s to 5 min", ttl)?;
        bounded("settle_loops", "from 1 to 16", (1..=16).contains(&self.settle_loops))?;
        bounded("settle_reports_max", "from 1 to 10000", (1..=10_000).contains(&self.settle_reports_max))?;
        bounded("rescue_interval", "from 100 ms to 10 min", interval(self.rescue_interval))?;
        bounded("rescue_margin", "from 100 ms to 10 min", interval(self.rescue_margin))?;
        bounded("trim_interval", "from 100 ms to 10 min", interval(self.trim_interval))?;
        let grace = (Duration::from_secs(1)..=BLOB_GRACE_MAX).contains(&self.blob_grace);
        bounded("blob_grace", "from 1 s to 30 days", grace)?;
        let patient = (INTERVAL_MIN..=RETENTION_INTERVAL_MAX).contains(&self.retention_interval);
        bounded("retention_interval", "from 100 ms to 1 h", patient)?;
        bounded("batch_rows_max", "from 1 to 10000", (1..=10_000).contains(&self.batch_rows_max))?;
        let WebhookSettings { retry, waiting_max, .. } = &self.webhooks;
        bounded("webhook_attempts_max", "from 1 to 30", (1..=ATTEMPTS_MAX).contains(&retry.attempts_max))?;
        bounded(
            "webhook_retry_ms",
            "from 10 ms to 1 h",
            (WAIT_FIRST_MIN..=WAIT_FIRST_MAX).contains(&retry.wait_first),
        )?;
        bounded("webhook_waiting_max", "from 1 to 100000", (1..=WAITING_MAX).contains(waiting_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_bounds_and_zero_is_not() {
        assert!(SchedulerSettings::default().check().is_ok());
        let none = SchedulerSettings { settle_loops: 0, ..SchedulerSettings::default() };
        assert!(none.check().unwrap_err().to_string().contains("settle_loops"));
        let hasty = SchedulerSettings { rescue_margin: Duration::ZERO, ..SchedulerSettings::default() };
        assert!(hasty.check().is_err());
    }
}
