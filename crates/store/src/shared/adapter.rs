//! The ports, over writer loops and a pool of readers.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tasklane_domain::error::StoreError;
use tasklane_domain::flow::{Admitted, FlowRules, FlowStore, ModuleFlow, Pass, QueueChange, QueueRule};
use tasklane_domain::operation::{Operation, OperationStore, Step};
use tasklane_domain::ports::{
    Cancelled, Deployed, Expired, LeaderStore, ModuleStore, Promoted, SettleAnswer, TaskStore,
};
use tasklane_domain::query::{PageRequest, QueueDepth, Stats, TaskFilter, TaskPage};
use tasklane_domain::retention::{EndedTask, Kind, Leftover, Position, Removal, RetentionStore, Rule, Rules, Scope};
use tasklane_domain::schedule::{Activity, Fire, Fired, Firing, Schedule, ScheduleStore};
use tasklane_domain::task::{AttemptRecord, Batch, Edge, NewTask, SubmitAnswer, Task, TaskLog, TaskResult};
use tasklane_domain::webhook::{
    Delivery, DeliveryPage, Due, EventId, Housekeeping, Replayed, Secret, Standing, Tried, Webhook, WebhookStore,
};
use tasklane_domain::{
    BatchId, BlobDigest, Lane, Lease, ModuleDigest, ModuleName, ModuleRecord, ModuleVersion, Namespace, OperationId,
    Payload, QueueName, Report, ScheduleName, TaskId, Term, Timestamp, WebhookName, WorkOrder,
};

use super::bounds::Bounds;
use super::{
    Db, WriteConnection, admit, assets, audit, blob_port, blob_sweep, cancel, flow, history, kv, leader, modules,
    namespaces, operations, outbox, promote, quarantine_port, read, release_port, retention, schedules, secrets,
    settle, submit, tokens, webhook_port, webhooks,
};
use crate::commits::Commits;
use crate::error::corrupt;
use crate::stretch::Stretch;
use crate::writer::{Answer, Answered, Backend, Op, Steps, Writer};

type Conn = <Db as sqlx::Database>::Connection;
type Pool = sqlx::Pool<Db>;

/// One open database.
pub(crate) struct Store {
    /// Of submits.
    pub(super) submits: Writer,
    /// Of everything else; the same one where the database has one writer.
    pub(super) writer: Writer,
    pub(super) readers: Pool,
    stretch: Stretch,
}

impl Store {
    /// With a connection that writes, and one for submits where they need not wait for others.
    pub(crate) fn start(
        connection: WriteConnection,
        submits: Option<WriteConnection>,
        readers: Pool,
        commits: Commits,
    ) -> Self {
        let writer = Writer::start(connection, commits.clone());
        let submits = submits.map_or_else(|| writer.clone(), |submits| Writer::start(submits, commits));
        Self { submits, writer, readers, stretch: Stretch::default() }
    }
}

#[async_trait]
impl Backend for WriteConnection {
    async fn begin_turn(&mut self) {
        WriteConnection::begin_turn(self).await;
    }

    fn end_turn(&mut self) {
        WriteConnection::end_turn(self);
    }

    async fn transact(&mut self, steps: &mut dyn Steps) -> Result<Vec<Answered>, sqlx::Error> {
        let conn = self.get().await?;
        let answers = transaction(conn, steps).await.map_err(driver_error);
        if answers.is_err() {
            self.recover().await;
        }
        answers
    }
}

async fn transaction(conn: &mut Conn, steps: &mut dyn Steps) -> Result<Vec<Answered>, StoreError> {
    let ops = steps.next();
    let mut bounds = Bounds::new(ops.iter().all(|op| matches!(op, Op::Submit(_))));
    let mut answers = apply(conn, &mut bounds, ops).await?;
    while bounds.is_open() {
        let ops = steps.next();
        if ops.is_empty() {
            bounds.commit(conn).await?;
        } else {
            answers.extend(apply(conn, &mut bounds, ops).await?);
        }
    }
    Ok(answers)
}

