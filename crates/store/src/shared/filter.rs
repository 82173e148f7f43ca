//! SQL of a filter over tasks, shared by pages of tasks and bulk operations. Every value is bound, never written into the text.

use tasklane_domain::query::TaskFilter;
use tasklane_domain::{StateKind, TaskId};

use super::Db;
use super::row::id_bytes;

/// A value of a condition.
pub(super) enum Bound {
    Text(String),
    Bytes(Vec<u8>),
    Number(i64),
}

/// A SELECT that grows condition by condition.
pub(super) struct Filtered {
    head: String,
    conditions: Vec<String>,
    bound: Vec<Bound>,
}

type Query = sqlx::query::Query<'static, Db, <Db as sqlx::Database>::Arguments>;

impl Filtered {
    pub(super) fn select(columns: &str, from: &str) -> Self {
        Self { head: format!("SELECT {columns} FROM {from}"), conditions: Vec::new(), bound: Vec::new() }
    }

    /// Everything that descends from a task, however deep.
    pub(super) fn descendants(columns: &str, of: TaskId) -> Self {
        let tree = "WITH RECURSIVE tree (task) AS (SELECT id FROM tasks WHERE parent = $1 \
                    UNION SELECT tasks.id FROM tasks JOIN tree ON tasks.parent = tree.task)";
        let head = format!("{tree} SELECT {columns} FROM tasks JOIN tree ON tree.task = tasks.id");
        Self { head, conditions: Vec::new(), bound: vec![Bound::Bytes(id_bytes(of))] }
    }

    /// Adds a condition; `?` stands for the value.
    pub(super) fn and(&mut self, condition: &str, value: Bound) {
        self.bound.push(value);
        self.conditions.push(condition.replace('?', &format!("${}", self.bound.len())));
    }

    pub(super) fn states(&mut self, states: &[StateKind]) {
        let names: Vec<String> = states.iter().map(|state| format!("'{state}'")).collect();
        self.conditions.push(format!("state IN ({})", names.join(", ")));
    }

    pub(super) fn matching(&mut self, filter: &TaskFilter) {
        if let Some(state) = filter.state {
            self.and("state = ?", Bound::Text(state.as_str().to_owned()));
        }
        if let Some(module) = &filter.module {
            self.and("module_name = ?", Bound::Text(module.as_str().to_owned()));
        }
        if let Some(queue) = &filter.queue {
            self.and("queue = ?", Bound::Text(queue.as_str().to_owned()));
        }
        if let Some(namespace) = &filter.namespace {
            self.and("namespace = ?", Bound::Text(namespace.as_str().to_owned()));
        }
        if let Some(batch) = &filter.batch {
            self.and("batch = ?", Bound::Bytes(batch.as_uuid().as_bytes().to_vec()));
        }
        if let Some(parent) = filter.parent {
            self.and("parent = ?", Bound::Bytes(id_bytes(parent)));
        }
        if let Some(before) = filter.created_before {
            self.and("created_at < ?", Bound::Number(before.as_micros()));
        }
        if let Some((key, value)) = &filter.label {
            self.and("id IN (SELECT task_id FROM task_labels WHERE key = ?", Bound::Text(key.clone()));
            self.and("value = ?)", Bound::Text(value.clone()));
        }
    }

    /// The query, with `tail` (an order and a limit) after the conditions.
    pub(super) fn query(self, tail: &str) -> Query {
        let conditions = if self.conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", self.conditions.join(" AND "))
        };
        let sql = sqlx::AssertSqlSafe(format!("{}{conditions} {tail}", self.head));
        self.bound.into_iter().fold(sqlx::query::<Db>(sql), |query, value| match value {
            Bound::Text(text) => query.bind(text),
            Bound::Bytes(bytes) => query.bind(bytes),
            Bound::Number(number) => query.bind(number),
        })
    }
}
