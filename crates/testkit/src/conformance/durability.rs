//! What survives a restart, and several processes on one database.

use std::sync::Arc;

use anyhow::{Context, ensure};
use tasklane_domain::{Lease, Outcome, StateKind, TaskId};
use tokio::task::JoinSet;

use super::World;
use super::world::{NOW, at, ended, keyed, report, started, task, tasks};

/// Rows, results, keys.
pub async fn what_was_answered_is_there_after_reopening(world: World) -> anyhow::Result<()> {
    let done = world.submit(task()?).await?;
    let running = world.submit(task()?).await?;
    let first = world.submit(keyed("kept", 1)?).await?;
    world.settle(report(done, ended(Outcome::Ok)), at(3)).await?;
    world.settle(report(running, started()), at(3)).await?;
    let before = [world.task(done).await?, world.task(running).await?, world.task(first).await?];
    let world = world.reopen().await?;
    for row in before {
        ensure!(world.task(row.id).await? == row);
    }
    ensure!(world.stores.tasks.result(done).await?.context("a result")?.bytes == "\"done\"");
    ensure!(world.submit(keyed("kept", 1)?).await? == first, "the key was forgotten");
    Ok(())
}

/// A leader of before the restart stays refused.
pub async fn terms_survive_reopening(world: World) -> anyhow::Result<()> {
    let former = world.lead().await?;
    let current = world.stores.leader.open_term(Lease { generation: NOW, revision: 2 }).await?;
    let world = world.reopen().await?;
    ensure!(world.stores.leader.promote_due(former, NOW, 1).await.is_err());
    world.stores.leader.promote_due(current, NOW, 1).await?;
    ensure!(world.stores.leader.open_term(Lease { generation: NOW, revision: 2 }).await.is_err());
    Ok(())
}

/// A process that starts while others do waits for their migrations.
pub async fn concurrent_starters_migrate_once(world: World) -> anyhow::Result<()> {
    let mut starters = JoinSet::new();
    for _ in 0..6 {
        let url = world.url.clone();
        starters.spawn(async move { tasklane_store::open(&url).await });
    }
    while let Some(store) = starters.join_next().await {
        store??.tasks.ping().await?;
    }
    Ok(())
}

/// An API process submits while a scheduler process settles.
pub async fn two_processes_share_one_database(world: World) -> anyhow::Result<()> {
    let scheduler = world.open_another().await?;
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let (api, scheduler) = (Arc::clone(&world.stores.tasks), Arc::clone(&scheduler.tasks));
        callers.spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..5 {
                let batch = tasks(40)?;
                let told = batch.iter().map(|task| report(task.id, ended(Outcome::Ok))).collect();
                ids.extend(batch.iter().map(|task| task.id));
                api.submit(batch).await?;
                ensure!(scheduler.settle(told, at(3)).await?.settled.len() == 40);
            }
            anyhow::Ok(ids)
        });
    }
    let mut all: Vec<TaskId> = Vec::new();
    while let Some(ids) = callers.join_next().await {
        all.extend(ids??);
    }
    ensure!(all.len() == 1_600);
    for id in all {
        world.expect_state(id, StateKind::Succeeded).await?;
    }
    Ok(())
}
