//! `taskctl wait`: until tasks, or a batch, have come to where they should.
//!
//! The feed says when to look; the rows say where things stand, so that a lost event costs time and nothing else.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use tasklane_api_types::{BatchView, TaskList, TaskView};
use tasklane_domain::StateKind;

use crate::cli::{Format, WaitArgs};
use crate::client::{Client, Feed, Told, segment};
use crate::commands::task;
use crate::failure::{FAILED, Failure, TIMEOUT, USAGE, is_unreachable};
use crate::output;

/// The longest time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// The shortest.
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(50);
/// Tasks that are asked for at once.
const ASKED_AT_ONCE: usize = 16;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Ended,
    State(StateKind),
}

/// How a task stands to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Reached,
    Open,
    /// It has ended elsewhere, and will never come there.
    Missed,
}

impl Goal {
    fn judge(self, state: StateKind) -> Stand {
        match self {
            Self::Ended if state.is_terminal() => Stand::Reached,
            Self::State(wanted) if wanted == state => Stand::Reached,
            Self::State(_) if state.is_terminal() => Stand::Missed,
            Self::Ended | Self::State(_) => Stand::Open,
        }
    }
}

fn goal(text: &str) -> anyhow::Result<Goal> {
    match text {
        "ended" => Ok(Goal::Ended),
        state => {
            state.parse().map(Goal::State).map_err(|_| Failure::new(USAGE, format!("`{state}` is no state")).into())
        }
    }
}

/// Waits. Exit code 0 when all have come there, 1 when one never will, 6 when the time is over.
pub(crate) async fn run(client: &Client, format: Format, args: WaitArgs) -> anyhow::Result<ExitCode> {
    let goal = goal(&args.goal)?;
    let wrong = |error| Failure::new(USAGE, format!("--timeout: {error}"));
    let at_most = tasklane_domain::duration::parse(&args.timeout).map_err(wrong)?;
    let waiting = Waiting { client, goal, until: Instant::now().checked_add(at_most), called: &args.timeout };
    match &args.batch {
        Some(batch) => waiting.for_batch(format, batch).await,
        None => waiting.for_tasks(format, &args.ids).await,
    }
}

struct Waiting<'a> {
    client: &'a Client,
    goal: Goal,
    until: Option<Instant>,
    called: &'a str,
}

