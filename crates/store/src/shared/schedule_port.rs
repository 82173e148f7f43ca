//! The port of schedules: writes through the writer loop, reads on the readers' pool.

use std::sync::Arc;

use async_trait::async_trait;
use tasklane_domain::error::StoreError;
use tasklane_domain::schedule::{DueSchedules, Fired, Firing, Schedule, ScheduleName, SchedulePlan, ScheduleStore};
use tasklane_domain::{NewTask, Payload, Term, Timestamp};

use super::adapter::Store;
use super::{Db, firings, leader, schedules};
use crate::error::corrupt;
use crate::writer::{Answer, Answered, Op, ScheduleAnswer, ScheduleOp};

type Conn = <Db as sqlx::Database>::Connection;

/// Carries one out, inside the writer's transaction.
pub(super) async fn apply(conn: &mut Conn, op: &ScheduleOp) -> Result<Answered, StoreError> {
    let done = match op {
        ScheduleOp::Create(schedule, payload) => schedules::create(conn, schedule, payload).await?,
        ScheduleOp::Update(schedule, payload) => schedules::update(conn, schedule, payload.as_ref()).await?,
        ScheduleOp::Delete(name) => schedules::delete(conn, name).await?,
        ScheduleOp::RunNow(name, task) => firings::run_now(conn, name, task).await?,
        ScheduleOp::Fire(term, plans, now) => match leader::check(conn, *term).await? {
            Ok(()) => {
                let fired = firings::fire(conn, plans, *now).await?;
                return Ok(Ok(Answer::Schedule(ScheduleAnswer::Fired(fired))));
            }
            Err(stale) => Err(stale),
        },
    };
    Ok(done.map(|()| Answer::Schedule(ScheduleAnswer::Done)))
}

impl Store {
    async fn schedule_op(&self, op: ScheduleOp) -> Result<ScheduleAnswer, StoreError> {
        if let Answer::Schedule(answer) = self.writer.ask(Op::Schedule(op)).await? {
            return Ok(answer);
        }
        Err(corrupt("writer", "answered something else than was asked"))
    }
}

#[async_trait]
impl ScheduleStore for Store {
    async fn create(&self, schedule: Schedule, payload: Payload) -> Result<(), StoreError> {
        self.schedule_op(ScheduleOp::Create(Arc::new(schedule), payload)).await.map(drop)
    }

    async fn update(&self, schedule: Schedule, payload: Option<Payload>) -> Result<(), StoreError> {
        self.schedule_op(ScheduleOp::Update(Arc::new(schedule), payload)).await.map(drop)
    }

    async fn delete(&self, name: ScheduleName) -> Result<(), StoreError> {
        self.schedule_op(ScheduleOp::Delete(name)).await.map(drop)
    }

    async fn run_now(&self, name: ScheduleName, task: NewTask) -> Result<(), StoreError> {
        self.schedule_op(ScheduleOp::RunNow(name, Arc::new(task))).await.map(drop)
    }

    async fn schedule(&self, name: &ScheduleName) -> Result<Option<Schedule>, StoreError> {
        schedules::schedule(&self.readers, name).await
    }

    async fn schedule_payload(&self, name: &ScheduleName) -> Result<Option<Payload>, StoreError> {
        schedules::payload(&self.readers, name).await
    }

    async fn schedules(&self, after: Option<&ScheduleName>, limit: u32) -> Result<Vec<Schedule>, StoreError> {
        schedules::schedules(&self.readers, after, limit).await
    }

    async fn firings(&self, name: &ScheduleName, limit: u32) -> Result<Vec<Firing>, StoreError> {
        firings::firings(&self.readers, name, limit).await
    }

    async fn due_schedules(&self, now: Timestamp, limit: u32) -> Result<DueSchedules, StoreError> {
        schedules::due(&self.readers, now, limit).await
    }

    async fn fire(&self, term: Term, plans: Vec<SchedulePlan>, now: Timestamp) -> Result<Fired, StoreError> {
        match self.schedule_op(ScheduleOp::Fire(term, Arc::new(plans), now)).await? {
            ScheduleAnswer::Fired(fired) => Ok(fired),
            ScheduleAnswer::Done => Err(corrupt("writer", "answered something else than was asked")),
        }
    }
}
