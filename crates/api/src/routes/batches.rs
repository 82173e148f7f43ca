//! `/api/v1/batches`: the newest batches; how far one is, its graph, cancel and retry.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use tasklane_api_types::{
    BatchAccepted, BatchList, BatchView, EdgeView, ErrorCode, GraphView, NodeView, OperationView, Problem, TaskAccepted,
};
use tasklane_domain::dependence::After;
use tasklane_domain::error::StoreError;
use tasklane_domain::operation::{Action, Operation, Target};
use tasklane_domain::query::{PAGE_ROWS_MAX, PageRequest, TaskFilter};
use tasklane_domain::replay::{self, Changes};
use tasklane_domain::task::{Batch, Submitted, Task};
use tasklane_domain::{BatchId, NewTask, StateKind, TaskId};

use super::operations::{accepted, begin};
use super::tasks::list::{decode_cursor, encode_cursor};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Params, TextPath};
use crate::graph::mark;
use crate::namespaces::{self, own_batch};
use crate::state::State as Room;
use crate::submit::commit;
use crate::trace::SubmitTrace;

/// Batches of a page that asks for no number.
const LISTED: u32 = 20;
/// Most batches of a page: each is counted by state.
const LISTED_MAX: u32 = 50;
/// Most tasks of a graph.
const GRAPH_TASKS_MAX: usize = 20_100;
/// Most arrows that a graph shows.
const GRAPH_EDGES_MAX: u32 = 200_000;
/// Most tasks that one task can wait for: as many as may be submitted.
const WAITS_MAX: u32 = 20_000;

/// The batch of that id, if its tasks are of the namespace that is asked for.
async fn batch_of(room: &Room, text: &str, params: &Params) -> ApiResult<Batch> {
    let wrong = |error: tasklane_domain::id::IdError| ApiError::new(ErrorCode::InvalidId, error.to_string());
    let id: BatchId = text.parse().map_err(wrong)?;
    let missing = || ApiError::new(ErrorCode::BatchNotFound, format!("there is no batch {id}"));
    if !own_batch(room, id, params).await? {
        return Err(missing());
    }
    room.ports.tasks.batch(id).await?.ok_or_else(missing)
}

