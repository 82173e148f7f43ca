//! What one picture shows: answers of the API, and what they add up to. Without I/O.

use serde::Serialize;
use tasklane_api_types::{ClusterInfo, ClusterStats, HistoryView, QueueView, TaskView};
use tasklane_domain::{HostInfo, Timestamp};

use super::slow::SlowModule;

/// Seconds over which rates are told.
pub(super) const RATE_SECONDS: u32 = 60;

/// Everything that is shown.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Picture {
    /// When it was taken, by this machine's clock.
    pub(super) at: Timestamp,
    pub(super) server: String,
    pub(super) cluster: ClusterInfo,
    pub(super) stats: ClusterStats,
    pub(super) hosts: Vec<HostInfo>,
    pub(super) queues: Vec<QueueView>,
    pub(super) rates: Rates,
    pub(super) slowest_modules: Vec<SlowModule>,
    /// The newest tasks that run or wait.
    pub(super) tasks: Vec<TaskView>,
}

/// How fast tasks end.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Rates {
    /// In each second, on average over the last minute.
    pub(super) ended_per_second: f64,
    /// Of them, those that failed: 0 to 1.
    pub(super) failed_share: f64,
    /// What ended in each of the last seconds, the oldest first.
    #[serde(skip)]
    pub(super) by_second: Vec<u64>,
}

impl Rates {
    /// Of a history, up to `now`, by the server's clock.
    #[expect(clippy::cast_precision_loss, reason = "counts of a minute")]
    pub(super) fn of(history: &HistoryView, now: Timestamp) -> Self {
        let mut by_second = vec![0_u64; usize::try_from(RATE_SECONDS).unwrap_or(60)];
        let (mut ended, mut failed) = (0_u64, 0_u64);
        let last = now.as_micros().div_euclid(1_000_000);
        for second in &history.seconds {
            let count: u64 = second.ended.values().sum();
            ended += count;
            failed += second.ended.get("failed").copied().unwrap_or_default();
            let ago = last - second.at.as_micros().div_euclid(1_000_000);
            let place = usize::try_from(ago).ok().and_then(|ago| by_second.len().checked_sub(ago + 1));
            if let Some(bar) = place.and_then(|place| by_second.get_mut(place)) {
                *bar = count;
            }
        }
        let seconds = now.since(history.since).as_secs_f64().clamp(1.0, f64::from(RATE_SECONDS));
        let failed_share = if ended == 0 { 0.0 } else { failed as f64 / ended as f64 };
        Self { ended_per_second: ended as f64 / seconds, failed_share, by_second }
    }
}

impl Picture {
    /// Whether a queue is paused.
    pub(super) fn is_paused(&self, queue: &str) -> bool {
        self.queues.iter().any(|one| one.name == queue && one.paused_at.is_some())
    }

    /// Tasks in a state.
    pub(super) fn count(&self, state: &str) -> u64 {
        self.stats.states.get(state).copied().unwrap_or_default()
    }

    /// Lanes that a filter takes, the most urgent first; one for each paused queue that has none.
    pub(super) fn lanes(&self, filter: &str) -> Vec<Lane> {
        let of = |lane: &tasklane_api_types::LaneView| Lane {
            queue: lane.queue.clone(),
            priority: Some(lane.priority),
            queued: lane.queued,
            oldest: lane.oldest_queued_at,
            paused: self.is_paused(&lane.queue),
        };
        let mut lanes: Vec<Lane> = self.stats.lanes.iter().map(of).collect();
        lanes.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.queue.cmp(&b.queue)));
        let without = self.queues.iter().filter(|queue| !lanes.iter().any(|lane| lane.queue == queue.name));
        let empty: Vec<Lane> = without.map(Lane::empty).collect();
        lanes.extend(empty);
        lanes.retain(|lane| lane.queue.contains(filter));
        lanes
    }

    /// Tasks that a filter takes.
    pub(super) fn tasks(&self, filter: &str) -> Vec<&TaskView> {
        let takes = |task: &&TaskView| {
            filter.is_empty()
                || task.module.contains(filter)
                || task.queue.contains(filter)
                || task.id.contains(filter)
                || task.state.as_str().contains(filter)
        };
        self.tasks.iter().filter(takes).collect()
    }
}

/// One line of the lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) queue: String,
    /// `None`: nothing waits in the queue.
    pub(super) priority: Option<u8>,
    pub(super) queued: u64,
    pub(super) oldest: Option<Timestamp>,
    pub(super) paused: bool,
}

impl Lane {
    fn empty(queue: &QueueView) -> Self {
        let paused = queue.paused_at.is_some();
        Self { queue: queue.name.clone(), priority: None, queued: 0, oldest: None, paused }
    }
}

#[cfg(test)]
mod tests {
    use tasklane_api_types::HistorySecond;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    #[test]
    fn rates_are_of_the_last_minute() {
        let second = |second, ended: &[(&str, u64)]| HistorySecond {
            at: at(second),
            ended: ended.iter().map(|(state, count)| ((*state).to_owned(), *count)).collect(),
        };
        let seconds = vec![second(941, &[("succeeded", 60)]), second(1_000, &[("succeeded", 30), ("failed", 30)])];
        let rates = Rates::of(&HistoryView { since: at(0), seconds }, at(1_000));
        assert!((rates.ended_per_second - 2.0).abs() < 1e-9 && (rates.failed_share - 0.25).abs() < 1e-9, "{rates:?}");
        assert_eq!((rates.by_second.first(), rates.by_second.last()), (Some(&60), Some(&60)));
        assert_eq!(rates.by_second.iter().sum::<u64>(), 120);
    }

    #[test]
    fn a_young_server_is_not_measured_by_seconds_before_it() {
        let seconds = vec![HistorySecond { at: at(100), ended: [("succeeded".to_owned(), 10)].into() }];
        let rates = Rates::of(&HistoryView { since: at(98), seconds }, at(100));
        assert!((rates.ended_per_second - 5.0).abs() < 1e-9, "{rates:?}");
        assert_eq!(Rates::of(&HistoryView { since: at(1), seconds: vec![] }, at(1)).failed_share, 0.0);
    }
}
