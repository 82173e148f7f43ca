//! Dependences: what a new task waits for, and what the end of one task means for those that wait. Inside the writer's transaction.
//!
//! Called by submit (new edges) and by everything that ends tasks, in the same transaction, so that a crash never leaves a task
//! that waits for one which has ended. Guarantees: one end counts once for each task that waits; a task whose last dependence
//! ends is queued there and then. A wave of ends is followed as far as it goes: each row is ended at most once.

use std::collections::{BTreeMap, HashMap, HashSet};

use tasklane_domain::dependence::{self as rules, Release};
use tasklane_domain::error::StoreError;
use tasklane_domain::settle::SettledTask;
use tasklane_domain::state::TaskEvent;
use tasklane_domain::{Namespace, NewTask, Outcome, StateKind, TaskId, TaskState, Timestamp, Usage, WorkOrder};

use super::ending::Ending;
use super::row::{DbRow, get, id_bytes, named, on_failure, parsed, task_id, to_json};
use super::submit::Fresh;
use super::unblock::unblock;
use super::values::{list, pieces, values};
use super::{Db, LOCK_ROWS, NO_INDEX_OF_STATE, OR_FAIL, news, retention};
use crate::error::{corrupt, unavailable};

type Conn = <Db as sqlx::Database>::Connection;

/// A task that ended in this transaction, and how.
pub(super) type End = (TaskId, StateKind);

/// What a wave of ends set free or took with it.
#[derive(Default)]
pub(super) struct Released {
    /// Rows that changed, for news.
    pub(super) settled: Vec<SettledTask>,
    /// Orders to publish.
    pub(super) ready: Vec<WorkOrder>,
    /// Whether some became queued that flow control holds back.
    pub(super) held: bool,
}

/// What a new task waits for, under the ids that were answered.
#[derive(Default)]
pub(super) struct Waits {
    /// Each once: the edges.
    pub(super) on: Vec<TaskId>,
    /// How many of them have not ended.
    pub(super) count: u32,
    /// One that has ended already, and what that means.
    pub(super) doom: Option<(TaskEvent, End)>,
    /// What the payload's bindings call them.
    pub(super) names: Vec<(String, TaskId)>,
}

/// Looks up what new tasks wait for. `renamed` tells under which ids the tasks of this submit were answered.
pub(super) async fn look(
    conn: &mut Conn,
    new: &[&NewTask],
    renamed: &HashMap<TaskId, TaskId>,
) -> Result<Result<Vec<Waits>, StoreError>, StoreError> {
    let inside: HashMap<TaskId, &Namespace> = new.iter().map(|task| (task.id, &task.namespace)).collect();
    let name = |id: &TaskId| renamed.get(id).copied().unwrap_or(*id);
    let outside: HashSet<TaskId> =
        new.iter().flat_map(|task| task.after.on.iter().map(name)).filter(|id| !inside.contains_key(id)).collect();
    let known = known(conn, outside).await?;
    let mut all = Vec::with_capacity(new.len());
    for task in new {
        match waits(task, name, &inside, &known) {
            Ok(waits) => all.push(waits),
            Err(missing) => return Ok(Err(missing)),
        }
    }
    let bound = new.iter().flat_map(|task| task.after.names.iter().map(|(_, id)| name(id)));
    let bound = bound.filter(|id| known.get(id).is_some_and(|one| one.state == StateKind::Succeeded)).collect();
    if let Some(gone) = retention::without_result(conn, &bound).await? {
        return Ok(Err(StoreError::BoundResultRemoved(gone)));
    }
    mark_followed(conn, &known).await?;
    Ok(Ok(all))
}

fn waits(
    task: &NewTask,
    name: impl Fn(&TaskId) -> TaskId,
    inside: &HashMap<TaskId, &Namespace>,
    known: &HashMap<TaskId, Known>,
) -> Result<Waits, StoreError> {
    let mut waits = Waits::default();
    let mut seen = HashSet::with_capacity(task.after.on.len());
    for on in task.after.on.iter().map(&name).filter(|on| seen.insert(*on)) {
        waits.on.push(on);
        // A task of another namespace is as unknown as one that was never there.
        let ours = |namespace: &Namespace| *namespace == task.namespace;
        let state = match inside.get(&on) {
            Some(namespace) if ours(namespace) => None,
            Some(_) => return Err(StoreError::DependencyNotFound(on)),
            None => {
                let found = known.get(&on).filter(|one| ours(&one.namespace));
                Some(found.ok_or(StoreError::DependencyNotFound(on))?.state)
            }
        };
        match state {
            None => waits.count += 1,
            Some(state) if !state.is_terminal() => waits.count += 1,
            Some(state) => match task.after.on_failure.after(state) {
                Release::Satisfied => {}
                Release::Doomed(event) => waits.doom = Some((event, (on, state))),
            },
        }
    }
    waits.names = task.after.names.iter().map(|(text, id)| (text.clone(), name(id))).collect();
    Ok(waits)
}

/// A task that is waited for.
struct Known {
    state: StateKind,
    namespace: Namespace,
}

