//! retention: removes what has stayed long enough, in small transactions with rests between them.
//!
//! Leader only; each removal carries its term. Walks over ended tasks beside the writer, once for each kind and keeping time that is
//! in force, and remembers how far each walk came, so that what stays is not read again and again. A full walk comes with a new
//! leader, a changed rule and every [`FULL_WALK_INTERVAL`]. After each removal it rests [`REST_FACTOR`] times as long as the removal
//! took, so that it never has more than a fifth of the writer's time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tasklane_domain::error::StoreError;
use tasklane_domain::retention::{EndedTask, Keep, Kind, Position, REMOVAL_ROWS_MAX, Rules, position_at};
use tasklane_domain::{TaskId, Timestamp};

use crate::leader::note_failure;
use crate::{Office, Room};

/// Rest after a removal, as a multiple of its time.
const REST_FACTOR: u32 = 4;
/// Shortest rest.
const REST_MIN: Duration = Duration::from_millis(5);
/// How long walks go on from where they were before all begin anew.
const FULL_WALK_INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);
/// How much of its last part a walk repeats: an end that was reported late is recorded with its own, earlier time.
const LATE_ENDS: Duration = Duration::from_secs(60 * 60);

/// How far the walks came, under which rules.
struct Walks {
    rules: Rules,
    begun: Instant,
    reached: HashMap<(Kind, Keep), Timestamp>,
}

impl Walks {
    fn new() -> Self {
        Self { rules: Rules::default(), begun: Instant::now(), reached: HashMap::new() }
    }

    fn take_rules(&mut self, rules: Rules) {
        if rules != self.rules || self.begun.elapsed() >= FULL_WALK_INTERVAL {
            *self = Self { rules, ..Self::new() };
        }
    }

    fn start(&self, kind: Kind, keep: Keep) -> Position {
        let reached = self.reached.get(&(kind, keep)).map(|time| time.minus(LATE_ENDS));
        position_at(reached.unwrap_or(Timestamp::from_micros(i64::MIN)))
    }
}

/// Runs until the office is over.
pub(crate) async fn run(room: Room, office: Office) {
    let mut walks = Walks::new();
    loop {
        tokio::select! {
            () = office.over.cancelled() => return,
            done = pass(&room, &office, &mut walks) => if let Err(error) = done {
                note_failure(&room, &office, "retention", &error);
            }
        }
        tokio::select! {
            () = office.over.cancelled() => return,
            () = tokio::time::sleep(room.settings.retention_interval) => {}
        }
    }
}

async fn pass(room: &Room, office: &Office, walks: &mut Walks) -> Result<(), StoreError> {
    walks.take_rules(room.ports.retention.rules().await?);
    for kind in Kind::ALL {
        for keep in walks.rules.times(&room.settings.retention, kind) {
            walk(room, office, walks, kind, keep).await?;
        }
    }
    purge_keys(room, office).await
}

/// Removes `kind` of every ended task for which `keep` is in force and over.
async fn walk(room: &Room, office: &Office, walks: &mut Walks, kind: Kind, keep: Keep) -> Result<(), StoreError> {
    let Some(until) = keep.cutoff(room.clock.now()) else { return Ok(()) };
    let mut position = walks.start(kind, keep);
    loop {
        let page = room.ports.retention.ended(position, until).await?;
        let Some(last) = page.last() else { break };
        position = (last.ended_at, last.id);
        let wanted = |task: &&EndedTask| {
            !task.removed.has(kind) && walks.rules.keep(&room.settings.retention, task, kind) == keep
        };
        let tasks: Vec<TaskId> = page.iter().filter(wanted).map(|task| task.id).collect();
        if !tasks.is_empty() && !remove(room, office, kind, tasks).await? {
            return Ok(());
        }
    }
    walks.reached.insert((kind, keep), until);
    Ok(())
}

/// One removal and the rest after it; `false` when the office is over.
async fn remove(room: &Room, office: &Office, kind: Kind, tasks: Vec<TaskId>) -> Result<bool, StoreError> {
    let Some(term) = office.term_if_trusted() else { return Ok(false) };
    let begun = Instant::now();
    let count = room.ports.retention.remove(term, kind, tasks).await?;
    room.metrics.removed.with_label_values(&[kind.as_str()]).inc_by(count);
    rest(begun.elapsed()).await;
    Ok(true)
}

async fn purge_keys(room: &Room, office: &Office) -> Result<(), StoreError> {
    while let Some(term) = office.term_if_trusted() {
        let begun = Instant::now();
        let count = room.ports.retention.purge_keys(term, room.clock.now()).await?;
        room.metrics.removed.with_label_values(&["idempotency_key"]).inc_by(count);
        if count < u64::from(REMOVAL_ROWS_MAX) {
            break;
        }
        rest(begun.elapsed()).await;
    }
    Ok(())
}

async fn rest(took: Duration) {
    tokio::time::sleep((took * REST_FACTOR).max(REST_MIN)).await;
}
