//! Plans against small recurrences: every so many seconds, counted from 1970.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_780_000_000_000_000);
const HOUR: Duration = Duration::from_secs(3_600);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn every(period: u64) -> impl Fn(Timestamp) -> Option<Timestamp> + Copy {
    let period = i64::try_from(period).unwrap() * 1_000_000;
    move |after: Timestamp| Some(Timestamp::from_micros((after.as_micros().div_euclid(period) + 1) * period))
}

/// The first instant of a recurrence that nobody has looked at for `late`.
fn overdue(period: u64, late: Duration) -> Timestamp {
    every(period)(NOW.minus(late).minus(seconds(period))).unwrap()
}

#[test]
fn nothing_fires_before_its_time() {
    let at = NOW.plus(seconds(1));
    assert_eq!(due(Missed::All, HOUR, at, NOW, every(10)), Due { next_at: Some(at), ..Due::default() });
}

#[test]
fn what_is_on_time_fires_whatever_the_policy() {
    for policy in [Missed::Skip, Missed::Latest, Missed::All] {
        let due = due(policy, HOUR, overdue(10, seconds(50)), NOW, every(10));
        assert_eq!((due.fire.len(), due.missed), (6, None), "{policy}");
        assert_eq!(due.next_at, Some(NOW.plus(seconds(10))), "{policy}: a round time fires at once");
        assert_eq!(due.last, Some(NOW));
    }
}

#[test]
fn skip_drops_what_is_older_than_the_grace() {
    let late = due(Missed::Skip, HOUR, overdue(600, seconds(1_500)), NOW.plus(seconds(100)), every(600));
    assert!(late.fire.is_empty(), "{late:?}");
    assert_eq!(late.missed.map(|run| run.count), Some(3));
    assert!(late.next_at.unwrap() > NOW);
}

#[test]
fn latest_keeps_the_newest_in_the_window() {
    let at = NOW.plus(seconds(100));
    let late = due(Missed::Latest, HOUR, overdue(600, seconds(1_500)), at, every(600));
    assert_eq!(late.fire.len(), 1);
    assert!(late.fire[0] <= at && every(600)(late.fire[0]).unwrap() > at, "{late:?}");
    assert_eq!(late.missed.map(|run| run.count), Some(2));
    let too_late =
        due(Missed::Latest, seconds(60), overdue(6_000, seconds(100)), NOW.plus(seconds(4_000)), every(6_000));
    assert!(too_late.fire.is_empty() && too_late.missed.is_some(), "{too_late:?}");
}

#[test]
fn latest_gives_way_to_one_that_is_on_time() {
    let late = due(Missed::Latest, HOUR, overdue(40, seconds(400)), NOW, every(40));
    assert!(late.fire.iter().all(|at| NOW.since(*at) <= GRACE), "{late:?}");
    assert!(!late.fire.is_empty() && late.missed.is_some());
}

#[test]
fn all_fires_what_is_within_the_window() {
    let late = due(Missed::All, HOUR, overdue(600, seconds(100_000)), NOW, every(600));
    assert!((6..=7).contains(&late.fire.len()), "{late:?}");
    assert_eq!(late.missed.unwrap().first, overdue(600, seconds(100_000)));
}

#[test]
fn years_of_seconds_are_not_walked_through() {
    let asked = std::cell::Cell::new(0_usize);
    let next = |after| {
        asked.set(asked.get() + 1);
        every(1)(after)
    };
    let week = seconds(7 * 86_400);
    for policy in [Missed::Skip, Missed::Latest, Missed::All] {
        asked.set(0);
        let late = due(policy, week, NOW.minus(seconds(20 * 365 * 86_400)), NOW, next);
        assert!(late.fire.len() <= BATCH_INSTANTS_MAX);
        assert!(asked.get() < 2_000, "{policy}: {} steps", asked.get());
    }
}

#[test]
fn a_recurrence_that_ends_is_done() {
    let only = |after: Timestamp| (after < NOW).then_some(NOW);
    let last = due(Missed::Latest, HOUR, NOW, NOW.plus(seconds(1)), only);
    assert_eq!((last.fire, last.next_at), (vec![NOW], None));
}

#[test]
fn overlaps_are_judged_by_policy() {
    use FiringKind::{Fired, Overlap as Skipped, Superseded, Unresolvable};
    let judge = |policy, open| judge_overlap(policy, open, &[true, false, true]);
    assert_eq!(judge(Overlap::Allow, true).kinds, [Fired, Unresolvable, Fired]);
    assert_eq!(judge(Overlap::Skip, true).kinds, [Skipped, Unresolvable, Skipped]);
    assert_eq!(judge(Overlap::Skip, false).kinds, [Fired, Unresolvable, Skipped]);
    assert_eq!(judge(Overlap::CancelPrevious, true).kinds, [Superseded, Unresolvable, Fired]);
    assert!(judge(Overlap::CancelPrevious, true).cancel_previous);
    assert!(!judge(Overlap::CancelPrevious, false).cancel_previous);
    assert!(!judge_overlap(Overlap::CancelPrevious, true, &[false]).cancel_previous, "nothing takes its place");
}

proptest! {
    #[test]
    fn however_it_is_looked_at_each_instant_is_handled_once_and_in_order(
        period in 1_u64..5_000, pauses in prop::collection::vec(0_u64..20_000, 1..12), policy in 0..3
    ) {
        let policy = [Missed::Skip, Missed::Latest, Missed::All][usize::try_from(policy).unwrap()];
        let (mut now, mut next_at) = (NOW, every(period)(NOW).unwrap());
        let (mut last_fired, mut handled) = (None, 0_u64);
        let first = next_at;
        for pause in pauses {
            now = now.plus(seconds(pause));
            // A full batch leaves something that is due: looked at again at once.
            for _ in 0..1_000 {
                let due = due(policy, HOUR, next_at, now, every(period));
                for at in &due.fire {
                    prop_assert!(last_fired.is_none_or(|last| *at > last), "{at} fires twice or late");
                    prop_assert!(*at <= now && *at >= next_at);
                    last_fired = Some(*at);
                }
                handled += due.fire.len() as u64 + due.missed.map_or(0, |run| u64::from(run.count));
                next_at = due.next_at.unwrap();
                if next_at > now {
                    break;
                }
            }
            prop_assert!(next_at > now);
        }
        let passed = now.since(first).as_secs() / period + u64::from(now >= first);
        prop_assert!(handled <= passed);
        // Only a long pause is counted short.
        prop_assert!(handled == passed || passed > u64::from(MISSED_COUNT_MAX));
    }

    #[test]
    fn jitter_stays_within_its_bound_and_is_the_same_everywhere(at in 0_i64..2_000_000_000, most in 0_u32..=86_400_000) {
        let name: ScheduleName = "nightly".parse().unwrap();
        let instant = Timestamp::from_micros(at * 1_000_000);
        let wait = jitter(&name, instant, most);
        prop_assert!(wait <= Duration::from_millis(u64::from(most)));
        prop_assert_eq!(wait, jitter(&name, instant, most));
    }
}

#[test]
fn jitter_spreads_neighbours() {
    let name: ScheduleName = "nightly".parse().unwrap();
    let waits: std::collections::BTreeSet<Duration> =
        (0..100).map(|n| jitter(&name, NOW.plus(seconds(n)), 600_000)).collect();
    assert!(waits.len() > 90, "{}", waits.len());
    assert!(waits.iter().any(|wait| *wait < seconds(150)) && waits.iter().any(|wait| *wait > seconds(450)));
}
