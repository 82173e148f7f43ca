//! The real store behind a switch: while it is off, every question fails as it does when the database is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tasklane_domain::error::StoreError;
use tasklane_domain::ports::{Cancelled, Deployed, ModuleStore, SettleAnswer, TaskStore};
use tasklane_domain::query::{PageRequest, Stats, TaskFilter, TaskPage};
use tasklane_domain::task::{AttemptRecord, Batch, Edge, NewTask, SubmitAnswer, Task, TaskLog, TaskResult};
use tasklane_domain::{
    BatchId, ModuleDigest, ModuleName, ModuleRecord, ModuleVersion, Namespace, Payload, Report, TaskId, Timestamp,
};
use tasklane_store::Stores;

/// What a driver would say, and no client may read.
pub(crate) const SECRET: &str = "postgres://admin:hunter2@db.internal/tasks";

/// The switch and the store.
#[derive(Clone)]
pub(crate) struct FlakyStore {
    pub(crate) away: Arc<AtomicBool>,
    pub(crate) stores: Stores,
}

impl FlakyStore {
    pub(crate) fn new(stores: Stores) -> Self {
        Self { away: Arc::default(), stores }
    }

    fn tasks(&self) -> Result<&dyn TaskStore, StoreError> {
        self.there().map(|()| self.stores.tasks.as_ref())
    }

    fn modules_store(&self) -> Result<&dyn ModuleStore, StoreError> {
        self.there().map(|()| self.stores.modules.as_ref())
    }

    fn there(&self) -> Result<(), StoreError> {
        if self.away.load(Ordering::SeqCst) { Err(StoreError::Unavailable(SECRET.into())) } else { Ok(()) }
    }
}

#[async_trait]
impl TaskStore for FlakyStore {
    async fn submit(&self, tasks: Vec<NewTask>) -> Result<SubmitAnswer, StoreError> {
        self.tasks()?.submit(tasks).await
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.tasks()?.task(id).await
    }

    async fn payload(&self, id: TaskId) -> Result<Option<Payload>, StoreError> {
        self.tasks()?.payload(id).await
    }

    async fn result(&self, id: TaskId) -> Result<Option<TaskResult>, StoreError> {
        self.tasks()?.result(id).await
    }

    async fn log(&self, id: TaskId) -> Result<Option<TaskLog>, StoreError> {
        self.tasks()?.log(id).await
    }

    async fn attempts(&self, id: TaskId) -> Result<Option<Vec<AttemptRecord>>, StoreError> {
        self.tasks()?.attempts(id).await
    }

    async fn batch(&self, id: BatchId) -> Result<Option<Batch>, StoreError> {
        self.tasks()?.batch(id).await
    }

    async fn batches(
        &self,
        namespace: Option<&Namespace>,
        before: Option<BatchId>,
        limit: u32,
    ) -> Result<Vec<Batch>, StoreError> {
        self.tasks()?.batches(namespace, before, limit).await
    }

    async fn edges(&self, id: BatchId, limit: u32) -> Result<Vec<Edge>, StoreError> {
        self.tasks()?.edges(id, limit).await
    }

    async fn dependencies(&self, id: TaskId, limit: u32) -> Result<Vec<TaskId>, StoreError> {
        self.tasks()?.dependencies(id, limit).await
    }

    async fn reschedule(&self, id: TaskId, due: Timestamp) -> Result<(), StoreError> {
        self.tasks()?.reschedule(id, due).await
    }

    async fn list(&self, filter: &TaskFilter, page: PageRequest) -> Result<TaskPage, StoreError> {
        self.tasks()?.list(filter, page).await
    }

    async fn cancel(&self, id: TaskId, now: Timestamp) -> Result<Cancelled, StoreError> {
        self.tasks()?.cancel(id, now).await
    }

    async fn settle(&self, reports: Vec<Report>, now: Timestamp) -> Result<SettleAnswer, StoreError> {
        self.tasks()?.settle(reports, now).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.tasks()?.stats().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.tasks()?.ping().await
    }
}

#[async_trait]
impl ModuleStore for FlakyStore {
    async fn deploy_with(
        &self,
        record: ModuleRecord,
        wasm: Bytes,
        assets: Option<Bytes>,
    ) -> Result<Deployed, StoreError> {
        self.modules_store()?.deploy_with(record, wasm, assets).await
    }

    async fn module(
        &self,
        name: &ModuleName,
        version: Option<&ModuleVersion>,
    ) -> Result<Option<ModuleRecord>, StoreError> {
        self.modules_store()?.module(name, version).await
    }

    async fn modules(&self, name: Option<&ModuleName>) -> Result<Vec<ModuleRecord>, StoreError> {
        self.modules_store()?.modules(name).await
    }

    async fn wasm(&self, digest: ModuleDigest) -> Result<Option<Bytes>, StoreError> {
        self.modules_store()?.wasm(digest).await
    }

    async fn assets(&self, digest: tasklane_domain::BlobDigest) -> Result<Option<Bytes>, StoreError> {
        self.modules_store()?.assets(digest).await
    }
}
