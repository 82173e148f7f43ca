//! Those who wait for the end of a task: woken by news, and looking by themselves each second, since news are best effort.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tasklane_domain::error::StoreError;
use tasklane_domain::ports::{TaskNews, TaskStore};
use tasklane_domain::task::{Task, TaskResult};
use tasklane_domain::{StateKind, TaskId};
use tokio::sync::Notify;

/// How often a waiter looks by itself.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

type Table = Mutex<HashMap<TaskId, Arc<Notify>>>;

/// Everyone who waits in this process.
#[derive(Default)]
pub(crate) struct Waiters(Arc<Table>);

/// One who waits; forgotten when dropped.
pub(crate) struct Waiter {
    table: Arc<Table>,
    task: TaskId,
    woken: Arc<Notify>,
}

/// What a waiter has read.
pub(crate) struct Seen {
    pub(crate) task: Task,
    pub(crate) result: Option<TaskResult>,
}

impl From<Task> for Seen {
    fn from(task: Task) -> Self {
        Self { task, result: None }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut table = self.table.lock();
        // The table's and this one: nobody else waits for the same task.
        if Arc::strong_count(&self.woken) <= 2 {
            table.remove(&self.task);
        }
    }
}

impl Waiters {
    /// Begins to wait: before the submit, so that no news are missed.
    pub(crate) fn wait_for(&self, task: TaskId) -> Waiter {
        let woken = self.0.lock().entry(task).or_default().clone();
        Waiter { table: self.0.clone(), task, woken }
    }

    /// Wakes those whose tasks have ended.
    pub(crate) fn wake(&self, news: &[TaskNews]) {
        let table = self.0.lock();
        if table.is_empty() {
            return;
        }
        for task in news.iter().filter(|task| task.state.is_terminal()) {
            if let Some(woken) = table.get(&task.task) {
                woken.notify_waiters();
                woken.notify_one();
            }
        }
    }
}

impl Waiter {
    /// The task when it has ended, or as it is after `at_most`; and its result, if it has one that was read beside it.
    pub(crate) async fn ended(&self, tasks: &dyn TaskStore, at_most: Duration) -> Result<Option<Seen>, StoreError> {
        let until = tokio::time::Instant::now() + at_most;
        loop {
            let look_at = until.min(tokio::time::Instant::now() + LOOK_INTERVAL);
            let is_told = tokio::select! {
                () = self.woken.notified() => true,
                () = tokio::time::sleep_until(look_at) => false,
            };
            let seen = if is_told { self.both(tasks).await? } else { tasks.task(self.task).await?.map(Seen::from) };
            let over = seen.as_ref().is_none_or(|seen| seen.task.state.is_terminal());
            if over || tokio::time::Instant::now() >= until {
                return Ok(seen);
            }
        }
    }

    /// Who is told of an end will ask for the result, too: both at once.
    async fn both(&self, tasks: &dyn TaskStore) -> Result<Option<Seen>, StoreError> {
        let (task, result) = tokio::join!(tasks.task(self.task), tasks.result(self.task));
        // What is wrong with the result is seen by who needs it and reads it again.
        let result = result.ok().flatten().filter(|result| result.state == StateKind::Succeeded);
        Ok(task?.map(|task| Seen { task, result }))
    }
}
