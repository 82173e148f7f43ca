//! The benchmark's floor for NATS: publish, consume and acknowledge at once, with nothing of Tasklane around it.
//!
//! `floor_nats URL [MESSAGES]`: 200,000 messages (or MESSAGES) of 256 bytes through a file stream with `limits` retention and one
//! durable pull consumer, publishing and consuming at the same time, each with a connection of its own and every publish
//! acknowledged by JetStream. Prints one JSON line. Leaves nothing behind.
#![expect(clippy::print_stdout, reason = "a benchmark's product is what it prints")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::{self, stream};
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::Semaphore;

const MESSAGES: usize = 200_000;
const MESSAGE_BYTES: usize = 256;
/// Publishes that await JetStream's acknowledgement.
const WINDOW: usize = 2_000;
/// Messages in one pull.
const BATCH: usize = 1_000;
const STREAM: &str = "FLOOR";
const SUBJECT: &str = "floor.0";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let url = args.next().context("usage: floor_nats URL [MESSAGES]")?;
    let messages = args.next().map_or(Ok(MESSAGES), |number| number.parse())?;
    let context = jetstream::new(async_nats::connect(&url).await?);
    let consumer = prepare(&context).await?;
    let begun = Instant::now();
    let publishing = tokio::spawn(publish(async_nats::connect(&url).await?, messages));
    consume(&consumer, messages).await?;
    publishing.await??;
    let per_second = messages as f64 / begun.elapsed().as_secs_f64();
    context.delete_stream(STREAM).await?;
    println!(
        r#"{{"floor":"jetstream","messages":{messages},"bytes":{MESSAGE_BYTES},"messages_per_second":{per_second:.0}}}"#
    );
    Ok(())
}

async fn prepare(context: &jetstream::Context) -> anyhow::Result<PullConsumer> {
    let config = stream::Config { name: STREAM.to_owned(), subjects: vec![SUBJECT.to_owned()], ..Default::default() };
    let stream = context.create_stream(config).await?;
    let config = pull::Config {
        durable_name: Some("floor".to_owned()),
        ack_policy: AckPolicy::Explicit,
        max_ack_pending: 16_000,
        ..Default::default()
    };
    Ok(stream.create_consumer(config).await?)
}

/// All acknowledgements come to one inbox, where they are counted.
async fn publish(client: async_nats::Client, messages: usize) -> anyhow::Result<()> {
    let inbox = client.new_inbox();
    let mut acks = client.subscribe(inbox.clone()).await?;
    let window = Arc::new(Semaphore::new(WINDOW));
    let counting = tokio::spawn({
        let window = window.clone();
        async move {
            for _ in 0..messages {
                let ack = acks.next().await.context("the connection was closed")?;
                anyhow::ensure!(ack.payload.starts_with(b"{\"stream\""), "a publish was refused: {:?}", ack.payload);
                window.add_permits(1);
            }
            Ok(())
        }
    });
    let payload = Bytes::from(vec![b'x'; MESSAGE_BYTES]);
    for _ in 0..messages {
        window.acquire().await?.forget();
        client.publish_with_reply(SUBJECT, inbox.clone(), payload.clone()).await?;
    }
    counting.await?
}

async fn consume(consumer: &PullConsumer, messages: usize) -> anyhow::Result<()> {
    let mut incoming = consumer.stream().max_messages_per_batch(BATCH).messages().await?;
    for _ in 0..messages {
        let message = incoming.next().await.context("the connection was closed")??;
        message.ack().await.map_err(anyhow::Error::from_boxed)?;
    }
    while consumer.get_info().await?.num_ack_pending > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}
