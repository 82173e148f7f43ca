//! What is told: CloudEvents 1.0 in structured mode. The data is made with the end and stored; the envelope is put around it when it is
//! sent, since it names where this cluster is reached.
//!
//! Guarantees: neither payload nor result nor log of a task is in an event, only links to them.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Delivery, EventKind, WebhookName};
use crate::id::{BatchId, TaskId};
use crate::name::Labels;
use crate::outcome::{Outcome, OutcomeKind};
use crate::query::StateCount;
use crate::state::StateKind;
use crate::task::Task;
use crate::time::Timestamp;

/// Longest id of an event, in bytes.
const ID_BYTES_MAX: usize = 80;
/// The source of events where it is not known how this cluster is reached.
const SOURCE: &str = "/tasklane";

/// The id of an event: made of what it is about, so that the same event has the same id wherever it is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(String);

impl EventId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A new one, of a test.
    #[must_use]
    pub fn of_test() -> Self {
        Self(format!("{}-test", uuid::Uuid::now_v7()))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// It is not the id of an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an event's id is 1 to {ID_BYTES_MAX} bytes of a-z, 0-9 and '-'")]
pub struct EventIdError;

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let plain = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if plain && (1..=ID_BYTES_MAX).contains(&text.len()) { Ok(Self(text.to_owned())) } else { Err(EventIdError) }
    }
}

/// The id of a task's end.
#[must_use]
pub fn task_event(id: TaskId, state: StateKind) -> EventId {
    EventId(format!("{id}-{}", state.as_str()))
}

/// The id of a batch's end.
#[must_use]
pub fn batch_event(id: BatchId) -> EventId {
    EventId(format!("{id}-ended"))
}

#[derive(Serialize)]
struct ErrorData<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct TaskData<'a> {
    task: TaskId,
    module: &'a str,
    version: String,
    namespace: &'a str,
    queue: &'a str,
    priority: u8,
    state: StateKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<OutcomeKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorData<'a>>,
    attempt: u16,
    labels: &'a Labels,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<BatchId>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
}

fn error(outcome: &Outcome) -> Option<ErrorData<'_>> {
    if *outcome == Outcome::Ok {
        return None;
    }
    let code = if let Outcome::TaskError { code, .. } = outcome { code.as_str() } else { outcome.kind().as_str() };
    Some(ErrorData { code, message: outcome.message() })
}

/// What is told of a task that has ended.
///
/// # Errors
/// Never in fact.
pub fn data_of_task(task: &Task) -> Result<String, serde_json::Error> {
    serde_json::to_string(&TaskData {
        task: task.id,
        module: task.module.name.as_str(),
        version: task.module.version.to_string(),
        namespace: task.namespace.as_str(),
        queue: task.queue.as_str(),
        priority: task.priority.get(),
        state: task.state,
        outcome: task.outcome.as_ref().map(Outcome::kind),
        error: task.outcome.as_ref().and_then(error),
        attempt: task.attempt.get(),
        labels: &task.labels,
        batch: task.lineage.batch,
        created_at: task.created_at,
        started_at: task.started_at,
        ended_at: task.ended_at,
    })
}

/// What is known of a batch that has ended.
#[derive(Debug, Clone)]
pub struct BatchFacts {
    /// Which.
    pub id: BatchId,
    /// Its tasks.
    pub tasks: u64,
    /// How they ended.
    pub states: Vec<StateCount>,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When its last task ended.
    pub ended_at: Timestamp,
}

/// What is told of a batch.
#[must_use]
pub fn data_of_batch(facts: &BatchFacts) -> String {
    let states: Map<String, Value> =
        facts.states.iter().map(|one| (one.state.as_str().to_owned(), one.count.into())).collect();
    let (created_at, ended_at) = (facts.created_at.to_string(), facts.ended_at.to_string());
    json!({"batch": facts.id.to_string(), "tasks": facts.tasks, "states": states, "created_at": created_at,
        "ended_at": ended_at})
    .to_string()
}

