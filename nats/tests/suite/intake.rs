//! Standing pulls: a lone order arrives at once where a slot is free, and is left to others where none is.

use std::sync::Arc;
use std::time::Duration;

use tasklane_domain::ports::{Parking, WorkSource};

use crate::world::{BOUND, World, eventually, order, orders, receive, receive_all, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_order_reaches_a_waiting_host_in_every_lane() -> anyhow::Result<()> {
    let world = World::new().await?;
    let source = Arc::new(world.source().await?);
    for number in 1..=10 {
        let waiting = tokio::spawn({
            let source = source.clone();
            async move { source.receive(4, Parking::Allowed).await }
        });
        eventually("a standing pull", async || Ok((world.lane_info(4).await?.num_waiting == 1).then_some(()))).await?;
        world.dispatch(vec![order(number)]).await?;
        let received = soon("the order", waiting).await???;
        assert_eq!(i64::from(received[0].order.priority.get()), number);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn standing_pulls_are_renewed() -> anyhow::Result<()> {
    let world = World::new().await?;
    let source = world.source().await?;
    // Longer than any standing pull stands.
    let idle = tokio::time::timeout(Duration::from_secs(5), source.receive(1, Parking::Allowed)).await;
    assert!(idle.is_err(), "there was nothing to receive");
    world.dispatch(vec![order(5)]).await?;
    assert_eq!(receive(&source, 1).await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saturated_host_leaves_work_to_others() -> anyhow::Result<()> {
    let world = World::new().await?;
    let saturated = Arc::new(world.source().await?);
    let standing = async || {
        let mut standing = 0;
        for number in 1..=10 {
            standing += world.lane_info(number).await?.num_waiting;
        }
        anyhow::Ok(standing)
    };
    // Seen by the server: what it has not yet read is not over.
    let stand = eventually("its standing pulls", async || Ok((standing().await? >= 10).then_some(())));
    tokio::select! {
        received = saturated.receive(4, Parking::Allowed) => panic!("there was nothing to receive: {received:?}"),
        stood = stand => stood?,
    }
    let waiting = tokio::spawn({
        let saturated = saturated.clone();
        async move { saturated.receive(4, Parking::Withheld).await }
    });
    eventually("its standing pulls are over", async || Ok((standing().await? == 0).then_some(()))).await?;
    for number in 1..=10 {
        world.dispatch(orders(20, number)).await?;
    }
    let other = world.source().await?;
    assert_eq!(receive_all(&other, 200).await?.len(), 200);
    assert!(!waiting.is_finished(), "a saturated host took work");
    waiting.abort();
    let nothing = tokio::time::timeout(Duration::from_millis(200), saturated.receive(4, Parking::Withheld)).await;
    assert!(nothing.is_err(), "a saturated host had taken work");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_larger_than_the_lane_ends_at_once() -> anyhow::Result<()> {
    let world = World::new().await?;
    let source = world.source().await?;
    let mut rounds = Vec::new();
    // Each round leaves the source with a batch that asked for more than there was.
    for _ in 0..30 {
        let begun = std::time::Instant::now();
        world.dispatch(orders(5, 5)).await?;
        let mut tokens = Vec::new();
        while tokens.len() < 5 {
            tokens.extend(receive(&source, 100).await?.into_iter().map(|delivery| delivery.token));
        }
        source.ack(tokens).await;
        rounds.push(begun.elapsed());
    }
    // A batch that waited for its client's timeout would cost half a second each; a machine that stands still costs a few of them more.
    rounds.sort();
    assert!(rounds[15] < Duration::from_millis(333), "30 small rounds took {rounds:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_share_a_lane_without_doubles() -> anyhow::Result<()> {
    let world = World::with(tasklane_nats::Topology { ack_wait: BOUND * 2, ..Default::default() }).await?;
    world.dispatch(orders(4_000, 5)).await?;
    let all = Arc::new(parking_lot::Mutex::new(std::collections::HashSet::new()));
    let mut hosts = tokio::task::JoinSet::new();
    // Neither goes on before the other has got something: one could be done with all before the other begins.
    let both = Arc::new(tokio::sync::Barrier::new(2));
    for _ in 0..2 {
        let (source, all, both) = (world.source().await?, all.clone(), both.clone());
        hosts.spawn(async move {
            let mut mine = 0;
            while all.lock().len() < 4_000 {
                let Ok(received) =
                    tokio::time::timeout(Duration::from_millis(200), source.receive(64, Parking::Allowed)).await
                else {
                    continue;
                };
                let received = received?;
                if mine == 0 {
                    both.wait().await;
                }
                mine += received.len();
                let mut all = all.lock();
                for delivery in received {
                    assert!(all.insert(delivery.order.task), "an order came twice");
                }
            }
            anyhow::Ok(mine)
        });
    }
    let shares: Vec<usize> = soon("all orders", hosts.join_all()).await?.into_iter().collect::<anyhow::Result<_>>()?;
    assert_eq!(shares.iter().sum::<usize>(), 4_000);
    assert!(shares.iter().all(|share| *share > 0), "one host got nothing: {shares:?}");
    Ok(())
}
