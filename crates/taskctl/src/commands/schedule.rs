//! `taskctl schedules …`.

use serde_json::json;
use tasklane_api_types::{
    NextRuns, PreviewRequest, ScheduleChange, ScheduleList, ScheduleRequest, ScheduleTaskChange, ScheduleView,
    SubmitRequest, TaskAccepted,
};
use tasklane_domain::priority::PriorityError;

use crate::cli::{Format, ScheduleArgs, ScheduleChangeArgs, Schedules};
use crate::client::{Client, segment};
use crate::commands::payload::{self, Large};
use crate::commands::run::{request, word};
use crate::failure::{Failure, USAGE};
use crate::output::{self, Column, Table, col, state, wide};

const RUNS: &[Column] = &[col("NEXT")];
const COLUMNS: &[Column] = &[
    col("NAME"),
    state("STATE"),
    col("WHEN"),
    col("ZONE"),
    col("NEXT"),
    state("LAST"),
    col("FIRED"),
    wide("EXPRESSION"),
    wide("MODULE"),
    wide("LAST TASK"),
];
const PATH: &str = "/api/v1/schedules";

fn path(client: &Client, name: &str, rest: &str) -> String {
    client.scoped(&format!("{PATH}/{}{rest}", segment(name)))
}

/// Carries one out.
pub(crate) async fn run(client: &Client, format: Format, command: Schedules) -> anyhow::Result<()> {
    match command {
        Schedules::Create(args) => show(format, &create(client, &args).await?),
        Schedules::Change(args) => {
            show(format, &client.patch(&path(client, &args.name, ""), &change(client, &args).await?).await?)
        }
        Schedules::List { watch: _ } => list(format, &client.get(&client.scoped(PATH)).await?),
        Schedules::Get { name } => show(format, &client.get(&path(client, &name, "")).await?),
        Schedules::Pause { name } => show(format, &client.post(&path(client, &name, "/pause"), &json!({})).await?),
        Schedules::Resume { name } => show(format, &client.post(&path(client, &name, "/resume"), &json!({})).await?),
        Schedules::Delete { name } => {
            client.delete(&path(client, &name, "")).await?;
            output::note(&format!("schedule {name} is deleted"));
            Ok(())
        }
        Schedules::RunNow { name } => {
            started(format, &client.post(&path(client, &name, "/run-now"), &json!({})).await?)
        }
        Schedules::Next { what, timezone, count } => next(client, format, &what, timezone, count).await,
    }
}

async fn create(client: &Client, args: &ScheduleArgs) -> anyhow::Result<ScheduleView> {
    let schedule = ScheduleRequest {
        name: args.name.clone(),
        expression: args.expression.clone(),
        timezone: args.timezone.clone(),
        task: request(client, &args.task, Large::Inline).await?,
        missed: args.missed.as_deref().map(|text| word("--missed", text)).transpose()?,
        window: args.window.clone(),
        overlap: args.overlap.as_deref().map(|text| word("--overlap", text)).transpose()?,
        jitter: args.jitter.clone(),
        paused: args.paused,
    };
    client.post(PATH, &schedule).await
}

async fn change(client: &Client, args: &ScheduleChangeArgs) -> anyhow::Result<ScheduleChange> {
    let priority = args.priority.as_deref().map(str::parse).transpose();
    let priority = priority.map_err(|error: PriorityError| Failure::new(USAGE, error.to_string()))?;
    let mut task = ScheduleTaskChange {
        module: args.module.clone(),
        queue: args.queue.clone(),
        priority,
        ..ScheduleTaskChange::default()
    };
    if let Some(input) = &args.input {
        let mut given: SubmitRequest = serde_json::from_value(json!({"module": ""}))?;
        payload::fill(client, &mut given, input, Large::Inline).await?;
        (task.payload, task.payload_text, task.payload_base64) =
            (given.payload, given.payload_text, given.payload_base64);
    }
    Ok(ScheduleChange {
        expression: args.expression.clone(),
        timezone: args.timezone.clone(),
        missed: args.missed.as_deref().map(|text| word("--missed", text)).transpose()?,
        window: args.window.clone(),
        overlap: args.overlap.as_deref().map(|text| word("--overlap", text)).transpose()?,
        jitter: args.jitter.clone(),
        task,
    })
}

fn started(format: Format, accepted: &TaskAccepted) -> anyhow::Result<()> {
    output::told(format, accepted, &accepted.id, || output::data(&accepted.id))
}

/// An expression has spaces or begins with `@`; a name has neither.
async fn next(client: &Client, format: Format, what: &str, timezone: Option<String>, count: u32) -> anyhow::Result<()> {
    let expression = what.starts_with('@') || what.contains(' ');
    let runs: NextRuns = if expression {
        let preview = PreviewRequest { expression: what.to_owned(), timezone, count: Some(count) };
        client.post(&format!("{PATH}/preview"), &preview).await?
    } else {
        client.get(&path(client, what, &format!("/next?count={count}"))).await?
    };
    if !output::is_for_people(format) {
        let rows = runs.next_runs.iter().map(|run| vec![run.clone()]).collect();
        return output::list(format, &runs, "next_runs", &Table::new(RUNS, rows));
    }
    output::note(&format!("{} ({})", runs.description, runs.timezone));
    runs.next_runs.iter().for_each(|run| output::data(run));
    Ok(())
}

fn list(format: Format, list: &ScheduleList) -> anyhow::Result<()> {
    let text = |value: Option<String>| value.unwrap_or_default();
    let row = |one: &ScheduleView| {
        vec![
            one.name.clone(),
            one.state.clone(),
            one.description.clone(),
            one.timezone.clone(),
            text(one.next_runs.first().cloned()),
            text(one.last_state.map(|state| state.to_string())),
            one.fired.to_string(),
            one.expression.clone(),
            one.task.module.to_string(),
            text(one.last_task.clone()),
        ]
    };
    output::list(format, list, "schedules", &Table::new(COLUMNS, list.schedules.iter().map(row).collect()))
}

fn show(format: Format, one: &ScheduleView) -> anyhow::Result<()> {
    let version = one.task.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
    let mut pairs = vec![
        ("name", one.name.clone()),
        ("state", one.state.clone()),
        ("expression", one.expression.clone()),
        ("when", one.description.clone()),
        ("zone", one.timezone.clone()),
        ("module", format!("{}{version}", one.task.module)),
        ("lane", format!("{}/{}", one.task.queue, one.task.priority)),
        ("fired", format!("{}, passed over {}", one.fired, one.skipped)),
        ("last task", one.last_task.clone().unwrap_or_else(|| "none yet".to_owned())),
    ];
    pairs.extend(one.next_runs.iter().map(|run| ("next", run.clone())));
    for firing in one.firings.iter().take(5) {
        let passed = || firing.passed.map(|why| format!("passed over: {}", why.as_str())).unwrap_or_default();
        pairs.push(("last", format!("{}  {}", firing.at, firing.task.clone().unwrap_or_else(passed))));
    }
    output::record(format, one, &one.name, pairs)
}
