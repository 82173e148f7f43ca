//! The benchmark's floor for submits: a bare axum server that publishes each body to JetStream and answers 202 when JetStream has
//! acknowledged it, with nothing of Tasklane around it.
//!
//! `floor_submit URL`: prints the address that it listens on (loopback, a free port), and serves until it is ended. File storage.
#![expect(clippy::print_stdout, reason = "its address is its product")]

use anyhow::Context;
use async_nats::jetstream::{self, stream};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;

const STREAM: &str = "FLOOR";
const SUBJECT: &str = "floor.0";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).context("usage: floor_submit URL")?;
    let context = jetstream::new(async_nats::connect(&url).await?);
    let config = stream::Config { name: STREAM.to_owned(), subjects: vec![SUBJECT.to_owned()], ..Default::default() };
    context.create_stream(config).await?;
    let router = Router::new().route("/", post(submit)).with_state(context);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}

async fn submit(State(context): State<jetstream::Context>, body: Bytes) -> StatusCode {
    let Ok(ack) = context.publish(SUBJECT, body).await else { return StatusCode::SERVICE_UNAVAILABLE };
    if ack.await.is_ok() { StatusCode::ACCEPTED } else { StatusCode::SERVICE_UNAVAILABLE }
}
