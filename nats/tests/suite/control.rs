//! Core messages between processes.

use tasklane_domain::ports::{Control, TaskNews};
use tasklane_domain::{Clock, HostId, HostOrder, HostWish, QueueName, StateKind, SystemClock, TaskId};

use crate::world::{World, eventually, module, soon};

fn news() -> TaskNews {
    let (task, queue, module) = (TaskId::new(), QueueName::default(), module().name);
    TaskNews { task, state: StateKind::Succeeded, queue, module, wall_us: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listener_hears_every_message() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (here, there) = (world.nats.control(), world.server.connect().await?.control());
    let (mut cancels, mut others) = (there.cancels().await?, here.cancels().await?);
    let (mut nudges, mut heard) = (there.due_nudges().await?, there.news().await?);
    // Subscriptions of one connection are made in order: its own message shows that all of them are made.
    there.nudge_due(SystemClock.now()).await?;
    soon("its own nudge", nudges.next()).await?.unwrap();

    let tasks = [TaskId::new(), TaskId::new()];
    here.cancel(&tasks).await?;
    for task in tasks {
        assert_eq!(soon("a cancel", cancels.next()).await?, Some(task));
        assert_eq!(soon("a cancel", others.next()).await?, Some(task));
    }
    let mut orders = there.host_orders().await?;
    there.nudge_due(SystemClock.now()).await?;
    soon("its own nudge", nudges.next()).await?.unwrap();
    for wish in [HostWish::Drain, HostWish::Resume, HostWish::Scale(7)] {
        let order = HostOrder { host: HostId::new(), wish };
        here.order_host(order).await?;
        assert_eq!(soon("an order", orders.next()).await?, Some(order));
    }
    let at = SystemClock.now();
    here.nudge_due(at).await?;
    assert_eq!(soon("a nudge", nudges.next()).await?, Some(at));

    let told: Vec<TaskNews> = (0..2_500).map(|_| news()).collect();
    here.announce(&told).await?;
    let mut all = Vec::new();
    while all.len() < told.len() {
        all.extend(soon("news", heard.next()).await?.unwrap());
    }
    assert_eq!(all, told);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_survive_a_server_that_is_killed() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let control = world.nats.control();
    let mut cancels = control.cancels().await?;
    world.server.kill();
    let nats = world.nats.clone();
    eventually("the loss is noticed", async || Ok((!nats.is_connected()).then_some(()))).await?;
    assert!(control.cancel(&[TaskId::new()]).await.is_err(), "nobody can hear it, and nobody is told so");
    world.server.restart().await?;
    let task = TaskId::new();
    eventually("a cancel is heard again", async || {
        if control.cancel(&[task]).await.is_err() {
            return Ok(None);
        }
        let heard = tokio::time::timeout(std::time::Duration::from_millis(200), cancels.next()).await;
        Ok((heard == Ok(Some(task))).then_some(()))
    })
    .await
}
