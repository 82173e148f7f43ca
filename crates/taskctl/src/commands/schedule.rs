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
use crate::output;

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
        Schedules::List => list(format, &client.get(&client.scoped(PATH)).await?),
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
    if format == Format::Json {
        return output::json(accepted);
    }
    output::data(&accepted.id);
    Ok(())
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
    if format == Format::Json {
        return output::json(&runs);
    }
    output::note(&format!("{} ({})", runs.description, runs.timezone));
    for run in &runs.next_runs {
        output::data(run);
    }
    Ok(())
}

fn list(format: Format, list: &ScheduleList) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(list);
    }
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
        ]
    };
    let rows: Vec<Vec<String>> = list.schedules.iter().map(row).collect();
    output::table(&["NAME", "STATE", "WHEN", "ZONE", "NEXT", "LAST", "FIRED"], &rows);
    Ok(())
}

fn show(format: Format, one: &ScheduleView) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(one);
    }
    let version = one.task.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
    let pairs = [
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
    let mut rows: Vec<Vec<String>> = pairs.into_iter().map(|(what, value)| vec![what.to_owned(), value]).collect();
    rows.extend(one.next_runs.iter().map(|run| vec!["next".to_owned(), run.clone()]));
    for firing in one.firings.iter().take(5) {
        let passed = || firing.passed.map(|why| format!("passed over: {}", why.as_str())).unwrap_or_default();
        rows.push(vec!["last".to_owned(), format!("{}  {}", firing.at, firing.task.clone().unwrap_or_else(passed))]);
    }
    output::table(&["WHAT", "VALUE"], &rows);
    Ok(())
}
