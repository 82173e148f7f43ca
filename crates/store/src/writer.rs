//! Group commit: one loop owns the write connection; everything that waited during the last commit goes into the next.
//!
//! Used by both databases through [`Backend`]. Guarantees: an operation is answered only after the commit of its transaction. Operations of few
//! rows go before those of many, so that somebody's one task waits for the transaction under way and not for all that wait; among
//! each, they take effect in the order in which they came, except that submits and settles of one transaction are merged. One of many is in
//! every transaction while some wait. If a transaction fails as a whole, each of its operations is tried once more alone, so that one cannot
//! hurt its neighbours.

use std::sync::Arc;
use std::time::{Duration, Instant};

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
use tokio::sync::{mpsc, oneshot};

use crate::commits::Commits;
use crate::ops::{KvWrite, SecretChange, TokenChange};

/// Operations of each size that wait; a caller beyond that waits to be taken in.
const WAITING_MAX: usize = 8_192;
/// Rows after which a transaction takes in no further operation.
const ROWS_PER_TRANSACTION_MAX: usize = 1_000;
/// Rows of an operation of few.
const FEW: usize = 16;
/// Rows of operations of many that go into one transaction while operations of few come: whoever waits for one row waits for them.
const MANY_BESIDE_FEW: usize = 500;
/// How long after an operation of few another one is expected.
const FEW_EXPECTED: Duration = Duration::from_millis(200);

/// Rows that a chunk of a blob counts as, so that at most four share a transaction: each is as many bytes as many rows.
const ROWS_OF_A_CHUNK: usize = 1_000;

