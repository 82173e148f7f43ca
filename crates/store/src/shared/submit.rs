//! submit: the rows of new tasks, and the promises of idempotency keys. Inside the writer's transaction.
//!
//! What a submit may collide with or wait for (keys, kinds, parents, dependences) is looked at first, under a savepoint, so that a
//! submit which is refused leaves nothing; then the rows of all submits are inserted together.

use std::collections::{HashMap, HashSet};

use tasklane_domain::error::StoreError;
use tasklane_domain::flow::{FlowRules, Line};
use tasklane_domain::task::{Idempotency, NewTask, SubmitAnswer, Submitted};
use tasklane_domain::{Attempt, BlobDigest, DeliveryId, StateKind, TaskId, Timestamp};

use super::bounds::Bounds;
use super::dependence::{self, Released};
use super::namespaces::{Rooms, check_module};
use super::row::{get, id_bytes, state_text, task_id};
use super::spec::spec_of;
use super::values::{pieces, values};
use super::{Db, OR_FAIL, blobs, children, flow, insert, unique};
use crate::error::unavailable;

type Conn = <Db as sqlx::Database>::Connection;

/// The columns that every task has.
const COLUMNS: [&str; 18] = [
    "bytes", "text", "text", "bytes", "text", "int", "text", "int", "int", "text", "bytes", "text", "int", "int",
    "int", "int", "int", "bytes",
];
/// The further columns of one that has something special.
const LIFE_COLUMNS: [&str; 14] =
    ["text", "bytes", "text", "bytes", "bytes", "int", "text", "int", "text", "int", "int", "text", "bytes", "int"];

/// A task to be inserted, with what was found out about it.
pub(super) struct Fresh<'a> {
    pub(super) task: &'a NewTask,
    /// What it waits for: each once, under the ids that were answered.
    pub(super) waits: dependence::Waits,
    /// What flow control knows it by.
    line: Line,
    /// Whether flow control holds it back.
    pub(super) held: bool,
}

impl<'a> Fresh<'a> {
    fn new(task: &'a NewTask, waits: dependence::Waits, rules: &FlowRules) -> Self {
        Self { task, waits, line: Line::of(task, rules), held: flow::holds_new(rules, task) }
    }
}

/// One transaction's submits.
#[derive(Default)]
struct Gathered<'a> {
    fresh: Vec<Fresh<'a>>,
    ids: HashSet<TaskId>,
    /// Tasks that somebody waits for.
    followed: HashSet<TaskId>,
    /// What operators said of queues, modules and namespaces.
    rules: FlowRules,
    /// What namespaces with quotas may still get.
    rooms: Rooms,
}

/// The answers to each submit of one transaction; a refusal fails its own submit and leaves the others.
pub(super) async fn submit(
    conn: &mut Conn,
    bounds: &mut Bounds,
    submits: &[&[NewTask]],
) -> Result<Vec<Result<SubmitAnswer, StoreError>>, StoreError> {
    if submits.is_empty() {
        return Ok(Vec::new());
    }
    let rules = flow::rules_at_begin(conn, bounds).await?;
    let rooms = Rooms::look(conn, &rules, submits.iter().flat_map(|tasks| tasks.iter())).await?;
    let mut all = Gathered { rules, rooms, ..Gathered::default() };
    let mut answers = Vec::with_capacity(submits.len());
    for tasks in submits {
        let answer = if let Err(crossed) = tasks.iter().try_for_each(check_module) {
            Err(crossed)
        } else if tasks.iter().any(is_special) {
            special(conn, tasks, &mut all).await?
        } else {
            plain(tasks, &mut all)
        };
        answers.push(answer.map(|tasks| SubmitAnswer { tasks, ..SubmitAnswer::default() }));
    }
    insert_all(conn, bounds, &all).await?;
    tell_held(&mut answers, &all);
    let released = dependence::begin(conn, &all.fresh).await?;
    share(&mut answers, released);
    Ok(answers)
}

/// Tells each submit which of its tasks are not to be published.
fn tell_held(answers: &mut [Result<SubmitAnswer, StoreError>], all: &Gathered<'_>) {
    let held: HashSet<TaskId> = all.fresh.iter().filter(|one| one.held).map(|one| one.task.id).collect();
    if held.is_empty() {
        return;
    }
    for answer in answers.iter_mut().flatten() {
        answer.held = answer.tasks.iter().map(|one| one.id()).filter(|id| held.contains(id)).collect();
    }
}

/// Gives what was released to the submit that it belongs to; what fits none goes to the last, so that nothing is lost.
fn share(answers: &mut [Result<SubmitAnswer, StoreError>], released: Released) {
    if released.ready.is_empty() && released.settled.is_empty() {
        return;
    }
    if let Some(answer) = answers.iter_mut().rev().find_map(|answer| answer.as_mut().ok()) {
        answer.ready.extend(released.ready);
        answer.settled.extend(released.settled);
    }
}

