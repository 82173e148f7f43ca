//! admit: lets held tasks go to the hosts as their gates, meters and lanes allow, and keeps paused lanes paused.
//!
//! Leader only. Looks when it is nudged (held tasks came, slots became free, a rule changed), when a meter allows the next task, and
//! by itself every [`LOOK_INTERVAL`], since nudges are best effort. A crash between commit and publish is mended by `rescue`. What it
//! remembers (who had how much of late, how fast each lane goes) is lost with the office, which costs some fairness for a moment.

use std::time::{Duration, Instant};

use tasklane_domain::Timestamp;
use tasklane_domain::error::StoreError;
use tasklane_domain::flow::{Admitted, Pass, Shares, Throughput};
use tasklane_domain::ports::live::Receiver;
use tasklane_domain::{HostInfo, Lane, QueueName, Term};

use super::due::dispatch;
use crate::leader::note_failure;
use crate::{Office, Room};

/// Longest sleep.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often the hosts' slots are read, and the lanes' pauses compared with the rules.
const CLUSTER_INTERVAL: Duration = Duration::from_secs(2);
/// How often slots are looked for that nobody gave free.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(250);

/// What the loop remembers.
struct Memory {
    shares: Shares,
    throughput: Throughput,
    cursor: Option<(Lane, String)>,
    slots: u32,
    /// The queues whose lanes were last paused.
    paused: Option<Vec<QueueName>>,
    looked_at_cluster: Option<Instant>,
    swept: Option<Instant>,
}

impl Memory {
    fn new(now: Timestamp) -> Self {
        Self {
            shares: Shares::new(now),
            throughput: Throughput::new(now),
            cursor: None,
            slots: 0,
            paused: None,
            looked_at_cluster: None,
            swept: None,
        }
    }

    fn pass(&mut self, now: Timestamp, limit: u32) -> Pass {
        let sweep = self.swept.is_none_or(|swept| swept.elapsed() >= SWEEP_INTERVAL);
        if sweep {
            self.swept = Some(Instant::now());
        }
        Pass {
            now,
            slots: self.slots,
            per_second: self.throughput.per_second().clone(),
            shares: self.shares.clone(),
            limit,
            cursor: self.cursor.take(),
            sweep,
        }
    }

    fn note(&mut self, admitted: &mut Admitted, now: Timestamp) {
        self.shares.note(&admitted.shares, now);
        self.throughput.note(&admitted.lanes, now);
        self.cursor = admitted.cursor.take();
    }
}

/// Tells the leader, which may be this process or another one.
pub(crate) async fn nudge_admit(room: &Room) {
    if let Err(error) = room.ports.control.nudge_admit().await {
        tracing::debug!(%error, "the leader was not nudged; it will look by itself");
    }
}

/// Runs until the office is over.
pub(crate) async fn run(room: Room, office: Office) {
    let mut nudges = subscribe(&room).await;
    let mut memory = Memory::new(room.clock.now());
    while let Some(term) = office.term_if_trusted() {
        let wait = match look(&room, term, &mut memory).await {
            Ok(wait) => wait,
            Err(error) => {
                note_failure(&room, &office, "admit", &error);
                ERROR_PAUSE
            }
        };
        tokio::select! {
            () = office.over.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
            () = next(&mut nudges) => {}
        }
    }
}

async fn subscribe(room: &Room) -> Option<Receiver<()>> {
    match room.ports.control.admit_nudges().await {
        Ok(nudges) => Some(nudges),
        Err(error) => {
            tracing::warn!(%error, "nudges cannot be heard; held tasks may wait a little longer");
            None
        }
    }
}

async fn next(nudges: &mut Option<Receiver<()>>) {
    if let Some(receiver) = nudges
        && receiver.next().await.is_some()
    {
        return;
    }
    *nudges = None;
    std::future::pending::<()>().await;
}

/// One look: returns how long to wait for the next.
async fn look(room: &Room, term: Term, memory: &mut Memory) -> Result<Duration, StoreError> {
    read_cluster(room, memory).await;
    let now = room.clock.now();
    let mut admitted = room.ports.flow.admit(term, memory.pass(now, room.settings.batch_rows_max)).await?;
    memory.note(&mut admitted, now);
    let count = admitted.ready.len();
    room.metrics.admitted.inc_by(count as u64);
    dispatch(room, admitted.ready).await;
    pause_lanes(room, memory, admitted.paused).await;
    if count > 0 || memory.cursor.is_some() {
        return Ok(Duration::ZERO);
    }
    let due = admitted.wake_at.map_or(LOOK_INTERVAL, |at| at.since(room.clock.now()));
    Ok(due.min(LOOK_INTERVAL))
}

/// The hosts' slots, now and then.
async fn read_cluster(room: &Room, memory: &mut Memory) {
    // Without a host yet, the next look may find one: the first tasks must not wait for the interval.
    if memory.slots > 0 && memory.looked_at_cluster.is_some_and(|looked| looked.elapsed() < CLUSTER_INTERVAL) {
        return;
    }
    memory.looked_at_cluster = Some(Instant::now());
    match room.ports.hosts.hosts().await {
        Ok(hosts) => memory.slots = hosts.iter().map(HostInfo::open_slots).sum(),
        Err(error) => tracing::debug!(%error, "the hosts could not be read"),
    }
    // Compared again, since a lane that was made anew is not paused.
    memory.paused = None;
}

/// Pauses the lanes of paused queues and lets the others go, when the rules have changed and now and then.
async fn pause_lanes(room: &Room, memory: &mut Memory, paused: Vec<QueueName>) {
    if memory.paused.as_ref() == Some(&paused) {
        return;
    }
    match room.ports.keeper.pause(&paused).await {
        Ok(()) => memory.paused = Some(paused),
        Err(error) => tracing::warn!(%error, "the lanes of paused queues could not be paused; trying again"),
    }
}
