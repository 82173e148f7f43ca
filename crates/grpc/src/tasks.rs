//! `tasklane.v1.Tasks`.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use tasklane_api_types::{BatchAccepted, BatchRequest, TaskAccepted, TaskList, TaskView};
use tonic::{Request, Response, Status, Streaming};

use crate::door::{Answer, Ask, Caller, Door};
use crate::proto::tasks_server::Tasks;
use crate::proto::{self, GetRequest, SubmitBatchResponse, SubmitRequest, SubmitResponse, Task};
use crate::submit;
use crate::view;

/// Tasks in one batch, as over REST.
const BATCH_TASKS_MAX: usize = 20_000;
/// How soon a change is seen by a stream of [`Tasks::watch`].
const WATCH_INTERVAL: Duration = Duration::from_millis(250);
/// How long one stream may last; the client watches again.
const WATCH_MAX: Duration = Duration::from_secs(60 * 60);

type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service.
pub(crate) struct TasksService(pub(crate) Door);

fn caller<T>(request: &Request<T>) -> Caller {
    Caller::of(request.metadata(), request.extensions())
}

fn get(request: &GetRequest, part: &[&str]) -> Result<Ask, Status> {
    if request.id.is_empty() {
        return Err(Status::invalid_argument("`id` is empty: it takes the id of a task"));
    }
    let path: Vec<&str> = ["tasks", &request.id].into_iter().chain(part.iter().copied()).collect();
    Ok(Ask::get(&path).query("namespace", &request.namespace))
}

fn body<T: serde::Serialize>(of: &T) -> Result<Vec<u8>, Status> {
    serde_json::to_vec(of).map_err(|error| Status::invalid_argument(error.to_string()))
}

/// What a submit was answered: 202 with where the task stands, or 200 with the ended task.
fn submitted(answer: &Answer) -> Result<SubmitResponse, Status> {
    let replayed = answer.headers.contains_key("idempotency-replayed");
    if answer.status == http::StatusCode::ACCEPTED {
        return Ok(view::accepted(answer.parse::<TaskAccepted>()?, replayed));
    }
    let task = view::task(answer.parse::<TaskView>()?);
    Ok(SubmitResponse { id: task.id.clone(), state: task.state, duplicate: false, replayed, task: Some(task) })
}

/// The task, whenever it is another than before, until it has ended.
fn watch(door: Door, caller: Caller, request: GetRequest) -> impl Stream<Item = Result<Task, Status>> {
    struct Watching {
        door: Door,
        caller: Caller,
        request: GetRequest,
        last: Option<Task>,
    }
    let has_ended = |task: &Task| {
        use proto::State::{Cancelled, Expired, Failed, Succeeded};
        [Succeeded, Failed, Cancelled, Expired].contains(&task.state())
    };
    let begun = tokio::time::Instant::now();
    let first = Watching { door, caller, request, last: None };
    futures::stream::try_unfold(first, move |mut watching| async move {
        if watching.last.as_ref().is_some_and(has_ended) {
            return Ok(None);
        }
        loop {
            let answer = watching.door.ask(&watching.caller, get(&watching.request, &[])?).await?;
            let now = view::task(answer.parse::<TaskView>()?);
            if watching.last.as_ref() != Some(&now) {
                watching.last = Some(now.clone());
                return Ok(Some((now, watching)));
            }
            if begun.elapsed() > WATCH_MAX {
                return Err(Status::deadline_exceeded("a stream lasts an hour at most: watch again"));
            }
            tokio::time::sleep(WATCH_INTERVAL).await;
        }
    })
}

#[tonic::async_trait]
impl Tasks for TasksService {
    type GetResultStream = Streamed<proto::Chunk>;
    type WatchStream = Streamed<Task>;

    async fn submit(&self, request: Request<SubmitRequest>) -> Result<Response<SubmitResponse>, Status> {
        let caller = caller(&request);
        let message = request.into_inner();
        let wait = if message.wait_ms == 0 { String::new() } else { format!("{}ms", message.wait_ms) };
        let ask = Ask::post(&["tasks"]).query("wait", &wait).json(body(&submit::request(message)?)?);
        Ok(Response::new(submitted(&self.0.ask(&caller, ask).await?)?))
    }

