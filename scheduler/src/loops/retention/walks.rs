//! How far the walks over ended tasks came, so that what stays is not read again and again.
//!
//! A full walk comes with a new leader, a changed rule and every [`FULL_WALK_INTERVAL`]: it mends whatever a short one passed by.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tasklane_domain::retention::{Keep, Kind, Position, Rules, position_at};
use tasklane_domain::{TaskId, Timestamp};

/// How long walks go on from where they were before all begin anew.
const FULL_WALK_INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);
/// How late an end may be recorded, with its own, earlier time, and still be met by a walk that goes on.
const LATE_ENDS: Duration = Duration::from_secs(5 * 60);
/// Tasks that are remembered for each walk because they were spared. If there are more, the walk begins again at the first of those.
const SPARED_MAX: usize = 5_000;

/// A walk: one kind, one time.
type Walk = (Kind, Keep);

/// All walks, under the rules of now.
pub(super) struct Walks {
    pub(super) rules: Rules,
    begun: Instant,
    reached: HashMap<Walk, Timestamp>,
    spared: HashMap<Walk, Vec<TaskId>>,
    /// Where a walk met the first task that it spared and could not remember.
    forgotten: HashMap<Walk, Timestamp>,
}

impl Walks {
    pub(super) fn new() -> Self {
        Self {
            rules: Rules::default(),
            begun: Instant::now(),
            reached: HashMap::new(),
            spared: HashMap::new(),
            forgotten: HashMap::new(),
        }
    }

    /// Other rules, or a long time, begin all walks anew.
    pub(super) fn take_rules(&mut self, rules: Rules) {
        if rules != self.rules || self.begun.elapsed() >= FULL_WALK_INTERVAL {
            *self = Self { rules, ..Self::new() };
        }
    }

    /// Where a walk begins. What ended before `reached` was looked at when it had stayed for `keep`; only ends that were recorded
    /// later than that can have been missed.
    pub(super) fn start(&self, kind: Kind, keep: Keep) -> Position {
        let late = LATE_ENDS.saturating_sub(keep.time().unwrap_or_default());
        let from = self.reached.get(&(kind, keep)).map(|time| time.minus(late));
        position_at(from.unwrap_or(Timestamp::from_micros(i64::MIN)))
    }

    /// A walk came to its end.
    pub(super) fn reached(&mut self, kind: Kind, keep: Keep, until: Timestamp) {
        let walk = (kind, keep);
        let until = self.forgotten.remove(&walk).map_or(until, |from| from.min(until));
        self.reached.insert(walk, until);
    }

    /// Remembers tasks that were left alone; none of them ended before `from`.
    pub(super) fn spare(&mut self, kind: Kind, keep: Keep, tasks: Vec<TaskId>, from: Timestamp) {
        let walk = (kind, keep);
        let spared = self.spared.entry(walk).or_default();
        let room = SPARED_MAX.saturating_sub(spared.len());
        if tasks.len() > room {
            let first = self.forgotten.entry(walk).or_insert(from);
            *first = from.min(*first);
        }
        spared.extend(tasks.into_iter().take(room));
    }

    /// Those tasks, to be tried again.
    pub(super) fn take_spared(&mut self, kind: Kind, keep: Keep) -> Vec<TaskId> {
        let mut spared = self.spared.remove(&(kind, keep)).unwrap_or_default();
        spared.sort_unstable();
        spared.dedup();
        spared
    }
}

#[cfg(test)]
mod tests {
    use tasklane_domain::retention::{Rule, Scope};

    use super::*;

    const AT: Timestamp = Timestamp::from_micros(1_000_000_000_000);

    fn minutes(count: u64) -> Keep {
        Keep::from_ms(count * 60_000)
    }

    #[test]
    fn a_walk_goes_on_where_it_was_but_for_late_ends() {
        let mut walks = Walks::new();
        let beginning = position_at(Timestamp::from_micros(i64::MIN));
        assert_eq!(walks.start(Kind::Log, minutes(60)), beginning);
        walks.reached(Kind::Log, minutes(60), AT);
        walks.reached(Kind::Log, minutes(1), AT);
        assert_eq!(walks.start(Kind::Log, minutes(60)), position_at(AT));
        assert_eq!(walks.start(Kind::Log, minutes(1)), position_at(AT.minus(Duration::from_secs(240))));
        assert_eq!(walks.start(Kind::Task, minutes(60)), beginning);
    }

    #[test]
    fn other_rules_begin_anew_and_the_same_do_not() {
        let mut walks = Walks::new();
        walks.reached(Kind::Log, minutes(60), AT);
        walks.take_rules(Rules::default());
        assert_eq!(walks.start(Kind::Log, minutes(60)), position_at(AT));
        walks.take_rules(Rules([(Scope::Default, Rule::default())].into()));
        assert_ne!(walks.start(Kind::Log, minutes(60)), position_at(AT));
    }

    #[test]
    fn what_was_spared_is_told_once_and_bounded() {
        let mut walks = Walks::new();
        let tasks: Vec<TaskId> = (0..3).map(|_| TaskId::new()).collect();
        walks.spare(Kind::Task, minutes(1), [tasks.clone(), tasks.clone()].concat(), AT);
        assert_eq!(walks.take_spared(Kind::Task, minutes(1)), tasks);
        assert!(walks.take_spared(Kind::Task, minutes(1)).is_empty());
        walks.spare(Kind::Task, minutes(1), (0..SPARED_MAX + 9).map(|_| TaskId::new()).collect(), AT);
        assert_eq!(walks.take_spared(Kind::Task, minutes(1)).len(), SPARED_MAX);
    }

    #[test]
    fn a_walk_begins_again_where_it_could_not_remember() {
        let (mut walks, later) = (Walks::new(), AT.plus(Duration::from_secs(3_600)));
        let full = || (0..SPARED_MAX).map(|_| TaskId::new()).collect::<Vec<_>>();
        walks.spare(Kind::Task, minutes(60), full(), AT.minus(Duration::from_secs(60)));
        walks.spare(Kind::Task, minutes(60), full(), AT);
        walks.spare(Kind::Task, minutes(60), full(), later);
        walks.reached(Kind::Task, minutes(60), later);
        assert_eq!(walks.start(Kind::Task, minutes(60)), position_at(AT));
        walks.take_spared(Kind::Task, minutes(60));
        walks.reached(Kind::Task, minutes(60), later);
        assert_eq!(walks.start(Kind::Task, minutes(60)), position_at(later));
    }
}
