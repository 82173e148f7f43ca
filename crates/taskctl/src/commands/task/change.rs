//! `taskctl tasks cancel|retry|reschedule`: one task, or all that match.

use serde_json::json;
use tasklane_api_types::{BulkRequest, OperationView, RescheduleRequest, RetryRequest, TaskAccepted, TaskView};
use tasklane_domain::LimitsPatch;

use crate::cli::{Bulk, Change, Format};
use crate::client::{Client, segment};
use crate::commands::operation;
use crate::commands::run::{time, word};
use crate::failure::{Failure, USAGE};
use crate::output;

/// What both bulk commands are about: one id, or a filter, and never both.
enum Target {
    One(String),
    All(Box<BulkRequest>),
}

/// A namespace alone is no filter: it may be set for all commands, and would mean everything in it.
fn target(client: &Client, id: Option<String>, bulk: &Bulk) -> anyhow::Result<Target> {
    let label = bulk.label.as_ref().map(|label| label.replacen('=', ":", 1));
    let mut request = BulkRequest {
        status: bulk.status.as_deref().map(|text| word("--status", text)).transpose()?,
        module: bulk.module.clone(),
        queue: bulk.queue.clone(),
        namespace: None,
        label,
        batch: bulk.batch.clone(),
        parent: None,
        created_before: None,
        all: bulk.all,
        changes: RetryRequest::default(),
    };
    let filtered = bulk.all || serde_json::to_value(&request)? != serde_json::to_value(BulkRequest::default())?;
    request.namespace = client.namespace();
    match (id, filtered) {
        (Some(id), false) => Ok(Target::One(id)),
        (None, true) => Ok(Target::All(Box::new(request))),
        (Some(_), true) => Err(Failure::new(USAGE, "an id and a filter are given").hint("give one of them").into()),
        (None, false) => Err(Failure::new(USAGE, "neither an id nor a filter is given")
            .hint("name a task, filter with --queue, --module, --status, --label, --batch, or say --all: with --namespace all of it")
            .into()),
    }
}

fn one(client: &Client, id: &str, what: &str) -> String {
    client.scoped(&format!("/api/v1/tasks/{}/{what}", segment(id)))
}

pub(super) async fn cancel(
    client: &Client,
    format: Format,
    id: Option<String>,
    tree: bool,
    bulk: Bulk,
) -> anyhow::Result<()> {
    let id = match target(client, id, &bulk)? {
        Target::All(request) => return follow(client, format, "cancel", &request, &bulk).await,
        Target::One(id) => id,
    };
    let tree = if tree { "?tree=true" } else { "" };
    let task: TaskView = client.post(&one(client, &id, &format!("cancel{tree}")), &json!({})).await?;
    output::told(format, &task, &task.id, || output::note(&format!("{} is {}", task.id, task.state)))?;
    match &task.operation {
        Some(operation) if output::is_for_people(format) => operation::wait(client, format, operation).await,
        Some(_) | None => Ok(()),
    }
}

pub(super) async fn retry(
    client: &Client,
    format: Format,
    id: Option<String>,
    change: &Change,
    bulk: Bulk,
) -> anyhow::Result<()> {
    let changes = changes(change)?;
    let id = match target(client, id, &bulk)? {
        Target::All(mut request) => {
            request.changes = changes;
            return follow(client, format, "retry", &request, &bulk).await;
        }
        Target::One(id) => id,
    };
    let accepted: TaskAccepted = client.post(&one(client, &id, "retry"), &changes).await?;
    output::told(format, &accepted, &accepted.id, || {
        output::data(&accepted.id);
        output::note(&format!("next: taskctl tasks get {}", accepted.id));
    })
}

fn changes(change: &Change) -> anyhow::Result<RetryRequest> {
    let wrong = |error: tasklane_domain::priority::PriorityError| Failure::new(USAGE, error.to_string());
    Ok(RetryRequest {
        version: change.version.clone(),
        limits: LimitsPatch {
            fuel: change.fuel,
            timeout_ms: change.timeout_ms,
            memory_bytes: change.memory_bytes,
            ..LimitsPatch::default()
        },
        priority: change.priority.as_deref().map(str::parse).transpose().map_err(wrong)?,
    })
}

async fn follow(client: &Client, format: Format, what: &str, request: &BulkRequest, bulk: &Bulk) -> anyhow::Result<()> {
    let begun: OperationView = client.post(&format!("/api/v1/tasks/{what}"), request).await?;
    if bulk.no_wait {
        return operation::show(format, &begun);
    }
    operation::wait(client, format, &begun.id).await
}

pub(super) async fn reschedule(
    client: &Client,
    format: Format,
    id: &str,
    at: Option<String>,
    delay: Option<String>,
) -> anyhow::Result<()> {
    let request = RescheduleRequest { run_at: time("--at", at.as_deref())?, delay };
    let task: TaskView = client.post(&one(client, id, "reschedule"), &request).await?;
    let due = task.timings.due_at.map_or_else(|| "now".to_owned(), |due| due.to_string());
    output::told(format, &task, &task.id, || output::note(&format!("{} is due at {due}", task.id)))
}
