//! The traits that adapters implement: the database ([`TaskStore`], [`ModuleStore`], [`LeaderStore`]) and NATS (the rest).
//!
//! Only `taskctl`'s role start-up picks adapters. Every method is cancel-safe in the sense that a dropped future leaves either
//! the whole effect or none; a dropped write may still happen.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::blob::BlobDigest;
use crate::cluster::{HostInfo, HostOrder, Lane, LaneStatus, LeaderInfo, Lease, Term};
use crate::error::{QueueError, StoreError};
use crate::id::{BatchId, ModuleDigest, TaskId};
use crate::live_log::{Asked, LogPiece, LogQuestion};
use crate::module::{Manifest, ModuleKind, ModuleRecord, ModuleRef};
use crate::name::{ModuleName, ModuleVersion, Namespace, QueueName};
use crate::query::{PageRequest, Stats, TaskFilter, TaskPage};
use crate::settle::{Refusal, SettledTask};
use crate::state::StateKind;
use crate::task::{AttemptRecord, Batch, Edge, NewTask, SubmitAnswer, Task, TaskLog, TaskResult};
use crate::time::Timestamp;
use crate::work::{AckToken, Delivery, Report, WorkOrder};

/// The task rows: the truth.
#[async_trait]
pub trait TaskStore: Send + Sync + 'static {
    /// Commits all or none. Returns only after the commit is on disk; answers in the order given. Tasks with `lineage.batch` must
    /// all have the same.
    async fn submit(&self, tasks: Vec<NewTask>) -> Result<SubmitAnswer, StoreError>;

    /// One task without payload, result and log.
    async fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError>;

    /// One task's payload.
    async fn payload(&self, id: TaskId) -> Result<Option<crate::payload::Payload>, StoreError>;

    /// One task's result.
    async fn result(&self, id: TaskId) -> Result<Option<TaskResult>, StoreError>;

    /// One task's log.
    async fn log(&self, id: TaskId) -> Result<Option<TaskLog>, StoreError>;

    /// The ended attempts of one task, the first one first; at most as many as a retry policy allows.
    async fn attempts(&self, id: TaskId) -> Result<Option<Vec<AttemptRecord>>, StoreError>;

    /// Batches with their tasks by state, the newest first: those submitted before `before`, of the namespace if one is given. At most `limit`.
    async fn batches(
        &self,
        namespace: Option<&Namespace>,
        before: Option<BatchId>,
        limit: u32,
    ) -> Result<Vec<Batch>, StoreError>;

    /// A batch with its counts.
    async fn batch(&self, id: BatchId) -> Result<Option<Batch>, StoreError>;

    /// What the tasks of a batch wait for, in the batch or outside: at most `limit` arrows.
    async fn edges(&self, id: BatchId, limit: u32) -> Result<Vec<Edge>, StoreError>;

    /// The tasks that one task waits for: at most `limit`.
    async fn dependencies(&self, id: TaskId, limit: u32) -> Result<Vec<TaskId>, StoreError>;

    /// Moves the time of a scheduled or retrying task; `NotAllowed` for any other.
    async fn reschedule(&self, id: TaskId, due: Timestamp) -> Result<(), StoreError>;

    /// A page of tasks, newest first.
    async fn list(&self, filter: &TaskFilter, page: PageRequest) -> Result<TaskPage, StoreError>;

    /// Ends a non-terminal task as cancelled. `AlreadyEnded` and `TaskNotFound` otherwise.
    async fn cancel(&self, id: TaskId, now: Timestamp) -> Result<Cancelled, StoreError>;

    /// Judges reports ([`crate::settle::judge`]) and commits what follows, in one transaction.
    async fn settle(&self, reports: Vec<Report>, now: Timestamp) -> Result<SettleAnswer, StoreError>;

    /// Counts by state and lane.
    async fn stats(&self) -> Result<Stats, StoreError>;

    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// What [`TaskStore::settle`] did.
