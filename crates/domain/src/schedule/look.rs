//! Which instants are due at a look, and which are dropped because nobody looked for long. Pure.
//!
//! Called by the scheduler's `cron` loop. The recurrence comes in as a function from a time to the first instant strictly after
//! it. Guarantees: whatever the expression and however long nobody looked, one call works out at most about
//! [`MISSED_COUNT_MAX`] + [`INSTANTS_PER_PLAN_MAX`] instants; no window is ever walked through.

use std::time::Duration;

use super::{GRACE, INSTANTS_PER_PLAN_MAX, Missed, Rules};
use crate::time::Timestamp;

/// Most dropped instants that are counted one by one.
pub const MISSED_COUNT_MAX: u32 = 1_000;
/// Most instants that a schedule with [`Missed::All`] may have in its window: checked when it is made.
pub const CATCH_UP_MAX: usize = 10_000;
/// Halvings that find the newest missed instant to the microsecond, in a window of 7 days.
const HALVINGS_MAX: u32 = 48;
/// The smallest difference of two times.
const STEP: Duration = Duration::from_micros(1);

/// What a look finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Due instants, in order, at most [`INSTANTS_PER_PLAN_MAX`].
    pub due: Vec<Timestamp>,
    /// Instants before them that the rule for missed runs drops.
    pub missed: Option<MissedRun>,
    /// The first instant after all these; it may be due already.
    pub next_at: Option<Timestamp>,
}

/// Instants that are dropped together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissedRun {
    /// The first of them.
    pub first: Timestamp,
    /// How many, at most [`MISSED_COUNT_MAX`].
    pub count: u32,
}

/// What is due at `now` of a schedule whose first instant that has not been handled is `next_at`.
#[must_use]
pub fn look(
    rules: &Rules,
    next_at: Timestamp,
    now: Timestamp,
    next_after: impl Fn(Timestamp) -> Option<Timestamp>,
) -> Look {
    if next_at > now {
        return Look { next_at: Some(next_at), ..Look::default() };
    }
    let on_time_from = now.minus(GRACE);
    let window_from = now.minus(Duration::from_millis(rules.window_ms).max(GRACE));
    let on_time = first_at(next_at, on_time_from, &next_after).filter(|at| *at <= now);
    let newest = match rules.missed {
        Missed::Latest => newest_between(next_at, window_from, on_time_from.minus(STEP), &next_after),
        Missed::Skip | Missed::All => None,
    };
    let start = match rules.missed {
        Missed::All => first_at(next_at, window_from, &next_after).filter(|at| *at <= now),
        Missed::Skip | Missed::Latest => newest.or(on_time),
    };
    let due: Vec<Timestamp> =
        following(start, &next_after).take_while(|at| *at <= now).take(INSTANTS_PER_PLAN_MAX).collect();
    let missed = count(next_at, start.unwrap_or(now.plus(STEP)), &next_after);
    let next_at = next_after(due.last().copied().unwrap_or(now));
    Look { due, missed, next_at }
}

fn following(
    start: Option<Timestamp>,
    next_after: impl Fn(Timestamp) -> Option<Timestamp>,
) -> impl Iterator<Item = Timestamp> {
    std::iter::successors(start, move |at| next_after(*at).filter(|next| next > at))
}

/// The first instant from `floor` on, of those from `next_at` on.
fn first_at(
    next_at: Timestamp,
    floor: Timestamp,
    next_after: impl Fn(Timestamp) -> Option<Timestamp>,
) -> Option<Timestamp> {
    if next_at >= floor { Some(next_at) } else { next_after(floor.minus(STEP)) }
}

/// The newest instant from `from` to `until`, of those from `next_at` on: by halving.
fn newest_between(
    next_at: Timestamp,
    from: Timestamp,
    until: Timestamp,
    next_after: impl Fn(Timestamp) -> Option<Timestamp>,
) -> Option<Timestamp> {
    let mut newest = first_at(next_at, from, &next_after).filter(|at| *at <= until)?;
    // There is an instant at `newest`, and none after `beyond` up to `until`.
    let mut beyond = until;
    for _ in 0..HALVINGS_MAX {
        let half = newest.plus(beyond.since(newest) / 2);
        if half >= beyond {
            break;
        }
        match next_after(half).filter(|at| *at <= beyond) {
            Some(at) => newest = at,
            None => beyond = half,
        }
    }
    Some(newest)
}