    async fn submit_batch(
        &self,
        request: Request<Streaming<SubmitRequest>>,
    ) -> Result<Response<SubmitBatchResponse>, Status> {
        let caller = caller(&request);
        let mut stream = request.into_inner();
        let mut tasks = Vec::new();
        while let Some(message) = stream.message().await? {
            if tasks.len() == BATCH_TASKS_MAX {
                let why = format!("a batch has {BATCH_TASKS_MAX} tasks at most: send more than one");
                return Err(Status::resource_exhausted(why));
            }
            let index = tasks.len();
            let task = submit::request(message)
                .map_err(|status| Status::new(status.code(), format!("task {index}: {}", status.message())))?;
            tasks.push(task);
        }
        let ask = Ask::post(&["tasks", "batch"]).json(body(&BatchRequest { tasks, on_complete: None })?);
        let answer = self.0.ask(&caller, ask).await?;
        let replayed = answer.headers.contains_key("idempotency-replayed");
        let BatchAccepted { batch, tasks } = answer.parse()?;
        let tasks = tasks.into_iter().map(|task| view::accepted(task, replayed)).collect();
        Ok(Response::new(SubmitBatchResponse { batch, tasks }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<Task>, Status> {
        let answer = self.0.ask(&caller(&request), get(request.get_ref(), &[])?).await?;
        Ok(Response::new(view::task(answer.parse::<TaskView>()?)))
    }

    async fn get_result(&self, request: Request<GetRequest>) -> Result<Response<Self::GetResultStream>, Status> {
        let response = self.0.stream(&caller(&request), get(request.get_ref(), &["result"])?).await?;
        let broken = |error: axum::Error| Status::unavailable(format!("the result broke off: {error}"));
        let pieces = response.into_body().into_data_stream().map_err(broken);
        let chunks = pieces.flat_map(|piece| futures::stream::iter(cut(piece)));
        Ok(Response::new(Box::pin(chunks)))
    }

    async fn list(&self, request: Request<proto::ListRequest>) -> Result<Response<proto::ListResponse>, Status> {
        let caller = caller(&request);
        let asked = request.into_inner();
        let state = match asked.state() {
            proto::State::Unspecified => String::new(),
            named => named.as_str_name().trim_start_matches("STATE_").to_lowercase(),
        };
        let limit = if asked.limit == 0 { String::new() } else { asked.limit.to_string() };
        let ask = [
            ("status", &state),
            ("module", &asked.module),
            ("queue", &asked.queue),
            ("namespace", &asked.namespace),
            ("label", &asked.label),
            ("batch", &asked.batch),
            ("parent", &asked.parent),
            ("limit", &limit),
            ("cursor", &asked.cursor),
        ]
        .into_iter()
        .fold(Ask::get(&["tasks"]), |ask, (name, value)| ask.query(name, value));
        let TaskList { tasks, next_cursor } = self.0.ask(&caller, ask).await?.parse()?;
        let tasks = tasks.into_iter().map(view::task).collect();
        Ok(Response::new(proto::ListResponse { tasks, next_cursor: next_cursor.unwrap_or_default() }))
    }

    async fn cancel(&self, request: Request<proto::CancelRequest>) -> Result<Response<Task>, Status> {
        let caller = caller(&request);
        let asked = request.into_inner();
        if asked.id.is_empty() {
            return Err(Status::invalid_argument("`id` is empty: it takes the id of a task"));
        }
        let tree = if asked.tree { "true" } else { "" };
        let ask = Ask::post(&["tasks", &asked.id, "cancel"]).query("namespace", &asked.namespace).query("tree", tree);
        let answer = self.0.ask(&caller, ask).await?;
        Ok(Response::new(view::task(answer.parse::<TaskView>()?)))
    }

    async fn watch(&self, request: Request<GetRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let caller = caller(&request);
        let stream = watch(self.0.clone(), caller, request.into_inner());
        Ok(Response::new(Box::pin(stream)))
    }
}

/// Bytes of one piece of a result.
const CHUNK_BYTES_MAX: usize = 256 * 1024;

fn cut(piece: Result<Bytes, Status>) -> Vec<Result<proto::Chunk, Status>> {
    match piece {
        Ok(mut rest) => {
            let mut chunks = Vec::with_capacity(rest.len().div_ceil(CHUNK_BYTES_MAX));
            while !rest.is_empty() {
                let data = rest.split_to(rest.len().min(CHUNK_BYTES_MAX));
                chunks.push(Ok(proto::Chunk { data }));
            }
            chunks
        }
        Err(status) => vec![Err(status)],
    }
}
