//! Group commit: one loop owns the write connection; everything that waited during the last commit goes into the next.
//!
//! Used by both databases through [`Backend`]. Guarantees: an operation is answered only after the commit of its transaction. Which go first,
//! and how many share a transaction, is up to [`Queues`]; submits and settles of one step of a transaction are merged. If a transaction
//! fails as a whole, each of its operations is tried once more alone, so that one cannot hurt its neighbours.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use tasklane_domain::access::AuditEntry;
use tasklane_domain::blob::{Finished, SweepPlan, Swept, UploadId, Verified};
use tasklane_domain::error::StoreError;
use tasklane_domain::flow::{Admitted, ModuleFlow, Pass, QueueChange, QueueRule};
use tasklane_domain::kv::Written;
use tasklane_domain::namespace::Quotas;
use tasklane_domain::operation::{Operation, Step};
use tasklane_domain::ports::{Cancelled, Deployed, Expired, Promoted, SettleAnswer};
use tasklane_domain::quarantine::Death;
use tasklane_domain::release::{Alias, AliasChange, Availability};
use tasklane_domain::retention::{Kind, Leftover, REMOVAL_ROWS_MAX, Removal, Rule, Scope};
use tasklane_domain::schedule::{Activity, Fire, Fired, Schedule};
use tasklane_domain::secret::SecretInfo;
use tasklane_domain::task::{NewTask, SubmitAnswer};
use tasklane_domain::webhook::{Delivery, EventId, Housekeeping, Replayed, Secret, Standing, Tried, Webhook};
use tasklane_domain::{
    AliasName, Lane, Lease, ModuleName, ModuleRecord, ModuleRef, ModuleVersion, Namespace, QueueName, Report,
    ScheduleName, TaskId, Term, Timestamp, WebhookName, WorkOrder,
};
use tokio::sync::oneshot;

use crate::commits::Commits;
use crate::ops::{KvWrite, SecretChange, TokenChange};
use crate::queues::{Asking, FEW_MAX, Intake, Queues, Waiting, queues};
use crate::stretch::Stretch;

/// Rows that a chunk of a blob counts as, so that at most four share a transaction: each is as many bytes as many rows.
const ROWS_OF_A_CHUNK: usize = 1_000;

/// PostgreSQL's codes for a deadlock and a failed serialization (its manual, appendix A).
const COLLISIONS: [&str; 2] = ["40P01", "40001"];
/// How often one operation may collide.
const COLLISIONS_MAX: u32 = 5;

/// Rows of an operation that reads a whole table's leftovers: as many as a transaction takes in.
const ROWS_OF_ALL: usize = 1_000;

/// What can be asked of the writer.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Submit(Arc<Vec<NewTask>>),
    Settle(Arc<Vec<Report>>, Timestamp),
    Cancel(TaskId, Timestamp),
    Reschedule(TaskId, Timestamp),
    BeginOperation(Arc<Operation>),
    StepOperation(Term, Timestamp, u32),
    CreateSchedule(Arc<Schedule>),
    ReplaceSchedule(Arc<Schedule>),
    RemoveSchedule(ScheduleName),
    SetActivity(ScheduleName, Activity, Option<Timestamp>),
    NoteTask(ScheduleName, TaskId),
    Fire(Term, Arc<Fire>, Timestamp),
    /// With the archive of its assets.
    Deploy(Arc<ModuleRecord>, Bytes, Option<Bytes>),
    ChangeAlias(ModuleName, AliasName, AliasChange, Timestamp),
    Switch(ModuleName, ModuleVersion, Availability, Timestamp),
    DeleteModule(ModuleName, ModuleVersion, Option<String>, Timestamp),
    Died(Arc<Vec<Death>>, Timestamp),
    ReleaseModule(ModuleName, ModuleVersion, Timestamp),
    OpenTerm(Lease),
    PromoteDue(Term, Timestamp, u32, Stretch),
    Expire(Term, Timestamp, u32),
    Redispatch(Term, Arc<Vec<(Lane, Timestamp)>>, Timestamp, u32),
    SetRule(Scope, Option<Rule>),
    Remove(Term, Kind, Arc<Vec<TaskId>>),
    Purge(Term, Leftover, Timestamp),
    ChangeQueue(QueueName, QueueChange, Timestamp),
    SetModuleFlow(ModuleName, Option<ModuleFlow>),
    Admit(Term, Arc<Pass>),
    AppendBlob(UploadId, u32, Bytes, Timestamp),
    FinishBlob(UploadId, Verified, Timestamp),
    AbandonBlob(UploadId),
    SweepBlobs(Term, SweepPlan),
    CreateWebhook(Arc<Webhook>),
    RemoveWebhook(WebhookName),
    SetStanding(WebhookName, Standing),
    RotateSecret(WebhookName, Secret, Timestamp),
    Enqueue(Arc<Delivery>),
    ReplayDelivery(WebhookName, EventId, Timestamp),
    RecordDeliveries(Term, Arc<Vec<Tried>>),
    AnnounceBatches(Term, Timestamp),
    KeepHouse(Term, Timestamp, u32),
    WriteKv(Arc<KvWrite>),
    SweepKv(Term, Timestamp, u32),
    ChangeSecret(Arc<SecretChange>),
    SetQuotas(Namespace, Option<Quotas>),
    ChangeTokens(Arc<TokenChange>),
    AppendAudit(Arc<[AuditEntry]>),
}

