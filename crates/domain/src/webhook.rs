//! Webhooks: endpoints that are told of ends, and the deliveries that tell them. Pure, with the ports of the feature.
//!
//! An end is written down for each interested endpoint in the transaction that ends the task (`crates/store/src/shared/webhooks.rs`);
//! the leader's `scheduler/src/loops/webhooks.rs` sends what is written down through [`EventSender`] and records what came of it.
//! Guarantees: what was written down is sent at least once, or ends as a dead letter; an event has one id at every repetition, so that a
//! receiver can tell it by. Not promised: order.

mod event;
mod retry;
mod secret;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::cluster::Term;
use crate::error::StoreError;
use crate::name::{Labels, ModuleName, Namespace, QueueName, WebhookName};
use crate::state::StateKind;
use crate::time::Timestamp;

pub use event::{
    BatchFacts, EventId, Links, batch_event, data_of_batch, data_of_task, envelope, task_event, test_data,
};
pub use retry::{ATTEMPTS_MAX, GAP_MAX, RetryPlan, Tried, Verdict, WAIT_FIRST_MAX, judge};
pub use secret::{Secret, SecretError};

/// Most endpoints of a cluster: each end looks at all of them.
pub const WEBHOOKS_MAX: u32 = 64;
/// Deliveries of one endpoint that may wait; beyond that it is paused at the leader's next look, and gets no new ones.
pub const WAITING_MAX: u32 = 100_000;
/// Delivered events that are remembered for each endpoint, and for how long.
pub const DELIVERED_KEPT: u32 = 1_000;
/// See [`DELIVERED_KEPT`].
pub const DELIVERED_KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Dead letters that are kept for each endpoint, and for how long.
pub const DEAD_KEPT: u32 = 10_000;
/// See [`DEAD_KEPT`].
pub const DEAD_KEPT_FOR: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Most deliveries that one look at the house forgets, so that other writes never wait long for it.
pub const FORGOTTEN_MAX: u64 = 1_000;
/// How long the secret before still signs after a rotation.
pub const FORMER_SECRET_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest text that is kept of an error, in bytes.
pub const ERROR_BYTES_MAX: usize = 500;
/// Most deliveries on one page.
pub const PAGE_MAX: u32 = 200;

/// What an endpoint can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventKind {
    /// A task succeeded.
    #[serde(rename = "task.succeeded")]
    TaskSucceeded,
    /// A task failed.
    #[serde(rename = "task.failed")]
    TaskFailed,
    /// A task was cancelled, or skipped.
    #[serde(rename = "task.cancelled")]
    TaskCancelled,
    /// A task's deadline passed before it started.
    #[serde(rename = "task.expired")]
    TaskExpired,
    /// Every task of a batch has ended.
    #[serde(rename = "batch.ended")]
    BatchEnded,
    /// Somebody tries the endpoint.
    #[serde(rename = "webhook.test")]
    Test,
}

impl EventKind {
    /// What an endpoint can ask for; a test comes unasked.
    pub const SUBSCRIBABLE: [Self; 5] =
        [Self::TaskSucceeded, Self::TaskFailed, Self::TaskCancelled, Self::TaskExpired, Self::BatchEnded];

    /// The one name used in SQL, JSON and the terminal; the event's type is this after `tasklane.`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TaskSucceeded => "task.succeeded",
            Self::TaskFailed => "task.failed",
            Self::TaskCancelled => "task.cancelled",
            Self::TaskExpired => "task.expired",
            Self::BatchEnded => "batch.ended",
            Self::Test => "webhook.test",
        }
    }

    /// The event of a task in this state; `None` while it goes on.
    #[must_use]
    pub const fn of_state(state: StateKind) -> Option<Self> {
        match state {
            StateKind::Succeeded => Some(Self::TaskSucceeded),
            StateKind::Failed => Some(Self::TaskFailed),
            StateKind::Cancelled => Some(Self::TaskCancelled),
            StateKind::Expired => Some(Self::TaskExpired),
            StateKind::Scheduled
            | StateKind::Blocked
            | StateKind::Queued
            | StateKind::Running
            | StateKind::Retrying => None,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// There is no event of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no event; known are task.succeeded, task.failed, task.cancelled, task.expired and batch.ended")]
pub struct EventKindError(String);

impl FromStr for EventKind {
    type Err = EventKindError;

    fn from_str(text: &str) -> Result<Self, EventKindError> {
        let known = Self::SUBSCRIBABLE.into_iter().chain([Self::Test]).find(|kind| kind.as_str() == text);
        known.ok_or_else(|| EventKindError(text.chars().take(80).collect()))
    }
}

/// Which tasks an endpoint is told of: all that is `Some` must match. A batch matches by the tasks of it that end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueName>,
    /// Module, any version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<ModuleName>,
    /// A label with this value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<(String, String)>,
}

impl Filter {
    /// Whether a task of that module and queue can match: what is known before its row is read.
    #[must_use]
    pub fn may_match(&self, module: &ModuleName, queue: &QueueName) -> bool {
        self.module.as_ref().is_none_or(|wanted| wanted == module)
            && self.queue.as_ref().is_none_or(|wanted| wanted == queue)
    }

    /// Whether a task matches.
    #[must_use]
    pub fn matches(&self, module: &ModuleName, queue: &QueueName, namespace: &Namespace, labels: &Labels) -> bool {
        let label = |(key, value): &(String, String)| labels.iter().any(|pair| pair == (key.as_str(), value.as_str()));
        self.may_match(module, queue)
            && self.namespace.as_ref().is_none_or(|wanted| wanted == namespace)
            && self.label.as_ref().is_none_or(label)
    }
}

/// Whether an endpoint gets events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Active,
    /// It gets no new ones, and those that wait are kept; with the reason if nobody asked for it.
    Paused(Option<String>),
}