fn is_special(task: &NewTask) -> bool {
    task.idempotency.is_some()
        || task.unique.is_some()
        || task.lineage.parent.is_some()
        || !task.after.on.is_empty()
        || task.payload.blob.is_some()
}

fn plain<'a>(tasks: &'a [NewTask], all: &mut Gathered<'a>) -> Result<Vec<Submitted>, StoreError> {
    all.rooms.take(tasks.iter())?;
    all.ids.extend(tasks.iter().map(|task| task.id));
    let rules = &all.rules;
    all.fresh.extend(tasks.iter().map(|task| Fresh::new(task, dependence::Waits::default(), rules)));
    Ok(tasks.iter().map(|task| Submitted::Fresh(task.id)).collect())
}

/// Looks at what one submit may collide with. A refusal gives back what it had claimed.
async fn special<'a>(
    conn: &mut Conn,
    tasks: &'a [NewTask],
    all: &mut Gathered<'a>,
) -> Result<Result<Vec<Submitted>, StoreError>, StoreError> {
    execute(conn, "SAVEPOINT promise").await?;
    let looked = look(conn, tasks, &all.ids, &all.rules).await?;
    // What is there already, or stands for another, takes no room.
    let room = looked.and_then(|(answers, fresh)| {
        all.rooms.take(fresh.iter().map(|one| one.task))?;
        Ok((answers, fresh))
    });
    match room {
        Ok((answers, fresh)) => {
            execute(conn, "RELEASE SAVEPOINT promise").await?;
            all.ids.extend(fresh.iter().map(|one| one.task.id));
            all.followed.extend(fresh.iter().flat_map(|one| one.waits.on.iter().copied()));
            all.fresh.extend(fresh);
            Ok(Ok(answers))
        }
        Err(refusal) => {
            execute(conn, "ROLLBACK TO SAVEPOINT promise").await?;
            execute(conn, "RELEASE SAVEPOINT promise").await?;
            Ok(Err(refusal))
        }
    }
}

type Looked<'a> = Result<(Vec<Submitted>, Vec<Fresh<'a>>), StoreError>;

async fn look<'a>(
    conn: &mut Conn,
    tasks: &'a [NewTask],
    others: &HashSet<TaskId>,
    rules: &FlowRules,
) -> Result<Looked<'a>, StoreError> {
    let mut answers = Vec::with_capacity(tasks.len());
    let mut ids: HashSet<TaskId> = HashSet::with_capacity(tasks.len());
    for task in tasks {
        let pending = |id: &TaskId| ids.contains(id) || others.contains(id);
        match claim_all(conn, task, &pending).await? {
            Ok(answer) => answers.push(answer),
            Err(refusal) => return Ok(Err(refusal)),
        }
        if let Some(gone) = missing_blob(conn, task, answers.last()).await? {
            return Ok(Err(StoreError::BlobNotFound(gone)));
        }
        ids.insert(task.id);
    }
    let pairs = || tasks.iter().zip(&answers);
    let renamed: HashMap<TaskId, TaskId> = pairs().map(|(task, answer)| (task.id, answer.id())).collect();
    let new: Vec<&NewTask> =
        pairs().filter(|(_, one)| matches!(one, Submitted::Fresh(_))).map(|(task, _)| task).collect();
    let fresh = match dependence::look(conn, &new, &renamed).await? {
        Ok(waits) => new.into_iter().zip(waits).map(|(task, waits)| Fresh::new(task, waits, rules)).collect(),
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(Ok((answers, fresh)))
}

/// The blob that a new task refers to, if it is not there; if it is, it counts as used from now on.
async fn missing_blob(
    conn: &mut Conn,
    task: &NewTask,
    answer: Option<&Submitted>,
) -> Result<Option<BlobDigest>, StoreError> {
    let (Some(blob), Some(Submitted::Fresh(_))) = (task.payload.blob, answer) else { return Ok(None) };
    Ok(if blobs::touch(conn, blob.digest, task.created_at).await?.is_some() { None } else { Some(blob.digest) })
}

/// Everything that may make a task another one than the client thinks.
async fn claim_all(
    conn: &mut Conn,
    task: &NewTask,
    pending: &(impl Fn(&TaskId) -> bool + Sync),
) -> Result<Result<Submitted, StoreError>, StoreError> {
    if let Some(promise) = &task.idempotency {
        match claim(conn, task, promise).await? {
            Ok(Submitted::Fresh(_)) => {}
            other => return Ok(other),
        }
    }
    if let Some(parent) = &task.lineage.parent {
        match children::admit(conn, task, parent).await? {
            Ok(Submitted::Fresh(_)) => {}
            other => return Ok(other),
        }
    }
    let Some(unique) = &task.unique else { return Ok(Ok(Submitted::Fresh(task.id))) };
    let answer = unique::claim(conn, task, unique, pending).await?;
    if let (Submitted::Duplicate(first), Some(promise)) = (answer, &task.idempotency) {
        point_key_at(conn, task, promise, first).await?;
    }
    Ok(Ok(answer))
}

