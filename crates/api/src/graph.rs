//! Names in a batch become edges between ids; bindings of payloads are checked before anything is stored.

use tasklane_api_types::ErrorCode;
use tasklane_domain::dependence::{GraphError, Node, plan};
use tasklane_domain::{BatchId, NewTask, PayloadKind, binding};

use crate::error::{ApiError, ApiResult};

fn graph_error(error: &GraphError) -> ApiError {
    let code = match error {
        GraphError::Cycle(_) => ErrorCode::DependencyCycle,
        GraphError::NameTwice(_) | GraphError::Unknown { .. } | GraphError::TooMany { .. } => {
            ErrorCode::DependencyInvalid
        }
    };
    ApiError::new(code, error.to_string())
}

/// Connects tasks that are submitted together. `after` has what each of them waits for, in its own words.
pub(crate) fn connect(tasks: &mut [NewTask], after: Vec<Vec<String>>) -> ApiResult<()> {
    let node = |(task, after): (&NewTask, Vec<String>)| Node { id: task.id, name: task.lineage.name.clone(), after };
    let nodes: Vec<Node> = tasks.iter().zip(after).map(node).collect();
    if nodes.iter().all(|node| node.name.is_none() && node.after.is_empty()) {
        return Ok(());
    }
    let edges = plan(&nodes).map_err(|error| graph_error(&error))?;
    for (task, edges) in tasks.iter_mut().zip(edges) {
        bind(task, edges)?;
    }
    Ok(())
}

/// Gives one task its edges, and the names by which its payload calls them.
fn bind(task: &mut NewTask, edges: Vec<(String, tasklane_domain::TaskId)>) -> ApiResult<()> {
    task.after.on = edges.iter().map(|(_, id)| *id).collect();
    if edges.is_empty() || task.payload.kind != PayloadKind::Json {
        return Ok(());
    }
    let wrong = |error: binding::BindingError| ApiError::new(ErrorCode::BindingInvalid, error.to_string());
    for name in binding::references(&task.payload.bytes).map_err(wrong)? {
        let found = edges.iter().find(|(text, _)| *text == name).cloned();
        task.after.names.push(found.ok_or_else(|| wrong(binding::BindingError::NotWaitedFor(name)))?);
    }
    Ok(())
}

/// Makes the last task wait for all the others, by their names where they have some. Before [`connect`], so that a circle through it
/// is found and its payload can bind to them.
pub(crate) fn complete(tasks: &[NewTask], after: &mut [Vec<String>]) {
    let (Some((_, others)), Some(last)) = (tasks.split_last(), after.last_mut()) else { return };
    let called = |task: &NewTask| task.lineage.name.as_ref().map_or_else(|| task.id.to_string(), ToString::to_string);
    last.extend(others.iter().map(called));
}

/// Marks tasks as submitted together.
pub(crate) fn mark(tasks: &mut [NewTask]) -> BatchId {
    let batch = BatchId::new();
    for task in tasks {
        task.lineage.batch = Some(batch);
    }
    batch
}
