//! Tasks that wait for tasks: what a batch asks for, made into edges between ids, and what the end of one means for another. Pure.
//!
//! Called by the API (a batch's names become ids; cycles are refused with the cycle named) and by the store (in the transaction
//! that ends a task). Guarantees: a plan has no cycle, no unknown name and no name twice.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::id::TaskId;
use crate::name::TaskName;
use crate::state::{StateKind, TaskEvent};
use crate::time::Timestamp;

/// Most tasks that one task can wait for.
pub const DEPENDENCIES_MAX: usize = 20_000;

/// What becomes of a task when one that it waits for ends without a result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It fails too: a dead letter that can be replayed.
    #[default]
    Fail,
    /// It is cancelled without noise.
    Skip,
    /// It runs all the same, once everything that it waits for has ended.
    Continue,
}

impl OnFailure {
    /// The one name used in SQL, JSON and the terminal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Continue => "continue",
        }
    }

    /// What the end of one dependency means for the task that waits.
    #[must_use]
    pub const fn after(self, ended: StateKind) -> Release {
        match (ended, self) {
            (StateKind::Succeeded, _) | (_, Self::Continue) => Release::Satisfied,
            (_, Self::Fail) => Release::Doomed(TaskEvent::DependencyFailed),
            (_, Self::Skip) => Release::Doomed(TaskEvent::Skipped),
        }
    }
}

/// What follows for a waiting task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// One less to wait for.
    Satisfied,
    /// It will never run: this happens to it.
    Doomed(TaskEvent),
}

/// The event of a task that has nothing left to wait for.
#[must_use]
pub const fn unblocked(not_before: Option<Timestamp>) -> TaskEvent {
    TaskEvent::Unblocked { not_before }
}

/// What a new task waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct After {
    /// The tasks, each once.
    pub on: Vec<TaskId>,
    /// What their failure means.
    pub on_failure: OnFailure,
    /// The names by which the payload's bindings call some of them.
    pub names: Vec<(String, TaskId)>,
}

/// One task of a batch, as far as its place in the graph goes.
#[derive(Debug, Clone)]
pub struct Node {
    /// Made for it already.
    pub id: TaskId,
    /// Its name in the batch.
    pub name: Option<TaskName>,
    /// Names in the batch, or ids of any tasks.
    pub after: Vec<String>,
}

/// A batch whose dependences make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two tasks have one name.
    #[error("two tasks of the batch are called `{0}`")]
    NameTwice(TaskName),
    /// A reference that is neither a name of the batch nor an id.
    #[error("task {place} waits for `{reference}`, which is neither a name in this batch nor a task id")]
    Unknown {
        /// Which task says so: its name, or its number in the batch.
        place: String,
        /// What it says.
        reference: String,
    },
    /// Tasks that wait for each other.
    #[error("the tasks wait for each other in a circle: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// Over [`DEPENDENCIES_MAX`].
    #[error("task {place} waits for {count} tasks; at most {DEPENDENCIES_MAX} are allowed")]
    TooMany {
        /// Which task.
        place: String,
        /// How many.
        count: usize,
    },
}

/// For each node, the ids that it waits for (each once), with the text by which it called them.
///
/// # Errors
/// [`GraphError`] names the first thing that is wrong.
pub fn plan(nodes: &[Node]) -> Result<Vec<Vec<(String, TaskId)>>, GraphError> {
    let names = names(nodes)?;
    let edges: Vec<_> =
        nodes.iter().enumerate().map(|(place, node)| edges(nodes, &names, place, node)).collect::<Result<_, _>>()?;
    find_cycle(nodes, &edges).map_or(Ok(edges), |cycle| Err(GraphError::Cycle(cycle)))
}

fn names(nodes: &[Node]) -> Result<HashMap<&str, TaskId>, GraphError> {
    let mut names = HashMap::with_capacity(nodes.len());
    for node in nodes {
        let Some(name) = &node.name else { continue };
        if names.insert(name.as_str(), node.id).is_some() {
            return Err(GraphError::NameTwice(name.clone()));
        }
    }
    Ok(names)
}

fn label(nodes: &[Node], place: usize) -> String {
    let name = nodes.get(place).and_then(|node| node.name.as_ref());
    name.map_or_else(|| format!("number {place}"), |name| format!("`{name}`"))
}

fn edges(
    nodes: &[Node],
    names: &HashMap<&str, TaskId>,
    place: usize,
    node: &Node,
) -> Result<Vec<(String, TaskId)>, GraphError> {
    if node.after.len() > DEPENDENCIES_MAX {
        return Err(GraphError::TooMany { place: label(nodes, place), count: node.after.len() });
    }
    let mut seen = std::collections::HashSet::with_capacity(node.after.len());
    let mut edges = Vec::with_capacity(node.after.len());
    for reference in &node.after {
        let id = names.get(reference.as_str()).copied().or_else(|| reference.parse().ok());
        let unknown =
            || GraphError::Unknown { place: label(nodes, place), reference: reference.chars().take(80).collect() };
        let id = id.ok_or_else(unknown)?;
        if seen.insert(id) {
            edges.push((reference.clone(), id));
        }
    }
    Ok(edges)
}