#[derive(Debug, Default)]
pub struct SettleAnswer {
    /// Rows that changed.
    pub settled: Vec<SettledTask>,
    /// Reports that were refused.
    pub refused: Vec<(TaskId, Refusal)>,
    /// Orders to publish now: handed back deliveries, and tasks that waited for others.
    pub ready: Vec<WorkOrder>,
    /// Whether held tasks may go now: something that they wait for became free, or some are new.
    pub admissible: bool,
}

impl SettleAnswer {
    /// Adds what became of further reports.
    pub fn append(&mut self, other: Self) {
        self.settled.extend(other.settled);
        self.refused.extend(other.refused);
        self.ready.extend(other.ready);
        self.admissible |= other.admissible;
    }
}

/// What [`TaskStore::cancel`] did.
#[derive(Debug)]
pub struct Cancelled {
    /// The state that the task had.
    pub before: StateKind,
    /// It, and what it took with it.
    pub settled: Vec<SettledTask>,
    /// Orders to publish now: of tasks that waited for its end, whatever it be.
    pub ready: Vec<WorkOrder>,
}

/// What [`LeaderStore::expire`] did.
#[derive(Debug, Default)]
pub struct Expired {
    /// Tasks that ended: expired ones, and what they took with them.
    pub settled: Vec<SettledTask>,
    /// How many expired.
    pub count: usize,
    /// Orders to publish now: of tasks that waited for their end, whatever it be.
    pub ready: Vec<WorkOrder>,
}

/// The deployed modules.
#[async_trait]
pub trait ModuleStore: Send + Sync + 'static {
    /// Commits a module. The same content again is a no-op ([`Deployed::Unchanged`]); other content is `ModuleConflict`.
    async fn deploy(&self, record: ModuleRecord, wasm: Bytes) -> Result<Deployed, StoreError> {
        self.deploy_with(record, wasm, None).await
    }

    /// The same with the archive of its assets, whose digest the manifest has.
    async fn deploy_with(
        &self,
        record: ModuleRecord,
        wasm: Bytes,
        assets: Option<Bytes>,
    ) -> Result<Deployed, StoreError>;

    /// One version, or the highest by semver precedence (releases before pre-releases) for `None`.
    async fn module(
        &self,
        name: &ModuleName,
        version: Option<&ModuleVersion>,
    ) -> Result<Option<ModuleRecord>, StoreError>;

    /// Every version of one module (newest version first), or of all modules by name. At most 10,000.
    async fn modules(&self, name: Option<&ModuleName>) -> Result<Vec<ModuleRecord>, StoreError>;

    /// The bytes.
    async fn wasm(&self, digest: ModuleDigest) -> Result<Option<Bytes>, StoreError>;

    /// An archive of assets.
    async fn assets(&self, digest: BlobDigest) -> Result<Option<Bytes>, StoreError>;
}

/// What [`ModuleStore::deploy`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deployed {
    /// It is new.
    Created,
    /// The same was there.
    Unchanged,
}

/// Leader-only transactions: each checks its term against the highest committed and fails with `StaleTerm`.
#[async_trait]
pub trait LeaderStore: Send + Sync + 'static {
    /// Turns a won lease into the next term. `StaleTerm` if a later lease has opened one already.
    async fn open_term(&self, lease: Lease) -> Result<Term, StoreError>;

    /// Queues scheduled and retrying rows whose time has come: at most `limit`, and fewer while somebody waits for the store. The earliest go first; of
    /// more than `limit`, up to 2,000 may go before one that is due earlier.
    /// The answer's `next_due` tells whether there are more.
    async fn promote_due(&self, term: Term, now: Timestamp, limit: u32) -> Result<Promoted, StoreError>;

    /// Ends rows whose deadline passed before a start as `expired`, at most `limit`.
    async fn expire(&self, term: Term, now: Timestamp, limit: u32) -> Result<Expired, StoreError>;

    /// Publishes anew what is no longer on its way: rows `queued` or `running` whose `published_at` is before their lane's
    /// watermark. Marks at most `limit` of them as published now with a higher dispatch, and returns their orders.
    async fn redispatch(
        &self,
        term: Term,
        watermarks: &[(Lane, Timestamp)],
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<WorkOrder>, StoreError>;
}

