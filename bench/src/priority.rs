//! How soon an urgent task starts while a large backlog of the least urgent ones runs.
//!
//! Tasks of priority 1 that compute for a millisecond each (and, on another server, that wait for one) take all slots; meanwhile
//! a no-op task of priority 10 comes every 25 ms. Counted is from its submit to the start of its run, as its row says.

use std::time::Duration;

use serde_json::{Value, json};
use tasklane_domain::Timestamp;
use tasklane_tests::Client;
use tokio::task::JoinSet;

use crate::line::{Bar, Line, Report};
use crate::stats::percentile;
use crate::throughput::Server;
use crate::work::Pace;

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Tasks of priority 1.
    #[arg(long, default_value_t = 200_000)]
    backlog: usize,
    /// Urgent tasks beside each backlog.
    #[arg(long, default_value_t = 300)]
    urgent: usize,
}

/// Time between two urgent tasks.
const INTERVAL: Duration = Duration::from_millis(25);
/// Urgent tasks at first that are not counted: the backlog is still being taken up.
const WARM_UP: usize = 20;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut lines = Vec::new();
    let mut details = Vec::new();
    for work in ["compute 1 ms", "wait 1 ms"] {
        let server = Server::start().await?;
        let alone = starts(&server.client, options.urgent / 3).await?;
        let payload = match work {
            "compute 1 ms" => Pace::measure(&server.client).await?.payload(1.0),
            _ => json!({"do": "sleep", "ms": 1}),
        };
        let task = json!({"module": "guest@1.0.0", "payload": payload, "priority": 1});
        server.client.submit_many(&task, options.backlog).await?;
        let beside = starts(&server.client, options.urgent + WARM_UP).await?;
        let beside = beside.get(WARM_UP..).unwrap_or_default();
        let left = server.client.count("queued").await?;
        anyhow::ensure!(left > 0, "the backlog was gone before the last urgent task: take a larger one");
        let what = format!("urgent start beside {} that {work}", options.backlog);
        let line = |percent| Line::new(format!("{what}, p{percent}"), percentile(beside, percent), "ms");
        lines.push(line(50).beside("alone", percentile(&alone, 50)));
        lines.push(line(99).beside("alone", percentile(&alone, 99)).wanted(Bar::AtMost(25.0)));
        details.push(json!({"work": work, "left": left, "largest_ms": percentile(beside, 100)}));
    }
    Ok(Report { lines, details: json!(details) })
}

/// Milliseconds from submit to start of urgent tasks that come at a steady pace, whatever becomes of those before.
async fn starts(client: &Client, count: usize) -> anyhow::Result<Vec<f64>> {
    let mut ticks = tokio::time::interval(INTERVAL);
    let mut waits = JoinSet::new();
    for _ in 0..count {
        ticks.tick().await;
        let client = client.clone();
        let task = json!({"module": "noop@1.0.0", "payload": {}, "priority": 10});
        waits.spawn(async move { client.post("/api/v1/tasks?wait=60s", &task).await });
    }
    let mut starts = Vec::new();
    while let Some(task) = waits.join_next().await {
        starts.push(wait_ms(&task??)?);
    }
    Ok(starts)
}

/// Milliseconds from a task's submit to its start.
pub(crate) fn wait_ms(task: &Value) -> anyhow::Result<f64> {
    let time = |field: &str| -> anyhow::Result<Timestamp> {
        let text = task["timings"][field].as_str();
        Ok(text.ok_or_else(|| anyhow::anyhow!("the task has no {field}: {task}"))?.parse()?)
    };
    Ok(time("started_at")?.since(time("created_at")?).as_secs_f64() * 1_000.0)
}