/// Removes again and again what waits for nothing that is left; a rest goes round in circles, and one of them is named.
fn find_cycle(nodes: &[Node], edges: &[Vec<(String, TaskId)>]) -> Option<Vec<String>> {
    let places: HashMap<TaskId, usize> = nodes.iter().enumerate().map(|(place, node)| (node.id, place)).collect();
    let inner: Vec<Vec<usize>> =
        edges.iter().map(|all| all.iter().filter_map(|(_, id)| places.get(id).copied()).collect()).collect();
    let mut waits: Vec<usize> = inner.iter().map(Vec::len).collect();
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (place, all) in inner.iter().enumerate() {
        for on in all {
            if let Some(list) = dependants.get_mut(*on) {
                list.push(place);
            }
        }
    }
    let mut free: Vec<usize> =
        waits.iter().enumerate().filter(|(_, count)| **count == 0).map(|(place, _)| place).collect();
    let mut left = nodes.len();
    while let Some(place) = free.pop() {
        left -= 1;
        for dependant in dependants.get(place).into_iter().flatten() {
            if let Some(count) = waits.get_mut(*dependant) {
                *count -= 1;
                if *count == 0 {
                    free.push(*dependant);
                }
            }
        }
    }
    (left > 0).then(|| name_cycle(nodes, &inner, &waits))
}

/// Walks from a task that is left to one that it waits for and that is left too, until a task comes twice.
fn name_cycle(nodes: &[Node], inner: &[Vec<usize>], waits: &[usize]) -> Vec<String> {
    let is_left = |place: &usize| waits.get(*place).is_some_and(|count| *count > 0);
    let mut path: Vec<usize> = Vec::new();
    let mut at = (0..nodes.len()).find(is_left);
    while let Some(place) = at {
        if let Some(start) = path.iter().position(|been| *been == place) {
            let circle = path.iter().skip(start).chain([&place]);
            return circle.map(|place| label(nodes, *place)).collect();
        }
        path.push(place);
        at = inner.get(place).and_then(|all| all.iter().copied().find(is_left));
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn node(name: &str, after: &[&str]) -> Node {
        let after = after.iter().map(|&text| text.to_owned()).collect();
        Node { id: TaskId::new(), name: Some(name.parse().unwrap()), after }
    }

    #[test]
    fn names_become_ids_and_each_counts_once() {
        let nodes = [node("a", &[]), node("b", &["a", "a"])];
        let edges = plan(&nodes).unwrap();
        assert_eq!(edges[1], [("a".to_owned(), nodes[0].id)]);
    }

    #[test]
    fn a_task_outside_the_batch_is_named_by_its_id() {
        let other = TaskId::new();
        let edges = plan(&[node("a", &[&other.to_string()])]).unwrap();
        assert_eq!(edges[0][0].1, other);
    }

    #[test]
    fn a_cycle_is_named() {
        let nodes = [node("start", &[]), node("a", &["c", "start"]), node("b", &["a"]), node("c", &["b"])];
        let Err(GraphError::Cycle(circle)) = plan(&nodes) else { panic!("no cycle was found") };
        assert_eq!(circle, ["`a`", "`c`", "`b`", "`a`"]);
        let alone = plan(&[node("a", &["a"])]).unwrap_err();
        assert_eq!(alone.to_string(), "the tasks wait for each other in a circle: `a` -> `a`");
    }

    #[test]
    fn unknown_and_double_names_are_told() {
        let unknown = plan(&[node("a", &["nobody"])]).unwrap_err();
        assert!(unknown.to_string().contains("task `a` waits for `nobody`"));
        assert!(matches!(plan(&[node("a", &[]), node("a", &[])]), Err(GraphError::NameTwice(_))));
    }

    #[test]
    fn a_failure_dooms_who_does_not_go_on() {
        assert_eq!(OnFailure::Fail.after(StateKind::Succeeded), Release::Satisfied);
        assert_eq!(OnFailure::Continue.after(StateKind::Cancelled), Release::Satisfied);
        assert_eq!(OnFailure::Fail.after(StateKind::Expired), Release::Doomed(TaskEvent::DependencyFailed));
        assert_eq!(OnFailure::Skip.after(StateKind::Failed), Release::Doomed(TaskEvent::Skipped));
    }

    proptest! {
        #[test]
        fn edges_to_earlier_tasks_never_make_a_cycle(edges in prop::collection::vec((1_usize..40, 0_usize..40), 0..120)) {
            let mut nodes: Vec<Node> = (0..40).map(|place| node(&format!("t{place}"), &[])).collect();
            for (from, to) in edges {
                nodes[from].after.push(format!("t{}", to % from));
            }
            prop_assert!(plan(&nodes).is_ok());
        }

        #[test]
        fn a_ring_with_anything_beside_it_is_found(size in 1_usize..30, beside in 0_usize..10) {
            let ring = (0..size).map(|place| node(&format!("r{place}"), &[&format!("r{}", (place + 1) % size)]));
            let nodes: Vec<Node> = ring.chain((0..beside).map(|place| node(&format!("b{place}"), &["r0"]))).collect();
            let Err(GraphError::Cycle(circle)) = plan(&nodes) else { panic!("no cycle was found") };
            prop_assert_eq!(circle.len(), size + 1);
            prop_assert_eq!(circle.first(), circle.last());
        }
    }
}