/// How far a batch is.
#[utoipa::path(
    get, path = "/api/v1/batches/{id}", tag = "batches",
    params(
        ("id" = String, Path, description = "Batch id"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 200, description = "Its tasks by state", body = BatchView),
        (status = "4XX", description = "No such batch", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn batch(
    State(room): State<Arc<Room>>,
    TextPath(id): TextPath<String>,
    params: Params,
) -> ApiResult<Json<BatchView>> {
    Ok(Json(view(&batch_of(&room, &id, &params).await?)))
}

fn view(batch: &Batch) -> BatchView {
    BatchView {
        id: batch.id.to_string(),
        created_at: batch.created_at,
        tasks: batch.tasks,
        ended: batch.states.iter().filter(|one| one.state.is_terminal()).map(|one| one.count).sum(),
        states: batch.states.iter().map(|one| (one.state.to_string(), one.count)).collect(),
    }
}

/// Batches, the newest first.
#[utoipa::path(
    get, path = "/api/v1/batches", tag = "batches",
    params(
        ("namespace" = Option<String>, Query, description = "Only those of this one"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "1 to 50, default 20"),
    ),
    responses(
        (status = 200, description = "A page, each with its tasks by state", body = BatchList),
        (status = "4XX", description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<BatchList>> {
    params.only(&[namespaces::PARAMETER, "cursor", "limit"])?;
    let limit: u32 = params.parsed("limit")?.unwrap_or(LISTED);
    if !(1..=LISTED_MAX).contains(&limit) {
        return Err(ApiError::new(ErrorCode::InvalidQuery, format!("limit: must be from 1 to {LISTED_MAX}")));
    }
    let before = params.get("cursor").map(decode_cursor).transpose()?.map(BatchId::from_uuid);
    let namespace = namespaces::asked(&params)?;
    let batches = room.ports.tasks.batches(namespace.as_ref(), before, limit).await?;
    let is_full = batches.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next_cursor = batches.last().filter(|_| is_full).map(|last| encode_cursor(last.id.as_uuid()));
    Ok(Json(BatchList { batches: batches.iter().map(view).collect(), next_cursor }))
}

/// Every task of a batch, in the order of submission.
async fn tasks_of(room: &Room, id: BatchId) -> ApiResult<Vec<Task>> {
    let filter = TaskFilter { batch: Some(id), ..TaskFilter::default() };
    let (mut all, mut before) = (Vec::new(), None);
    while all.len() < GRAPH_TASKS_MAX {
        let page = room.ports.tasks.list(&filter, PageRequest { before, limit: PAGE_ROWS_MAX }).await?;
        all.extend(page.tasks);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    all.reverse();
    Ok(all)
}

/// A batch as a graph with states.
#[utoipa::path(
    get, path = "/api/v1/batches/{id}/graph", tag = "batches",
    params(
        ("id" = String, Path, description = "Batch id"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 200, description = "Tasks and what waits for what", body = GraphView),
        (status = "4XX", description = "No such batch", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn graph(
    State(room): State<Arc<Room>>,
    TextPath(id): TextPath<String>,
    params: Params,
) -> ApiResult<Json<GraphView>> {
    let batch = batch_of(&room, &id, &params).await?;
    let node = |task: Task| NodeView {
        id: task.id.to_string(),
        name: task.lineage.name.map(|name| name.to_string()),
        module: task.module.name.to_string(),
        state: task.state,
        outcome: task.outcome.filter(|_| task.state != tasklane_domain::StateKind::Succeeded),
    };
    let mut edges = room.ports.tasks.edges(batch.id, GRAPH_EDGES_MAX + 1).await?;
    let most = usize::try_from(GRAPH_EDGES_MAX).unwrap_or(usize::MAX);
    let truncated = edges.len() > most;
    edges.truncate(most);
    Ok(Json(GraphView {
        truncated,
        id: batch.id.to_string(),
        nodes: tasks_of(&room, batch.id).await?.into_iter().map(node).collect(),
        edges: edges.iter().map(|edge| EdgeView { on: edge.on.to_string(), task: edge.task.to_string() }).collect(),
    }))
}

/// Cancel everything in a batch that has not ended.
#[utoipa::path(
    post, path = "/api/v1/batches/{id}/cancel", tag = "batches",
    params(
        ("id" = String, Path, description = "Batch id"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 202, description = "Begun", body = OperationView),
        (status = "4XX", description = "No such batch", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel(
    State(room): State<Arc<Room>>,
    TextPath(id): TextPath<String>,
    params: Params,
) -> ApiResult<Response> {
    let batch = batch_of(&room, &id, &params).await?;
    let target = Target::Matching(TaskFilter { batch: Some(batch.id), ..TaskFilter::default() });
    let operation = begin(&room, Operation::new(Action::Cancel, target, room.clock.now())).await?;
    Ok(accepted(&operation))
}

/// Retry a workflow from where it failed.
///
/// A new batch with a new task for each that ended as failed, cancelled or expired; what succeeded is not run again, and its
/// results are used.
#[utoipa::path(
    post, path = "/api/v1/batches/{id}/retry", tag = "batches",
    params(
        ("id" = String, Path, description = "Batch id"),
        ("namespace" = Option<String>, Query, description = "Only if it is one of this one"),
    ),
    responses(
        (status = 202, description = "The new batch", body = BatchAccepted),
        (status = 409, description = "Nothing to retry", body = Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "No such batch", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn retry(
    State(room): State<Arc<Room>>,
    TextPath(id): TextPath<String>,
    params: Params,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let batch = batch_of(&room, &id, &params).await?;
    let mut trace = SubmitTrace::begin(&room, &headers, "/api/v1/batches/{id}/retry");
    let submitted = again(&room, batch.id, &mut trace).await;
    trace.end(&room, &submitted);
    let (made, tasks) = submitted?;
    let view = |(answer, state): (Submitted, _)| {
        let href = format!("/api/v1/tasks/{}", answer.id());
        TaskAccepted { id: answer.id().to_string(), state, href, duplicate: false }
    };
    let tasks = tasks.into_iter().map(view).collect();
    Ok((StatusCode::ACCEPTED, Json(BatchAccepted { batch: made.to_string(), tasks })).into_response())
}

/// Commits the new batch.
async fn again(room: &Room, id: BatchId, trace: &mut SubmitTrace) -> ApiResult<(BatchId, Vec<(Submitted, StateKind)>)> {
    let all = tasks_of(room, id).await?;
    let mut new = Vec::new();
    let plan = Replan::of(&all);
    for old in all.iter().filter(|task| plan.new_ids.contains_key(&task.id)) {
        new.push(plan.replayed(room, old).await?);
    }
    if new.is_empty() {
        let detail = format!("nothing in batch {id} ended as failed, cancelled or expired");
        return Err(ApiError::new(ErrorCode::BatchNotReplayable, detail));
    }
    let made = mark(&mut new);
    trace.carried_by(&mut new);
    Ok((made, commit(room, new).await?))
}

/// What a workflow looks like when it is run again from where it failed.
struct Replan {
    /// The new task of each old one that is run again.
    new_ids: HashMap<TaskId, TaskId>,
}

impl Replan {
    fn of(all: &[Task]) -> Self {
        let again = all.iter().filter(|task| replay::check(task.state).is_ok());
        Self { new_ids: again.map(|task| (task.id, TaskId::new())).collect() }
    }

    fn now(&self, id: TaskId) -> TaskId {
        self.new_ids.get(&id).copied().unwrap_or(id)
    }

    async fn replayed(&self, room: &Room, old: &Task) -> ApiResult<NewTask> {
        let missing = || ApiError::from(StoreError::TaskNotFound(old.id));
        let payload = room.ports.tasks.payload(old.id).await?.ok_or_else(missing)?;
        let waits = room.ports.tasks.dependencies(old.id, WAITS_MAX).await?;
        let mut task = replay::replay(old, payload, &Changes::default(), self.now(old.id), room.clock.now());
        task.lineage.name.clone_from(&old.lineage.name);
        let names = task.after.names.iter().map(|(name, id)| (name.clone(), self.now(*id))).collect();
        // What a payload binds to is waited for although its arrow went with the task: then the retry is refused.
        let bound = task.after.names.iter().map(|(_, id)| *id).filter(|id| !waits.contains(id)).collect::<Vec<_>>();
        let on = waits.into_iter().chain(bound).map(|on| self.now(on)).collect();
        task.after = After { on, on_failure: old.on_failure, names };
        Ok(task)
    }
}
