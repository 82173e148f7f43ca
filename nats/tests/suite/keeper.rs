//! Watermarks and trimming: what rescue and the disk rely on.

use std::sync::{Arc, mpsc};

use bytes::Bytes;
use parking_lot::Mutex;
use tasklane_domain::cluster::LaneStatus;
use tasklane_domain::ports::{Dispatcher, ReportSink, ReportSource, StreamKeeper, WorkSource};
use tasklane_domain::{Clock, SystemClock, Timestamp};
use tasklane_nats::NatsKeeper;

use crate::world::{World, ended, eventually, order, orders, priority, receive, receive_all, soon};

async fn lane(keeper: &NatsKeeper, number: i64) -> anyhow::Result<LaneStatus> {
    let lanes = soon("the lanes", keeper.lanes()).await??;
    assert_eq!(lanes.len(), 10, "one for each consumer");
    Ok(lanes.into_iter().find(|status| status.lane.priority == priority(number)).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn ensure_may_be_repeated() -> anyhow::Result<()> {
    let world = World::new().await?;
    world.dispatch(vec![order(5)]).await?;
    world.keeper().ensure().await?;
    assert_eq!(world.stream_state("READY").await?.messages, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_message_that_is_not_acknowledged_holds_the_watermark() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (keeper, source) = (world.keeper(), world.source().await?);
    let begun = SystemClock.now();
    assert!(lane(&keeper, 5).await?.watermark >= begun, "an idle lane is done with all before now");

    world.dispatch(vec![order(5)]).await?;
    let first_published = SystemClock.now();
    world.dispatch(orders(3, 5)).await?;
    let status = lane(&keeper, 5).await?;
    assert_eq!((status.waiting, status.held), (4, 0));
    assert!(status.watermark <= first_published && status.watermark > begun);

    // The others are acknowledged before the first: it goes on holding.
    let mut received = receive_all(&source, 4).await?;
    let first = received.remove(0);
    source.ack(received.into_iter().map(|delivery| delivery.token).collect()).await;
    let status = eventually("three acks", async || Ok(Some(lane(&keeper, 5).await?).filter(|s| s.held == 1))).await?;
    assert!(status.watermark <= first_published && status.watermark > begun);
    assert!(lane(&keeper, 4).await?.watermark > first_published, "other lanes are not held");

    let before_ack = SystemClock.now();
    source.ack(vec![first.token]).await;
    eventually("the last ack", async || Ok((lane(&keeper, 5).await?.watermark >= before_ack).then_some(()))).await
}

/// Publishes an order whenever it is asked for the time, and tells a time after that.
struct PublishingClock(Mutex<(mpsc::Sender<()>, mpsc::Receiver<Timestamp>)>);

impl Clock for PublishingClock {
    fn now(&self) -> Timestamp {
        let channel = self.0.lock();
        channel.0.send(()).unwrap();
        channel.1.recv().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_published_while_the_lanes_are_read_is_never_below_the_watermark() -> anyhow::Result<()> {
    let world = World::new().await?;
    let source = world.source().await?;
    let (ask, asked) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let (dispatcher, runtime) = (world.nats.dispatcher(), tokio::runtime::Handle::current());
    let published = Arc::new(Mutex::new(None));
    let publisher = std::thread::spawn({
        let published = published.clone();
        move || {
            while asked.recv().is_ok() {
                let count = runtime.block_on(dispatcher.dispatch(vec![order(5)]));
                assert_eq!(count, 1);
                published.lock().get_or_insert(SystemClock.now());
                if tell.send(SystemClock.now()).is_err() {
                    return;
                }
            }
        }
    });
    let keeper = world.nats.keeper(&world.topology, Arc::new(PublishingClock(Mutex::new((ask, told)))));
    let status = lane(&keeper, 5).await?;
    let first = published.lock().unwrap();
    assert!(
        status.watermark <= first,
        "an order published at {first} and received by nobody is below {}",
        status.watermark
    );
    drop((keeper, source));
    publisher.join().unwrap();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn watermarks_wait_until_reports_are_settled() -> anyhow::Result<()> {
    let world = World::new().await?;
    let _lanes = world.source().await?;
    let (common, urgent) = (world.nats.report_sink(&world.topology), world.nats.urgent_report_sink(&world.topology));
    let sources =
        [world.nats.report_source(&world.topology).await?, world.nats.urgent_report_source(&world.topology).await?];
    for (sink, source) in [common, urgent].iter().zip(&sources) {
        sink.publish(vec![ended(Bytes::new())]).await?;
        let batch = soon("the report", source.next(10)).await??;
        let keeper = world.keeper();
        let mut reading = tokio::spawn(async move { keeper.lanes().await });
        let early = tokio::time::timeout(std::time::Duration::from_secs(1), &mut reading).await;
        assert!(early.is_err(), "a report was not settled, but watermarks were told");
        source.ack(batch.tokens).await;
        assert_eq!(soon("the lanes", reading).await???.len(), 10);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn watermarks_are_refused_while_nobody_settles() -> anyhow::Result<()> {
    let world = World::new().await?;
    let _lanes = world.source().await?;
    world.nats.report_sink(&world.topology).publish(vec![ended(Bytes::new())]).await?;
    let refused = soon("an answer", world.keeper().lanes()).await?;
    assert!(refused.is_err(), "a report was not settled, but watermarks were told: {refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn trim_deletes_what_is_done_and_nothing_else() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (keeper, source) = (world.keeper(), world.source().await?);
    world.dispatch(orders(100, 5)).await?;
    world.dispatch(orders(10, 1)).await?;
    assert_eq!(keeper.trim().await?, 0, "nothing is done");
    let received = receive_all(&source, 110).await?;
    let (fifth, first): (Vec<_>, Vec<_>) = received.into_iter().partition(|d| d.order.priority == priority(5));
    let mut fifth = fifth.into_iter().map(|delivery| delivery.token);
    source.ack(first.into_iter().map(|delivery| delivery.token).collect()).await;
    source.ack(fifth.by_ref().take(60).collect()).await;
    let mut trimmed = 0;
    eventually("sixty are trimmed", async || {
        trimmed += keeper.trim().await?;
        Ok((trimmed >= 60).then_some(()))
    })
    .await?;
    let state = world.stream_state("READY").await?;
    assert_eq!((trimmed, state.messages, state.first_sequence), (60, 50, 61));

    source.ack(fifth.collect()).await;
    world.dispatch(orders(5, 9)).await?;
    eventually("only the new ones are left", async || {
        keeper.trim().await?;
        Ok((world.stream_state("READY").await?.messages == 5).then_some(()))
    })
    .await?;
    assert_eq!(receive_all(&source, 5).await?.len(), 5);
    Ok(())
}

/// A lane that nobody serves keeps its messages, and those of others do not pile up behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lane_far_behind_does_not_keep_what_others_are_done_with() -> anyhow::Result<()> {
    const BEHIND: usize = 11_000;
    let world = World::new().await?;
    let (keeper, source) = (world.keeper(), world.source().await?);
    let dispatcher = world.nats.dispatcher();
    for _ in 0..BEHIND / 1_000 {
        assert_eq!(dispatcher.dispatch(orders(1_000, 1)).await, 1_000);
    }
    for number in [100, 1_000] {
        assert_eq!(dispatcher.dispatch(orders(number, 9)).await, number);
        let mut done = 0;
        while done < number {
            let received = receive(&source, 500).await?;
            let urgent = received.into_iter().filter(|delivery| delivery.order.priority == priority(9));
            let tokens: Vec<_> = urgent.map(|delivery| delivery.token).collect();
            done += tokens.len();
            source.ack(tokens).await;
        }
        eventually("the lane to be trimmed", async || {
            keeper.trim().await?;
            Ok((world.stream_state("READY").await?.messages == BEHIND as u64).then_some(()))
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn trim_loses_nothing_while_orders_come_and_go() -> anyhow::Result<()> {
    const ORDERS: usize = 6_000;
    let world = World::new().await?;
    let (keeper, source) = (world.keeper(), world.source().await?);
    let dispatcher = world.nats.dispatcher();
    let publishing = tokio::spawn(async move {
        for round in 0..ORDERS / 20 {
            let number = i64::try_from(round % 10)? + 1;
            anyhow::ensure!(dispatcher.dispatch(orders(20, number)).await == 20);
        }
        anyhow::Ok(())
    });
    let trimming = tokio::spawn(async move {
        loop {
            keeper.trim().await?;
        }
        #[expect(unreachable_code, reason = "names the type of the error")]
        anyhow::Ok(())
    });
    let mut count = 0;
    while count < ORDERS {
        let received = receive(&source, 100).await?;
        count += received.len();
        source.ack(received.into_iter().map(|delivery| delivery.token).collect()).await;
    }
    assert!(!trimming.is_finished(), "trim failed");
    trimming.abort();
    publishing.await??;
    eventually("all is trimmed", async || {
        world.keeper().trim().await?;
        Ok((world.stream_state("READY").await?.messages == 0).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_reports_are_trimmed_and_others_are_not() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (keeper, sink) = (world.keeper(), world.nats.report_sink(&world.topology));
    let source = world.nats.report_source(&world.topology).await?;
    let urgent = world.nats.urgent_report_source(&world.topology).await?;
    for _ in 0..3 {
        sink.publish(vec![ended(Bytes::new())]).await?;
    }
    world.nats.urgent_report_sink(&world.topology).publish(vec![ended(Bytes::new())]).await?;
    let left = async |messages| {
        eventually("what is settled to be trimmed", async || {
            keeper.trim().await?;
            Ok((world.stream_state("REPORTS").await?.messages == messages).then_some(()))
        })
        .await
    };
    left(4).await?;
    let batch = soon("the urgent one", urgent.next(10)).await??;
    urgent.ack(batch.tokens).await;
    left(4).await?;
    let mut settled = 0;
    while settled < 3 {
        let batch = soon("reports", source.next(10)).await??;
        settled += batch.tokens.len();
        source.ack(batch.tokens).await;
    }
    sink.publish(vec![ended(Bytes::new())]).await?;
    left(1).await?;
    assert_eq!(soon("the new one", source.next(10)).await??.reports.len(), 1);
    Ok(())
}