impl Standing {
    /// The one word used in SQL, JSON and the terminal.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused(_) => "paused",
        }
    }
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its name in the cluster.
    pub name: WebhookName,
    /// Where events go, in the one form of [`crate::egress::Target`].
    pub url: String,
    /// What it is told of; never empty.
    pub events: BTreeSet<EventKind>,
    /// Of which tasks.
    pub filter: Filter,
    /// Whether it gets events.
    pub standing: Standing,
    /// Signs what is sent.
    pub secret: Secret,
    /// The secret before, and until when it signs too.
    pub former: Option<(Secret, Timestamp)>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Webhook {
    /// What signs at `now`, the newest secret first.
    #[must_use]
    pub fn secrets(&self, now: Timestamp) -> Vec<Secret> {
        let former = self.former.iter().filter(|(_, until)| now < *until).map(|(secret, _)| secret.clone());
        std::iter::once(self.secret.clone()).chain(former).collect()
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be sent, for the first time or again.
    Waiting,
    /// The endpoint took it.
    Delivered,
    /// It was given up: a dead letter, which can be sent again by hand.
    Dead,
}

impl DeliveryState {
    /// The one name used in SQL, JSON and the terminal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

impl FromStr for DeliveryState {
    type Err = DeliveryStateError;

    fn from_str(text: &str) -> Result<Self, DeliveryStateError> {
        let known = [Self::Waiting, Self::Delivered, Self::Dead].into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| DeliveryStateError(text.chars().take(80).collect()))
    }
}

/// There is no such state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no state of a delivery; known are waiting, delivered and dead")]
pub struct DeliveryStateError(String);

/// One event for one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// For whom.
    pub webhook: WebhookName,
    /// The event's id: the same at every repetition, and for every endpoint.
    pub event: EventId,
    /// What happened.
    pub kind: EventKind,
    /// The task or batch that it happened to.
    pub subject: String,
    /// When it happened.
    pub time: Timestamp,
    /// What is told of it: a JSON object.
    pub data: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was sent.
    pub attempts: u32,
    /// When it is sent next; only while it waits.
    pub next_at: Option<Timestamp>,
    /// The status of the newest answer.
    pub last_status: Option<u16>,
    /// Why the newest attempt failed.
    pub last_error: Option<String>,
    /// When it was taken or given up.
    pub ended_at: Option<Timestamp>,
}

/// A page of an endpoint's deliveries, those of the newest subjects first.
#[derive(Debug, Clone, Default)]
pub struct DeliveryPage {
    /// Only these.
    pub state: Option<DeliveryState>,
    /// Only below this event: the last one of the page before.
    pub before: Option<EventId>,
    /// 1 to [`PAGE_MAX`].
    pub limit: u32,
}

/// What became of a delivery that somebody wants sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// It waits and is due.
    Due,
    /// The endpoint took it before.
    Delivered,
    /// There is no such delivery.
    Unknown,
}

/// What the leader's housekeeping did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Housekeeping {
    /// Endpoints that were paused because too much waits.
    pub paused: Vec<WebhookName>,
    /// Rows that were forgotten.
    pub forgotten: u64,
}

