//! `taskctl tasks …`.

use std::fmt::Write as _;
use std::process::ExitCode;

use tasklane_api_types::{AttemptList, AttemptView, TaskList, TaskView};
use tasklane_domain::{Clock, SystemClock, Timestamp};

use crate::cli::{Format, Tasks};
use crate::client::{Client, segment};
use crate::output::{self, Column, Table, col, state, wide};

mod change;
mod follow;
mod log;

const COLUMNS: &[Column] = &[
    col("ID"),
    col("MODULE"),
    state("STATE"),
    state("OUTCOME"),
    col("ATTEMPT"),
    col("PRIO"),
    col("QUEUE"),
    col("WAIT"),
    col("RUN"),
    col("CREATED"),
    wide("HOST"),
    wide("NAMESPACE"),
    wide("LABELS"),
];
const ATTEMPTS: &[Column] = &[
    col("ATTEMPT"),
    state("OUTCOME"),
    col("STARTED"),
    col("RUN"),
    col("FUEL"),
    col("MEMORY"),
    col("HOST"),
    col("MESSAGE"),
];

fn one(client: &Client, id: &str, rest: &str) -> String {
    client.scoped(&format!("/api/v1/tasks/{}{rest}", segment(id)))
}

/// Carries one out.
pub(crate) async fn run(client: &Client, format: Format, command: Tasks) -> anyhow::Result<ExitCode> {
    let done = match command {
        Tasks::List { status, module, queue, label, batch, parent, limit, watch: _ } => {
            let mut path = format!("/api/v1/tasks?limit={limit}");
            let label = label.map(|label| label.replacen('=', ":", 1));
            let filters = [
                ("status", status),
                ("module", module),
                ("queue", queue),
                ("label", label),
                ("batch", batch),
                ("parent", parent),
            ];
            for (name, value) in filters {
                if let Some(value) = value {
                    write!(path, "&{name}={}", segment(&value))?;
                }
            }
            list(client, format, &client.scoped(&path)).await
        }
        Tasks::Get { id } => show(format, &client.get(&one(client, &id, "")).await?),
        Tasks::Attempts { id, watch: _ } => attempts(client, format, &id).await,
        Tasks::Cancel { id, tree, bulk } => change::cancel(client, format, id, tree, bulk).await,
        Tasks::Retry { id, change, bulk } => change::retry(client, format, id, &change, bulk).await,
        Tasks::Reschedule { id, at, delay } => change::reschedule(client, format, &id, at, delay).await,
        Tasks::Logs(args) => log::logs(client, format, &args).await,
        Tasks::Watch { id } => return follow::follow(client, format, &id).await,
        Tasks::Result { id } => client.print(&one(client, &id, "/result")).await,
        Tasks::Payload { id } => client.print(&one(client, &id, "/payload")).await,
    };
    done.map(|()| ExitCode::SUCCESS)
}

async fn attempts(client: &Client, format: Format, id: &str) -> anyhow::Result<()> {
    let list: AttemptList = client.get(&one(client, id, "/attempts")).await?;
    let table = Table::new(ATTEMPTS, list.attempts.iter().map(attempt_row).collect());
    output::list(format, &list, "attempts", &table.or("no attempt has ended yet"))
}

#[expect(clippy::cast_precision_loss, reason = "times are shown with one decimal")]
fn attempt_row(attempt: &AttemptView) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_default();
    vec![
        attempt.attempt.to_string(),
        attempt.outcome.kind().to_string(),
        text(attempt.started_at.map(|time| time.to_string())),
        output::duration_ms(attempt.usage.wall_us as f64 / 1_000.0),
        attempt.usage.fuel.to_string(),
        output::size(attempt.usage.peak_memory_bytes),
        text(attempt.host.clone()),
        text(attempt.outcome.message().map(output::inert)),
    ]
}

async fn list(client: &Client, format: Format, path: &str) -> anyhow::Result<()> {
    let page: TaskList = client.get(path).await?;
    show_list(format, &page)?;
    if page.next_cursor.is_some() && output::is_for_people(format) {
        output::note("there are more; narrow the filter or raise --limit");
    }
    Ok(())
}

/// Tasks, as a list.
pub(crate) fn show_list(format: Format, page: &TaskList) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let rows = page.tasks.iter().map(|task| row(task, now)).collect();
    output::list(format, page, "tasks", &Table::new(COLUMNS, rows).or("no such tasks"))
}

fn outcome(task: &TaskView) -> String {
    task.outcome.as_ref().map_or_else(String::new, |outcome| outcome.kind().to_string())
}

#[expect(clippy::cast_precision_loss, reason = "times are shown with one decimal")]
fn run_time(task: &TaskView) -> String {
    task.usage.as_ref().map_or_else(String::new, |usage| output::duration_ms(usage.wall_us as f64 / 1_000.0))
}

fn row(task: &TaskView, now: Timestamp) -> Vec<String> {
    vec![
        task.id.clone(),
        format!("{}@{}", task.module, task.version),
        task.state.to_string(),
        outcome(task),
        format!("{}/{}", task.attempt, task.max_attempts),
        task.priority.to_string(),
        task.queue.clone(),
        task.queue_wait_ms.map_or_else(String::new, output::duration_ms),
        run_time(task),
        output::ago(task.timings.created_at, now),
        task.host.clone().unwrap_or_default(),
        task.namespace.clone(),
        task.labels.iter().map(|(key, value)| output::inert(&format!("{key}={value}"))).collect::<Vec<_>>().join(","),
    ]
}

fn show(format: Format, task: &TaskView) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let mut pairs = vec![
        ("id", task.id.clone()),
        ("module", format!("{}@{}", task.module, task.version)),
        ("state", task.state.to_string()),
        ("attempt", format!("{} of {}", task.attempt, task.max_attempts)),
        ("lane", format!("{}/{}", task.queue, task.priority)),
        ("created", format!("{} ({})", task.timings.created_at, output::ago(task.timings.created_at, now))),
    ];
    let optional = [
        ("due", task.timings.due_at.map(|time| time.to_string())),
        ("outcome", task.outcome.as_ref().map(|_| outcome(task))),
        ("message", task.outcome.as_ref().and_then(|o| o.message()).map(output::inert)),
        ("waited", task.queue_wait_ms.map(output::duration_ms)),
        ("ran", task.usage.as_ref().map(|_| run_time(task))),
        ("fuel", task.usage.as_ref().map(|usage| usage.fuel.to_string())),
        ("memory", task.usage.as_ref().map(|usage| output::size(usage.peak_memory_bytes))),
        ("host", task.host.clone()),
        ("namespace", (task.namespace != "default").then(|| task.namespace.clone())),
        ("name", task.name.clone()),
        ("batch", task.batch.clone()),
        ("origin", task.origin.clone()),
        ("parent", task.parent.clone()),
        ("waits for", (task.waits_for > 0).then(|| format!("{} tasks", task.waits_for))),
    ];
    pairs.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    output::record(format, task, &task.id, pairs)
}
