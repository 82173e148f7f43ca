//! Who is there: lanes, leadership and hosts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::HostId;
use crate::name::QueueName;
use crate::priority::Priority;
use crate::time::Timestamp;

/// Queue × priority: one ordered line of waiting work.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lane {
    /// The queue.
    pub queue: QueueName,
    /// The priority.
    pub priority: Priority,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.queue, self.priority)
    }
}

/// How a lane stands in JetStream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStatus {
    /// Which lane.
    pub lane: Lane,
    /// Messages that no host has received.
    pub waiting: u64,
    /// Messages that hosts hold.
    pub held: u64,
    /// Everything published to this lane before this time has been acknowledged by a host.
    pub watermark: Timestamp,
}

/// A leader's time in office: the fencing token of every leader-only transaction. Strictly rising, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Term(i64);

impl Term {
    /// Wraps a stored number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number for a database column.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A won leadership lease in the NATS KV.
///
/// Revisions rise only within one life of the KV's stream; `generation` (when that stream was created) tells lives apart, so
/// that a lease won after JetStream was wiped still outranks every earlier one (`LeaderStore::open_term`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Creation time of the KV stream.
    pub generation: Timestamp,
    /// Revision of the acquisition.
    pub revision: u64,
}

/// Who holds the leadership lease, as anyone may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderInfo {
    /// The scheduler process.
    pub scheduler: String,
    /// Its term, once it has opened one.
    #[serde(default)]
    pub term: Option<Term>,
    /// When it acquired the lease.
    pub since: Timestamp,
    /// When it last renewed it, by its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed_at: Option<Timestamp>,
}

/// Whether a host takes new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostStatus {
    /// It does.
    Active,
    /// It finishes what it has.
    Draining,
}

/// A host's heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostInfo {
    /// This life of the process.
    pub id: HostId,
    /// Machine name, for people.
    pub name: String,
    /// Process id on that machine.
    pub pid: u32,
    /// Version of Tasklane.
    pub version: String,
    /// Whether it takes new work.
    pub status: HostStatus,
    /// Guests that can run at once.
    pub slots: u32,
    /// What `slots` can be raised to while it runs. 0: a host of an older version, which cannot be scaled.
    #[serde(default)]
    pub slots_max: u32,
    /// Guests that run.
    pub running: u32,
    /// Deliveries received and waiting for a slot.
    pub buffered: u32,
    /// Queues that it serves.
    pub queues: Vec<QueueName>,
    /// Attempts ended since its start.
    pub ended_total: u64,
    /// Resident memory of the process, in bytes.
    pub memory_bytes: u64,
    /// When the process started.
    pub started_at: Timestamp,
    /// When this heartbeat was sent.
    pub beat_at: Timestamp,
}

impl HostInfo {
    /// Slots that take work now: none while it drains.
    #[must_use]
    pub const fn open_slots(&self) -> u32 {
        match self.status {
            HostStatus::Active => self.slots,
            HostStatus::Draining => 0,
        }
    }
}

/// What an operator wants of one host, for as long as its process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostWish {
    /// Hand back what waits in it, finish what runs, take nothing more.
    Drain,
    /// Take work again.
    Resume,
    /// Run so many guests at once: 1 to [`HostInfo::slots_max`]. More that run already end by themselves.
    Scale(u32),
}

impl HostWish {
    /// Whether the host does as it was told.
    #[must_use]
    pub fn is_met(self, host: &HostInfo) -> bool {
        match self {
            Self::Drain => host.status == HostStatus::Draining,
            Self::Resume => host.status == HostStatus::Active,
            Self::Scale(slots) => host.slots == slots,
        }
    }
}

/// A wish and whom it is for. Best effort: the host's next heartbeat shows what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostOrder {
    /// This life of the process.
    pub host: HostId,
    /// What it shall do.
    pub wish: HostWish,
}
