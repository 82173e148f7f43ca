//! Children: tasks that a guest enqueues, each once however often its parent's attempt is repeated. Inside the writer's transaction.

use tasklane_domain::children::{CHILDREN_MAX, TREE_TASKS_MAX};
use tasklane_domain::error::StoreError;
use tasklane_domain::task::{NewTask, Parent, Submitted};
use tasklane_domain::{Namespace, StateKind, TaskId};

use super::row::{get, id_bytes, parsed, task_id};
use super::{Db, LOCK_ROWS};
use crate::error::unavailable;

type Conn = <Db as sqlx::Database>::Connection;

/// `Repeated` if the parent has enqueued this child before; else `Fresh`, counted in its quotas. Refuses a parent that has ended.
pub(super) async fn admit(
    conn: &mut Conn,
    task: &NewTask,
    parent: &Parent,
) -> Result<Result<Submitted, StoreError>, StoreError> {
    // The lock on the parent's row makes its children wait for each other, and for its end.
    let sql = sqlx::AssertSqlSafe(format!("SELECT state, namespace FROM tasks WHERE id = $1{LOCK_ROWS}"));
    let row =
        sqlx::query::<Db>(sql).bind(id_bytes(parent.task)).fetch_optional(&mut *conn).await.map_err(unavailable)?;
    let Some(row) = row else { return Ok(Err(StoreError::TaskNotFound(parent.task))) };
    if parsed::<Namespace>(&row, "namespace")? != task.namespace {
        return Ok(Err(StoreError::TaskNotFound(parent.task)));
    }
    if let Some(first) = before(conn, parent).await? {
        return Ok(Ok(if first == task.id { Submitted::Fresh(first) } else { Submitted::Repeated(first) }));
    }
    if parsed::<StateKind>(&row, "state")?.is_terminal() {
        return Ok(Err(StoreError::ParentEnded(parent.task)));
    }
    if count_children(conn, parent.task).await? >= CHILDREN_MAX {
        return Ok(Err(StoreError::Quota { what: "a task", max: CHILDREN_MAX }));
    }
    if grow_tree(conn, parent.root).await? > TREE_TASKS_MAX {
        return Ok(Err(StoreError::Quota { what: "a tree of tasks", max: TREE_TASKS_MAX }));
    }
    Ok(Ok(Submitted::Fresh(task.id)))
}

async fn before(conn: &mut Conn, parent: &Parent) -> Result<Option<TaskId>, StoreError> {
    let sql = "SELECT id FROM tasks WHERE parent = $1 AND child_key = $2";
    let query = sqlx::query::<Db>(sql).bind(id_bytes(parent.task)).bind(parent.key.clone());
    query.fetch_optional(conn).await.map_err(unavailable)?.map(|row| task_id(&row, "id")).transpose()
}

async fn count_children(conn: &mut Conn, parent: TaskId) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) AS count FROM tasks WHERE parent = $1";
    let row = sqlx::query::<Db>(sql).bind(id_bytes(parent)).fetch_one(conn).await.map_err(unavailable)?;
    Ok(u64::try_from(get::<i64>(&row, "count")?).unwrap_or(0))
}

/// Counts one more task below the root, and returns how many there are.
async fn grow_tree(conn: &mut Conn, root: TaskId) -> Result<u64, StoreError> {
    let sql = "INSERT INTO trees (root, tasks) VALUES ($1, 1) ON CONFLICT (root) DO UPDATE SET tasks = trees.tasks + 1 \
               RETURNING tasks";
    let row = sqlx::query::<Db>(sql).bind(id_bytes(root)).fetch_one(conn).await.map_err(unavailable)?;
    Ok(u64::try_from(get::<i64>(&row, "tasks")?).unwrap_or(0))
}
