//! Which instants fire now, which are dropped, and what an unfinished task before means. Pure.
//!
//! Called by the scheduler's `cron` loop ([`due`]) and, inside the transaction, by the store ([`judge_overlap`]). The recurrence
//! comes in as a function from an instant to the next one. Guarantees: whatever the expression and however long nobody looked,
//! at most about [`MISSED_COUNT_MAX`] + [`BATCH_INSTANTS_MAX`] instants are worked out in one call.

use std::time::Duration;

use super::{FiringKind, Missed, Overlap, Schedule, ScheduleName};
use crate::task::NewTask;
use crate::time::Timestamp;

/// How late an instant may be looked at and still be on time: a change of leaders takes less.
pub const GRACE: Duration = Duration::from_secs(60);
/// Most instants of one schedule that are handled in one transaction; the others follow at once in the next.
pub const BATCH_INSTANTS_MAX: usize = 200;
/// Most dropped instants that are counted one by one.
pub const MISSED_COUNT_MAX: u32 = 1_000;
/// Most instants that a schedule may have to catch up on: checked when it is made.
pub const CATCH_UP_MAX: usize = 10_000;
/// Halvings that find the newest missed instant to the microsecond, in a window of 7 days.
const HALVINGS_MAX: u32 = 48;

/// What is due of one schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Instants that fire, in their order.
    pub fire: Vec<Timestamp>,
    /// Instants that are dropped.
    pub missed: Option<MissedRun>,
    /// The first instant that is left for later; it may be due already.
    pub next_at: Option<Timestamp>,
    /// The last instant that this handles.
    pub last: Option<Timestamp>,
}

/// Instants that were dropped together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissedRun {
    /// The first of them.
    pub first: Timestamp,
    /// How many, at most [`MISSED_COUNT_MAX`].
    pub count: u32,
}

/// What of `next_at` and the instants that follow it fires at `now`. `next_after` gives the first instant strictly after a time.
#[must_use]
pub fn due(
    policy: Missed,
    window: Duration,
    next_at: Timestamp,
    now: Timestamp,
    next_after: impl Fn(Timestamp) -> Option<Timestamp>,
) -> Due {
    if next_at > now {
        return Due { next_at: Some(next_at), ..Due::default() };
    }
    let on_time_from = now.minus(GRACE);
    let start = match policy {
        Missed::Skip => first_at(next_at, on_time_from, &next_after),
        Missed::All => first_at(next_at, on_time_from.min(now.minus(window)), &next_after),
        Missed::Latest => latest_start(next_at, now, window, &next_after),
    };
    let missed =
        start.map_or_else(|| count(next_at, now.plus(STEP), &next_after), |at| count(next_at, at, &next_after));
    let fire: Vec<Timestamp> =
        following(start, &next_after).take_while(|at| *at <= now).take(BATCH_INSTANTS_MAX).collect();
    let last = fire.last().copied();
    let next_at = match last {
        Some(last) => next_after(last),
        None => next_after(now),
    };
    Due { last: last.or(missed.map(|run| run.first)), fire, missed, next_at }
}

/// The smallest difference of two times.
const STEP: Duration = Duration::from_micros(1);

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

/// Where `latest` begins: with what is on time, or else with the newest one in the window.
fn latest_start(
    next_at: Timestamp,
    now: Timestamp,
    window: Duration,
    next_after: impl Fn(Timestamp) -> Option<Timestamp>,
) -> Option<Timestamp> {
    let on_time = first_at(next_at, now.minus(GRACE), &next_after);
    if on_time.is_some_and(|at| at <= now) {
        return on_time;
    }
    let oldest = first_at(next_at, now.minus(window.max(GRACE)), &next_after).filter(|at| *at <= now);
    oldest.map(|oldest| newest_between(oldest, now, &next_after)).or(on_time)
}

/// The newest instant up to `until`, given one that is not newer: by halving, so that no window is ever walked through.
fn newest_between(
    known: Timestamp,
    until: Timestamp,
    next_after: impl Fn(Timestamp) -> Option<Timestamp>,
) -> Timestamp {
    // There is an instant at `newest`, and none in (beyond, until].
    let (mut newest, mut beyond) = (known, until);
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
    newest
}

