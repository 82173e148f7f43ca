//! Orders from the dispatcher to a host, acknowledged or not.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use tasklane_domain::ports::{Dispatcher, Parking, WorkSource};
use tasklane_domain::{Payload, QueueName};
use tasklane_nats::Topology;

use crate::world::{BOUND, World, eventually, order, orders, receive, receive_all, soon};

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_an_order_arrives_and_an_ack_ends_it() -> anyhow::Result<()> {
    let world = World::new().await?;
    let source = world.source().await?;
    let sent = order(7);
    world.dispatch(vec![sent.clone()]).await?;
    let mut received = receive(&source, 1).await?;
    let delivery = received.pop().unwrap();
    assert_eq!(*delivery.order, sent);
    assert_eq!(delivery.id, sent.dispatch.received(1));
    assert_eq!(world.lane_info(7).await?.num_ack_pending, 1);
    source.ack(vec![delivery.token]).await;
    eventually("the ack", async || Ok((world.lane_info(7).await?.num_ack_pending == 0).then_some(()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_acknowledged_comes_again_as_a_later_delivery() -> anyhow::Result<()> {
    let world = World::with(Topology { ack_wait: Duration::from_secs(1), ..Topology::default() }).await?;
    let source = world.source().await?;
    let sent = order(5);
    world.dispatch(vec![sent.clone()]).await?;
    let first = receive(&source, 1).await?.pop().unwrap();
    let second = receive(&source, 1).await?.pop().unwrap();
    let third = receive(&source, 1).await?.pop().unwrap();
    assert_eq!(*third.order, sent);
    assert!(first.id < second.id && second.id < third.id);
    assert_eq!(third.id.redelivery(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_keeps_a_delivery_from_coming_again() -> anyhow::Result<()> {
    // So long that a busy machine does not let it pass between two signs of work.
    let world = World::with(Topology { ack_wait: Duration::from_secs(8), ..Topology::default() }).await?;
    let source = world.source().await?;
    world.dispatch(vec![order(5)]).await?;
    let held = receive(&source, 1).await?.pop().unwrap();
    let mut interval = tokio::time::interval(source.in_progress_interval() / 4);
    let keep = async {
        // For three times as long.
        for _ in 0..37 {
            interval.tick().await;
            source.in_progress(vec![held.token.clone()]).await;
        }
    };
    tokio::select! {
        again = source.receive(1, Parking::Allowed) => panic!("it came again: {again:?}"),
        () = keep => {}
    }
    let again = receive(&source, 1).await?.pop().unwrap();
    assert_eq!(again.id.redelivery(), 2, "once nobody says that it is worked on, it must come again");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_may_hold_more_orders_than_the_window_and_many_calls_share_it() -> anyhow::Result<()> {
    let world = World::new().await?;
    let dispatcher = world.nats.dispatcher();
    assert_eq!(dispatcher.dispatch(orders(10_000, 5)).await, 10_000);
    let calls = (0..8).map(|_| dispatcher.dispatch(orders(1_500, 4)));
    let taken: usize = futures::future::join_all(calls).await.into_iter().sum();
    assert_eq!(taken, 12_000);
    assert_eq!(world.stream_state("READY").await?.messages, 22_000);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_nats_does_not_take_is_not_counted_and_holds_up_no_other() -> anyhow::Result<()> {
    let world = World::new().await?;
    let dispatcher = world.nats.dispatcher();
    let max = dispatcher.order_bytes_max().unwrap();
    let mut large = order(5);
    large.payload = Payload { bytes: Bytes::from(vec![7; max + 1_024]), ..large.payload };
    let mut fits = order(5);
    fits.payload = Payload { bytes: Bytes::from(vec![7; max - 1_024]), ..fits.payload };
    assert_eq!(dispatcher.dispatch(vec![order(5), large, fits.clone(), order(5)]).await, 3);
    let source = world.source().await?;
    let received = receive_all(&source, 3).await?;
    assert_eq!(*received[1].order, fits);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_dispatch_gives_up_soon_and_the_connection_comes_back() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let dispatcher = world.nats.dispatcher();
    world.server.kill();
    assert_eq!(soon("an answer", dispatcher.dispatch(orders(100, 5))).await?, 0);
    let nats = world.nats.clone();
    eventually("the loss is noticed", async || Ok((!nats.is_connected()).then_some(()))).await?;
    assert_eq!(dispatcher.order_bytes_max(), None);
    world.server.restart().await?;
    eventually("an order is taken again", async || Ok((dispatcher.dispatch(vec![order(5)]).await == 1).then_some(())))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_receive_loses_and_doubles_nothing() -> anyhow::Result<()> {
    let topology = Topology { ack_wait: BOUND * 2, ..Topology::default() };
    let world = World::with(topology).await?;
    let source = world.source().await?;
    let sent = orders(2_000, 5);
    let wanted: HashSet<_> = sent.iter().map(|order| order.task).collect();
    let dispatcher = world.nats.dispatcher();
    let dispatching = tokio::spawn(async move {
        for part in sent.chunks(20) {
            assert_eq!(dispatcher.dispatch(part.to_vec()).await, part.len());
        }
    });
    let mut seen = HashSet::new();
    let mut dropped = 0;
    soon("every order", async {
        while seen.len() < wanted.len() {
            let patience = Duration::from_micros(50 * (seen.len() as u64 % 7));
            match tokio::time::timeout(patience, source.receive(11, Parking::Allowed)).await {
                Ok(received) => {
                    for delivery in received? {
                        assert!(seen.insert(delivery.order.task), "an order came twice");
                        assert_eq!(delivery.id.redelivery(), 1);
                    }
                }
                Err(_) => dropped += 1,
            }
        }
        anyhow::Ok(())
    })
    .await??;
    assert_eq!(seen, wanted);
    assert!(dropped > 0, "no receive was dropped");
    Ok(dispatching.await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_read_is_ended_and_holds_up_no_other() -> anyhow::Result<()> {
    let world = World::with(Topology { ack_wait: Duration::from_secs(1), ..Topology::default() }).await?;
    let source = world.source().await?;
    for rubbish in ["", "\u{1}", "\u{1}\u{90}", "{\"task\":1}"] {
        world.raw().await?.publish("ready.0.default.5.x", rubbish.into()).await?.await?;
    }
    let sent = order(5);
    world.dispatch(vec![sent.clone()]).await?;
    let received = receive(&source, 10).await?.pop().unwrap();
    assert_eq!(*received.order, sent);
    source.ack(vec![received.token]).await;
    eventually("all are done with", async || {
        let info = world.lane_info(5).await?;
        Ok((info.num_ack_pending == 0 && info.num_pending == 0).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_gets_its_own_queues_only() -> anyhow::Result<()> {
    let world = World::new().await?;
    let slow: QueueName = "slow".parse()?;
    let mut theirs = order(5);
    theirs.queue = slow.clone();
    let ours = order(5);
    world.dispatch(vec![theirs.clone(), ours.clone()]).await?;
    let both = receive_all(&world.source().await?, 1).await?;
    assert_eq!(*both[0].order, ours);
    let other = world.nats.work_source(&[slow], &world.topology).await?;
    assert_eq!(*receive(&other, 10).await?[0].order, theirs);
    Ok(())
}