/// What [`LeaderStore::promote_due`] did.
#[derive(Debug, Default)]
pub struct Promoted {
    /// Orders to publish now.
    pub ready: Vec<WorkOrder>,
    /// How many became queued that flow control holds back.
    pub held: usize,
    /// When the next row becomes due or expires.
    pub next_due: Option<Timestamp>,
}

/// The way from control plane to hosts: best effort, since rows are the truth and rescue repeats what is lost.
#[async_trait]
pub trait Dispatcher: Send + Sync + 'static {
    /// Publishes orders and waits for JetStream's acknowledgements, with bounded time and window. Returns how many were
    /// acknowledged; the others are left to the rescue loop.
    async fn dispatch(&self, orders: Vec<WorkOrder>) -> usize;

    /// Largest encoded order that NATS takes, in bytes; `None` while not connected.
    fn order_bytes_max(&self) -> Option<usize>;
}

/// A host's intake: most urgent lanes first, a small share for the others.
#[async_trait]
pub trait WorkSource: Send + Sync + 'static {
    /// Waits for work and returns 1 to `want` deliveries. [`Parking::Allowed`] permits standing pulls on empty lanes, so that a
    /// lone urgent task arrives at once; a saturated host passes [`Parking::Withheld`] to leave it to others, or
    /// [`Parking::Urgent`] to be asked for urgent work only.
    async fn receive(&self, want: usize, parking: Parking) -> Result<Vec<Delivery>, QueueError>;

    /// Says that the deliveries are done with. Best effort: a lost ack means a redelivery, which settle refuses.
    async fn ack(&self, tokens: Vec<AckToken>);

    /// Says that the deliveries are still being worked on. Best effort.
    async fn in_progress(&self, tokens: Vec<AckToken>);

    /// How often [`WorkSource::in_progress`] must be called for each held delivery.
    fn in_progress_interval(&self) -> Duration;
}

/// Whether standing pulls on empty lanes may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parking {
    /// A slot is free or soon will be.
    Allowed,
    /// Only slots for urgent tasks are free: only urgent lanes are asked.
    Urgent,
    /// Every slot is taken by long work.
    Withheld,
}

/// The way back from hosts to control plane.
#[async_trait]
pub trait ReportSink: Send + Sync + 'static {
    /// Publishes reports in as few messages as fit and waits for JetStream's acknowledgement of all.
    async fn publish(&self, reports: Vec<Report>) -> Result<(), QueueError>;
}

/// The scheduler's end of the way back: competing consumers.
#[async_trait]
pub trait ReportSource: Send + Sync + 'static {
    /// Waits for reports and returns what is there, up to about `want` reports.
    async fn next(&self, want: usize) -> Result<ReportBatch, QueueError>;

    /// Says that the reports have been settled.
    async fn ack(&self, tokens: Vec<AckToken>);
}

/// Reports and what to acknowledge them with.
#[derive(Debug, Default)]
pub struct ReportBatch {
    /// The reports, oldest first.
    pub reports: Vec<Report>,
    /// One for each message.
    pub tokens: Vec<AckToken>,
}

/// What the leader reads of the streams, and the trimming of what is done.
#[async_trait]
pub trait StreamKeeper: Send + Sync + 'static {
    /// Creates what is missing (streams, consumers of known lanes, buckets). Idempotent.
    async fn ensure(&self) -> Result<(), QueueError>;

    /// How every lane with a consumer stands. A watermark is only returned once all reports that were published before it was
    /// read have been settled, so that a row below it without an end is truly no longer on its way.
    async fn lanes(&self) -> Result<Vec<LaneStatus>, QueueError>;

    /// Stops the lanes of these queues from handing anything out, and lets all others. What hosts hold is left to them.
    async fn pause(&self, queues: &[QueueName]) -> Result<(), QueueError>;

    /// Deletes READY messages that every lane is done with. Returns how many.
    async fn trim(&self) -> Result<u64, QueueError>;
}

