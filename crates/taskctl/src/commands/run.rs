//! `taskctl run` and `submit`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tasklane_api_types::{
    BatchAccepted, BatchRequest, ConcurrencyRequest, RateRequest, SubmitRequest, TaskAccepted, TaskView, UniqueRequest,
};
use tasklane_domain::outcome::{OutcomeSet, OutcomeSetError};
use tasklane_domain::time::TimestampError;
use tasklane_domain::{LimitsPatch, RetryPatch, StateKind, Timestamp};

use crate::cli::{Format, RunArgs, SubmitArgs, TaskArgs};
use crate::client::{Client, read_file, segment};
use crate::commands::payload::{self, Large};
use crate::failure::{FAILED, Failure, TIMEOUT, USAGE};
use crate::output;

/// How long one request waits for the end.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// After this long, looks become rarer.
const PATIENT_AFTER: Duration = Duration::from_secs(10);

/// Submits and prints the id, or the ids of a batch.
pub(crate) async fn submit(client: &Client, format: Format, args: SubmitArgs) -> anyhow::Result<()> {
    match (&args.batch, &args.task) {
        (Some(file), _) => batch(client, format, file).await,
        (None, Some(task)) => one(client, format, task).await,
        (None, None) => Err(Failure::new(USAGE, "neither a module nor --batch is given").into()),
    }
}

/// A JSON document with the tasks of a batch.
async fn batch(client: &Client, format: Format, file: &str) -> anyhow::Result<()> {
    let bytes = if file == "-" { stdin()? } else { read_file(Path::new(file))? };
    let wrong = |error: serde_json::Error| {
        Failure::new(USAGE, format!("the batch cannot be read: {error}"))
            .hint("write {\"tasks\": [{\"name\": \"a\", \"module\": \"m\"}, {\"module\": \"m\", \"after\": [\"a\"]}]}")
    };
    let mut request: BatchRequest = serde_json::from_slice(&bytes).map_err(wrong)?;
    for task in request.tasks.iter_mut().chain(&mut request.on_complete) {
        task.namespace = task.namespace.take().or_else(|| client.namespace());
    }
    let accepted: BatchAccepted = client.post("/api/v1/tasks/batch", &request).await?;
    super::batch::submitted(format, &accepted)
}

/// All of standard input.
pub(crate) fn stdin() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
}

async fn one(client: &Client, format: Format, args: &TaskArgs) -> anyhow::Result<()> {
    let accepted: TaskAccepted = client.post("/api/v1/tasks", &request(client, args, large(args)).await?).await?;
    output::told(format, &accepted, &accepted.id, || {
        output::data(&accepted.id);
        if accepted.duplicate {
            output::note("a task of the same kind was there already: this is it");
        }
        output::note(&format!("next: taskctl tasks get {}", accepted.id));
    })
}

