//! The slowest modules, of the tasks that have ended since they were first looked at, and shortly before.

use std::collections::{BTreeMap, HashSet, VecDeque};

use serde::Serialize;
use tasklane_api_types::TaskView;

/// Runs of one module that are remembered.
const RUNS_MAX: usize = 200;
/// Tasks that are remembered, so that none is counted twice.
const SEEN_MAX: usize = 4_000;
/// Modules that are shown.
const SHOWN_MAX: usize = 20;

/// How long a module's tasks run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct SlowModule {
    pub(super) module: String,
    /// Runs that this is of.
    pub(super) runs: usize,
    /// Half of them took no longer, in milliseconds.
    pub(super) p50_ms: f64,
    /// 19 of 20 took no longer, in milliseconds.
    pub(super) p95_ms: f64,
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Slow {
    runs: BTreeMap<String, VecDeque<f64>>,
    seen: HashSet<String>,
    order: VecDeque<String>,
}

impl Slow {
    /// Takes tasks that have ended, each once.
    #[expect(clippy::cast_precision_loss, reason = "times are shown with one decimal")]
    pub(super) fn take(&mut self, tasks: &[TaskView]) {
        for task in tasks.iter().filter(|task| task.state.is_terminal()) {
            let Some(usage) = &task.usage else { continue };
            if !self.seen.insert(task.id.clone()) {
                continue;
            }
            self.order.push_back(task.id.clone());
            if self.order.len() > SEEN_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.seen.remove(&oldest);
            }
            let runs = self.runs.entry(task.module.clone()).or_default();
            runs.push_back(usage.wall_us as f64 / 1_000.0);
            if runs.len() > RUNS_MAX {
                runs.pop_front();
            }
        }
    }

    /// The slowest first.
    pub(super) fn slowest(&self) -> Vec<SlowModule> {
        let of = |(module, runs): (&String, &VecDeque<f64>)| {
            let mut sorted: Vec<f64> = runs.iter().copied().collect();
            sorted.sort_by(f64::total_cmp);
            let at = |percent: usize| {
                let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
                sorted.get(place).copied().unwrap_or_default()
            };
            SlowModule { module: module.clone(), runs: sorted.len(), p50_ms: at(50), p95_ms: at(95) }
        };
        let mut modules: Vec<SlowModule> = self.runs.iter().map(of).collect();
        modules.sort_by(|a, b| b.p95_ms.total_cmp(&a.p95_ms));
        modules.truncate(SHOWN_MAX);
        modules
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(id: usize, module: &str, ms: u64) -> TaskView {
        let limits = tasklane_domain::Limits::default();
        let retry = tasklane_domain::RetryPolicy::default();
        let usage = tasklane_domain::Usage { wall_us: ms * 1_000, ..tasklane_domain::Usage::default() };
        serde_json::from_value(json!({
            "id": format!("{module}-{id}"), "module": module, "version": "1.0.0", "digest": "", "queue": "default",
            "priority": 5, "state": "succeeded", "attempt": 1, "max_attempts": 1, "usage": usage,
            "timings": {"created_at": "2026-01-01T00:00:00Z"}, "limits": limits, "retry": retry,
        }))
        .unwrap()
    }

    #[test]
    fn the_slowest_come_first_and_none_is_counted_twice() {
        let mut slow = Slow::default();
        let tasks: Vec<TaskView> =
            (1..=100).map(|n| task(n, "quick", 10)).chain((1..=20).map(|n| task(n, "slow", n as u64 * 100))).collect();
        slow.take(&tasks);
        slow.take(&tasks);
        let shown = slow.slowest();
        assert_eq!((shown[0].module.as_str(), shown[0].runs), ("slow", 20));
        assert_eq!((shown[0].p50_ms, shown[0].p95_ms), (1_000.0, 1_900.0));
        assert_eq!((shown[1].module.as_str(), shown[1].runs, shown[1].p95_ms), ("quick", 100, 10.0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut slow = Slow::default();
        for n in 0..SEEN_MAX + 10 {
            slow.take(&[task(n, "m", 1)]);
        }
        assert_eq!((slow.seen.len(), slow.order.len(), slow.runs["m"].len()), (SEEN_MAX, SEEN_MAX, RUNS_MAX));
    }
}