/// PostgreSQL's codes for a deadlock and a failed serialization (its manual, appendix A).
const COLLISIONS: [&str; 2] = ["40P01", "40001"];
/// How often one operation may collide.
const COLLISIONS_MAX: u32 = 5;

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
    PromoteDue(Term, Timestamp, u32),
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
    fn rows(&self) -> usize {
        match self {
            Self::Submit(tasks) => tasks.len(),
            Self::Settle(reports, _) => reports.len(),
            Self::PromoteDue(_, _, limit) | Self::Redispatch(_, _, _, limit) => {
                usize::try_from(*limit).unwrap_or(usize::MAX)
            }
            // Asked for each time something is due, and mostly there are none; but nobody waits for them.
            Self::Expire(..) => FEW + 1,
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
            Self::AnnounceBatches(..) | Self::KeepHouse(..) => ROWS_PER_TRANSACTION_MAX,
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

    /// Applies all in one transaction and commits it. `Err` means that nothing of it happened.
    async fn transact(&mut self, ops: &[Op]) -> Result<Vec<Answered>, sqlx::Error>;
}

struct Waiting {
    op: Op,
    answer: oneshot::Sender<Answered>,
}

/// The handle of the writer loop; clones share it. The loop ends when the last handle is dropped.
#[derive(Clone)]
pub(crate) struct Writer {
    few: mpsc::Sender<Waiting>,
    many: mpsc::Sender<Waiting>,
}

/// What waits, by size.
struct Queues {
    few: mpsc::Receiver<Waiting>,
    many: mpsc::Receiver<Waiting>,
    /// When the last operation of few came.
    few_came: Option<Instant>,
}

impl Writer {
    /// Starts the loop.
    pub(crate) fn start(backend: impl Backend, commits: Commits) -> Self {
        let ((few, fews), (many, manies)) = (mpsc::channel(WAITING_MAX), mpsc::channel(WAITING_MAX));
        tokio::spawn(run(backend, Queues { few: fews, many: manies, few_came: None }, commits));
        Self { few, many }
    }

    /// Waits until the operation is committed.
    pub(crate) async fn ask(&self, op: Op) -> Answered {
        let closed = || StoreError::Unavailable("the database writer has ended".into());
        let (answer, answered) = oneshot::channel();
        let queue = if op.rows() <= FEW { &self.few } else { &self.many };
        queue.send(Waiting { op, answer }).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

async fn run(mut backend: impl Backend, mut queues: Queues, commits: Commits) {
    while let Some(first) = queues.first().await {
        let begun = Instant::now();
        backend.begin_turn().await;
        let (ops, callers): (Vec<Op>, Vec<_>) =
            queues.gather(first).into_iter().map(|one| (one.op, one.answer)).unzip();
        let answers = match backend.transact(&ops).await {
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

impl Queues {
    /// The next operation; none when nobody can ask any more.
    async fn first(&mut self) -> Option<Waiting> {
        tokio::select! {
            biased;
            Some(one) = self.few.recv() => Some(one),
            Some(one) = self.many.recv() => Some(one),
            else => None,
        }
    }

    /// What goes into one transaction with the first: those of few rows, at least one of many, and as many more as there is room for.
    fn gather(&mut self, first: Waiting) -> Vec<Waiting> {
        let rows_of = |one: &Waiting| one.op.rows();
        let (mut few, mut many) = if rows_of(&first) <= FEW { (rows_of(&first), 0) } else { (0, rows_of(&first)) };
        let mut all = vec![first];
        while few + many < ROWS_PER_TRANSACTION_MAX
            && let Ok(next) = self.few.try_recv()
        {
            few += rows_of(&next);
            all.push(next);
        }
        let most = self.many_max(few > 0);
        while (few + many < ROWS_PER_TRANSACTION_MAX && many < most || many == 0)
            && let Ok(next) = self.many.try_recv()
        {
            many += rows_of(&next);
            all.push(next);
        }
        all
    }

    /// Rows of operations of many for the next transaction.
    fn many_max(&mut self, few_came: bool) -> usize {
        if few_came {
            self.few_came = Some(Instant::now());
        }
        let is_expected = self.few_came.is_some_and(|came| came.elapsed() < FEW_EXPECTED);
        if is_expected { MANY_BESIDE_FEW } else { ROWS_PER_TRANSACTION_MAX }
    }
}

/// Two processes that lock the same rows in another order make PostgreSQL end one of them: its turn comes again.
async fn patiently(backend: &mut impl Backend, ops: &[Op]) -> Result<Vec<Answered>, sqlx::Error> {
    let mut answers = backend.transact(ops).await;
    for _ in 1..COLLISIONS_MAX {
        match &answers {
            Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| COLLISIONS.contains(&&*code)) => {}
            Ok(_) | Err(_) => break,
        }
        answers = backend.transact(ops).await;
    }
    answers
}

async fn one_by_one(backend: &mut impl Backend, ops: &[Op], error: sqlx::Error) -> Vec<Answered> {
    let mut answers = Vec::with_capacity(ops.len());
    for op in ops {
        let alone = patiently(backend, std::slice::from_ref(op)).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// An operation that counts as so many rows.
    fn op(rows: usize) -> Op {
        Op::Remove(Term::new(1), Kind::Task, Arc::new(vec![TaskId::new(); rows]))
    }

    /// Queues in which operations of so many rows wait, in this order, as [`Writer::ask`] sorts them.
    fn queues(waiting: &[usize]) -> Queues {
        let ((few, fews), (many, manies)) = (mpsc::channel(WAITING_MAX), mpsc::channel(WAITING_MAX));
        for rows in waiting {
            let queue = if *rows <= FEW { &few } else { &many };
            queue.try_send(Waiting { op: op(*rows), answer: oneshot::channel().0 }).unwrap();
        }
        Queues { few: fews, many: manies, few_came: None }
    }

    /// The rows of each operation in each transaction.
    async fn transactions(waiting: &[usize]) -> Vec<Vec<usize>> {
        let (mut queues, mut all) = (queues(waiting), Vec::new());
        while let Some(first) = queues.first().await {
            all.push(queues.gather(first).iter().map(|one| one.op.rows()).collect());
        }
        all
    }

    #[tokio::test]
    async fn few_rows_pass_many() {
        let max = ROWS_PER_TRANSACTION_MAX;
        assert_eq!(transactions(&[max, max, 1, 2]).await, [vec![1, 2, max], vec![max]]);
        assert_eq!(transactions(&[100, 1, 200]).await, [[1, 100, 200]]);
        assert_eq!(transactions(&[300, 400, 500]).await, [vec![300, 400, 500]], "nobody waits for one row");
        let most = MANY_BESIDE_FEW;
        assert_eq!(transactions(&[most, 1, most]).await, [vec![1, most], vec![most]]);
    }

    #[tokio::test]
    async fn many_rows_have_a_place_in_every_transaction() {
        let few = vec![FEW; 3 * ROWS_PER_TRANSACTION_MAX / FEW];
        let all = transactions(&[few, vec![500, 600]].concat()).await;
        let many = |of: &Vec<usize>| of.iter().copied().filter(|rows| *rows > FEW).collect::<Vec<_>>();
        assert_eq!(all.iter().map(many).collect::<Vec<_>>(), [vec![500], vec![600], vec![]]);
        assert!(all.iter().all(|one| one.iter().sum::<usize>() < 2 * ROWS_PER_TRANSACTION_MAX));
    }

    #[tokio::test]
    async fn the_loop_ends_when_nobody_can_ask() {
        assert!(queues(&[]).first().await.is_none());
    }
}
