//! admit: which held tasks of a lane go to the hosts now.
//!
//! Pure: the store gives what waits and what is taken, inside the leader's transaction, and writes what is chosen. Guarantees: no
//! gate gets more than its maximum, no meter more than its bucket holds, the lane no more than its window; among lines that may go,
//! the share that had the least of late goes first.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use super::{Bucket, FlowRules, Gate, Line, Meter, Shares};
use crate::cluster::Lane;
use crate::id::TaskId;
use crate::time::Timestamp;
use crate::work::WorkOrder;

/// Work that may lie in a lane beyond the hosts' slots, in seconds of its throughput: what a newcomer may have to wait behind.
const AHEAD_SECONDS: f64 = 0.02;
/// Smallest window beyond the slots, in tasks: so that a lone fast task does not wait for each commit.
const AHEAD_MIN: u32 = 2;
/// Most tasks beyond the slots.
const AHEAD_MAX: u32 = 4_000;

/// How many admitted tasks of one lane may be on their way or running.
///
/// `slots`: of all hosts; `per_second`: the lane's throughput of late.
#[must_use]
pub fn window(slots: u32, per_second: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the window's bounds first")]
    let ahead = (per_second * AHEAD_SECONDS).clamp(0.0, f64::from(AHEAD_MAX)) as u32;
    slots.max(1).saturating_add(ahead.max(AHEAD_MIN))
}

/// What the leader knows when it asks for an admission.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Now.
    pub now: Timestamp,
    /// Slots of all hosts that live.
    pub slots: u32,
    /// Admitted tasks a second, by lane.
    pub per_second: HashMap<Lane, f64>,
    /// Who had how much of late.
    pub shares: Shares,
    /// Most tasks that this pass admits.
    pub limit: u32,
    /// Where to go on among lines that are too many for one pass.
    pub cursor: Option<(Lane, String)>,
    /// Whether slots of tasks that are not on their way are looked for, too: a leader's first pass, and one in a while.
    pub sweep: bool,
}

/// What one admission did.
#[derive(Debug, Default)]
pub struct Admitted {
    /// Orders to publish now.
    pub ready: Vec<WorkOrder>,
    /// How many each share got.
    pub shares: HashMap<String, u32>,
    /// How many each lane got.
    pub lanes: HashMap<Lane, u32>,
    /// When a meter lets the next one go, if one holds a line back.
    pub wake_at: Option<Timestamp>,
    /// Where the next pass goes on, if this one could not look at all lines.
    pub cursor: Option<(Lane, String)>,
    /// Queues that are paused.
    pub paused: Vec<crate::name::QueueName>,
}

/// A line of one lane, with its first tasks in their order.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The line.
    pub line: Line,
    /// Its oldest tasks.
    pub tasks: VecDeque<TaskId>,
}

/// What is taken of every gate and meter.
#[derive(Debug, Clone, Default)]
pub struct Board {
    /// Tasks that hold each gate.
    pub held: HashMap<String, u32>,
    /// The buckets of meters that were read.
    pub buckets: HashMap<String, Bucket>,
}

/// A task that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Which.
    pub task: TaskId,
    /// Whose share it takes.
    pub share: String,
    /// The gates that it holds from now on.
    pub gates: Vec<String>,
}

/// What may go of one lane.
#[derive(Debug, Default)]
pub struct Choice {
    /// In the order in which they go.
    pub chosen: Vec<Chosen>,
    /// When a meter lets the next one go, if one holds a line back.
    pub wake_at: Option<Timestamp>,
}

struct Open {
    tasks: VecDeque<TaskId>,
    share: String,
    gates: Vec<Gate>,
    meters: Vec<Meter>,
}

/// Chooses at most `limit` tasks of one lane, and takes what they take from the board.
#[must_use]
pub fn choose(
    lane: &Lane,
    candidates: Vec<Candidate>,
    pass: &Pass,
    rules: &FlowRules,
    limit: u32,
    board: &mut Board,
) -> Choice {
    let max = window(pass.slots, pass.per_second.get(lane).copied().unwrap_or(0.0));
    let whole = Gate { id: Line::window_of(lane), max };
    let mut lines: Vec<Open> = candidates.into_iter().map(|candidate| open(candidate, &whole, rules)).collect();
    let mut given: HashMap<String, u32> = HashMap::new();
    let mut turn = turns(&lines, pass);
    let mut choice = Choice::default();
    while choice.chosen.len() < usize::try_from(limit).unwrap_or(usize::MAX)
        && let Some(Reverse((used, at))) = turn.pop()
    {
        let Some(line) = lines.get_mut(at) else { break };
        // Another line of the same share may have gone since: then this one's turn comes later.
        let now_used = score(pass, &line.share, &given);
        if now_used > used {
            turn.push(Reverse((now_used, at)));
            continue;
        }
        let Some(chosen) = take(line, board, pass.now, &mut choice.wake_at) else { continue };
        *given.entry(line.share.clone()).or_default() += 1;
        turn.push(Reverse((score(pass, &line.share, &given), at)));
        choice.chosen.push(chosen);
    }
    choice
}

fn open(Candidate { line, tasks }: Candidate, whole: &Gate, rules: &FlowRules) -> Open {
    let mut gates = line.gates(rules);
    gates.push(whole.clone());
    Open { tasks, share: line.share().to_owned(), gates, meters: line.meters(rules) }
}

fn turns(lines: &[Open], pass: &Pass) -> BinaryHeap<Reverse<(u64, usize)>> {
    let none = HashMap::new();
    lines.iter().enumerate().map(|(at, line)| Reverse((score(pass, &line.share, &none), at))).collect()
}

/// What a share had, in thousandths of a task: whole numbers have an order.
fn score(pass: &Pass, share: &str, given: &HashMap<String, u32>) -> u64 {
    let had = pass.shares.used(share) + f64::from(given.get(share).copied().unwrap_or(0));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "never negative; far below the maximum"
    )]
    let thousandths = (had * 1_000.0) as u64;
    thousandths
}

/// The head of a line, if everything that it needs is free.
fn take(line: &mut Open, board: &mut Board, now: Timestamp, wake_at: &mut Option<Timestamp>) -> Option<Chosen> {
    let free = |gate: &Gate| board.held.get(&gate.id).copied().unwrap_or(0) < gate.max;
    if !line.gates.iter().all(free) {
        return None;
    }
    for meter in &line.meters {
        let bucket = board.buckets.get(&meter.id).copied().unwrap_or(Bucket::FULL);
        if bucket.tokens(meter.rate, now) == 0 {
            let next = bucket.next_at(meter.rate);
            *wake_at = Some(wake_at.map_or(next, |known| known.min(next)));
            return None;
        }
    }
    let task = line.tasks.pop_front()?;
    for gate in &line.gates {
        *board.held.entry(gate.id.clone()).or_default() += 1;
    }
    for meter in &line.meters {
        let bucket = board.buckets.entry(meter.id.clone()).or_insert(Bucket::FULL);
        *bucket = bucket.take(meter.rate, now);
    }
    Some(Chosen { task, share: line.share.clone(), gates: line.gates.iter().map(|gate| gate.id.clone()).collect() })
}

#[cfg(test)]
mod tests;
