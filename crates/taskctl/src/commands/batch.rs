//! `taskctl batches …`.

use std::collections::HashMap;

use serde_json::json;
use tasklane_api_types::{BatchAccepted, BatchView, GraphView, NodeView, OperationView};

use crate::cli::{Batches, Format};
use crate::client::{Client, segment};
use crate::commands::operation;
use crate::output::{self, Column, Table, col, state, wide};

const STATES: &[Column] = &[state("STATE"), col("TASKS")];
const GRAPH: &[Column] = &[col("TASK"), col("MODULE"), state("STATE"), state("OUTCOME"), col("AFTER"), wide("ID")];
const IDS: &[Column] = &[col("ID")];
/// Names of one task's dependences that are shown before `… and n more`.
const SHOWN_MAX: usize = 5;

/// Carries one out.
pub(crate) async fn run(client: &Client, format: Format, command: Batches) -> anyhow::Result<()> {
    let path = |id: &str, rest: &str| client.scoped(&format!("/api/v1/batches/{}{rest}", segment(id)));
    match command {
        Batches::Get { id, watch: _ } => show(format, &client.get(&path(&id, "")).await?),
        Batches::Graph { id } => graph(format, &client.get(&path(&id, "/graph")).await?),
        Batches::Cancel { id } => {
            let begun: OperationView = client.post(&path(&id, "/cancel"), &json!({})).await?;
            operation::wait(client, format, &begun.id).await
        }
        Batches::Retry { id } => retried(format, &client.post(&path(&id, "/retry"), &json!({})).await?),
    }
}

/// Shows how far one is.
pub(crate) fn show(format: Format, batch: &BatchView) -> anyhow::Result<()> {
    let rows = batch.states.iter().map(|(state, count)| vec![state.clone(), count.to_string()]).collect();
    output::list(format, batch, "", &Table::new(STATES, rows).named(vec![batch.id.clone()]))?;
    if output::is_for_people(format) {
        output::note(&format!("{} of {} tasks have ended", batch.ended, batch.tasks));
    }
    Ok(())
}

fn label(node: &NodeView) -> String {
    node.name.clone().unwrap_or_else(|| node.id.clone())
}

fn graph(format: Format, graph: &GraphView) -> anyhow::Result<()> {
    let labels: HashMap<&str, String> = graph.nodes.iter().map(|node| (node.id.as_str(), label(node))).collect();
    let mut waits: HashMap<&str, Vec<String>> = HashMap::new();
    for edge in &graph.edges {
        let on = labels.get(edge.on.as_str()).cloned().unwrap_or_else(|| edge.on.clone());
        waits.entry(edge.task.as_str()).or_default().push(on);
    }
    let row = |node: &NodeView| {
        let outcome = node.outcome.as_ref().map_or_else(String::new, |outcome| outcome.kind().to_string());
        let after = waits.get(node.id.as_str()).map_or_else(String::new, |names| shortened(names));
        vec![label(node), node.module.clone(), node.state.to_string(), outcome, after, node.id.clone()]
    };
    let ids = graph.nodes.iter().map(|node| node.id.clone()).collect();
    output::list(format, graph, "nodes", &Table::new(GRAPH, graph.nodes.iter().map(row).collect()).named(ids))
}

fn shortened(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN_MAX) {
        None | Some(0) => shown,
        Some(more) => format!("{shown}, … and {more} more"),
    }
}

/// The ids of a batch that was accepted.
pub(crate) fn submitted(format: Format, accepted: &BatchAccepted) -> anyhow::Result<()> {
    let rows: Vec<Vec<String>> = accepted.tasks.iter().map(|task| vec![task.id.clone()]).collect();
    if !output::is_for_people(format) {
        return output::list(format, accepted, "tasks", &Table::new(IDS, rows));
    }
    rows.iter().flatten().for_each(|id| output::data(id));
    output::note(&format!("next: taskctl batches get {}", accepted.batch));
    Ok(())
}

fn retried(format: Format, accepted: &BatchAccepted) -> anyhow::Result<()> {
    submitted(format, accepted)
}
