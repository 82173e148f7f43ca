//! The most urgent lane first, and a small share for the others.

use tasklane_domain::ports::WorkSource;

use crate::world::{World, order, orders, receive};

#[tokio::test(flavor = "multi_thread")]
async fn an_urgent_order_overtakes_twenty_thousand() -> anyhow::Result<()> {
    const WANT: usize = 50;
    let world = World::new().await?;
    let source = world.source().await?;
    world.dispatch(orders(20_000, 1)).await?;
    let mut received = 0;
    while received < 2_000 {
        received += take(&source, WANT).await?.len();
    }
    world.dispatch(vec![order(10)]).await?;
    let mut before = 0;
    loop {
        let batch = take(&source, WANT).await?;
        if let Some(position) = batch.iter().position(|priority| *priority == 10) {
            before += position;
            break;
        }
        before += batch.len();
    }
    // What was asked for before the order was there may stand before it: one batch under way and one that has arrived.
    assert!(before <= 3 * WANT, "{before} orders of priority 1 came before the one of priority 10");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_are_emptied_in_the_order_of_urgency() -> anyhow::Result<()> {
    let world = World::new().await?;
    for number in [2, 9, 5] {
        world.dispatch(orders(300, number)).await?;
    }
    let source = world.source().await?;
    let mut all = Vec::new();
    while all.len() < 900 {
        all.extend(take(&source, 30).await?);
    }
    let mean = |number: u8| {
        let places = all.iter().enumerate().filter(|(_, found)| **found == number).map(|(place, _)| place);
        places.sum::<usize>() / 300
    };
    let (high, middle, low) = (mean(9), mean(5), mean(2));
    assert!(high + 150 < middle && middle + 150 < low, "mean places: {high}, {middle}, {low}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_lane_gets_its_share_under_a_steady_stream_of_urgent_ones() -> anyhow::Result<()> {
    const WANT: usize = 10;
    let world = World::new().await?;
    let source = world.source().await?;
    world.dispatch(orders(2_000, 1)).await?;
    let (mut urgent, mut low) = (0, 0);
    world.dispatch(orders(400, 10)).await?;
    while urgent < 6_000 {
        let batch = take(&source, WANT).await?;
        let count = batch.iter().filter(|priority| **priority == 10).count();
        (urgent, low) = (urgent + count, low + batch.len() - count);
        // As many new ones as were taken: the urgent lane is never empty.
        world.dispatch(orders(count, 10)).await?;
    }
    assert!(low >= 150, "only {low} of priority 1 beside {urgent} of priority 10");
    assert!(low <= 1_200, "as many as {low} of priority 1 beside {urgent} of priority 10");
    Ok(())
}

/// Receives, acknowledges, and tells the priorities.
async fn take(source: &tasklane_nats::NatsWorkSource, want: usize) -> anyhow::Result<Vec<u8>> {
    let received = receive(source, want).await?;
    let priorities = received.iter().map(|delivery| delivery.order.priority.get()).collect();
    source.ack(received.into_iter().map(|delivery| delivery.token).collect()).await;
    Ok(priorities)
}