/// A key whose task turned out to be there already stands for that one.
async fn point_key_at(conn: &mut Conn, task: &NewTask, promise: &Idempotency, first: TaskId) -> Result<(), StoreError> {
    sqlx::query::<Db>("UPDATE idempotency_keys SET task_id = $1 WHERE key = $2")
        .bind(id_bytes(first))
        .bind(scoped(task, promise))
        .execute(conn)
        .await
        .map(drop)
        .map_err(unavailable)
}

/// The key as stored: those of other namespaces than the default one carry it in front, after a character that no key can have.
fn scoped(task: &NewTask, promise: &Idempotency) -> String {
    match task.namespace.as_str() {
        "default" => promise.key.clone(),
        namespace => format!("{namespace}\n{}", promise.key),
    }
}

/// The first task of a key, which is this one unless the key is taken and has not expired.
async fn claim(
    conn: &mut Conn,
    task: &NewTask,
    promise: &Idempotency,
) -> Result<Result<Submitted, StoreError>, StoreError> {
    let sql = "INSERT INTO idempotency_keys (key, body_hash, task_id, expires_at) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (key) DO UPDATE SET body_hash = excluded.body_hash, task_id = excluded.task_id, \
               expires_at = excluded.expires_at WHERE idempotency_keys.expires_at <= $5 RETURNING task_id";
    let claimed = sqlx::query::<Db>(sql)
        .bind(scoped(task, promise))
        .bind(promise.body_hash.to_vec())
        .bind(id_bytes(task.id))
        .bind(promise.expires_at.as_micros())
        .bind(task.created_at.as_micros())
        .fetch_optional(&mut *conn)
        .await
        .map_err(unavailable)?;
    if claimed.is_some() {
        return Ok(Ok(Submitted::Fresh(task.id)));
    }
    let row = sqlx::query::<Db>("SELECT task_id, body_hash FROM idempotency_keys WHERE key = $1")
        .bind(scoped(task, promise))
        .fetch_one(&mut *conn)
        .await
        .map_err(unavailable)?;
    let first = task_id(&row, "task_id")?;
    if first == task.id {
        // The commit of an earlier try, whose answer was lost.
        return Ok(Ok(Submitted::Fresh(first)));
    }
    let same = get::<&[u8]>(&row, "body_hash")? == promise.body_hash;
    Ok(if same {
        Ok(Submitted::Repeated(first))
    } else {
        Err(StoreError::IdempotencyConflict { key: promise.key.clone(), first })
    })
}

async fn execute(conn: &mut Conn, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query::<Db>(sql).execute(conn).await.map(drop).map_err(unavailable)
}

async fn insert_all(conn: &mut Conn, bounds: &mut Bounds, all: &Gathered<'_>) -> Result<(), StoreError> {
    let (plain, special): (Vec<&Fresh<'_>>, Vec<&Fresh<'_>>) =
        all.fresh.iter().partition(|one| is_plain(one, &all.followed));
    let tasks: Vec<&NewTask> = all.fresh.iter().map(|one| one.task).collect();
    if special.is_empty() && !tasks.iter().any(|task| has_more_rows(task)) {
        return insert::insert_alone(conn, bounds, &plain).await;
    }
    insert::insert(conn, &plain).await?;
    insert_special(conn, &special, &all.followed).await?;
    insert_labels(conn, &tasks).await?;
    insert_batches(conn, &tasks).await
}

/// Whether it has rows in other tables.
fn has_more_rows(task: &NewTask) -> bool {
    !task.labels.is_empty() || task.lineage.batch.is_some()
}

/// Whether the further columns have nothing to say: most tasks, and the fast path.
fn is_plain(one: &Fresh<'_>, followed: &HashSet<TaskId>) -> bool {
    let task = one.task;
    task.lineage.origin.is_none()
        && task.lineage.name.is_none()
        && task.lineage.parent.is_none()
        && task.after.on.is_empty()
        && task.namespace.as_str() == "default"
        && !followed.contains(&task.id)
        && one.line.is_plain()
        && task.payload.blob.is_none()
}

const INTO: &str = "INTO tasks (id, module_name, module_version, module_digest, queue, priority, state, attempt, delivery, \
     spec, payload, payload_kind, created_at, queued_at, published_at, due_at, deadline, batch";
const LIFE: &str = ", namespace, origin, name, parent, root, depth, child_key, waits_for, on_failure, not_before, followed, line, payload_digest, payload_size";

