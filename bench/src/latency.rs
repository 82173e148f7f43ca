//! Submit-and-wait under light load: 200 no-op tasks a second over one connection, one after the other.
//!
//! Every 5 ms a task is due. Where the connection is still waiting for the one before, the next one's time begins when it was due, not
//! when it could be sent: a slow answer counts against those that it holds up. Beside it, what all processes do for one such task.

use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::line::{Bar, Line, Report};
use crate::processes::Ran;
use crate::stats::{median, percentile};
use crate::throughput::Server;

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Tasks in one round.
    #[arg(long, default_value_t = 2_000)]
    tasks: u32,
    /// Rounds; the median of their percentiles counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// One task in this time: 200 a second.
const INTERVAL: Duration = Duration::from_millis(5);
/// Rounds start after so many tasks that are not counted.
const WARM_UP: u32 = 400;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut server = Server::start().await?;
    let mut connection = Connection::open(server.client.url()).await?;
    connection.millis(WARM_UP).await?;
    let pid = server.dev.process()?.pid();
    let (mut p50, mut p99, mut most) = (Vec::new(), Vec::new(), Vec::new());
    let (mut micros, mut times) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let before = Ran::by_now(pid)?;
        let millis = connection.millis(options.tasks).await?;
        let each = Ran::by_now(pid)?.since(before, f64::from(options.tasks));
        micros.push(each.micros);
        times.push(each.times);
        p50.push(percentile(&millis, 50));
        p99.push(percentile(&millis, 99));
        most.push(percentile(&millis, 100));
    }
    let lines = vec![
        Line::new("p50 at 200 tasks/s", median(&p50), "ms").wanted(Bar::AtMost(3.0)),
        Line::new("p99 at 200 tasks/s", median(&p99), "ms").wanted(Bar::AtMost(12.0)),
        Line::new("largest at 200 tasks/s", median(&most), "ms"),
        Line::new("processor time of each, all processes", median(&micros), "µs"),
        Line::new("threads put on a processor for each", median(&times), "times"),
    ];
    let details =
        json!({"p50_ms": p50, "p99_ms": p99, "max_ms": most, "processor_us": micros, "put_on_a_processor": times});
    Ok(Report { lines, details })
}

/// One connection to the API.
struct Connection {
    requests: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    async fn open(url: &str) -> anyhow::Result<Self> {
        let host = url.strip_prefix("http://").context("an address")?.to_owned();
        let stream = TcpStream::connect(&host).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the connection.
        tokio::spawn(connection);
        Ok(Self { requests, host })
    }

    /// Milliseconds of each of so many tasks.
    async fn millis(&mut self, count: u32) -> anyhow::Result<Vec<f64>> {
        let mut ticks = tokio::time::interval(INTERVAL);
        let mut millis = Vec::new();
        for _ in 0..count {
            let free = Instant::now();
            let due = ticks.tick().await.into_std();
            let begun = if free > due { due } else { Instant::now() };
            self.submit_and_wait().await?;
            millis.push(begun.elapsed().as_secs_f64() * 1_000.0);
        }
        Ok(millis)
    }

    async fn submit_and_wait(&mut self) -> anyhow::Result<()> {
        let body = Bytes::from_static(br#"{"module":"noop@1.0.0","payload":{}}"#);
        let request = Request::post("/api/v1/tasks?wait=30s")
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        self.requests.ready().await?;
        let answer = self.requests.send_request(request).await?.into_body().collect().await?.to_bytes();
        let task: Value = serde_json::from_slice(&answer)?;
        anyhow::ensure!(task["state"] == "succeeded", "a task did not succeed: {task}");
        Ok(())
    }
}
