//! Children: commits what guests ask for through their hosts, as if it had come over HTTP, below the task that asks.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tasklane_api_types::{ErrorCode, SubmitRequest};
use tasklane_domain::children::{ChildRequest, DEPTH_MAX, EnqueueError, EnqueueReply, EnqueueRequest, Enqueued};
use tasklane_domain::task::{Parent, Task};
use tasklane_domain::{NewTask, Payload, PayloadKind, TaskId};
use tokio::sync::Semaphore;

use crate::about::{About, about};
use crate::error::ApiError;
use crate::graph::{connect, mark};
use crate::namespaces::spec;
use crate::state::State;
use crate::submit::{check_size, commit, resolve};

/// Requests that one process answers at once.
const ANSWERS_AT_ONCE_MAX: usize = 64;
/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(500);
/// Fields that a guest may not set itself: they have their own place, or are the parent's.
const TAKEN: [&str; 8] =
    ["module", "payload", "payload_text", "payload_base64", "payload_blob", "idempotency_key", "namespace", "unique"];

/// Answers hosts until the process ends, also after NATS was away.
pub(crate) async fn serve(state: &Arc<State>) {
    let room = Arc::new(Semaphore::new(ANSWERS_AT_ONCE_MAX));
    loop {
        match state.ports.enqueued.requests().await {
            Ok(mut requests) => {
                while let Some((request, reply)) = requests.next().await {
                    let Ok(place) = room.clone().acquire_owned().await else { return };
                    let state = state.clone();
                    tokio::spawn(async move {
                        answer(&state, request, reply).await;
                        drop(place);
                    });
                }
            }
            Err(error) => tracing::warn!(%error, "requests of guests cannot be heard"),
        }
        tokio::time::sleep(ERROR_PAUSE).await;
    }
}

async fn answer(state: &State, request: EnqueueRequest, reply: Box<dyn EnqueueReply>) {
    let task = request.parent;
    let answer = about(About::Task(task), enqueue(state, request)).await;
    // What is our fault is in the log already.
    if let Err(error) = &answer
        && !matches!(error, EnqueueError::Unavailable(_))
    {
        tracing::debug!(%task, %error, "a guest's tasks were not enqueued");
    }
    reply.answer(answer).await;
}

async fn enqueue(state: &State, request: EnqueueRequest) -> Enqueued {
    request.check()?;
    let parent = parent(state, request.parent).await?;
    let grants = grants(state, &parent).await?;
    let (mut tasks, mut after) = (Vec::new(), Vec::new());
    for child in request.children {
        let name = spec(&child.module, &parent.namespace).map_err(refusal)?.name;
        if !grants.may_enqueue(name.bare()) {
            let name = name.bare();
            return Err(EnqueueError::Denied(format!("the manifest does not let it enqueue tasks of `{name}`")));
        }
        let (task, waits) = new_task(state, &parent, child).await?;
        tasks.push(task);
        after.push(waits);
    }
    connect(&mut tasks, after).map_err(refusal)?;
    if tasks.len() > 1 {
        mark(&mut tasks);
    }
    let answers = commit(state, tasks).await.map_err(refusal)?;
    Ok(answers.into_iter().map(|(answer, _)| answer.id()).collect())
}

async fn parent(state: &State, id: TaskId) -> Result<Task, EnqueueError> {
    let found = state.ports.tasks.task(id).await.map_err(|error| refusal(error.into()))?;
    found.ok_or_else(|| EnqueueError::Denied(format!("there is no task {id}")))
}

async fn grants(state: &State, parent: &Task) -> Result<tasklane_domain::module::Permissions, EnqueueError> {
    let record = state.modules.exact(&state.ports, &parent.module).await.map_err(refusal)?;
    Ok(record.manifest.permissions.clone())
}

async fn new_task(state: &State, parent: &Task, child: ChildRequest) -> Result<(NewTask, Vec<String>), EnqueueError> {
    let depth = parent.lineage.parent.as_ref().map_or(0, |above| above.depth) + 1;
    if depth > DEPTH_MAX {
        return Err(EnqueueError::Quota(format!("children may be at most {DEPTH_MAX} deep")));
    }
    let mut request = submit_request(&child)?;
    // Checked above not to be among the options: a child is where its parent is.
    request.namespace = Some(parent.namespace.to_string());
    let after = std::mem::take(&mut request.after);
    let trace = tasklane_trace::Parent::read(parent.traceparent.as_deref(), parent.tracestate.as_deref());
    let mut task = resolve(state, request, TaskId::new(), trace.as_ref()).await.map_err(refusal)?;
    check_size(state, child.input.len()).map_err(refusal)?;
    task.payload = Payload::inline(PayloadKind::detect(&child.input), child.input);
    task.lineage.name = task.lineage.name.or_else(|| child.key.parse().ok());
    let root = parent.lineage.parent.as_ref().map_or(parent.id, |above| above.root);
    task.lineage.parent = Some(Parent { task: parent.id, root, depth, key: child.key });
    Ok((task, after))
}

/// The options of a child as the submit that they are part of.
fn submit_request(child: &ChildRequest) -> Result<SubmitRequest, EnqueueError> {
    let wrong = |why: String| EnqueueError::Invalid(format!("the options of child `{}`: {why}", child.key));
    let mut fields: Map<String, Value> = if child.options.trim().is_empty() {
        Map::new()
    } else {
        serde_json::from_str(&child.options).map_err(|error| wrong(error.to_string()))?
    };
    if let Some(taken) = TAKEN.into_iter().find(|name| fields.contains_key(*name)) {
        return Err(wrong(format!("`{taken}` cannot be given here")));
    }
    fields.insert("module".to_owned(), Value::String(child.module.clone()));
    // By way of text: the request holds raw JSON, which only text can give.
    let text = Value::Object(fields).to_string();
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

fn refusal(error: ApiError) -> EnqueueError {
    let text = error.to_string();
    match error.code() {
        ErrorCode::QuotaExceeded | ErrorCode::PayloadTooLarge => EnqueueError::Quota(text),
        ErrorCode::ParentEnded | ErrorCode::NamespaceCrossed => EnqueueError::Denied(text),
        ErrorCode::DatabaseUnavailable | ErrorCode::NatsUnavailable | ErrorCode::Internal => {
            EnqueueError::Unavailable(text)
        }
        _ => EnqueueError::Invalid(text),
    }
}