/// Inserts rows with the further columns.
async fn insert_special(conn: &mut Conn, all: &[&Fresh<'_>], followed: &HashSet<TaskId>) -> Result<(), StoreError> {
    let columns = [&COLUMNS[..], &LIFE_COLUMNS[..]].concat();
    for piece in pieces(all) {
        let sql = format!(
            "INSERT {OR_FAIL}{INTO}{LIFE}) VALUES {} ON CONFLICT (id) DO NOTHING",
            values(piece.len(), &columns)
        );
        let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        for one in piece {
            query = bind_life(bind_task(query, one)?, one, followed.contains(&one.task.id));
        }
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments>;

fn bind_task<'q>(query: Query<'q>, one: &Fresh<'_>) -> Result<Query<'q>, StoreError> {
    let task = one.task;
    let state = task.initial_state();
    let queued_at = (state == StateKind::Queued).then_some(task.created_at.as_micros());
    let due_at = task.run_at.filter(|_| state == StateKind::Scheduled).map(|due| due.as_micros());
    Ok(query
        .bind(id_bytes(task.id))
        .bind(task.module.name.as_str().to_owned())
        .bind(task.module.version.to_string())
        .bind(task.module.digest.as_bytes().to_vec())
        .bind(task.queue.as_str().to_owned())
        .bind(i64::from(task.priority.get()))
        .bind(state_text(state))
        .bind(i64::from(Attempt::FIRST.get()))
        .bind(i64::from(DeliveryId::FIRST_DISPATCH.raw()))
        .bind(spec_of(task, &one.waits.names)?)
        .bind(task.payload.bytes.to_vec())
        .bind(task.payload.kind.as_str())
        .bind(task.created_at.as_micros())
        .bind(queued_at)
        .bind(queued_at.filter(|_| !one.held))
        .bind(due_at)
        .bind(task.deadline.map(|deadline| deadline.as_micros()))
        .bind(task.lineage.batch.map(|batch| batch.as_uuid().as_bytes().to_vec())))
}

fn bind_life<'q>(query: Query<'q>, one: &Fresh<'_>, followed: bool) -> Query<'q> {
    let task = one.task;
    let parent = task.lineage.parent.as_ref();
    let blocked = !task.after.on.is_empty();
    query
        .bind(task.namespace.as_str().to_owned())
        .bind(task.lineage.origin.map(id_bytes))
        .bind(task.lineage.name.as_ref().map(|name| name.as_str().to_owned()))
        .bind(parent.map(|parent| id_bytes(parent.task)))
        .bind(parent.map(|parent| id_bytes(parent.root)))
        .bind(i64::from(parent.map_or(0, |parent| parent.depth)))
        .bind(parent.map(|parent| parent.key.clone()))
        .bind(i64::from(one.waits.count))
        .bind(blocked.then(|| task.after.on_failure.as_str()))
        .bind(task.run_at.filter(|_| blocked).map(Timestamp::as_micros))
        .bind(i64::from(followed))
        .bind(one.line.to_text())
        .bind(task.payload.blob.map(|blob| blob.digest.as_bytes().to_vec()))
        .bind(task.payload.blob.map(|blob| size(blob.size_bytes)))
}

/// A size as a column has it.
pub(super) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

async fn insert_batches(conn: &mut Conn, tasks: &[&NewTask]) -> Result<(), StoreError> {
    let mut batches: HashMap<_, (i64, Timestamp)> = HashMap::new();
    for task in tasks {
        if let Some(batch) = task.lineage.batch {
            batches.entry(batch).or_insert((0, task.created_at)).0 += 1;
        }
    }
    for (batch, (count, created_at)) in batches {
        sqlx::query::<Db>(
            "INSERT INTO batches (id, created_at, tasks) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
        )
        .bind(batch.as_uuid().as_bytes().to_vec())
        .bind(created_at.as_micros())
        .bind(count)
        .execute(&mut *conn)
        .await
        .map_err(unavailable)?;
    }
    Ok(())
}

async fn insert_labels(conn: &mut Conn, tasks: &[&NewTask]) -> Result<(), StoreError> {
    let labels: Vec<(TaskId, &str, &str)> =
        tasks.iter().flat_map(|task| task.labels.iter().map(|(key, value)| (task.id, key, value))).collect();
    for piece in pieces(&labels) {
        let sql = format!(
            "INSERT INTO task_labels (task_id, key, value) VALUES {} ON CONFLICT DO NOTHING",
            values(piece.len(), &["bytes", "text", "text"])
        );
        let mut query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql));
        for (id, key, value) in piece {
            query = query.bind(id_bytes(*id)).bind((*key).to_owned()).bind((*value).to_owned());
        }
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}