fn count(from: Timestamp, to: Timestamp, next_after: impl Fn(Timestamp) -> Option<Timestamp>) -> Option<MissedRun> {
    let most = usize::try_from(MISSED_COUNT_MAX).unwrap_or(usize::MAX);
    let count = following(Some(from), next_after).take_while(|at| *at < to).take(most).count();
    let count = u32::try_from(count).unwrap_or(MISSED_COUNT_MAX);
    (count > 0).then_some(MissedRun { first: from, count })
}

/// What the leader wants to happen with one schedule.
#[derive(Debug, Clone)]
pub struct SchedulePlan {
    /// Which.
    pub name: ScheduleName,
    /// The creation and the revision that it was planned for: the plan for any other is void.
    pub created_at: Timestamp,
    /// See `created_at`.
    pub revision: i64,
    /// What an unfinished task before means.
    pub overlap: Overlap,
    /// What fires, in the order of the instants.
    pub firings: Vec<PlannedFiring>,
    /// What is dropped.
    pub missed: Option<MissedRun>,
    /// The first instant that is left.
    pub next_at: Option<Timestamp>,
    /// The last instant that is handled.
    pub last: Option<Timestamp>,
}

impl SchedulePlan {
    /// The plan of `due` for a schedule; `task` makes the task of an instant, or tells why there is none.
    #[must_use]
    pub fn new(schedule: &Schedule, due: Due, mut task: impl FnMut(Timestamp) -> Result<NewTask, String>) -> Self {
        Self {
            name: schedule.name.clone(),
            created_at: schedule.created_at,
            revision: schedule.revision,
            overlap: schedule.overlap,
            firings: due.fire.iter().map(|at| PlannedFiring { instant: *at, task: task(*at) }).collect(),
            missed: due.missed,
            next_at: due.next_at,
            last: due.last,
        }
    }
}

/// One instant of a plan.
#[derive(Debug, Clone)]
pub struct PlannedFiring {
    /// When.
    pub instant: Timestamp,
    /// Its task, or why there can be none.
    pub task: Result<NewTask, String>,
}

/// What becomes of the instants of one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// One for each.
    pub kinds: Vec<FiringKind>,
    /// Whether the task before is cancelled.
    pub cancel_previous: bool,
}

/// What the instants come to: `resolved` tells which of them have a task, `previous_open` whether the task before has not ended.
#[must_use]
pub fn judge_overlap(policy: Overlap, previous_open: bool, resolved: &[bool]) -> Verdict {
    let last = resolved.iter().rposition(|good| *good);
    let mut open = previous_open;
    let mut kind = |(index, good): (usize, &bool)| match (good, policy) {
        (false, _) => FiringKind::Unresolvable,
        (true, Overlap::Allow) => FiringKind::Fired,
        (true, Overlap::Skip) => {
            if std::mem::replace(&mut open, true) {
                FiringKind::Overlap
            } else {
                FiringKind::Fired
            }
        }
        (true, Overlap::CancelPrevious) => {
            if Some(index) == last {
                FiringKind::Fired
            } else {
                FiringKind::Superseded
            }
        }
    };
    let kinds: Vec<FiringKind> = resolved.iter().enumerate().map(&mut kind).collect();
    Verdict { kinds, cancel_previous: policy == Overlap::CancelPrevious && previous_open && last.is_some() }
}

/// How long after its instant a task starts: from 0 to `jitter_ms`, the same whoever works it out.
#[must_use]
pub fn jitter(name: &ScheduleName, instant: Timestamp, jitter_ms: u32) -> Duration {
    // FNV-1a, then the finalizer of splitmix64, so that neighbouring instants lie far apart.
    let bytes = name.as_str().bytes().chain(instant.as_micros().to_le_bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Duration::from_millis((hash ^ (hash >> 31)) % (u64::from(jitter_ms) + 1))
}

#[cfg(test)]
mod tests;