impl Waiting<'_> {
    async fn for_tasks(&self, format: Format, ids: &[String]) -> anyhow::Result<ExitCode> {
        let (mut feed, line) = (Feed::open(self.client), output::line());
        let mut tasks: Vec<TaskView> = self.look(ids.to_vec()).await?;
        loop {
            let open: Vec<String> = self.of(&tasks, Stand::Open).map(|task| task.id.clone()).collect();
            let missed = self.of(&tasks, Stand::Missed).next().is_some();
            if open.is_empty() || missed {
                line.finish_and_clear();
                return self.ended(format, tasks);
            }
            line.set_message(format!("{} of {} tasks", tasks.len() - open.len(), tasks.len()));
            line.tick();
            self.pause(&mut feed, &open, || {
                format!("{} of {} tasks are not {}", open.len(), tasks.len(), self.shown())
            })
            .await?;
            match self.look(open).await {
                Ok(newer) => newer.into_iter().for_each(|newer| {
                    tasks.iter_mut().filter(|task| task.id == newer.id).for_each(|task| *task = newer.clone());
                }),
                // It may come back while there is time.
                Err(error) if is_unreachable(&error) => line.set_message(format!("{error:#}")),
                Err(error) => return Err(error),
            }
        }
    }

    fn shown(&self) -> &'static str {
        match self.goal {
            Goal::Ended => "ended",
            Goal::State(state) => state.as_str(),
        }
    }

    fn of<'t>(&self, tasks: &'t [TaskView], stand: Stand) -> impl Iterator<Item = &'t TaskView> {
        let goal = self.goal;
        tasks.iter().filter(move |task| goal.judge(task.state) == stand)
    }

    async fn look(&self, ids: Vec<String>) -> anyhow::Result<Vec<TaskView>> {
        let client = self.client;
        let ask = |id: String| async move {
            let path = client.scoped(&format!("/api/v1/tasks/{}", segment(&id)));
            client.get::<TaskView>(&path).await
        };
        stream::iter(ids).map(ask).buffered(ASKED_AT_ONCE).try_collect().await
    }

    fn ended(&self, format: Format, tasks: Vec<TaskView>) -> anyhow::Result<ExitCode> {
        let missed: Vec<String> =
            self.of(&tasks, Stand::Missed).map(|task| format!("{} is {}", task.id, task.state)).collect();
        task::show_list(format, &TaskList { tasks, next_cursor: None })?;
        if missed.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let failure = Failure::new(FAILED, format!("not {}: {}", self.shown(), missed.join(", ")));
        Err(failure.hint("`taskctl tasks get ID` and `taskctl tasks logs ID` tell why").into())
    }

    async fn for_batch(&self, format: Format, id: &str) -> anyhow::Result<ExitCode> {
        let (mut feed, line) = (Feed::open(self.client), output::line());
        let path = self.client.scoped(&format!("/api/v1/batches/{}", segment(id)));
        loop {
            let batch: BatchView = self.client.get(&path).await?;
            let count = |stand| counted(&batch, self.goal, stand);
            let (reached, missed) = (count(Stand::Reached), count(Stand::Missed));
            if reached >= batch.tasks || missed > 0 {
                line.finish_and_clear();
                super::batch::show(format, &batch)?;
                if missed == 0 {
                    return Ok(ExitCode::SUCCESS);
                }
                let failure =
                    Failure::new(FAILED, format!("{missed} tasks of the batch ended without being {}", self.shown()));
                return Err(failure.hint(format!("taskctl tasks list --batch {id}")).into());
            }
            line.set_message(format!("{reached} of {} tasks are {}", batch.tasks, self.shown()));
            line.tick();
            let left = || format!("{} of {} tasks are not {}", batch.tasks - reached, batch.tasks, self.shown());
            self.pause(&mut feed, &[], left).await?;
        }
    }

    /// Until something may have changed.
    async fn pause(&self, feed: &mut Feed, ids: &[String], left: impl Fn() -> String) -> anyhow::Result<()> {
        let time = self.until.map_or(LOOK_INTERVAL, |until| until.saturating_duration_since(Instant::now()));
        if time.is_zero() {
            let message = format!("{} within {}; they go on", left(), self.called);
            return Err(Failure::new(TIMEOUT, message).hint("wait longer with --timeout").into());
        }
        tokio::time::sleep(LOOK_INTERVAL_MIN.min(time)).await;
        // Whether something was told or the time is over: now is the time to look.
        let _told = tokio::time::timeout(LOOK_INTERVAL.min(time), concerns(feed, ids)).await.is_ok();
        Ok(())
    }
}

/// Waits until the feed tells of one of these tasks, or of any where none is named.
async fn concerns(feed: &mut Feed, ids: &[String]) {
    loop {
        match feed.next().await {
            Some(Told::Change(change)) => {
                let named = change.tasks.iter().any(|task| ids.contains(&task.id));
                if named || change.more || ids.is_empty() {
                    return;
                }
            }
            Some(Told::Resync) => return,
            Some(Told::Hello | Told::Lost(_)) => {}
            None => std::future::pending().await,
        }
    }
}

fn counted(batch: &BatchView, goal: Goal, stand: Stand) -> u64 {
    let of = batch.states.iter().filter(|(state, _)| state.parse().is_ok_and(|state| goal.judge(state) == stand));
    of.map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_never_be_reached_is_known() {
        let succeeded = goal("succeeded").unwrap();
        assert_eq!(succeeded.judge(StateKind::Running), Stand::Open);
        assert_eq!(succeeded.judge(StateKind::Succeeded), Stand::Reached);
        assert_eq!(succeeded.judge(StateKind::Failed), Stand::Missed);
        let ended = goal("ended").unwrap();
        assert_eq!(ended.judge(StateKind::Cancelled), Stand::Reached);
        assert_eq!(ended.judge(StateKind::Retrying), Stand::Open);
        assert!(goal("done").is_err());
    }

    #[test]
    fn a_batch_is_judged_by_its_states() {
        let batch = BatchView {
            id: "b".to_owned(),
            created_at: tasklane_domain::Timestamp::from_micros(0),
            tasks: 6,
            ended: 3,
            states: [("succeeded", 2), ("failed", 1), ("queued", 3)].map(|(s, n)| (s.to_owned(), n)).into(),
        };
        let count = |goal: &str, stand| counted(&batch, super::goal(goal).unwrap(), stand);
        assert_eq!((count("ended", Stand::Reached), count("ended", Stand::Missed)), (3, 0));
        assert_eq!((count("succeeded", Stand::Missed), count("succeeded", Stand::Open)), (1, 3));
    }
}
