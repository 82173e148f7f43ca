//! The AsyncAPI document: the live feeds and the subjects of NATS, with the schemas of the OpenAPI document.
//!
//! Kept in `docs/asyncapi.json` and served at `/api/v1/asyncapi.json`. Guarantees: schemas are those of the code; the names of events and subjects
//! are compared with the code's by `crates/api/tests/routes/asyncapi.rs`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Most schemas that one message leads to: a bound for the walk.
const SCHEMAS_MAX: usize = 1_000;

fn reference(to: &str) -> Value {
    json!({ "$ref": to })
}

fn schema(name: &str) -> Value {
    reference(&format!("#/components/schemas/{name}"))
}

fn message(title: &str, summary: &str, payload: Value) -> Value {
    json!({"title": title, "summary": summary, "contentType": "application/json", "payload": payload})
}

/// A message without anything to say.
fn nothing() -> Value {
    json!({"type": "object", "additionalProperties": false})
}

/// What the feed tells, by the event's name.
fn told() -> [(&'static str, &'static str, Value); 4] {
    [
        ("hello", "The first: from here on everything is told", nothing()),
        ("resync", "Something between the cursor and now is no longer known: read what matters again", nothing()),
        ("tasks", "Tasks were submitted, began, or ended", schema("FeedChange")),
        ("audit", "Something was done, for admins of the namespace", schema("AuditView")),
    ]
}

/// One message of the WebSocket: the event, its cursor, and its data where it has some.
fn said(event: &str, data: &Value) -> Value {
    let (event, cursor) = (json!({"const": event}), json!({"type": "string"}));
    let (properties, required) = match data.get("$ref") {
        Some(_) => (json!({"event": event, "cursor": cursor, "data": data}), json!(["event", "cursor", "data"])),
        None => (json!({"event": event, "cursor": cursor}), json!(["event", "cursor"])),
    };
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn feed_parameters() -> Value {
    json!({
        "type": "object",
        "properties": {
            "cursor": {"type": "string", "description": "The cursor of the last event seen"},
            "namespace": {"type": "string", "description": "Only what is of this one"},
        },
    })
}

/// What can be asked over NATS: subject, what it does, request, answer.
/// The names of schemas, or nothing where there is none.
const SUBJECTS: [(&str, &str, &str, &str, &str); 5] = [
    ("submit", "tasklane.submit", "Submit a task", "SubmitRequest", "TaskAccepted"),
    ("submitBatch", "tasklane.submit_batch", "Submit several tasks", "BatchRequest", "BatchAccepted"),
    ("get", "tasklane.get", "Read a task", "", "TaskView"),
    ("result", "tasklane.result", "Read a task's result", "", ""),
    ("cancel", "tasklane.cancel", "Cancel a task", "", "TaskView"),
];
/// Where tasks are left by those who do not wait.
const SUBMISSIONS: &str = "tasklane.submissions";

fn asked(name: &str) -> Value {
    if !name.is_empty() {
        return schema(name);
    }
    json!({
        "type": "object",
        "properties": {"id": {"type": "string"}, "namespace": {"type": "string"}, "tree": {"type": "boolean"}},
        "required": ["id"],
    })
}

fn answered(name: &str) -> Value {
    if name.is_empty() { json!({"description": "The bytes that the guest returned"}) } else { schema(name) }
}

#[derive(Default)]
struct Document {
    channels: BTreeMap<String, Value>,
    operations: BTreeMap<String, Value>,
}

impl Document {
    fn channel(&mut self, name: &str, server: &str, address: &str, messages: BTreeMap<String, Value>) -> &mut Value {
        let servers = json!([reference(&format!("#/servers/{server}"))]);
        let channel = json!({"address": address, "servers": servers, "messages": messages});
        self.channels.entry(name.to_owned()).or_insert(channel)
    }

    fn operation(&mut self, name: &str, action: &str, channel: &str, summary: &str) -> &mut Value {
        let operation =
            json!({"action": action, "channel": reference(&format!("#/channels/{channel}")), "summary": summary});
        self.operations.entry(name.to_owned()).or_insert(operation)
    }

    fn feeds(&mut self) {
        let one = |(name, what, data): (&str, &str, Value)| (name.to_owned(), message(name, what, data));
        self.channel("events", "http", "/api/v1/events", told().map(one).into());
        let framed =
            |(name, what, data): (&str, &str, Value)| (name.to_owned(), message(name, what, said(name, &data)));
        let socket = self.channel("socket", "ws", "/api/v1/events/ws", told().map(framed).into());
        socket["bindings"] = json!({"ws": {"method": "GET", "query": feed_parameters()}});
        let events =
            self.operation("events", "send", "events", "Server-sent events: `event`, `id` (the cursor) and `data`");
        events["bindings"] = json!({"http": {"method": "GET", "query": feed_parameters()}});
        self.operation("socket", "send", "socket", "The same as JSON messages of a WebSocket");
    }

    fn subjects(&mut self) {
        for (name, subject, what, request, answer) in SUBJECTS {
            let asks = message(what, "The request", asked(request));
            let answers =
                message(what, "The answer; empty with `Nats-Service-Error` if there is none", answered(answer));
            self.channel(name, "nats", subject, [("request".to_owned(), asks)].into());
            let inbox = format!("{name}Reply");
            let channel = self.channel(&inbox, "nats", "", [("answer".to_owned(), answers)].into());
            channel["address"] = Value::Null;
            let operation = self.operation(name, "receive", name, what);
            let reply = json!({"address": {"location": "$message.header#/reply"}, "channel": reference(&format!("#/channels/{inbox}"))});
            operation["reply"] = reply;
        }
        let left = message("A task, left", "`Nats-Msg-Id` is its idempotency key", schema("SubmitRequest"));
        self.channel("submissions", "nats", SUBMISSIONS, [("submission".to_owned(), left)].into());
        self.operation("submissions", "receive", "submissions", "Submit without waiting, through JetStream");
    }
}

/// The schemas that `from` leads to.
fn schemas(from: &Value, all: &Value) -> BTreeMap<String, Value> {
    let (mut found, mut open) = (BTreeMap::new(), names(from));
    while let Some(name) = open.pop().filter(|_| found.len() < SCHEMAS_MAX) {
        let Some(schema) = all.get(&name).filter(|_| !found.contains_key(&name)) else { continue };
        open.extend(names(schema));
        found.insert(name, schema.clone());
    }
    found
}

fn names(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own =
                fields.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix("#/components/schemas/"));
            own.map(str::to_owned).into_iter().chain(fields.values().flat_map(names)).collect()
        }
        Value::Array(items) => items.iter().flat_map(names).collect(),
        _ => Vec::new(),
    }
}

/// The document.
pub(crate) fn document() -> Value {
    let openapi = serde_json::to_value(crate::routes::document()).unwrap_or_default();
    let mut document = Document::default();
    document.feeds();
    document.subjects();
    let channels = json!(document.channels);
    let part = |pointer| openapi.pointer(pointer).cloned().unwrap_or_default();
    let schemas = schemas(&channels, &part("/components/schemas"));
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tasklane",
            "version": part("/info/version"),
            "description": "What is told as it happens, over HTTP and WebSockets, and what can be asked over NATS.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "http": {"host": "localhost:7070", "protocol": "http"},
            "ws": {"host": "localhost:7070", "protocol": "ws"},
            "nats": {"host": "localhost:4222", "protocol": "nats"},
        },
        "channels": channels,
        "operations": document.operations,
        "components": {"schemas": schemas},
    })
}