/// Compare-and-set on the leadership key. Never trusts a plain read.
#[async_trait]
pub trait LeaseStore: Send + Sync + 'static {
    /// Tries to take the free key. `None` if somebody holds it.
    async fn acquire(&self, info: &LeaderInfo, ttl: Duration) -> Result<Option<Lease>, QueueError>;

    /// Extends a held lease; `revision` is that of the last successful write, and the new one is returned.
    async fn renew(&self, revision: u64, info: &LeaderInfo, ttl: Duration) -> Result<u64, QueueError>;

    /// Gives it up, so that others need not wait for the TTL.
    async fn resign(&self, revision: u64) -> Result<(), QueueError>;

    /// Who holds it, by a read of the stream's leader.
    async fn holder(&self) -> Result<Option<LeaderInfo>, QueueError>;

    /// Waits until the key has probably become free (a marker or a deletion), or `at_most`.
    async fn freed(&self, at_most: Duration);
}

/// Modules by digest in the object store: a cache of what the database records.
#[async_trait]
pub trait ModuleCache: Send + Sync + 'static {
    /// Stores both parts. Idempotent.
    async fn put(&self, module: &ModuleRef, manifest: &Manifest, wasm: Bytes) -> Result<(), QueueError>;

    /// The manifest of a module. On a miss, asks the control plane to store the module (`control` request) and tries again.
    async fn manifest(&self, module: &ModuleRef) -> Result<Manifest, QueueError>;

    /// The wasm of a module, which has its digest. On a miss as above.
    async fn wasm(&self, module: &ModuleRef) -> Result<Bytes, QueueError>;

    /// Stores an archive of assets, before the module whose manifest names it. Idempotent.
    async fn put_assets(&self, digest: BlobDigest, archive: Bytes) -> Result<(), QueueError>;

    /// The archive that a module's manifest names. On a miss as above. What comes out has
    /// this digest.
    async fn assets(&self, module: &ModuleRef, digest: BlobDigest) -> Result<Bytes, QueueError>;

    /// Requests of hosts for modules that are missing, to be answered with [`ModuleCache::put`]; competing among API processes.
    async fn wanted(&self) -> Result<Box<dyn WantedModules>, QueueError>;
}

/// A stream of requests for modules.
#[async_trait]
pub trait WantedModules: Send + 'static {
    /// The next request; `None` when the connection is closed.
    async fn next(&mut self) -> Option<ModuleRef>;

    /// Tells the newest requester that it can try again.
    async fn done(&mut self);
}

/// Who is alive.
#[async_trait]
pub trait HostRegistry: Send + Sync + 'static {
    /// Says that this host lives. Forgotten by itself when beats stop.
    async fn beat(&self, info: &HostInfo) -> Result<(), QueueError>;

    /// Removes this host.
    async fn leave(&self, info: &HostInfo) -> Result<(), QueueError>;

    /// Everyone whose beats have not stopped.
    async fn hosts(&self) -> Result<Vec<HostInfo>, QueueError>;
}

