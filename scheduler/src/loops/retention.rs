//! retention: removes what has stayed long enough, in small transactions with rests between them.
//!
//! Leader only; each removal carries its term. Walks over ended tasks beside the writer, once for each kind and time that is in
//! force ([`walks`] knows from where on). A removal that took long is followed by a smaller one ([`pace`]), and after each the loop
//! rests [`REST_FACTOR`] times as long as the removal took, so that it never has more than a share of the writer's time. What a task
//! that goes on still needs is tried again at each pass.

mod pace;
mod tally;
mod walks;

use std::time::{Duration, Instant};

use tasklane_domain::error::StoreError;
use tasklane_domain::retention::{EndedTask, Keep, Kind, Leftover, REMOVAL_ROWS_MAX};
use tasklane_domain::{TaskId, Timestamp};

use self::pace::Pace;
use self::tally::Tally;
use self::walks::Walks;
use crate::leader::note_failure;
use crate::{Office, Room};

/// Rest after a removal, as a multiple of its time.
const REST_FACTOR: u32 = 4;
/// Shortest rest.
const REST_MIN: Duration = Duration::from_millis(2);
/// Longest rest: a removal that took long for another reason than itself must not stop retention.
const REST_MAX: Duration = Duration::from_secs(2);

/// Runs until the office is over.
pub(crate) async fn run(room: Room, office: Office) {
    let (mut walks, mut pace) = (Walks::new(), Pace::new());
    loop {
        let tally = Tally::default();
        let mut pass = Pass { room: &room, office: &office, walks: &mut walks, pace: &mut pace, tally };
        let done = tokio::select! {
            () = office.over.cancelled() => Ok(()),
            done = pass.run() => done,
        };
        pass.tally.tell();
        if let Err(error) = done {
            note_failure(&room, &office, "retention", &error);
            // What was to be tried again may have been left out.
            walks = Walks::new();
        }
        tokio::select! {
            () = office.over.cancelled() => return,
            () = tokio::time::sleep(room.settings.retention_interval) => {}
        }
    }
}

/// Whether this is still the leader.
#[derive(PartialEq, Eq)]
enum Holding {
    On,
    Over,
}

/// One look at everything.
struct Pass<'a> {
    room: &'a Room,
    office: &'a Office,
    walks: &'a mut Walks,
    pace: &'a mut Pace,
    tally: Tally,
}

impl Pass<'_> {
    async fn run(&mut self) -> Result<(), StoreError> {
        self.walks.take_rules(self.room.ports.retention.rules().await?);
        for kind in Kind::ALL {
            for keep in self.walks.rules.times(&self.room.settings.retention, kind) {
                self.again(kind, keep).await?;
                self.walk(kind, keep).await?;
            }
        }
        for leftover in Leftover::ALL {
            self.purge(leftover).await?;
        }
        Ok(())
    }

    /// Tries what was spared before.
    async fn again(&mut self, kind: Kind, keep: Keep) -> Result<(), StoreError> {
        let from = self.walks.start(kind, keep).0;
        let spared = self.walks.take_spared(kind, keep);
        self.remove(kind, keep, &spared, from).await.map(drop)
    }

    /// Removes `kind` of every ended task for which `keep` is in force and over.
    async fn walk(&mut self, kind: Kind, keep: Keep) -> Result<(), StoreError> {
        let Some(until) = keep.cutoff(self.room.clock.now()) else { return Ok(()) };
        let mut position = self.walks.start(kind, keep);
        loop {
            let page = self.room.ports.retention.ended(position, until).await?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else { break };
            position = (last.ended_at, last.id);
            let from = first.ended_at;
            let tasks = self.wanted(&page, kind, keep);
            if !tasks.is_empty() && self.remove(kind, keep, &tasks, from).await? == Holding::Over {
                return Ok(());
            }
        }
        self.walks.reached(kind, keep, until);
        Ok(())
    }

    fn wanted(&self, page: &[EndedTask], kind: Kind, keep: Keep) -> Vec<TaskId> {
        let base = &self.room.settings.retention;
        let over = |task: &&EndedTask| task.has.contains(&kind) && self.walks.rules.keep(base, task, kind) == keep;
        page.iter().filter(over).map(|task| task.id).collect()
    }

    /// Small removals, each with a rest after it. None of the tasks ended before `from`.
    async fn remove(
        &mut self,
        kind: Kind,
        keep: Keep,
        tasks: &[TaskId],
        from: Timestamp,
    ) -> Result<Holding, StoreError> {
        let mut left = tasks;
        while !left.is_empty() {
            let Some(term) = self.office.term_if_trusted() else { return Ok(Holding::Over) };
            let (some, others) = left.split_at(self.pace.rows().min(left.len()));
            let begun = Instant::now();
            let removal = self.room.ports.retention.remove(term, kind, some.to_vec()).await?;
            let took = begun.elapsed();
            self.pace.took(took, some.len());
            self.count(kind.as_str(), removal.removed);
            self.walks.spare(kind, keep, removal.spared, from);
            rest(took).await;
            left = others;
        }
        Ok(Holding::On)
    }

    async fn purge(&mut self, leftover: Leftover) -> Result<(), StoreError> {
        let (base, now) = (&self.room.settings.retention, self.room.clock.now());
        let Some(before) = self.walks.rules.leftover_cutoff(base, leftover, now) else { return Ok(()) };
        while let Some(term) = self.office.term_if_trusted() {
            let begun = Instant::now();
            let count = self.room.ports.retention.purge(term, leftover, before).await?;
            self.count(leftover.as_str(), count);
            if count < u64::from(REMOVAL_ROWS_MAX) {
                break;
            }
            rest(begun.elapsed()).await;
        }
        Ok(())
    }

    fn count(&mut self, what: &'static str, count: u64) {
        self.room.metrics.removed.with_label_values(&[what]).inc_by(count);
        self.tally.add(what, count);
    }
}

async fn rest(took: Duration) {
    tokio::time::sleep((took * REST_FACTOR).clamp(REST_MIN, REST_MAX)).await;
}
