//! The benchmark's floor: JetStream publish, consume and acknowledge alone. `floor_nats URL [MESSAGES]`.
//!
//! 256-byte messages, file storage, `limits` retention, one durable pull consumer; publishing and consuming run at once, as they do
//! in Tasklane. Prints one line of JSON.
#![expect(clippy::print_stdout, reason = "its product is what it prints")]

use std::time::Instant;

use anyhow::Context;
use async_nats::jetstream::{self, consumer::pull, stream};
use futures::StreamExt;

/// Publishes that may await their acknowledgement.
const WINDOW: usize = 2_000;
const MESSAGE_BYTES: usize = 256;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let url = args.next().context("give the server's URL")?;
    let count: usize = args.next().map_or(Ok(200_000), |text| text.parse())?;
    let client = async_nats::ConnectOptions::new().subscription_capacity(65_536).connect(url).await?;
    let jetstream = jetstream::new(client.clone());
    let config =
        stream::Config { name: "FLOOR".to_owned(), subjects: vec!["floor.>".to_owned()], ..Default::default() };
    let stream = jetstream.get_or_create_stream(config).await?;
    stream.purge().await?;
    let durable =
        pull::Config { durable_name: Some("floor".to_owned()), max_ack_pending: 16_000, ..Default::default() };
    let consumer = stream.get_or_create_consumer("floor", durable).await?;
    let begun = Instant::now();
    // On a thread of its own: the client's acknowledgements cannot move between threads.
    let runtime = tokio::runtime::Handle::current();
    let publish = tokio::task::spawn_blocking(move || runtime.block_on(publish(jetstream, count)));
    let mut messages = consumer.stream().max_messages_per_batch(500).messages().await?;
    for _ in 0..count {
        let message = messages.next().await.context("a message")??;
        message.ack().await.map_err(anyhow::Error::from_boxed)?;
    }
    client.flush().await?;
    publish.await??;
    let per_second = count as f64 / begun.elapsed().as_secs_f64();
    println!("{{\"floor\":\"jetstream\",\"messages_per_second\":{per_second:.0}}}");
    Ok(())
}

async fn publish(jetstream: jetstream::Context, count: usize) -> anyhow::Result<()> {
    let payload = bytes::Bytes::from(vec![b'x'; MESSAGE_BYTES]);
    let mut acks = futures::stream::FuturesUnordered::new();
    for _ in 0..count {
        acks.push(jetstream.publish("floor.x", payload.clone()).await?.into_future());
        if acks.len() >= WINDOW {
            acks.next().await.context("an acknowledgement")??;
        }
    }
    while let Some(ack) = acks.next().await {
        ack?;
    }
    Ok(())
}
