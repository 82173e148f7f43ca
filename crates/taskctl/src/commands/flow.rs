//! `taskctl queues …` and `taskctl flow …`.

use serde_json::json;
use tasklane_api_types::{ModuleFlowList, ModuleFlowRequest, ModuleFlowView, QueueList, QueueRequest, QueueView};

use crate::cli::{Flow, Format, Queues};
use crate::client::{Client, segment};
use crate::output::{self, Column, Table, col, state};

const QUEUE: &[Column] = &[
    col("QUEUE"),
    state("STATE"),
    col("FAIR"),
    col("QUEUED"),
    col("HELD"),
    col("RUNNING"),
    col("WAITING"),
    col("OLDEST"),
];
const RULE: &[Column] = &[col("MODULE"), col("MAX"), col("RATE")];
const QUEUES: &str = "/api/v1/queues";
const MODULES: &str = "/api/v1/flow/modules";

fn path(name: &str, rest: &str) -> String {
    format!("{QUEUES}/{}{rest}", segment(name))
}

/// Carries out a command on queues.
pub(crate) async fn queues(client: &Client, format: Format, command: Queues) -> anyhow::Result<()> {
    let one = match command {
        Queues::List { watch: _ } => return list(format, &client.get(QUEUES).await?),
        Queues::Get { name } => client.get(&path(&name, "")).await?,
        Queues::Pause { name } => client.post(&path(&name, "/pause"), &json!({})).await?,
        Queues::Resume { name } => client.post(&path(&name, "/resume"), &json!({})).await?,
        Queues::Set { name, fair } => client.patch(&path(&name, ""), &QueueRequest { fair: Some(fair) }).await?,
    };
    match format {
        Format::Table | Format::Wide => list(format, &QueueList { queues: vec![one] }),
        _ => output::told(format, &one, &one.name, || {}),
    }
}

fn list(format: Format, list: &QueueList) -> anyhow::Result<()> {
    let row = |one: &QueueView| {
        vec![
            one.name.clone(),
            one.paused_at.map_or_else(|| "active".to_owned(), |at| format!("paused since {at}")),
            if one.fair { "yes" } else { "no" }.to_owned(),
            one.queued.to_string(),
            one.held.to_string(),
            one.running.to_string(),
            one.waiting.to_string(),
            one.oldest_queued_at.map(|at| at.to_string()).unwrap_or_default(),
        ]
    };
    output::list(format, list, "queues", &Table::new(QUEUE, list.queues.iter().map(row).collect()))
}

/// Carries out a command on modules' limits.
pub(crate) async fn modules(client: &Client, format: Format, command: Flow) -> anyhow::Result<()> {
    match command {
        Flow::List { watch: _ } => rules(format, &client.get(&client.scoped(MODULES)).await?),
        Flow::Set(args) => {
            let request = ModuleFlowRequest { max: args.max, rate: args.rate };
            let one = client.put(&client.scoped(&format!("{MODULES}/{}", segment(&args.module))), &request).await?;
            rules(format, &ModuleFlowList { modules: vec![one] })
        }
        Flow::Unset { module } => {
            client.delete(&client.scoped(&format!("{MODULES}/{}", segment(&module)))).await?;
            output::note(&format!("the manifest of {module} holds again"));
            Ok(())
        }
    }
}

fn rules(format: Format, list: &ModuleFlowList) -> anyhow::Result<()> {
    let row = |one: &ModuleFlowView| {
        let max = one.max.map_or_else(|| "-".to_owned(), |max| max.to_string());
        vec![one.module.clone(), max, one.rate.map_or_else(|| "-".to_owned(), |rate| rate.to_string())]
    };
    output::list(format, list, "modules", &Table::new(RULE, list.modules.iter().map(row).collect()))
}
