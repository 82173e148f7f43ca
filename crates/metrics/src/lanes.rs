//! Series by queue, priority and module, without an allocation for each task and without a label that grows for ever.
//!
//! A name is remembered when it is first seen; the handles of its series are then found by two look-ups. Guarantees: at most
//! [`MODULES_MAX`] modules and [`SERIES_MAX`] lanes of modules have series of their own in one process; what comes later is counted
//! under [`OTHER`], by priority. Names are never forgotten: a process that starts anew starts an empty table.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use tasklane_domain::{ModuleName, Priority, QueueName};

/// Modules of one process that have a label value of their own.
pub const MODULES_MAX: usize = 100;
/// Combinations of queue, priority and module of one process that have series of their own.
pub const SERIES_MAX: usize = 500;
/// What queue and module are called beyond these limits. A module that is really called so is counted with them.
pub const OTHER: &str = "other";

/// Priorities, as labels.
const PRIORITIES: [&str; 10] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];

/// A priority as a label.
#[must_use]
pub fn priority_label(priority: Priority) -> &'static str {
    PRIORITIES.get(place(priority)).copied().unwrap_or(OTHER)
}

fn place(priority: Priority) -> usize {
    usize::from(priority.get()).saturating_sub(1)
}

/// The labels of one series.
#[derive(Debug, Clone, Copy)]
pub struct LaneLabels<'a> {
    /// Queue, or [`OTHER`].
    pub queue: &'a str,
    /// 1 to 10.
    pub priority: &'static str,
    /// Module, or [`OTHER`].
    pub module: &'a str,
}

type ByPriority<T> = [Option<Arc<T>>; 10];

struct Known<T> {
    modules: HashMap<ModuleName, HashMap<QueueName, ByPriority<T>>>,
    series: usize,
}

impl<T> Known<T> {
    fn find(&self, queue: &QueueName, place: usize, module: &ModuleName) -> Option<Arc<T>> {
        self.modules.get(module)?.get(queue)?.get(place)?.clone()
    }

    fn has_room(&self, module: &ModuleName) -> bool {
        self.series < SERIES_MAX && (self.modules.len() < MODULES_MAX || self.modules.contains_key(module))
    }
}

/// Handles `T` for each queue, priority and module.
pub struct Lanes<T> {
    make: Box<dyn Fn(LaneLabels<'_>) -> T + Send + Sync>,
    known: RwLock<Known<T>>,
    others: [OnceLock<Arc<T>>; 10],
}

impl<T> Lanes<T> {
    /// `make` finds the handles for labels; called once for each.
    pub fn new(make: impl Fn(LaneLabels<'_>) -> T + Send + Sync + 'static) -> Self {
        let known = RwLock::new(Known { modules: HashMap::new(), series: 0 });
        Self { make: Box::new(make), known, others: [const { OnceLock::new() }; 10] }
    }

    /// The handles for tasks like this.
    pub fn of(&self, queue: &QueueName, priority: Priority, module: &ModuleName) -> Arc<T> {
        let known = self.known.read();
        if let Some(found) = known.find(queue, place(priority), module) {
            return found;
        }
        if !known.has_room(module) {
            return self.other(priority);
        }
        drop(known);
        self.note(queue, priority, module)
    }

    fn note(&self, queue: &QueueName, priority: Priority, module: &ModuleName) -> Arc<T> {
        let mut known = self.known.write();
        if let Some(found) = known.find(queue, place(priority), module) {
            return found;
        }
        if !known.has_room(module) {
            return self.other(priority);
        }
        let labels = LaneLabels { queue: queue.as_str(), priority: priority_label(priority), module: module.as_str() };
        let made = Arc::new((self.make)(labels));
        let queues = known.modules.entry(module.clone()).or_default();
        if let Some(slot) = queues.entry(queue.clone()).or_default().get_mut(place(priority)) {
            *slot = Some(made.clone());
            known.series += 1;
        }
        made
    }

    fn other(&self, priority: Priority) -> Arc<T> {
        let labels = LaneLabels { queue: OTHER, priority: priority_label(priority), module: OTHER };
        let make = || Arc::new((self.make)(labels));
        self.others.get(place(priority)).map_or_else(make, |slot| slot.get_or_init(make).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes() -> Lanes<String> {
        Lanes::new(|labels| format!("{}/{}/{}", labels.queue, labels.priority, labels.module))
    }

    fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    #[test]
    fn the_same_lane_has_the_same_handles() {
        let lanes = lanes();
        let first = lanes.of(&name("q"), Priority::HIGH, &name("m"));
        assert_eq!(*first, "q/8/m");
        assert!(Arc::ptr_eq(&first, &lanes.of(&name("q"), Priority::HIGH, &name("m"))));
        assert_eq!(*lanes.of(&name("q"), Priority::LOW, &name("m")), "q/2/m");
    }

    #[test]
    fn modules_beyond_the_limit_are_others_and_those_before_stay() {
        let lanes = lanes();
        for number in 0..MODULES_MAX {
            assert!(lanes.of(&name("q"), Priority::LOW, &name(&format!("m{number}"))).contains("/m"));
        }
        for number in 0..1_000 {
            assert_eq!(*lanes.of(&name("q"), Priority::LOW, &name(&format!("late{number}"))), "other/2/other");
        }
        assert_eq!(*lanes.of(&name("q"), Priority::HIGH, &name("m0")), "q/8/m0");
    }

    #[test]
    fn queues_beyond_the_limit_are_others() {
        let lanes = lanes();
        let seen: std::collections::HashSet<String> = (0..2_000)
            .map(|number| (*lanes.of(&name(&format!("q{number}")), Priority::MEDIUM, &name("m"))).clone())
            .collect();
        assert_eq!(seen.len(), SERIES_MAX + 1);
        assert!(seen.contains("other/5/other"));
    }
}
