//! Those who wait for the end of a task: woken by news, and looking by themselves each second, since news are best effort.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tasklane_domain::TaskId;
use tasklane_domain::error::StoreError;
use tasklane_domain::ports::{TaskNews, TaskStore};
use tasklane_domain::task::Task;
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
    /// The task when it has ended, or as it is after `at_most`.
    pub(crate) async fn ended(&self, tasks: &dyn TaskStore, at_most: Duration) -> Result<Option<Task>, StoreError> {
        let until = tokio::time::Instant::now() + at_most;
        loop {
            let look_at = until.min(tokio::time::Instant::now() + LOOK_INTERVAL);
            tokio::select! {
                () = self.woken.notified() => {}
                () = tokio::time::sleep_until(look_at) => {}
            }
            let task = tasks.task(self.task).await?;
            let over = task.as_ref().is_none_or(|task| task.state.is_terminal());
            if over || tokio::time::Instant::now() >= until {
                return Ok(task);
            }
        }
    }
}