/// What is told in a test.
#[must_use]
pub fn test_data(name: &WebhookName) -> String {
    json!({"webhook": name.as_str(), "message": "This is a test."}).to_string()
}

/// How people reach this cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// `https://tasks.example.com`, without a slash at the end; `None`: links are paths.
    pub public_url: Option<String>,
}

impl Links {
    fn to(&self, path: &str) -> Value {
        format!("{}{path}", self.public_url.as_deref().unwrap_or_default()).into()
    }

    fn of(&self, delivery: &Delivery) -> Value {
        let subject = &delivery.subject;
        match delivery.kind {
            EventKind::TaskSucceeded => json!({
                "task": self.to(&format!("/api/v1/tasks/{subject}")),
                "result": self.to(&format!("/api/v1/tasks/{subject}/result")),
                "logs": self.to(&format!("/api/v1/tasks/{subject}/logs")),
            }),
            EventKind::TaskFailed | EventKind::TaskCancelled | EventKind::TaskExpired => json!({
                "task": self.to(&format!("/api/v1/tasks/{subject}")),
                "logs": self.to(&format!("/api/v1/tasks/{subject}/logs")),
            }),
            EventKind::BatchEnded => json!({"batch": self.to(&format!("/api/v1/batches/{subject}"))}),
            EventKind::Test => json!({"webhook": self.to(&format!("/api/v1/webhooks/{subject}"))}),
        }
    }
}

/// The CloudEvent of a delivery.
///
/// # Errors
/// When the stored data is not a JSON object.
pub fn envelope(delivery: &Delivery, links: &Links) -> Result<Vec<u8>, serde_json::Error> {
    let mut data: Map<String, Value> = serde_json::from_str(&delivery.data)?;
    data.insert("links".to_owned(), links.of(delivery));
    serde_json::to_vec(&json!({
        "specversion": "1.0",
        "id": delivery.event.as_str(),
        "source": links.public_url.as_deref().unwrap_or(SOURCE),
        "type": format!("tasklane.{}", delivery.kind),
        "subject": delivery.subject,
        "time": delivery.time.to_string(),
        "datacontenttype": "application/json",
        "data": data,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::DeliveryState;

    #[test]
    fn an_envelope_has_what_cloudevents_asks_for() {
        let id = TaskId::new();
        let delivery = Delivery {
            webhook: "hook".parse().unwrap(),
            event: task_event(id, StateKind::Succeeded),
            kind: EventKind::TaskSucceeded,
            subject: id.to_string(),
            time: Timestamp::from_micros(1_780_000_000_000_000),
            data: r#"{"task":"x"}"#.to_owned(),
            state: DeliveryState::Waiting,
            attempts: 0,
            next_at: None,
            last_status: None,
            last_error: None,
            ended_at: None,
        };
        let read = |links: &Links| serde_json::from_slice::<Value>(&envelope(&delivery, links).unwrap()).unwrap();
        let event = read(&Links::default());
        assert_eq!((&event["specversion"], &event["source"]), (&json!("1.0"), &json!("/tasklane")));
        assert_eq!((&event["type"], &event["subject"]), (&json!("tasklane.task.succeeded"), &json!(id.to_string())));
        assert_eq!(event["id"], format!("{id}-succeeded"));
        assert_eq!(event["data"]["links"]["result"], format!("/api/v1/tasks/{id}/result"));
        let placed = read(&Links { public_url: Some("https://t.test".to_owned()) });
        assert_eq!(placed["source"], "https://t.test");
        assert_eq!(placed["data"]["links"]["task"], format!("https://t.test/api/v1/tasks/{id}"));
        assert_eq!(event["id"].as_str().unwrap().parse(), Ok(delivery.event));
    }

    #[test]
    fn ids_of_events_are_plain() {
        for bad in ["", "A", "a.b", "a b", "ü", &"a".repeat(81)] {
            assert!(bad.parse::<EventId>().is_err(), "`{bad}` was taken");
        }
        let batch = BatchId::new();
        assert_eq!(batch_event(batch).to_string(), format!("{batch}-ended"));
    }
}
