//! What the store itself does of the same work as its floor: submit and settle through the port, in batches of 500.
//!
//! `store_throughput [URL] [ROWS] [CALLERS]`: SQLite in a temporary directory without a URL; `postgres` in place of a URL starts a throwaway
//! cluster at full sync. Prints one JSON line; the ratio to `floor_store` is the store's own cost.
#![expect(clippy::print_stdout, reason = "a benchmark's product is what it prints")]

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tasklane_domain::{NewTask, Outcome, Payload, TaskId};
use tasklane_testkit::conformance::world::{at, ended, report, task};
use tasklane_testkit::postgres::{Durability, Postgres};
use tokio::task::JoinSet;

const ROWS: usize = 50_000;
const BATCH: usize = 500;
/// Callers at once: the store's group commit merges what they ask for.
const CALLERS: usize = 4;
const PAYLOAD_BYTES: usize = 256;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut numbers = args.iter().filter_map(|arg| arg.parse::<usize>().ok());
    let (rows, callers_max) = (numbers.next().unwrap_or(ROWS), numbers.next().unwrap_or(CALLERS).max(1));
    let dir = tempfile::tempdir()?;
    let cluster = args.iter().any(|arg| arg == "postgres").then(|| Postgres::start(Durability::Full)).transpose()?;
    let url = match (&cluster, args.iter().find(|arg| arg.contains("://"))) {
        (Some(cluster), _) => cluster.database()?,
        (None, Some(url)) => url.clone(),
        (None, None) => format!("sqlite://{}/throughput.db", dir.path().display()),
    };
    let stores = tasklane_store::open(&url).await?;
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..callers_max {
        let store = Arc::clone(&stores.tasks);
        callers.spawn(async move {
            for _ in 0..rows / callers_max / BATCH {
                let batch = batch()?;
                let ids: Vec<TaskId> = batch.iter().map(|task| task.id).collect();
                store.submit(batch).await?;
                let told = ids.iter().map(|id| report(*id, ended(Outcome::Ok))).collect();
                anyhow::ensure!(store.settle(told, at(3)).await?.settled.len() == BATCH);
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = callers.join_next().await {
        done??;
    }
    let done = rows / callers_max / BATCH * BATCH * callers_max;
    let per_second = done as f64 / begun.elapsed().as_secs_f64();
    let commits = stores.commits();
    println!(r#"{{"store":"submit+settle","rows":{done},"commits":{commits},"rows_per_second":{per_second:.0}}}"#);
    Ok(())
}

fn batch() -> anyhow::Result<Vec<NewTask>> {
    let payload = Payload::json(Bytes::from(vec![b'1'; PAYLOAD_BYTES]));
    (0..BATCH).map(|_| Ok(NewTask { payload: payload.clone(), ..task()? })).collect()
}
