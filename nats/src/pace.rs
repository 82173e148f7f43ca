//! How long tasks of each module run, as far as this process has been told: so many of them go to a host in one message.
//!
//! Learned from news of settled tasks ([`crate::control`]), asked by `dispatch`. Guarantees: bounded memory; of a module that nobody has
//! run yet, one at a time. An estimate and nothing more: it decides how orders travel, never what becomes of them.

use std::collections::HashMap;

use parking_lot::Mutex;
use tasklane_domain::ModuleName;

/// What the tasks of one message may take together, one after the other, in microseconds: a small part of the 20 ms of work that a host buffers.
const TOGETHER_US: f64 = 2_000.0;
/// Most orders of one message.
pub(crate) const TOGETHER_MAX: usize = 32;
/// Tasks after which it is mostly believed that a module has become slower. Soon: messages of many that take long keep work from other hosts.
const SLOWER_AFTER: f64 = 20.0;
/// Tasks after which it is mostly believed that it has become faster.
const FASTER_AFTER: f64 = 500.0;
/// Modules that are remembered; at one more, all are forgotten and learned anew.
const MODULES_MAX: usize = 10_000;

/// Mean run times in microseconds, moving.
#[derive(Default)]
pub(crate) struct Pace(Mutex<HashMap<ModuleName, f64>>);

impl Pace {
    /// So many tasks of a module ran for so long in the mean.
    pub(crate) fn learn(&self, module: &ModuleName, wall_us: u64, tasks: usize) {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let (told, tasks) = (wall_us as f64, tasks as f64);
        let mut known = self.0.lock();
        if let Some(mean) = known.get_mut(module) {
            *mean = moved(*mean, told, tasks);
            return;
        }
        if known.len() >= MODULES_MAX {
            known.clear();
        }
        known.insert(module.clone(), told);
    }

    /// How many orders of a module may share a message.
    pub(crate) fn together(&self, module: &ModuleName) -> usize {
        self.0.lock().get(module).map_or(1, |mean| fitting(*mean))
    }
}

/// The mean after `tasks` more, whose own was `told`.
fn moved(mean: f64, told: f64, tasks: f64) -> f64 {
    let after = if told > mean { SLOWER_AFTER } else { FASTER_AFTER };
    (told - mean).mul_add(1.0 - (-tasks / after).exp(), mean)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count, rounded down")]
fn fitting(mean_us: f64) -> usize {
    ((TOGETHER_US / mean_us.max(1.0)) as usize).clamp(1, TOGETHER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str) -> ModuleName {
        name.parse().unwrap()
    }

    #[test]
    fn what_nobody_has_run_and_what_takes_long_goes_alone() {
        let pace = Pace::default();
        let (quick, slow) = (module("quick"), module("slow"));
        assert_eq!(pace.together(&quick), 1);
        pace.learn(&quick, 10, 1);
        pace.learn(&slow, 1_500, 1);
        assert_eq!((pace.together(&quick), pace.together(&slow)), (TOGETHER_MAX, 1));
        pace.learn(&quick, 0, 1);
        assert_eq!(pace.together(&quick), TOGETHER_MAX, "a clock that stands still is no reason to divide by nothing");
    }

    #[test]
    fn slower_is_believed_sooner_than_faster() {
        let pace = Pace::default();
        let name = module("m");
        pace.learn(&name, 100, 100);
        assert_eq!(pace.together(&name), 20);
        pace.learn(&name, 10_000_000, 1);
        assert_eq!(pace.together(&name), 1, "one that runs for ten seconds tells more than a hundred quick ones");
        pace.learn(&name, 100, 500);
        assert_eq!(pace.together(&name), 1);
        pace.learn(&name, 100, 10_000);
        assert_eq!(pace.together(&name), 19);
    }

    #[test]
    fn memory_is_bounded() {
        let pace = Pace::default();
        for number in 0..=MODULES_MAX {
            pace.learn(&module(&format!("m{number}")), 10, 1);
        }
        assert!(pace.0.lock().len() <= MODULES_MAX);
        assert_eq!(pace.together(&module(&format!("m{MODULES_MAX}"))), TOGETHER_MAX);
    }
}