impl Op {
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Submit(tasks) => tasks.len(),
            Self::Settle(reports, _) => reports.len(),
            Self::PromoteDue(_, _, limit, _) | Self::Redispatch(_, _, _, limit) => {
                usize::try_from(*limit).unwrap_or(usize::MAX)
            }
            // Asked for each time something is due, and mostly there are none; but nobody waits for them.
            Self::Expire(..) => FEW_MAX + 1,
            Self::Admit(_, pass) => usize::try_from(pass.limit).unwrap_or(usize::MAX),
            Self::AppendBlob(..) => ROWS_OF_A_CHUNK,
            Self::SweepBlobs(_, plan) => usize::try_from(plan.limit).unwrap_or(usize::MAX),
            Self::FinishBlob(..) | Self::AbandonBlob(_) => 1,
            Self::StepOperation(_, _, limit) => usize::try_from(*limit).unwrap_or(usize::MAX),
            Self::Remove(_, _, tasks) => tasks.len(),
            Self::Purge(..) => usize::try_from(REMOVAL_ROWS_MAX).unwrap_or(usize::MAX),
            Self::RecordDeliveries(_, all) => all.len(),
            Self::Died(deaths, _) => deaths.iter().map(|death| death.modules.len()).sum(),
            Self::WriteKv(write) => write.rows(),
            Self::SweepKv(_, _, limit) => usize::try_from(*limit).unwrap_or(usize::MAX),
            Self::ChangeSecret(_) | Self::ChangeTokens(_) => 1,
            Self::AppendAudit(entries) => entries.len(),
            Self::AnnounceBatches(..) | Self::KeepHouse(..) => ROWS_OF_ALL,
            Self::Cancel(..)
            | Self::Reschedule(..)
            | Self::BeginOperation(_)
            | Self::CreateSchedule(_)
            | Self::ReplaceSchedule(_)
            | Self::RemoveSchedule(_)
            | Self::SetActivity(..)
            | Self::NoteTask(..)
            | Self::Fire(..)
            | Self::SetRule(..)
            | Self::Deploy(..)
            | Self::ChangeAlias(..)
            | Self::Switch(..)
            | Self::DeleteModule(..)
            | Self::ReleaseModule(..)
            | Self::ChangeQueue(..)
            | Self::SetModuleFlow(..)
            | Self::OpenTerm(_)
            | Self::CreateWebhook(_)
            | Self::RemoveWebhook(_)
            | Self::SetStanding(..)
            | Self::RotateSecret(..)
            | Self::Enqueue(_)
            | Self::ReplayDelivery(..)
            | Self::SetQuotas(..) => 1,
        }
    }

    /// The same for at most so many rows, where whoever asked looks for himself what is left.
    pub(crate) fn shortened(self, rows_max: u32) -> Self {
        match self {
            Self::PromoteDue(term, now, limit, stretch) => Self::PromoteDue(term, now, limit.min(rows_max), stretch),
            other => other,
        }
    }
}

/// What it answers, in the same order.
pub(crate) enum Answer {
    Submitted(SubmitAnswer),
    Settled(SettleAnswer),
    Cancelled(Cancelled),
    Rescheduled,
    OperationBegun(Operation),
    OperationStep(Option<Step>),
    ScheduleCreated,
    /// Whether there was one.
    ScheduleChanged(bool),
    Fired(Fired),
    Deployed(Deployed),
    AliasChanged(Option<Alias>),
    ModuleChanged,
    /// What the deaths brought there.
    Quarantined(Vec<ModuleRef>),
    /// Whether it was quarantined.
    ModuleReleased(bool),
    Term(Term),
    Promoted(Promoted),
    Expired(Expired),
    Redispatched(Vec<WorkOrder>),
    /// Whether there was one.
    RuleSet(bool),
    Removed(Removal),
    Purged(u64),
    QueueChanged(QueueRule),
    ModuleFlowSet,
    Admitted(Admitted),
    BlobChanged,
    FinishedBlob(Finished),
    SweptBlobs(Swept),
    WebhookChanged(bool),
    Replayed(Replayed),
    BatchesAnnounced(usize),
    HouseKept(Housekeeping),
    KvWritten(Written),
    KvSwept(u64),
    /// Whatever it is about, if it was there.
    SecretChanged(Option<SecretInfo>),
    /// Whether there were some.
    QuotasSet(bool),
    /// Whether there was something to change.
    TokenChanged(bool),
    AuditAppended,
}

