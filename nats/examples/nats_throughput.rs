//! What the adapters do of the same work as their floor: dispatch, receive and acknowledge orders with payloads of 256 bytes.
//!
//! `nats_throughput URL [ORDERS]`: 200,000 orders (or ORDERS) through the ports, in calls of 1,000 as API and scheduler make
//! them, received 500 at a time as a busy host does. Prints one JSON line; the ratio to `floor_nats` is the adapters' own cost.
#![expect(clippy::print_stdout, reason = "a benchmark's product is what it prints")]

use std::time::Instant;

use anyhow::Context;
use bytes::Bytes;
use futures::StreamExt;
use tasklane_domain::ports::{Dispatcher, Parking, WorkSource};
use tasklane_domain::{
    Attempt, Clock, DeliveryId, Limits, ModuleDigest, ModuleRef, Payload, PayloadKind, Priority, QueueName,
    SystemClock, TaskId, WorkOrder,
};
use tasklane_nats::{ConnectOptions, Nats, NatsDispatcher, Topology};

const ORDERS: usize = 200_000;
/// Orders in one call.
const CALL: usize = 1_000;
/// Calls at once.
const CALLS: usize = 4;
/// Deliveries asked for at once.
const WANT: usize = 500;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let url = args.next().context("usage: nats_throughput URL [ORDERS]")?;
    let count = args.next().map_or(Ok(ORDERS), |number| number.parse())?;
    let options = ConnectOptions { urls: vec![url], name: "throughput".to_owned(), ..ConnectOptions::default() };
    let source = Nats::connect(&options).await?.work_source(&[QueueName::default()], &Topology::default()).await?;
    let dispatcher = Nats::connect(&options).await?.dispatcher();
    let begun = Instant::now();
    let dispatching = tokio::spawn(dispatch(dispatcher, count));
    let mut received = 0;
    while received < count {
        let deliveries = source.receive(WANT, Parking::Allowed).await?;
        received += deliveries.len();
        source.ack(deliveries.into_iter().map(|delivery| delivery.token).collect()).await;
    }
    dispatching.await??;
    let per_second = count as f64 / begun.elapsed().as_secs_f64();
    println!(r#"{{"part":"nats","orders":{count},"orders_per_second":{per_second:.0}}}"#);
    Ok(())
}

async fn dispatch(dispatcher: NatsDispatcher, count: usize) -> anyhow::Result<()> {
    let order = order()?;
    let calls = (0..count.div_ceil(CALL)).map(|call| {
        let orders: Vec<WorkOrder> = (call * CALL..count.min((call + 1) * CALL))
            .map(|_| WorkOrder { task: TaskId::new(), ..order.clone() })
            .collect();
        let dispatcher = dispatcher.clone();
        async move { (orders.len(), dispatcher.dispatch(orders).await) }
    });
    let mut calls = futures::stream::iter(calls).map(tokio::spawn).buffer_unordered(CALLS);
    while let Some(call) = calls.next().await {
        let (sent, taken) = call?;
        anyhow::ensure!(taken == sent, "{taken} of {sent} orders were acknowledged");
    }
    Ok(())
}

fn order() -> anyhow::Result<WorkOrder> {
    Ok(WorkOrder {
        task: TaskId::new(),
        attempt: Attempt::FIRST,
        max_attempts: 3,
        dispatch: DeliveryId::FIRST_DISPATCH,
        module: ModuleRef {
            name: "noop".parse()?,
            version: "1.0.0".parse()?,
            digest: ModuleDigest::from_bytes([7; 32]),
        },
        queue: QueueName::default(),
        priority: Priority::MEDIUM,
        limits: Limits::default(),
        payload: Payload::inline(PayloadKind::Bytes, Bytes::from(vec![b'x'; 256])),
        queued_at: SystemClock.now(),
        deadline: None,
        traceparent: None,
        tracestate: None,
        awaited: false,
    })
}
