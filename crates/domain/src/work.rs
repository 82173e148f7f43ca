//! What travels between control plane and hosts: a work order out, reports back.
//!
//! Encoded by `nats`. Guarantees: an order carries everything that a host needs but the module's bytes; hosts never see SQL.
//! Readers ignore what they do not know of what is said with names, and default what they miss (`nats/src/wire.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{Attempt, DeliveryId, HostId, TaskId};
use crate::limits::Limits;
use crate::log::LogCapture;
use crate::module::ModuleRef;
use crate::name::QueueName;
use crate::outcome::{Outcome, Usage};
use crate::payload::Payload;
use crate::priority::Priority;
use crate::time::Timestamp;

/// One attempt to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkOrder {
    /// Which task.
    pub task: TaskId,
    /// Which of its attempts.
    pub attempt: Attempt,
    /// Attempts that the policy allows: for the guest to know its last chance.
    pub max_attempts: u16,
    /// The dispatch; the host adds JetStream's redelivery count ([`DeliveryId::received`]).
    pub dispatch: DeliveryId,
    /// What to run.
    pub module: ModuleRef,
    /// Its lane.
    pub queue: QueueName,
    /// Its lane.
    pub priority: Priority,
    /// What it may use.
    pub limits: Limits,
    /// The guest's input.
    pub payload: Payload,
    /// When the row became queued: the start of its wait.
    pub queued_at: Timestamp,
    /// When all of it must have ended.
    #[serde(default)]
    pub deadline: Option<Timestamp>,
    /// W3C trace context of the submit.
    #[serde(default)]
    pub traceparent: Option<String>,
    /// What vendors beside say of that trace (W3C `tracestate`), handed on as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
    /// Whether other tasks wait for its end: it holds a place in flow control, or one depends on it. Its host does not let its report gather with
    /// others.
    #[serde(default, skip_serializing_if = "is_false")]
    pub awaited: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What a host returns to the queue to say that it is done with a delivery (for NATS: the reply subject). Orders that came in one message
/// have one together, and the message is done with when the last of them is.
#[derive(Debug, Clone)]
pub struct AckToken {
    name: Arc<str>,
    open: Arc<AtomicUsize>,
}

impl AckToken {
    /// Of a message with so many orders; its clones are one.
    #[must_use]
    pub fn of(name: &str, orders: usize) -> Self {
        Self { name: name.into(), open: Arc::new(AtomicUsize::new(orders)) }
    }

    /// What the queue knows it by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One of its orders is done with; true if it was the last. To be called once for each.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.open.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// Two that the queue knows by one name are the same.
impl PartialEq for AckToken {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for AckToken {}

/// An order in a host's hands.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What to do.
    pub order: Arc<WorkOrder>,
    /// This handing-out, for the fence.
    pub id: DeliveryId,
    /// To acknowledge it with.
    pub token: AckToken,
    /// Whether others came in the same message.
    pub bundled: bool,
}

impl Delivery {
    /// Whether it came again, and with others. Somebody was lost who held them all, and nobody knows over which of them: each is to be handed back
    /// and to go on alone, so that one which kills hosts costs the others nothing, and those that had ended meanwhile are not run again.
    #[must_use]
    pub const fn is_to_be_parted(&self) -> bool {
        self.bundled && self.id.redelivery() > 1
    }
}

/// What a host says of one delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which task.
    pub task: TaskId,
    /// Which attempt.
    pub attempt: Attempt,
    /// Which handing-out: refused if a newer one is recorded.
    pub delivery: DeliveryId,
    /// Who says it.
    pub host: HostId,
    /// What.
    pub body: ReportBody,
}

impl Report {
    /// How long the guest ran, in microseconds, if it did and has ended.
    #[must_use]
    pub fn wall_us(&self) -> Option<u64> {
        match &self.body {
            ReportBody::Ended(ended) => Some(ended.usage.wall_us).filter(|wall_us| *wall_us > 0),
            ReportBody::Started { .. } | ReportBody::Progress(_) | ReportBody::HandedBack(_) => None,
        }
    }
}

/// The content of a [`Report`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportBody {
    /// The guest has been running for a while. Short runs never say so.
    Started {
        /// Since when.
        at: Timestamp,
    },
    /// The guest told how far it is. Best effort, at most one in 500 ms.
    Progress(Progress),
    /// The host gives the delivery back unrun; no attempt is consumed.
    HandedBack(HandBack),
    /// The attempt is over.
    Ended(Box<Ended>),
}

/// How far a guest says it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// 0 to 1.
    pub fraction: f32,
    /// In the guest's words, at most 256 bytes.
    #[serde(default)]
    pub message: String,
}

/// Why a host gives a delivery back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandBack {
    /// The host is shutting down.
    Draining,
    /// Every slot stayed taken for too long.
    Saturated,
    /// It came again together with others ([`Delivery::is_to_be_parted`]).
    Bundled,
}

/// All about an attempt that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// What it came to.
    pub outcome: Outcome,
    /// The guest's result; empty unless the outcome is `ok`.
    #[serde(default)]
    pub result: Bytes,
    /// Where the result lies, if it is larger than [`crate::blob::RESULT_INLINE_BYTES_MAX`]: then `result` is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_blob: Option<crate::blob::BlobRef>,
    /// What it used.
    #[serde(default)]
    pub usage: Usage,
    /// What it said.
    #[serde(default)]
    pub log: LogCapture,
    /// When the host took it into a slot.
    pub started_at: Timestamp,
    /// When it was over.
    pub ended_at: Timestamp,
    /// W3C trace context of the run, if its trace is sampled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The order's `tracestate`, with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
}