/// An operation's own failure, which leaves its neighbours alone, or its answer.
pub(crate) type Answered = Result<Answer, StoreError>;

/// A write connection.
#[async_trait]
pub(crate) trait Backend: Send + 'static {
    /// Waits until transactions of this connection have their turn: what comes meanwhile goes into the same transaction.
    async fn begin_turn(&mut self);

    /// Lets others have theirs.
    fn end_turn(&mut self);

    /// Applies all steps in one transaction and commits it: the answers, in their order. `Err` means that nothing of it happened.
    async fn transact(&mut self, steps: &mut dyn Steps) -> Result<Vec<Answered>, sqlx::Error>;
}

/// What a transaction does, which it learns while it is under way.
pub(crate) trait Steps: Send {
    /// The operations of the next step; none when it is time to commit. The first step has some.
    fn next(&mut self) -> &[Op];
}

/// The handle of the writer loop; clones share it. The loop ends when the last handle is dropped.
#[derive(Clone)]
pub(crate) struct Writer(Asking);

impl Writer {
    /// Starts the loop.
    pub(crate) fn start(backend: impl Backend, commits: Commits) -> Self {
        let (asking, queues) = queues();
        tokio::spawn(run(backend, queues, commits));
        Self(asking)
    }

    /// Waits until the operation is committed.
    pub(crate) async fn ask(&self, op: Op) -> Answered {
        let closed = || StoreError::Unavailable("the database writer has ended".into());
        let (answer, answered) = oneshot::channel();
        self.0.ask(Waiting { op, answer }).await.ok_or_else(closed)?;
        answered.await.map_err(|_| closed())?
    }
}

async fn run(mut backend: impl Backend, mut queues: Queues, commits: Commits) {
    while let Some(first) = queues.first().await {
        let begun = Instant::now();
        backend.begin_turn().await;
        let mut intake = Intake::new(&mut queues, first);
        let answers = backend.transact(&mut intake).await;
        let (ops, callers) = intake.end();
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => {
                commits.note_failure();
                one_by_one(&mut backend, &ops, error).await
            }
        };
        backend.end_turn();
        commits.note(begun.elapsed(), ops.len());
        for (caller, answer) in callers.into_iter().zip(answers) {
            // A caller that has gone away does not need to know.
            drop(caller.send(answer));
        }
    }
}

/// One operation alone.
struct Alone<'a>(&'a [Op]);

impl Steps for Alone<'_> {
    fn next(&mut self) -> &[Op] {
        std::mem::take(&mut self.0)
    }
}

/// Two processes that lock the same rows in another order make PostgreSQL end one of them: its turn comes again.
async fn patiently(backend: &mut impl Backend, op: &Op) -> Result<Vec<Answered>, sqlx::Error> {
    let op = std::slice::from_ref(op);
    let mut answers = backend.transact(&mut Alone(op)).await;
    for _ in 1..COLLISIONS_MAX {
        match &answers {
            Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| COLLISIONS.contains(&&*code)) => {}
            Ok(_) | Err(_) => break,
        }
        answers = backend.transact(&mut Alone(op)).await;
    }
    answers
}

async fn one_by_one(backend: &mut impl Backend, ops: &[Op], error: sqlx::Error) -> Vec<Answered> {
    let mut answers = Vec::with_capacity(ops.len());
    for op in ops {
        let alone = patiently(backend, op).await;
        answers.push(match alone {
            Ok(mut answer) => answer.pop().unwrap_or_else(|| Err(StoreError::Corrupt("no answer".to_owned()))),
            Err(error) => Err(crate::error::unavailable(error)),
        });
    }
    // Who asked for an operation that failed again says so; what went well alone would else leave no trace.
    let mended = answers.iter().filter(|answer| answer.is_ok()).count();
    if mended > 0 {
        tracing::warn!(%error, operations = ops.len(), mended, "a transaction failed; its operations were tried one by one");
    }
    answers
}