/// Best-effort messages between processes; everyone can live without them, only slower.
#[async_trait]
pub trait Control: Send + Sync + 'static {
    /// Tells hosts to stop these tasks' guests.
    async fn cancel(&self, tasks: &[TaskId]) -> Result<(), QueueError>;

    /// Tasks that hosts shall stop.
    async fn cancels(&self) -> Result<live::Receiver<TaskId>, QueueError>;

    /// Tells one host what an operator wants of it.
    async fn order_host(&self, order: HostOrder) -> Result<(), QueueError>;

    /// What operators want of hosts; each looks for its own.
    async fn host_orders(&self) -> Result<live::Receiver<HostOrder>, QueueError>;

    /// Tells the leader that something is due at `at`, perhaps sooner than it knows.
    async fn nudge_due(&self, at: Timestamp) -> Result<(), QueueError>;

    /// Nudges for the leader.
    async fn due_nudges(&self) -> Result<live::Receiver<Timestamp>, QueueError>;

    /// Tells the leader that held tasks may go now.
    async fn nudge_admit(&self) -> Result<(), QueueError>;

    /// Nudges for the leader's admit loop.
    async fn admit_nudges(&self) -> Result<live::Receiver<()>, QueueError>;

    /// Tells everyone what was settled: one message for a batch.
    async fn announce(&self, tasks: &[TaskNews]) -> Result<(), QueueError>;

    /// What others announce.
    async fn news(&self) -> Result<live::Receiver<Vec<TaskNews>>, QueueError>;

    /// Asks the hosts what a guest that runs has said; `None` when none that runs it answers within a moment.
    async fn ask_log(&self, question: &LogQuestion) -> Result<Option<LogPiece>, QueueError>;

    /// Questions for hosts.
    async fn log_questions(&self) -> Result<live::Receiver<Asked>, QueueError>;
}

/// A change of a task's state, for waiters and live views.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TaskNews {
    /// Which task.
    pub task: TaskId,
    /// Where it stands now.
    pub state: StateKind,
    /// Its queue.
    pub queue: QueueName,
    /// Its module.
    pub module: ModuleName,
    /// How long its guest ran, in microseconds, if it did and has ended; of news that came together, their mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_us: Option<u64>,
}

impl From<&SettledTask> for TaskNews {
    fn from(task: &SettledTask) -> Self {
        Self {
            task: task.id,
            state: task.state,
            queue: task.queue.clone(),
            module: task.module.clone(),
            wall_us: task.wall_us,
        }
    }
}

/// Streams without naming a runtime: `domain` knows no driver.
pub mod live {
    use async_trait::async_trait;

    /// A live subscription. Slow readers lose the oldest items; nothing here is the truth.
    pub type Receiver<T> = Box<dyn Subscription<T>>;

    /// One live subscription.
    #[async_trait]
    pub trait Subscription<T>: Send + 'static {
        /// The next item; `None` when the connection is closed for good.
        async fn next(&mut self) -> Option<T>;
    }
}

/// Looks at uploaded bytes before anything is stored.
#[async_trait]
pub trait ModuleInspector: Send + Sync + 'static {
    /// Validates `wasm` and tells its kind.
    async fn inspect(&self, wasm: Bytes) -> Result<ModuleKind, InspectError>;

    /// The manifest that `wasm` carries in its custom section [`crate::module::MANIFEST_SECTION`], as it was written there.
    async fn embedded_manifest(&self, wasm: Bytes) -> Result<Option<Bytes>, InspectError>;

    /// What `wasm` needs of the host and offers to it, by name.
    async fn surface(&self, wasm: Bytes) -> Result<Surface, InspectError>;
}

/// The names on the outside of a module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surface {
    /// Interfaces of a component; `module.name` of a core module.
    pub imports: Vec<String>,
    /// Likewise.
    pub exports: Vec<String>,
}

/// Why uploaded bytes are not a module that can run here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// Not valid wasm, or with features that are switched off.
    #[error("the bytes are not a valid WebAssembly module: {0}")]
    Invalid(String),
    /// Valid, but neither a component of world `tasklane:task/task` nor a WASI command.
    #[error("the module is neither a tasklane:task component nor a WASI command: {0}")]
    WrongWorld(String),
    /// It asks for imports that are not offered.
    #[error("the module imports what is not offered: {}", .0.join(", "))]
    UnlistedImports(Vec<String>),
    /// Larger than the inspector's own caps on functions, types or nesting.
    #[error("the module is over a limit: {0}")]
    TooLarge(String),
    /// The compiler did not take it, or was ended by one of its limits.
    #[error("the module could not be compiled: {0}")]
    NotCompiled(String),
}
