//! settle: reports that are judged with their rows, many in one transaction.

use std::time::Duration;

use anyhow::{Context, ensure};
use tasklane_domain::work::Progress;
use tasklane_domain::{Attempt, HostId, Outcome, Report, ReportBody, StateKind, TaskId};

use super::World;
use super::world::{FIRST, at, ended, failing, handed_back, line, report, started, tasks};

/// Numbers of reports that are written in one statement and in several, with and without a rest.
const NUMBERS: [usize; 8] = [1, 2, 3, 9, 17, 60, 126, 300];

/// Each is tried again, and what each attempt said and came to is kept.
pub async fn failures_of_any_number_are_tried_again(world: World) -> anyhow::Result<()> {
    for number in NUMBERS {
        let ids = submitted(&world, number).await?;
        let told: Vec<Report> = ids.iter().map(|id| report(*id, ended(failing()))).collect();
        let answer = world.stores.tasks.settle(told.clone(), at(3)).await?;
        ensure!(answer.settled.len() == number && answer.refused.is_empty(), "{number}: {answer:?}");
        for told in told {
            let row = world.task(told.task).await?;
            ensure!(row.state == StateKind::Retrying && row.attempt == Attempt::new(2), "{number}: {row:?}");
            ensure!(row.due_at == Some(at(3).plus(Duration::from_secs(1))) && row.outcome == Some(failing()));
            ensure!(row.host == Some(told.host) && row.started_at == Some(at(1)) && row.ended_at == Some(at(2)));
            let attempts = world.stores.tasks.attempts(told.task).await?.context("the attempts of a task")?;
            let first = attempts.iter().find(|one| one.attempt == Attempt::FIRST).context("the first attempt")?;
            ensure!(first.outcome == failing() && first.host == Some(told.host) && first.log.head == [line("hello")]);
        }
    }
    Ok(())
}

/// Starts, failures and hand-backs of many tasks in one transaction, each with its own host.
pub async fn different_reports_of_many_tasks_stay_apart(world: World) -> anyhow::Result<()> {
    let ids = submitted(&world, 60).await?;
    let body = |number: usize| match number % 3 {
        0 => started(),
        1 => ended(Outcome::StackOverflow),
        _ => handed_back(),
    };
    let told: Vec<Report> = ids.iter().enumerate().map(|(number, id)| report(*id, body(number))).collect();
    let answer = world.stores.tasks.settle(told.clone(), at(3)).await?;
    ensure!(answer.settled.len() == told.len() && answer.refused.is_empty());
    for told in &told {
        let row = world.task(told.task).await?;
        let order = answer.ready.iter().filter(|order| order.task == told.task).collect::<Vec<_>>();
        let (state, host, delivery) = match told.body {
            ReportBody::Started { .. } | ReportBody::Progress(_) => {
                (StateKind::Running, Some(told.host), told.delivery)
            }
            ReportBody::Ended(_) => (StateKind::Failed, Some(told.host), told.delivery),
            ReportBody::HandedBack(_) => (StateKind::Queued, None, FIRST.redispatched()),
        };
        ensure!((row.state, row.host, row.delivery) == (state, host, delivery), "{row:?}");
        let orders = usize::from(matches!(told.body, ReportBody::HandedBack(_)));
        ensure!(order.len() == orders && order.iter().all(|order| order.dispatch == row.delivery), "{order:?}");
    }
    Ok(())
}

/// All of a task's reports in one transaction leave the row that they would leave one by one.
pub async fn all_reports_of_a_task_may_come_at_once(world: World) -> anyhow::Result<()> {
    let [quiet, whole] = submitted(&world, 2).await?.try_into().ok().context("two tasks")?;
    let progress = Progress { fraction: 0.5, message: "half".to_owned() };
    let host = HostId::new();
    let of = |id: TaskId, body: ReportBody| Report { host, ..report(id, body) };
    let told = vec![
        of(whole, started()),
        of(quiet, started()),
        of(whole, ReportBody::Progress(progress.clone())),
        of(quiet, ReportBody::Progress(progress.clone())),
        of(whole, ended(failing())),
        of(whole, ended(Outcome::Ok)),
    ];
    let answer = world.stores.tasks.settle(told, at(5)).await?;
    let states: Vec<StateKind> = answer.settled.iter().map(|one| one.state).collect();
    let running = [StateKind::Running; 4];
    ensure!(states == [running.as_slice(), &[StateKind::Retrying]].concat(), "{states:?}");
    ensure!(answer.refused.len() == 1, "the attempt was over: {:?}", answer.refused);
    let row = world.task(quiet).await?;
    ensure!(row.state == StateKind::Running && row.started_at == Some(at(1)), "it started when it said: {row:?}");
    ensure!(row.progress == Some(progress.clone()) && row.ended_at.is_none());
    let row = world.task(whole).await?;
    ensure!(row.state == StateKind::Retrying && row.progress == Some(progress) && row.host == Some(host), "{row:?}");
    let attempts = world.stores.tasks.attempts(whole).await?.context("the attempts of a task")?;
    ensure!(attempts.iter().filter(|one| one.attempt == Attempt::FIRST).count() == 1, "{attempts:?}");
    Ok(())
}

async fn submitted(world: &World, number: usize) -> anyhow::Result<Vec<TaskId>> {
    let batch = tasks(number)?;
    let ids = batch.iter().map(|task| task.id).collect();
    world.stores.tasks.submit(batch).await?;
    Ok(ids)
}
