//! `taskctl batches …`.

use std::collections::HashMap;

use serde_json::json;
use tasklane_api_types::{BatchAccepted, BatchView, GraphView, NodeView, OperationView};

use crate::cli::{Batches, Format};
use crate::client::{Client, segment};
use crate::commands::operation;
use crate::output;

/// Names of one task's dependences that are shown before `… and n more`.
const SHOWN_MAX: usize = 5;

/// Carries one out.
pub(crate) async fn run(client: &Client, format: Format, command: Batches) -> anyhow::Result<()> {
    let path = |id: &str, rest: &str| client.scoped(&format!("/api/v1/batches/{}{rest}", segment(id)));
    match command {
        Batches::Get { id } => show(format, &client.get(&path(&id, "")).await?),
        Batches::Graph { id } => graph(format, &client.get(&path(&id, "/graph")).await?),
        Batches::Cancel { id } => {
            let begun: OperationView = client.post(&path(&id, "/cancel"), &json!({})).await?;
            operation::wait(client, format, &begun.id).await
        }
        Batches::Retry { id } => retried(format, &client.post(&path(&id, "/retry"), &json!({})).await?),
    }
}

fn show(format: Format, batch: &BatchView) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(batch);
    }
    let rows: Vec<Vec<String>> =
        batch.states.iter().map(|(state, count)| vec![state.clone(), count.to_string()]).collect();
    output::table(&["STATE", "TASKS"], &rows);
    output::note(&format!("{} of {} tasks have ended", batch.ended, batch.tasks));
    Ok(())
}

fn label(node: &NodeView) -> String {
    node.name.clone().unwrap_or_else(|| node.id.clone())
}

fn graph(format: Format, graph: &GraphView) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(graph);
    }
    let labels: HashMap<&str, String> = graph.nodes.iter().map(|node| (node.id.as_str(), label(node))).collect();
    let mut waits: HashMap<&str, Vec<String>> = HashMap::new();
    for edge in &graph.edges {
        let on = labels.get(edge.on.as_str()).cloned().unwrap_or_else(|| edge.on.clone());
        waits.entry(edge.task.as_str()).or_default().push(on);
    }
    let row = |node: &NodeView| {
        let outcome = node.outcome.as_ref().map_or_else(String::new, |outcome| outcome.kind().to_string());
        let after = waits.get(node.id.as_str()).map_or_else(String::new, |names| shortened(names));
        vec![label(node), node.module.clone(), node.state.to_string(), outcome, after]
    };
    let rows: Vec<Vec<String>> = graph.nodes.iter().map(row).collect();
    output::table(&["TASK", "MODULE", "STATE", "OUTCOME", "AFTER"], &rows);
    Ok(())
}

fn shortened(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN_MAX) {
        None | Some(0) => shown,
        Some(more) => format!("{shown}, … and {more} more"),
    }
}

fn retried(format: Format, accepted: &BatchAccepted) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(accepted);
    }
    for task in &accepted.tasks {
        output::data(&task.id);
    }
    output::note(&format!("next: taskctl batches get {}", accepted.batch));
    Ok(())
}
