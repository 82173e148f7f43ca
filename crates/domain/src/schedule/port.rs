//! The tables of schedules, as the API and the leader use them.

use async_trait::async_trait;

use super::{Firing, Schedule, ScheduleName, SchedulePlan};
use crate::cluster::Term;
use crate::error::StoreError;
use crate::id::TaskId;
use crate::payload::Payload;
use crate::settle::SettledTask;
use crate::task::NewTask;
use crate::time::Timestamp;
use crate::work::WorkOrder;

/// The schedules and their history.
#[async_trait]
pub trait ScheduleStore: Send + Sync + 'static {
    /// Commits a new one. `ScheduleExists`, or `SchedulesFull` beyond [`super::SCHEDULES_MAX`].
    async fn create(&self, schedule: Schedule, payload: Payload) -> Result<(), StoreError>;

    /// Replaces what people may change (all but name, creation, counts and history), if the revision is still the one that was
    /// read; `ScheduleChanged` otherwise. Without a payload the old one stays.
    async fn update(&self, schedule: Schedule, payload: Option<Payload>) -> Result<(), StoreError>;

    /// Removes one with its history; its tasks stay. `ScheduleNotFound` otherwise.
    async fn delete(&self, name: ScheduleName) -> Result<(), StoreError>;

    /// Commits a task for an instant that the expression does not know, whatever the schedule's state and overlap.
    async fn run_now(&self, name: ScheduleName, task: NewTask) -> Result<(), StoreError>;

    /// One schedule.
    async fn schedule(&self, name: &ScheduleName) -> Result<Option<Schedule>, StoreError>;

    /// Its payload.
    async fn schedule_payload(&self, name: &ScheduleName) -> Result<Option<Payload>, StoreError>;

    /// At most `limit` schedules by name, those after `after`.
    async fn schedules(&self, after: Option<&ScheduleName>, limit: u32) -> Result<Vec<Schedule>, StoreError>;

    /// The newest records of one, at most `limit`.
    async fn firings(&self, name: &ScheduleName, limit: u32) -> Result<Vec<Firing>, StoreError>;

    /// At most `limit` active schedules whose next instant has come, the most overdue first, and when the next one comes.
    async fn due_schedules(&self, now: Timestamp, limit: u32) -> Result<DueSchedules, StoreError>;

    /// Commits plans in one transaction, for the leader of `term` only. A plan for another revision is left out, as is an
    /// instant that was handled before.
    async fn fire(&self, term: Term, plans: Vec<SchedulePlan>, now: Timestamp) -> Result<Fired, StoreError>;
}

/// What [`ScheduleStore::due_schedules`] found.
#[derive(Debug, Default)]
pub struct DueSchedules {
    /// What is due, with the payloads.
    pub due: Vec<(Schedule, Payload)>,
    /// When the first of the others becomes due.
    pub next_at: Option<Timestamp>,
}

/// What [`ScheduleStore::fire`] did.
#[derive(Debug, Default)]
pub struct Fired {
    /// Orders to publish now.
    pub ready: Vec<WorkOrder>,
    /// Tasks that were cancelled, and what they took with them.
    pub settled: Vec<SettledTask>,
    /// Tasks whose guests hosts shall stop.
    pub stop: Vec<TaskId>,
    /// Tasks committed.
    pub fired: u64,
    /// Instants that were skipped or dropped.
    pub skipped: u64,
    /// When the first task that waits for its jitter starts.
    pub first_due: Option<Timestamp>,
}