/// Endpoints and their deliveries.
#[async_trait]
pub trait WebhookStore: Send + Sync + 'static {
    /// Commits a new one. `WebhookExists` if the name is taken, `WebhooksFull` beyond [`WEBHOOKS_MAX`].
    async fn create(&self, webhook: Webhook) -> Result<(), StoreError>;

    /// One endpoint.
    async fn webhook(&self, name: &WebhookName) -> Result<Option<Webhook>, StoreError>;

    /// All, by name.
    async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError>;

    /// Removes it with its deliveries. `false` if there is none.
    async fn remove(&self, name: &WebhookName) -> Result<bool, StoreError>;

    /// Pauses or resumes. `false` if there is none.
    async fn set_standing(&self, name: &WebhookName, standing: Standing) -> Result<bool, StoreError>;

    /// Gives it another secret; the one before signs too until `until`. `false` if there is none.
    async fn rotate(&self, name: &WebhookName, secret: Secret, until: Timestamp) -> Result<bool, StoreError>;

    /// Writes down an event for one endpoint, whatever that asks for. Nothing if it is written down already.
    async fn enqueue(&self, delivery: Delivery) -> Result<(), StoreError>;

    /// An endpoint's deliveries.
    async fn deliveries(&self, name: &WebhookName, page: DeliveryPage) -> Result<Vec<Delivery>, StoreError>;

    /// One delivery.
    async fn delivery(&self, name: &WebhookName, event: &EventId) -> Result<Option<Delivery>, StoreError>;

    /// Makes a dead letter, or one that waits, due now, with all its attempts before it.
    async fn replay(&self, name: &WebhookName, event: &EventId, now: Timestamp) -> Result<Replayed, StoreError>;

    /// Active endpoints with what is due at `now`, at most `limit` each, the earliest first, and the earliest time of what is due later.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Due, StoreError>;

    /// Leader only: records what came of deliveries that were sent. One that is no longer as it was when it was sent is left alone.
    async fn record(&self, term: Term, tried: Vec<Tried>) -> Result<(), StoreError>;

    /// Leader only: looks at batches of which a task has ended, and writes down those that have ended whole. Returns how many.
    async fn announce_batches(&self, term: Term, now: Timestamp) -> Result<usize, StoreError>;

    /// Leader only: pauses endpoints with over `waiting_max` waiting deliveries, and forgets old ones, at most
    /// [`FORGOTTEN_MAX`].
    async fn keep_house(&self, term: Term, now: Timestamp, waiting_max: u32) -> Result<Housekeeping, StoreError>;
}

/// What is due.
#[derive(Debug, Default)]
pub struct Due {
    /// Endpoints with something due.
    pub endpoints: Vec<(Webhook, Vec<Delivery>)>,
    /// Every endpoint that is active.
    pub active: usize,
    /// Whether one of them wants to know when batches have ended.
    pub batches: bool,
    /// When more is due.
    pub next_at: Option<Timestamp>,
}

/// A message to an endpoint.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where.
    pub url: String,
    /// The event's id.
    pub id: EventId,
    /// When it is sent; signed.
    pub at: Timestamp,
    /// A CloudEvent: JSON.
    pub body: bytes::Bytes,
    /// What signs it, at least one.
    pub secrets: Vec<Secret>,
}

/// What an endpoint said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It answered.
    Status {
        /// The HTTP status.
        code: u16,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// It did not, or must not be asked: in words.
    Failed(String),
}

/// The way to endpoints.
#[async_trait]
pub trait EventSender: Send + Sync + 'static {
    /// Sends once. Never longer than the adapter's timeout.
    async fn send(&self, message: &Message) -> Answer;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_matches_what_it_names() {
        let (module, queue): (ModuleName, QueueName) = ("resize".parse().unwrap(), "night".parse().unwrap());
        let labels = Labels::try_from(std::collections::BTreeMap::from([("team".to_owned(), "a".to_owned())])).unwrap();
        let matches = |filter: &Filter| filter.matches(&module, &queue, &Namespace::default(), &labels);
        assert!(matches(&Filter::default()));
        let label = |value: &str| Some(("team".to_owned(), value.to_owned()));
        assert!(matches(&Filter { queue: Some(queue.clone()), label: label("a"), ..Filter::default() }));
        assert!(!matches(&Filter { label: label("b"), ..Filter::default() }));
        assert!(!matches(&Filter { namespace: Some("other".parse().unwrap()), ..Filter::default() }));
        assert!(!matches(&Filter { module: Some("other".parse().unwrap()), ..Filter::default() }));
    }

    #[test]
    fn every_end_has_an_event_and_nothing_else_has() {
        for state in StateKind::ALL {
            assert_eq!(EventKind::of_state(state).is_some(), state.is_terminal(), "{state}");
        }
        for kind in EventKind::SUBSCRIBABLE {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn a_former_secret_signs_for_a_while() {
        let now = Timestamp::from_micros(1_000_000);
        let webhook = Webhook {
            name: "hook".parse().unwrap(),
            url: "https://example.com/".to_owned(),
            events: BTreeSet::from(EventKind::SUBSCRIBABLE),
            filter: Filter::default(),
            standing: Standing::Active,
            secret: Secret::generate(),
            former: Some((Secret::generate(), now)),
            created_at: now,
        };
        assert_eq!(webhook.secrets(Timestamp::from_micros(999_999)).len(), 2);
        assert_eq!(webhook.secrets(now), std::slice::from_ref(&webhook.secret));
    }
}
