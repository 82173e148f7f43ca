//! `taskctl operations …`, and following one to its end.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tasklane_api_types::{OperationList, OperationView};
use tasklane_domain::{Clock, SystemClock};

use crate::cli::{Format, Operations};
use crate::client::{Client, segment};
use crate::failure::{Failure, TIMEOUT};
use crate::output::{self, Column, Table, col, state};

const COLUMNS: &[Column] =
    &[col("ID"), col("ACTION"), state("STATE"), col("DONE"), col("SKIPPED"), col("OF"), col("BEGUN")];
/// Between two looks at an operation.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Looks before the command gives up: an hour.
const LOOKS_MAX: u32 = 36_000;

/// Carries one out.
pub(crate) async fn run(client: &Client, format: Format, command: Operations) -> anyhow::Result<()> {
    match command {
        Operations::Get { id } => show(format, &get(client, &id).await?),
        Operations::List { watch: _ } => list(client, format).await,
    }
}

async fn get(client: &Client, id: &str) -> anyhow::Result<OperationView> {
    client.get(&format!("/api/v1/operations/{}", segment(id))).await
}

async fn list(client: &Client, format: Format) -> anyhow::Result<()> {
    let list: OperationList = client.get("/api/v1/operations").await?;
    output::list(format, &list, "operations", &Table::new(COLUMNS, list.operations.iter().map(row).collect()))
}

fn row(operation: &OperationView) -> Vec<String> {
    vec![
        operation.id.clone(),
        operation.action.clone(),
        operation.state.clone(),
        operation.done.to_string(),
        operation.skipped.to_string(),
        operation.total.to_string(),
        output::ago(operation.created_at, SystemClock.now()),
    ]
}

/// Shows how far one is.
pub(crate) fn show(format: Format, operation: &OperationView) -> anyhow::Result<()> {
    output::told(format, operation, &operation.id, || {
        output::data(&operation.id);
        let OperationView { action, state, done, total, .. } = operation;
        output::note(&format!("{action} is {state}: {done} of {total} tasks"));
    })
}

/// Follows one to its end, with a bar on a terminal.
pub(crate) async fn wait(client: &Client, format: Format, id: &str) -> anyhow::Result<()> {
    let bar = if output::stderr_is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
        bar.set_style(style);
    }
    for _ in 0..LOOKS_MAX {
        let operation = get(client, id).await?;
        bar.set_message(operation.action.clone());
        bar.set_length(operation.total);
        bar.set_position(operation.done + operation.skipped);
        if operation.state == "done" {
            bar.finish_and_clear();
            return show(format, &operation);
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    Err(Failure::new(TIMEOUT, format!("operation {id} has not ended within an hour; it goes on"))
        .hint(format!("taskctl operations get {id}"))
        .into())
}