/// Submits, waits, prints the result. The exit code tells the outcome.
pub(crate) async fn run(client: &Client, format: Format, args: RunArgs) -> anyhow::Result<ExitCode> {
    let accepted: TaskAccepted =
        client.post("/api/v1/tasks", &request(client, &args.task, large(&args.task)).await?).await?;
    let task = wait(client, &accepted.id, Duration::from_secs(args.wait_timeout)).await?;
    if !output::is_for_people(format) {
        output::told(format, &task, &task.id, || {})?;
    }
    if task.state == StateKind::Succeeded {
        if output::is_for_people(format) {
            client.print(&format!("/api/v1/tasks/{}/result", segment(&task.id))).await?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    tell_failure(client, &task).await;
    Ok(ExitCode::from(FAILED))
}

/// What the task came to and the end of its log.
async fn tell_failure(client: &Client, task: &TaskView) {
    let kind = task.outcome.as_ref().map_or_else(|| task.state.to_string(), |outcome| outcome.kind().to_string());
    let message = task.outcome.as_ref().and_then(|outcome| outcome.message());
    let detail = message.map(|message| format!(": {}", output::inert(message))).unwrap_or_default();
    output::note(&format!(
        "error: the task {} ({kind}, attempt {} of {}){detail}",
        task.state, task.attempt, task.max_attempts
    ));
    output::note(&format!("hint: taskctl tasks logs {}", task.id));
    if let Ok(log) = client.bytes(&format!("/api/v1/tasks/{}/logs", segment(&task.id)), "text/plain").await {
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        for line in lines.get(lines.len().saturating_sub(10)..).unwrap_or_default() {
            output::note(&output::inert(line));
        }
    }
}

async fn wait(client: &Client, id: &str, at_most: Duration) -> anyhow::Result<TaskView> {
    let line = output::line();
    let begun = Instant::now();
    while begun.elapsed() < at_most {
        let task: TaskView = client.get(&format!("/api/v1/tasks/{}", segment(id))).await?;
        if task.state.is_terminal() {
            line.finish_and_clear();
            return Ok(task);
        }
        let progress = task
            .progress
            .as_ref()
            .map(|progress| format!(", {:.0} % {}", progress.fraction * 100.0, output::inert(&progress.message)));
        line.set_message(format!("{id} {} (attempt {}){}", task.state, task.attempt, progress.unwrap_or_default()));
        line.tick();
        let pause = if begun.elapsed() < Duration::from_secs(1) { LOOK_INTERVAL / 10 } else { LOOK_INTERVAL };
        tokio::time::sleep(if begun.elapsed() > PATIENT_AFTER { LOOK_INTERVAL * 4 } else { pause }).await;
    }
    Err(Failure::new(TIMEOUT, format!("task {id} has not ended within {} s; it goes on", at_most.as_secs()))
        .hint(format!("taskctl tasks get {id}"))
        .into())
}

/// The request that the arguments stand for.
pub(crate) async fn request(client: &Client, args: &TaskArgs, large: Large) -> anyhow::Result<SubmitRequest> {
    let usage = |message: String| Failure::new(USAGE, message);
    let priority = args.priority.as_deref().map(str::parse).transpose();
    let mut request = SubmitRequest {
        module: args.module.clone(),
        payload: None,
        payload_text: None,
        payload_base64: None,
        payload_blob: None,
        priority: priority.map_err(|error: tasklane_domain::priority::PriorityError| usage(error.to_string()))?,
        queue: args.queue.clone(),
        limits: LimitsPatch {
            fuel: args.fuel,
            timeout_ms: args.timeout_ms,
            memory_bytes: args.memory_bytes,
            ..LimitsPatch::default()
        },
        retry: retry(args)?,
        run_at: time("--run-at", args.run_at.as_deref())?,
        delay_ms: args.delay_ms,
        deadline: time("--deadline", args.deadline.as_deref())?,
        idempotency_key: args.idempotency_key.clone(),
        labels: labels(&args.labels)?,
        delay: args.delay.clone(),
        namespace: client.namespace(),
        name: None,
        after: args.after.clone(),
        on_failure: args.on_failure.as_deref().map(|text| word("--on-failure", text)).transpose()?,
        unique: args.unique.then(|| UniqueRequest {
            by: args.unique_by.clone(),
            while_in: None,
            for_time: args.unique_for.clone(),
        }),
        concurrency: args.concurrency.as_deref().map(concurrency).transpose()?,
        rate: args.rate.as_deref().map(rate).transpose()?,
        share: args.share.clone(),
    };
    if let Some(input) = &args.input {
        payload::fill(client, &mut request, input, large).await?;
    }
    Ok(request)
}

/// A large payload whose bindings are still to be resolved must be in the request.
fn large(args: &TaskArgs) -> Large {
    if args.after.is_empty() { Large::Uploaded } else { Large::Inline }
}

/// `KEY=…`: keys may hold `=` themselves.
fn keyed<'a>(flag: &str, form: &str, text: &'a str) -> anyhow::Result<(&'a str, &'a str)> {
    text.rsplit_once('=').ok_or_else(|| Failure::new(USAGE, format!("{flag}: `{text}` is not {form}")).into())
}

fn concurrency(text: &str) -> anyhow::Result<ConcurrencyRequest> {
    let (key, max) = keyed("--concurrency", "KEY=MAX, such as customer-42=3", text)?;
    let max = max.parse().map_err(|_| Failure::new(USAGE, format!("--concurrency: `{max}` is not a number")))?;
    Ok(ConcurrencyRequest { key: key.to_owned(), max })
}

fn rate(text: &str) -> anyhow::Result<RateRequest> {
    let (key, limit) = keyed("--rate", "KEY=RATE, such as api.example.com=10/1s", text)?;
    Ok(RateRequest { key: key.to_owned(), limit: limit.to_owned() })
}

fn retry(args: &TaskArgs) -> anyhow::Result<RetryPatch> {
    let wrong = |error: OutcomeSetError| Failure::new(USAGE, format!("--retry-on: {error}"));
    let listed = (!args.retry_on.is_empty()).then(|| OutcomeSet::try_from(args.retry_on.clone()));
    Ok(RetryPatch {
        max_attempts: args.max_attempts,
        backoff_ms: args.backoff_ms,
        backoff: args.backoff.as_deref().map(|text| word("--backoff", text)).transpose()?,
        retry_on: listed.transpose().map_err(wrong)?,
        ..RetryPatch::default()
    })
}

/// A time of day and date.
pub(crate) fn time(flag: &str, text: Option<&str>) -> anyhow::Result<Option<Timestamp>> {
    let wrong = |error: TimestampError| Failure::new(USAGE, format!("{flag}: {error}"));
    Ok(text.map(str::parse).transpose().map_err(wrong)?)
}

/// One of a few words, as JSON knows them.
pub(crate) fn word<T: serde::de::DeserializeOwned>(flag: &str, text: &str) -> anyhow::Result<T> {
    let value = serde_json::Value::String(text.to_owned());
    serde_json::from_value(value).map_err(|error| Failure::new(USAGE, format!("{flag}: {error}")).into())
}

fn labels(pairs: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let pair = |text: &String| {
        let pair = text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        pair.ok_or_else(|| Failure::new(USAGE, format!("label `{text}` is not key=value")).into())
    };
    pairs.iter().map(pair).collect()
}