fn count(from: Timestamp, to: Timestamp, next_after: impl Fn(Timestamp) -> Option<Timestamp>) -> Option<MissedRun> {
    let most = usize::try_from(MISSED_COUNT_MAX).unwrap_or(usize::MAX);
    let count = following(Some(from), next_after).take_while(|at| *at < to).take(most).count();
    let count = u32::try_from(count).unwrap_or(MISSED_COUNT_MAX);
    (count > 0).then_some(MissedRun { first: from, count })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_780_000_000_000_000);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn rules(missed: Missed, window: u64) -> Rules {
        Rules { missed, window_ms: window * 1_000, ..Rules::default() }
    }

    /// Every so many seconds, counted from 1970.
    fn every(period: u64) -> impl Fn(Timestamp) -> Option<Timestamp> + Copy {
        let period = i64::try_from(period).unwrap() * 1_000_000;
        move |after: Timestamp| Some(Timestamp::from_micros((after.as_micros().div_euclid(period) + 1) * period))
    }

    /// The first instant of a recurrence that nobody has looked at for about `late` seconds.
    fn overdue(period: u64, late: u64) -> Timestamp {
        every(period)(NOW.minus(seconds(late + period))).unwrap()
    }

    const ALL: [Missed; 3] = [Missed::Skip, Missed::Latest, Missed::All];

    #[test]
    fn nothing_is_due_before_its_time() {
        let at = NOW.plus(seconds(1));
        let look = look(&rules(Missed::All, 3_600), at, NOW, every(10));
        assert_eq!(look, Look { next_at: Some(at), ..Look::default() });
    }

    #[test]
    fn what_is_on_time_is_due_whatever_the_rule() {
        for missed in ALL {
            let look = look(&rules(missed, 3_600), overdue(10, 50), NOW, every(10));
            assert_eq!(
                (look.due.len(), look.missed, look.next_at),
                (6, None, Some(NOW.plus(seconds(10)))),
                "{missed:?}"
            );
        }
    }

    #[test]
    fn missed_instants_are_dropped_and_counted() {
        let at = NOW.plus(seconds(100));
        let late = |missed, window| look(&rules(missed, window), overdue(600, 1_500), at, every(600));
        let skipped = late(Missed::Skip, 3_600);
        assert_eq!((skipped.due.len(), skipped.missed.unwrap().count), (0, 3));
        let latest = late(Missed::Latest, 3_600);
        assert_eq!((latest.due.len(), latest.missed.unwrap().count), (1, 2));
        assert!(every(600)(latest.due[0]).unwrap() > at, "{latest:?}");
        let all = late(Missed::All, 3_600);
        assert_eq!((all.due.len(), all.missed), (3, None));
        let too_old = late(Missed::Latest, 1);
        assert_eq!((too_old.due.len(), too_old.missed.unwrap().count), (0, 3));
    }

    #[test]
    fn years_of_seconds_are_not_walked_through() {
        let asked = std::cell::Cell::new(0_u32);
        let next = |after| {
            asked.set(asked.get() + 1);
            every(1)(after)
        };
        for missed in ALL {
            asked.set(0);
            let late = look(&rules(missed, 7 * 86_400), NOW.minus(seconds(20 * 365 * 86_400)), NOW, next);
            assert!(late.due.len() <= INSTANTS_PER_PLAN_MAX);
            assert!(asked.get() < 1_500, "{missed:?}: {} steps", asked.get());
        }
    }

    #[test]
    fn a_recurrence_that_ends_is_done() {
        let only = |after: Timestamp| (after < NOW).then_some(NOW);
        let last = look(&rules(Missed::Latest, 3_600), NOW, NOW.plus(seconds(1)), only);
        assert_eq!((last.due, last.next_at), (vec![NOW], None));
    }

    proptest! {
        #[test]
        fn however_it_is_looked_at_each_instant_is_handled_once_and_in_order(
            period in 1_u64..5_000, pauses in prop::collection::vec(0_u64..20_000, 1..12), missed in 0_usize..3,
        ) {
            let rules = rules(ALL[missed], 3_600);
            let mut now = NOW;
            let mut next_at = every(period)(NOW).unwrap();
            let (first, mut last, mut handled) = (next_at, None, 0_u64);
            for pause in pauses {
                now = now.plus(seconds(pause));
                // A full plan leaves something that is due: looked at again at once.
                for _ in 0..1_000 {
                    let found = look(&rules, next_at, now, every(period));
                    for at in &found.due {
                        prop_assert!(last.is_none_or(|last| *at > last) && *at <= now && *at >= next_at);
                        last = Some(*at);
                    }
                    handled += found.due.len() as u64 + found.missed.map_or(0, |run| u64::from(run.count));
                    next_at = found.next_at.unwrap();
                    if next_at > now {
                        break;
                    }
                }
                prop_assert!(next_at > now);
            }
            let passed = now.since(first).as_secs() / period + u64::from(now >= first);
            // Only a long pause is counted short.
            prop_assert!(handled == passed || (handled < passed && passed > u64::from(MISSED_COUNT_MAX)));
        }
    }
}
