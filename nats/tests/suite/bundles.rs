//! Orders of quick tasks share messages: fewer of them, and each order is still received, acknowledged and repeated for itself.

use std::collections::HashSet;
use std::time::Duration;

use tasklane_domain::ports::{Control, Dispatcher, TaskNews, WorkSource};
use tasklane_domain::work::Delivery;
use tasklane_domain::{DeliveryId, QueueName, StateKind, TaskId, WorkOrder};
use tasklane_nats::{Nats, Topology};

use crate::world::{World, eventually, module, order, receive, receive_all, soon};

/// Orders that may share a message when its module is quick.
fn first_orders(count: usize) -> Vec<WorkOrder> {
    let alike = order(5);
    let alike = WorkOrder { dispatch: DeliveryId::FIRST_DISPATCH, ..alike };
    (0..count).map(|_| WorkOrder { task: TaskId::new(), ..alike.clone() }).collect()
}

fn news(wall_us: u64) -> TaskNews {
    let (task, queue, module) = (TaskId::new(), QueueName::default(), module().name);
    TaskNews { task, state: StateKind::Succeeded, queue, module, wall_us: Some(wall_us) }
}

/// Tells, as a scheduler does, how long a task of the module ran.
async fn tell(nats: &Nats, wall_us: u64) -> anyhow::Result<()> {
    Ok(nats.control().announce(&[news(wall_us)]).await?)
}

fn tasks(deliveries: &[Delivery]) -> HashSet<TaskId> {
    deliveries.iter().map(|delivery| delivery.order.task).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn quick_tasks_share_messages_and_all_arrive() -> anyhow::Result<()> {
    let world = World::new().await?;
    let source = world.source().await?;
    world.dispatch(first_orders(10)).await?;
    assert_eq!(world.stream_state("READY").await?.messages, 10, "nobody knows how long they run");
    tell(&world.nats, 50).await?;
    let sent = first_orders(1_000);
    world.dispatch(sent.clone()).await?;
    let messages = world.stream_state("READY").await?.messages - 10;
    assert!(messages <= 1_000 / 16, "1,000 quick tasks are {messages} messages");
    let received = receive_all(&source, 1_010).await?;
    let (alone, together) = received.split_at(10);
    assert!(alone.iter().all(|delivery| !delivery.bundled) && together.iter().all(|delivery| delivery.bundled));
    assert!(together.iter().zip(&sent).all(|(delivery, order)| *delivery.order == *order), "their order is kept");
    assert!(received.iter().all(|delivery| delivery.id == DeliveryId::FIRST_DISPATCH.received(1)));
    source.ack(received.into_iter().map(|delivery| delivery.token).collect()).await;
    eventually("all are done with", async || Ok((world.lane_info(5).await?.num_ack_pending == 0).then_some(()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_process_learns_from_news_of_others() -> anyhow::Result<()> {
    let world = World::new().await?;
    let there = world.server.connect().await?;
    let mut heard = world.nats.control().news().await?;
    eventually("news that are heard", async || {
        tell(&there, 50).await?;
        Ok(tokio::time::timeout(Duration::from_millis(200), heard.next()).await.ok())
    })
    .await?;
    world.dispatch(first_orders(32)).await?;
    assert!(world.stream_state("READY").await?.messages <= 2);
    // One that ran for a minute changes that.
    tell(&there, 60_000_000).await?;
    while soon("news of a slow one", heard.next())
        .await?
        .is_some_and(|news| news.iter().any(|one| one.wall_us == Some(50)))
    {}
    world.dispatch(first_orders(4)).await?;
    assert_eq!(receive_all(&world.source().await?, 36).await?.iter().filter(|delivery| !delivery.bundled).count(), 4);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_done_with_when_its_last_order_is() -> anyhow::Result<()> {
    let world = World::with(Topology { ack_wait: Duration::from_secs(1), ..Topology::default() }).await?;
    let source = world.source().await?;
    tell(&world.nats, 50).await?;
    let sent = first_orders(20);
    world.dispatch(sent.clone()).await?;
    let mut first = receive_all(&source, 20).await?;
    let last = first.pop().unwrap();
    source.ack(first.iter().map(|delivery| delivery.token.clone()).collect()).await;
    let again = receive_all(&source, 20).await?;
    assert_eq!(tasks(&again), sent.iter().map(|order| order.task).collect());
    assert!(again.iter().all(|delivery| delivery.id.redelivery() == 2 && delivery.is_to_be_parted()));
    assert!(!last.is_to_be_parted());
    source.ack(vec![last.token]).await;
    eventually("the ack", async || Ok((world.lane_info(5).await?.num_ack_pending == 0).then_some(()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_again_goes_alone() -> anyhow::Result<()> {
    let world = World::new().await?;
    let source = world.source().await?;
    tell(&world.nats, 50).await?;
    let again =
        first_orders(10).into_iter().map(|order| WorkOrder { dispatch: order.dispatch.redispatched(), ..order });
    assert_eq!(world.nats.dispatcher().dispatch(again.collect()).await, 10);
    assert!(receive_all(&source, 10).await?.iter().all(|delivery| !delivery.bundled));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_not_given_much_more_than_it_asks_for() -> anyhow::Result<()> {
    let world = World::new().await?;
    let source = world.source().await?;
    tell(&world.nats, 50).await?;
    world.dispatch(first_orders(2_000)).await?;
    // The first pull knows nothing of messages with many.
    receive(&source, 1).await?;
    let mut held = world.lane_info(5).await?.num_ack_pending;
    for _ in 0..10 {
        receive_all(&source, 64).await?;
        let now = world.lane_info(5).await?.num_ack_pending;
        assert!(now <= held + 4, "64 orders were asked for, and {} messages came", now - held);
        held = now;
    }
    Ok(())
}