async fn known(conn: &mut Conn, ids: HashSet<TaskId>) -> Result<HashMap<TaskId, Known>, StoreError> {
    let mut ids: Vec<TaskId> = ids.into_iter().collect();
    // One order for everybody, so that two transactions do not wait for each other.
    ids.sort_unstable();
    let mut all = HashMap::with_capacity(ids.len());
    for piece in pieces(&ids) {
        let sql = format!(
            "SELECT id, state, namespace FROM tasks WHERE id IN ({}) ORDER BY id{LOCK_ROWS}",
            list(piece.len())
        );
        for row in bound(&sql, piece).fetch_all(&mut *conn).await.map_err(unavailable)? {
            let state = named(&row, parsed(&row, "state"))?;
            all.insert(task_id(&row, "id")?, Known { state, namespace: named(&row, parsed(&row, "namespace"))? });
        }
    }
    Ok(all)
}

type Query<'q> = sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments>;

fn bound<'q>(sql: &str, ids: &[TaskId]) -> Query<'q> {
    let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql.to_owned()));
    ids.iter().fold(query, |query, id| query.bind(id_bytes(*id)))
}

/// From now on, the end of these concerns others.
async fn mark_followed(conn: &mut Conn, known: &HashMap<TaskId, Known>) -> Result<(), StoreError> {
    let mut going_on: Vec<TaskId> =
        known.iter().filter(|(_, one)| !one.state.is_terminal()).map(|(id, _)| *id).collect();
    going_on.sort_unstable();
    for piece in pieces(&going_on) {
        let sql = format!("UPDATE tasks SET followed = 1 WHERE id IN ({})", list(piece.len()));
        bound(&sql, piece).execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}

/// Records the edges of new rows, and releases or ends those whose dependences have all ended before.
pub(super) async fn begin(conn: &mut Conn, fresh: &[Fresh<'_>]) -> Result<Released, StoreError> {
    let waiting: Vec<&Fresh<'_>> = fresh.iter().filter(|one| !one.waits.on.is_empty()).collect();
    let edges: Vec<(TaskId, TaskId)> =
        waiting.iter().flat_map(|one| one.waits.on.iter().map(|on| (*on, one.task.id))).collect();
    insert_edges(conn, &edges).await?;
    let mut released = Released::default();
    for one in waiting {
        let now = one.task.created_at;
        let ends = match &one.waits.doom {
            Some((event, cause)) => doom(conn, &[one.task.id], *event, *cause, now, &mut released).await?,
            None if one.waits.count == 0 => unblock(conn, &[one.task.id], now, &mut released).await?,
            None => continue,
        };
        follow(conn, ends, now, &mut released).await?;
    }
    Ok(released)
}

async fn insert_edges(conn: &mut Conn, edges: &[(TaskId, TaskId)]) -> Result<(), StoreError> {
    for piece in pieces(edges) {
        let rows = values(piece.len(), &["bytes", "bytes"]);
        let sql = format!("INSERT INTO dependencies (on_id, task_id) VALUES {rows} ON CONFLICT DO NOTHING");
        let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        for (on, task) in piece {
            query = query.bind(id_bytes(*on)).bind(id_bytes(*task));
        }
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}

/// Follows what the ends of tasks mean for those that wait.
pub(super) async fn release(conn: &mut Conn, ends: Vec<End>, now: Timestamp) -> Result<Released, StoreError> {
    let mut released = Released::default();
    follow(conn, ends, now, &mut released).await?;
    Ok(released)
}

async fn follow(
    conn: &mut Conn,
    mut ends: Vec<End>,
    now: Timestamp,
    released: &mut Released,
) -> Result<(), StoreError> {
    // Ends by itself: every round ends rows that had not ended, and the graph has no cycle.
    while !ends.is_empty() {
        let effects = effects(conn, &ends).await?;
        let mut next = Vec::new();
        for ((event, cause), ids) in effects.doomed {
            next.extend(doom(conn, &ids, event, cause, now, released).await?);
        }
        let free = count_down(conn, effects.satisfied).await?;
        next.extend(unblock(conn, &free, now, released).await?);
        ends = next;
    }
    Ok(())
}

#[derive(Default)]
struct Effects {
    /// Tasks that will never run, by what happens to them and whose end it was.
    doomed: Vec<((TaskEvent, End), Vec<TaskId>)>,
    /// How many dependences less each of the others has.
    satisfied: HashMap<TaskId, i64>,
}

async fn effects(conn: &mut Conn, ends: &[End]) -> Result<Effects, StoreError> {
    let states: HashMap<TaskId, StateKind> = ends.iter().copied().collect();
    let mut ids: Vec<TaskId> = states.keys().copied().collect();
    ids.sort_unstable();
    let mut effects = Effects::default();
    let mut doomed: BTreeMap<TaskId, (TaskEvent, End)> = BTreeMap::new();
    for piece in pieces(&ids) {
        let sql = format!(
            "SELECT d.on_id, t.id, t.on_failure FROM dependencies d JOIN tasks t ON t.id = d.task_id \
             WHERE d.on_id IN ({}) AND {NO_INDEX_OF_STATE}t.state = 'blocked' ORDER BY t.id{LOCK_ROWS}",
            list(piece.len())
        );
        for row in &bound(&sql, piece).fetch_all(&mut *conn).await.map_err(unavailable)? {
            let on = task_id(row, "on_id")?;
            let state =
                states.get(&on).copied().ok_or_else(|| corrupt("dependencies", "an edge that was not asked for"))?;
            let waiting = task_id(row, "id")?;
            match on_failure(row)?.after(state) {
                Release::Satisfied => *effects.satisfied.entry(waiting).or_default() += 1,
                Release::Doomed(event) => drop(doomed.entry(waiting).or_insert((event, (on, state)))),
            }
        }
    }
    effects.satisfied.retain(|id, _| !doomed.contains_key(id));
    effects.doomed = grouped(doomed);
    Ok(effects)
}

/// Tasks with one cause share one statement.
fn grouped(doomed: BTreeMap<TaskId, (TaskEvent, End)>) -> Vec<((TaskEvent, End), Vec<TaskId>)> {
    let mut groups: Vec<((TaskEvent, End), Vec<TaskId>)> = Vec::new();
    let mut places: HashMap<(TaskId, bool), usize> = HashMap::new();
    for (id, why) in doomed {
        let place = *places.entry((why.1.0, why.0 == TaskEvent::Skipped)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, ids)) => ids.push(id),
            None => groups.push((why, vec![id])),
        }
    }
    groups
}

/// Ends tasks that will never run.
pub(super) async fn doom(
    conn: &mut Conn,
    ids: &[TaskId],
    event: TaskEvent,
    cause: End,
    now: Timestamp,
    released: &mut Released,
) -> Result<Vec<End>, StoreError> {
    let (on, state) = cause;
    let outcome = if event == TaskEvent::Skipped {
        Outcome::Skipped { on, state }
    } else {
        Outcome::DependencyFailed { on, state }
    };
    end_blocked(conn, ids, event, &outcome, now, released).await
}

/// Ends blocked tasks by `event` and returns those that somebody waits for.
pub(super) async fn end_blocked(
    conn: &mut Conn,
    ids: &[TaskId],
    event: TaskEvent,
    outcome: &Outcome,
    now: Timestamp,
    released: &mut Released,
) -> Result<Vec<End>, StoreError> {
    let after = TaskState::Blocked.apply(event, now).map_err(|why| corrupt("dependences", why))?.kind();
    let ending = to_json(&Ending { outcome: outcome.clone(), usage: Usage::default() })?;
    let mut ends = Vec::new();
    for piece in pieces(ids) {
        let sql = format!(
            "UPDATE {OR_FAIL}tasks SET state = $1, ended_at = $2, ending = $3 WHERE state = 'blocked' AND id IN ({}) \
             RETURNING {}, followed",
            shifted(4, piece.len()),
            news::COLUMNS
        );
        let query =
            sqlx::query::<Db>(sqlx::AssertSqlSafe(sql)).bind(after.as_str()).bind(now.as_micros()).bind(ending.clone());
        let query = piece.iter().fold(query, |query, id| query.bind(id_bytes(*id)));
        for row in &query.fetch_all(&mut *conn).await.map_err(unavailable)? {
            let told = news::of(row, after, Some(outcome.kind()))?;
            if get::<i64>(row, "followed")? != 0 {
                ends.push((told.id, after));
            }
            released.settled.push(told);
        }
    }
    Ok(ends)
}

/// `$4, $5, …`: the parameters before `first` are taken.
pub(super) fn shifted(first: usize, count: usize) -> String {
    let numbered: Vec<String> = (first..first + count).map(|number| format!("${number}")).collect();
    numbered.join(", ")
}

/// Takes what has ended off the counts of those that wait, and returns who waits for nothing more.
async fn count_down(conn: &mut Conn, satisfied: HashMap<TaskId, i64>) -> Result<Vec<TaskId>, StoreError> {
    let mut by_count: BTreeMap<i64, Vec<TaskId>> = BTreeMap::new();
    for (id, count) in satisfied {
        by_count.entry(count).or_default().push(id);
    }
    let mut free = Vec::new();
    for (count, mut ids) in by_count {
        ids.sort_unstable();
        for piece in pieces(&ids) {
            let sql = format!(
                "UPDATE {OR_FAIL}tasks SET waits_for = waits_for - $1 WHERE state = 'blocked' AND id IN ({}) RETURNING id, waits_for",
                shifted(2, piece.len())
            );
            let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql)).bind(count);
            let query = piece.iter().fold(query, |query, id| query.bind(id_bytes(*id)));
            for row in &query.fetch_all(&mut *conn).await.map_err(unavailable)? {
                if get::<i64>(row, "waits_for")? <= 0 {
                    free.push(task_id(row, "id")?);
                }
            }
        }
    }
    Ok(free)
}

/// The event of a row that waits for nothing more.
pub(super) fn unblocked(row: &DbRow) -> Result<TaskEvent, StoreError> {
    Ok(rules::unblocked(super::row::time(row, "not_before")?))
}