/// The driver's own error, where there is one: the writer looks at its code.
fn driver_error(error: StoreError) -> sqlx::Error {
    match error {
        StoreError::Unavailable(source) => match source.downcast::<sqlx::Error>() {
            Ok(driver) => *driver,
            Err(other) => sqlx::Error::Protocol(chain(other.as_ref())),
        },
        other => sqlx::Error::Protocol(chain(&other)),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// One step: all submits first and together, then all settles together, then the rest in order.
async fn apply(conn: &mut Conn, bounds: &mut Bounds, ops: &[Op]) -> Result<Vec<Answered>, StoreError> {
    let submits: Vec<&[NewTask]> =
        ops.iter().filter_map(|op| if let Op::Submit(tasks) = op { Some(tasks.as_slice()) } else { None }).collect();
    let mut submitted = submit::submit(conn, bounds, &submits).await?.into_iter();
    let reports: Vec<settle::Asked<'_>> = ops
        .iter()
        .filter_map(|op| if let Op::Settle(all, now) = op { Some((all.as_slice(), *now)) } else { None })
        .collect();
    let settle::Settled { answers, quiet } = settle::settle(conn, bounds, &reports).await?;
    bounds.begin(conn).await?;
    let mut settled = answers.into_iter();
    let mut answers = Vec::with_capacity(ops.len());
    for op in ops {
        let answer = match op {
            Op::Submit(_) => {
                let answer = submitted.next().ok_or_else(|| corrupt("submit", "an answer is missing"))?;
                answer.map(Answer::Submitted)
            }
            Op::Settle(..) => {
                Ok(Answer::Settled(settled.next().ok_or_else(|| corrupt("settle", "an answer is missing"))?))
            }
            other => apply_one(conn, other).await?,
        };
        answers.push(answer);
    }
    let is_to_be_noted = |op: &Op| !(quiet && matches!(op, Op::Settle(..)));
    let noted = ops.iter().zip(&answers).filter(|(op, _)| is_to_be_noted(op)).map(|(_, answer)| answer);
    outbox::note(conn, noted).await?;
    Ok(answers)
}

/// What only the leader of this term may do.
macro_rules! led {
    ($conn:ident, $term:ident, $answer:expr) => {
        match leader::check($conn, *$term).await? {
            Ok(()) => Ok($answer),
            Err(stale) => Err(stale),
        }
    };
}

async fn apply_one(conn: &mut Conn, op: &Op) -> Result<Answered, StoreError> {
    Ok(match op {
        Op::Submit(_) | Op::Settle(..) => Err(corrupt("writer", "was applied before")),
        Op::Cancel(id, now) => cancel::cancel(conn, *id, *now).await?.map(Answer::Cancelled),
        Op::Reschedule(id, due) => cancel::reschedule(conn, *id, *due).await?.map(|()| Answer::Rescheduled),
        Op::BeginOperation(operation) => Ok(Answer::OperationBegun(operations::begin(conn, operation).await?)),
        Op::StepOperation(term, now, limit) => {
            led!(conn, term, Answer::OperationStep(operations::step(conn, *now, *limit).await?))
        }
        Op::ReplaceSchedule(schedule) => Ok(Answer::ScheduleChanged(schedules::replace(conn, schedule).await?)),
        Op::CreateSchedule(schedule) => schedules::create(conn, schedule).await?.map(|()| Answer::ScheduleCreated),
        Op::RemoveSchedule(name) => Ok(Answer::ScheduleChanged(schedules::remove(conn, name).await?)),
        Op::SetActivity(name, activity, next_at) => {
            Ok(Answer::ScheduleChanged(schedules::set_activity(conn, name, *activity, *next_at).await?))
        }
        Op::NoteTask(name, task) => Ok(Answer::ScheduleChanged(schedules::note_task(conn, name, *task).await?)),
        Op::Fire(term, fire, now) => led!(conn, term, Answer::Fired(schedules::fire(conn, fire, *now).await?)),
        Op::Deploy(record, wasm, archive) => {
            modules::deploy(conn, record, wasm, archive.as_ref()).await?.map(Answer::Deployed)
        }
        Op::ChangeAlias(..) | Op::Switch(..) | Op::DeleteModule(..) => release_port::apply(conn, op).await?,
        Op::Died(..) | Op::ReleaseModule(..) => quarantine_port::apply(conn, op).await?,
        Op::OpenTerm(lease) => leader::open_term(conn, *lease).await?.map(Answer::Term),
        Op::PromoteDue(term, now, limit, stretch) => {
            led!(conn, term, Answer::Promoted(promote::promote(conn, *now, *limit, stretch).await?))
        }
        Op::Expire(term, now, limit) => led!(conn, term, Answer::Expired(leader::expire(conn, *now, *limit).await?)),
        Op::ChangeQueue(queue, change, now) => {
            flow::change_queue(conn, queue, *change, *now).await?.map(Answer::QueueChanged)
        }
        Op::SetModuleFlow(module, rule) => {
            flow::set_module(conn, module, rule.as_ref()).await?.map(|()| Answer::ModuleFlowSet)
        }
        Op::Admit(term, pass) => led!(conn, term, Answer::Admitted(admit::admit(conn, pass).await?)),
        Op::Redispatch(term, watermarks, now, limit) => {
            led!(conn, term, Answer::Redispatched(leader::redispatch(conn, watermarks, *now, *limit).await?))
        }
        Op::SetRule(scope, rule) => retention::set_rule(conn, scope, rule.as_ref()).await?.map(Answer::RuleSet),
        Op::Remove(term, kind, tasks) => {
            led!(conn, term, Answer::Removed(retention::remove(conn, *kind, tasks).await?))
        }
        Op::Purge(term, leftover, before) => {
            led!(conn, term, Answer::Purged(retention::purge(conn, *leftover, *before).await?))
        }
        Op::CreateWebhook(_)
        | Op::RemoveWebhook(_)
        | Op::SetStanding(..)
        | Op::RotateSecret(..)
        | Op::Enqueue(_)
        | Op::ReplayDelivery(..) => webhook_port::apply(conn, op).await?,
        Op::RecordDeliveries(term, tried) => {
            led!(conn, term, Answer::WebhookChanged(webhooks::record(conn, tried).await.map(|()| true)?))
        }
        Op::AnnounceBatches(term, now) => {
            led!(conn, term, Answer::BatchesAnnounced(outbox::announce(conn, *now).await?))
        }
        Op::KeepHouse(term, now, waiting_max) => {
            led!(conn, term, Answer::HouseKept(outbox::keep_house(conn, *now, *waiting_max).await?))
        }
        Op::AppendBlob(..) | Op::FinishBlob(..) | Op::AbandonBlob(_) => blob_port::apply(conn, op).await?,
        Op::WriteKv(write) => kv::apply(conn, write).await?.map(Answer::KvWritten),
        Op::SweepKv(term, now, limit) => led!(conn, term, Answer::KvSwept(kv::sweep(conn, *now, *limit).await?)),
        Op::SetQuotas(of, quotas) => namespaces::set(conn, of, quotas.as_ref()).await?.map(Answer::QuotasSet),
        Op::ChangeSecret(change) => secrets::change(conn, change).await?.map(Answer::SecretChanged),
        Op::ChangeTokens(change) => tokens::change(conn, change).await?.map(Answer::TokenChanged),
        Op::AppendAudit(entries) => Ok(audit::append(conn, entries).await.map(|()| Answer::AuditAppended)?),
        Op::SweepBlobs(term, plan) => led!(conn, term, Answer::SweptBlobs(blob_sweep::sweep(conn, *plan).await?)),
    })
}

pub(super) fn unexpected<T>() -> Result<T, StoreError> {
    Err(corrupt("writer", "answered something else than was asked"))
}

#[async_trait]
impl TaskStore for Store {
    async fn submit(&self, tasks: Vec<NewTask>) -> Result<SubmitAnswer, StoreError> {
        if let Answer::Submitted(answer) = self.submits.ask(Op::Submit(Arc::new(tasks))).await? {
            return Ok(answer);
        }
        unexpected()
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        read::task(&self.readers, id).await
    }

    async fn payload(&self, id: TaskId) -> Result<Option<Payload>, StoreError> {
        read::payload(&self.readers, id).await
    }

    async fn result(&self, id: TaskId) -> Result<Option<TaskResult>, StoreError> {
        read::result(&self.readers, id).await
    }

    async fn log(&self, id: TaskId) -> Result<Option<TaskLog>, StoreError> {
        read::log(&self.readers, id).await
    }

    async fn list(&self, filter: &TaskFilter, page: PageRequest) -> Result<TaskPage, StoreError> {
        read::list(&self.readers, filter, page).await
    }

    async fn attempts(&self, id: TaskId) -> Result<Option<Vec<AttemptRecord>>, StoreError> {
        history::attempts(&self.readers, id).await
    }

    async fn batch(&self, id: BatchId) -> Result<Option<Batch>, StoreError> {
        history::batch(&self.readers, id).await
    }

    async fn batches(
        &self,
        namespace: Option<&Namespace>,
        before: Option<BatchId>,
        limit: u32,
    ) -> Result<Vec<Batch>, StoreError> {
        history::batches(&self.readers, namespace, before, limit).await
    }

    async fn edges(&self, id: BatchId, limit: u32) -> Result<Vec<Edge>, StoreError> {
        history::edges(&self.readers, id, limit).await
    }

    async fn dependencies(&self, id: TaskId, limit: u32) -> Result<Vec<TaskId>, StoreError> {
        history::dependencies(&self.readers, id, limit).await
    }

    async fn reschedule(&self, id: TaskId, due: Timestamp) -> Result<(), StoreError> {
        if let Answer::Rescheduled = self.writer.ask(Op::Reschedule(id, due)).await? {
            return Ok(());
        }
        unexpected()
    }

    async fn cancel(&self, id: TaskId, now: Timestamp) -> Result<Cancelled, StoreError> {
        if let Answer::Cancelled(cancelled) = self.writer.ask(Op::Cancel(id, now)).await? {
            return Ok(cancelled);
        }
        unexpected()
    }

    async fn settle(&self, reports: Vec<Report>, now: Timestamp) -> Result<SettleAnswer, StoreError> {
        if let Answer::Settled(answer) = self.writer.ask(Op::Settle(Arc::new(reports), now)).await? {
            return Ok(answer);
        }
        unexpected()
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        read::stats(&self.readers).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        read::ping(&self.readers).await
    }
}

#[async_trait]
impl OperationStore for Store {
    async fn begin(&self, operation: Operation) -> Result<Operation, StoreError> {
        if let Answer::OperationBegun(operation) = self.writer.ask(Op::BeginOperation(Arc::new(operation))).await? {
            return Ok(operation);
        }
        unexpected()
    }

    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        operations::operation(&self.readers, id).await
    }

    async fn operations(&self) -> Result<Vec<Operation>, StoreError> {
        operations::operations(&self.readers).await
    }

    async fn step(&self, term: Term, now: Timestamp, limit: u32) -> Result<Option<Step>, StoreError> {
        if let Answer::OperationStep(step) = self.writer.ask(Op::StepOperation(term, now, limit)).await? {
            return Ok(step);
        }
        unexpected()
    }
}

#[async_trait]
impl ScheduleStore for Store {
    async fn create(&self, schedule: Schedule) -> Result<(), StoreError> {
        if let Answer::ScheduleCreated = self.writer.ask(Op::CreateSchedule(Arc::new(schedule))).await? {
            return Ok(());
        }
        unexpected()
    }

    async fn schedule(&self, name: &ScheduleName) -> Result<Option<Schedule>, StoreError> {
        schedules::schedule(&self.readers, name).await
    }

    async fn schedules(&self) -> Result<Vec<Schedule>, StoreError> {
        schedules::schedules(&self.readers).await
    }

    async fn firings(&self, name: &ScheduleName, limit: u32) -> Result<Vec<Firing>, StoreError> {
        schedules::firings(&self.readers, name, limit).await
    }

    async fn replace(&self, schedule: Schedule) -> Result<bool, StoreError> {
        self.change_schedule(Op::ReplaceSchedule(Arc::new(schedule))).await
    }

    async fn remove(&self, name: &ScheduleName) -> Result<bool, StoreError> {
        self.change_schedule(Op::RemoveSchedule(name.clone())).await
    }

    async fn set_activity(
        &self,
        name: &ScheduleName,
        activity: Activity,
        next_at: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        self.change_schedule(Op::SetActivity(name.clone(), activity, next_at)).await
    }

    async fn note_task(&self, name: &ScheduleName, task: TaskId) -> Result<(), StoreError> {
        self.change_schedule(Op::NoteTask(name.clone(), task)).await.map(drop)
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<(Vec<Schedule>, Option<Timestamp>), StoreError> {
        schedules::due(&self.readers, now, limit).await
    }

    async fn fire(&self, term: Term, fire: Fire, now: Timestamp) -> Result<Fired, StoreError> {
        if let Answer::Fired(fired) = self.writer.ask(Op::Fire(term, Arc::new(fire), now)).await? {
            return Ok(fired);
        }
        unexpected()
    }
}

impl Store {
    async fn change_schedule(&self, op: Op) -> Result<bool, StoreError> {
        if let Answer::ScheduleChanged(there) = self.writer.ask(op).await? {
            return Ok(there);
        }
        unexpected()
    }
}

#[async_trait]
impl FlowStore for Store {
    async fn rules(&self) -> Result<FlowRules, StoreError> {
        flow::rules(&self.readers).await
    }

    async fn change_queue(
        &self,
        queue: QueueName,
        change: QueueChange,
        now: Timestamp,
    ) -> Result<QueueRule, StoreError> {
        if let Answer::QueueChanged(rule) = self.writer.ask(Op::ChangeQueue(queue, change, now)).await? {
            return Ok(rule);
        }
        unexpected()
    }

    async fn set_module(&self, module: ModuleName, rule: Option<ModuleFlow>) -> Result<(), StoreError> {
        if let Answer::ModuleFlowSet = self.writer.ask(Op::SetModuleFlow(module, rule)).await? {
            return Ok(());
        }
        unexpected()
    }

    async fn queues(&self) -> Result<Vec<QueueDepth>, StoreError> {
        flow::queues(&self.readers).await
    }

    async fn admit(&self, term: Term, pass: Pass) -> Result<Admitted, StoreError> {
        if let Answer::Admitted(admitted) = self.writer.ask(Op::Admit(term, Arc::new(pass))).await? {
            return Ok(admitted);
        }
        unexpected()
    }
}

#[async_trait]
impl WebhookStore for Store {
    async fn create(&self, webhook: Webhook) -> Result<(), StoreError> {
        self.change_webhook(Op::CreateWebhook(Arc::new(webhook))).await.map(drop)
    }

    async fn webhook(&self, name: &WebhookName) -> Result<Option<Webhook>, StoreError> {
        webhooks::webhook(&self.readers, name).await
    }

    async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        webhooks::webhooks(&self.readers).await
    }

    async fn remove(&self, name: &WebhookName) -> Result<bool, StoreError> {
        self.change_webhook(Op::RemoveWebhook(name.clone())).await
    }

    async fn set_standing(&self, name: &WebhookName, standing: Standing) -> Result<bool, StoreError> {
        self.change_webhook(Op::SetStanding(name.clone(), standing)).await
    }

    async fn rotate(&self, name: &WebhookName, secret: Secret, until: Timestamp) -> Result<bool, StoreError> {
        self.change_webhook(Op::RotateSecret(name.clone(), secret, until)).await
    }

    async fn enqueue(&self, delivery: Delivery) -> Result<(), StoreError> {
        self.change_webhook(Op::Enqueue(Arc::new(delivery))).await.map(drop)
    }

    async fn deliveries(&self, name: &WebhookName, page: DeliveryPage) -> Result<Vec<Delivery>, StoreError> {
        webhooks::deliveries(&self.readers, name, &page).await
    }

    async fn delivery(&self, name: &WebhookName, event: &EventId) -> Result<Option<Delivery>, StoreError> {
        webhooks::delivery(&self.readers, name, event).await
    }

    async fn replay(&self, name: &WebhookName, event: &EventId, now: Timestamp) -> Result<Replayed, StoreError> {
        let op = Op::ReplayDelivery(name.clone(), event.clone(), now);
        if let Answer::Replayed(replayed) = self.writer.ask(op).await? {
            return Ok(replayed);
        }
        unexpected()
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Due, StoreError> {
        webhooks::due(&self.readers, now, limit).await
    }

    async fn record(&self, term: Term, tried: Vec<Tried>) -> Result<(), StoreError> {
        self.change_webhook(Op::RecordDeliveries(term, Arc::new(tried))).await.map(drop)
    }

    async fn announce_batches(&self, term: Term, now: Timestamp) -> Result<usize, StoreError> {
        if let Answer::BatchesAnnounced(count) = self.writer.ask(Op::AnnounceBatches(term, now)).await? {
            return Ok(count);
        }
        unexpected()
    }

    async fn keep_house(&self, term: Term, now: Timestamp, waiting_max: u32) -> Result<Housekeeping, StoreError> {
        if let Answer::HouseKept(kept) = self.writer.ask(Op::KeepHouse(term, now, waiting_max)).await? {
            return Ok(kept);
        }
        unexpected()
    }
}

impl Store {
    async fn change_webhook(&self, op: Op) -> Result<bool, StoreError> {
        if let Answer::WebhookChanged(there) = self.writer.ask(op).await? {
            return Ok(there);
        }
        unexpected()
    }
}

#[async_trait]
impl ModuleStore for Store {
    async fn deploy_with(
        &self,
        record: ModuleRecord,
        wasm: Bytes,
        assets: Option<Bytes>,
    ) -> Result<Deployed, StoreError> {
        if let Answer::Deployed(answer) = self.writer.ask(Op::Deploy(Arc::new(record), wasm, assets)).await? {
            return Ok(answer);
        }
        unexpected()
    }

    async fn module(
        &self,
        name: &ModuleName,
        version: Option<&ModuleVersion>,
    ) -> Result<Option<ModuleRecord>, StoreError> {
        modules::module(&self.readers, name, version).await
    }

    async fn modules(&self, name: Option<&ModuleName>) -> Result<Vec<ModuleRecord>, StoreError> {
        modules::modules(&self.readers, name).await
    }

    async fn wasm(&self, digest: ModuleDigest) -> Result<Option<Bytes>, StoreError> {
        modules::wasm(&self.readers, digest).await
    }

    async fn assets(&self, digest: BlobDigest) -> Result<Option<Bytes>, StoreError> {
        assets::read(&self.readers, digest).await
    }
}

#[async_trait]
impl LeaderStore for Store {
    async fn open_term(&self, lease: Lease) -> Result<Term, StoreError> {
        if let Answer::Term(term) = self.writer.ask(Op::OpenTerm(lease)).await? {
            return Ok(term);
        }
        unexpected()
    }

    async fn promote_due(&self, term: Term, now: Timestamp, limit: u32) -> Result<Promoted, StoreError> {
        let op = Op::PromoteDue(term, now, limit, self.stretch.clone());
        if let Answer::Promoted(answer) = self.writer.ask(op).await? {
            return Ok(answer);
        }
        unexpected()
    }

    async fn expire(&self, term: Term, now: Timestamp, limit: u32) -> Result<Expired, StoreError> {
        if let Answer::Expired(answer) = self.writer.ask(Op::Expire(term, now, limit)).await? {
            return Ok(answer);
        }
        unexpected()
    }

    async fn redispatch(
        &self,
        term: Term,
        watermarks: &[(Lane, Timestamp)],
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<WorkOrder>, StoreError> {
        let op = Op::Redispatch(term, Arc::new(watermarks.to_vec()), now, limit);
        if let Answer::Redispatched(answer) = self.writer.ask(op).await? {
            return Ok(answer);
        }
        unexpected()
    }
}

#[async_trait]
impl RetentionStore for Store {
    async fn rules(&self) -> Result<Rules, StoreError> {
        retention::rules(&self.readers).await
    }

    async fn set_rule(&self, scope: Scope, rule: Option<Rule>) -> Result<bool, StoreError> {
        if let Answer::RuleSet(there) = self.writer.ask(Op::SetRule(scope, rule)).await? {
            return Ok(there);
        }
        unexpected()
    }

    async fn ended(&self, after: Position, until: Timestamp) -> Result<Vec<EndedTask>, StoreError> {
        retention::ended(&self.readers, after, until).await
    }

    async fn remove(&self, term: Term, kind: Kind, tasks: Vec<TaskId>) -> Result<Removal, StoreError> {
        if let Answer::Removed(removal) = self.writer.ask(Op::Remove(term, kind, Arc::new(tasks))).await? {
            return Ok(removal);
        }
        unexpected()
    }

    async fn purge(&self, term: Term, leftover: Leftover, before: Timestamp) -> Result<u64, StoreError> {
        if let Answer::Purged(count) = self.writer.ask(Op::Purge(term, leftover, before)).await? {
            return Ok(count);
        }
        unexpected()
    }
}
