//! The hot paths for an instruction counter: `instructions NAME TIMES` does one of them so many times between two marks.
//!
//! Run under callgrind by `cargo xtask bench instructions`, which looks for `counted_begin` and `counted_end`. Everything before the first
//! mark (compiling, filling tables, a warm-up) is not counted. Nothing here is timed.
#![expect(clippy::print_stdout, reason = "what it did, for people who run it by hand")]

#[path = "../../nats/src/codec.rs"]
#[expect(dead_code, reason = "orders and reports are read here, and nothing else is written")]
mod codec;
#[path = "../../nats/src/wire.rs"]
mod wire;

use std::hint::black_box;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use tasklane_api_types::SubmitRequest;
use tasklane_domain::{
    Attempt, DeliveryId, Limits, Manifest, ModuleDigest, ModuleRef, Outcome, Payload, Priority, QueueName, Report,
    TaskId, Timestamp, WorkOrder,
};
use tasklane_host::local::LocalModule;
use tasklane_testkit::conformance::world::{World, at, ended, report, task};
use tasklane_tests::guest;

/// A request as most are.
const BODY: &[u8] = br#"{"module":"resize@1.0.0","payload":{"order":1234567,"items":["a","b","c"],"note":"as small as most tasks are"},"priority":"high","labels":{"customer":"c-42"}}"#;
/// Reports in one message.
const REPORTS: usize = 100;
/// Orders in one message.
const ORDERS: usize = 16;
/// Tasks in one settled batch.
const BATCH: usize = 500;
/// Runs before the counted ones.
const WARM_UP: u32 = 3;

/// The first mark. It does another thing than the second one: two functions that do the same become one.
#[inline(never)]
fn counted_begin() {
    black_box(1);
}

/// The second mark.
#[inline(never)]
fn counted_end() {
    black_box(2);
}

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let name = args.next().context("usage: instructions NAME TIMES")?;
    let times: u32 = args.next().context("usage: instructions NAME TIMES")?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match name.as_str() {
        "submit" => repeat(times, submit)?,
        "receive" => receive(times)?,
        "dispatch-bundle" => dispatch_bundle(times)?,
        "receive-bundle" => receive_bundle(times)?,
        "run-noop" => runtime.block_on(run_noop(times))?,
        "report" => tell(times)?,
        "settle-decode" => settle_decode(times)?,
        "settle-batch" => runtime.block_on(settle_batch(times))?,
        other => anyhow::bail!("there is no path `{other}`"),
    }
    println!("{name}: {times} times");
    Ok(())
}

fn repeat(times: u32, mut once: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    (0..WARM_UP).try_for_each(|_| once())?;
    counted_begin();
    let done = (0..times).try_for_each(|_| once());
    counted_end();
    done
}

fn order(payload: Payload) -> anyhow::Result<WorkOrder> {
    let digest = ModuleDigest::from_bytes([7; 32]);
    Ok(WorkOrder {
        task: TaskId::new(),
        attempt: Attempt::FIRST,
        max_attempts: 3,
        dispatch: DeliveryId::FIRST_DISPATCH,
        module: ModuleRef { name: "resize".parse()?, version: "1.0.0".parse()?, digest },
        queue: QueueName::default(),
        priority: Priority::HIGH,
        limits: Limits::default(),
        payload,
        queued_at: Timestamp::from_micros(1_780_000_000_000_000),
        deadline: None,
        traceparent: None,
        tracestate: None,
        awaited: false,
    })
}

/// The body of a request to a message of READY.
fn submit() -> anyhow::Result<()> {
    let request: SubmitRequest = serde_json::from_slice(black_box(BODY))?;
    let payload = request.payload.context("a payload")?;
    let order = order(Payload::json(Bytes::from(payload.get().to_owned())))?;
    black_box(wire::encode_order(&order)?);
    Ok(())
}

/// Orders as a host holds them.
fn in_hand(orders: Vec<WorkOrder>) -> Vec<Arc<WorkOrder>> {
    orders.into_iter().map(Arc::new).collect()
}

/// A message of READY to an order.
fn receive(times: u32) -> anyhow::Result<()> {
    let message = wire::encode_order(&order(Payload::json(Bytes::from_static(BODY)))?)?;
    repeat(times, || {
        black_box(in_hand(wire::decode_orders(black_box(&message))?));
        Ok(())
    })
}

fn orders() -> anyhow::Result<Vec<WorkOrder>> {
    (0..ORDERS).map(|_| order(Payload::json(Bytes::from_static(BODY)))).collect()
}

/// Orders that share a message of READY.
fn dispatch_bundle(times: u32) -> anyhow::Result<()> {
    let orders = orders()?;
    repeat(times, || {
        anyhow::ensure!(orders.windows(2).all(|pair| matches!(pair, [one, other] if wire::are_alike(one, other))));
        black_box(wire::encode_bundle(black_box(&orders))?);
        Ok(())
    })
}

/// The same, read.
fn receive_bundle(times: u32) -> anyhow::Result<()> {
    let message = wire::encode_bundle(&orders()?)?;
    repeat(times, || {
        black_box(in_hand(wire::decode_orders(black_box(&message))?));
        Ok(())
    })
}

/// One attempt of the no-op component: store, fresh instance, call, outcome, and everything given back.
async fn run_noop(times: u32) -> anyhow::Result<()> {
    let wasm = std::fs::read(guest("wasm32-wasip2", "fixture_noop.wasm")?)?;
    let module = LocalModule::load_counted(&wasm, Manifest::bare("noop".parse()?, "1.0.0".parse()?))?;
    for _ in 0..WARM_UP {
        run_once(&module).await?;
    }
    counted_begin();
    for _ in 0..times {
        run_once(&module).await?;
    }
    counted_end();
    Ok(())
}

async fn run_once(module: &LocalModule) -> anyhow::Result<()> {
    let ran = module.run(Payload::json(Bytes::from_static(b"{}")), Limits::default()).await?;
    anyhow::ensure!(ran.outcome == Outcome::Ok, "the no-op guest failed: {:?}", ran.outcome);
    Ok(())
}

fn reports() -> Vec<Report> {
    (0..REPORTS).map(|_| report(TaskId::new(), ended(Outcome::Ok))).collect()
}

/// Reports to one message.
fn tell(times: u32) -> anyhow::Result<()> {
    let reports = reports();
    repeat(times, || {
        black_box(wire::encode_reports(black_box(&reports))?);
        Ok(())
    })
}

/// One message to reports.
fn settle_decode(times: u32) -> anyhow::Result<()> {
    let message = wire::encode_reports(&reports())?;
    repeat(times, || {
        black_box(wire::decode_reports(black_box(&message))?);
        Ok(())
    })
}

/// A batch of reports to committed rows of SQLite, in all threads.
async fn settle_batch(times: u32) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let world = World::open(format!("sqlite://{}/tasks.db", dir.path().display()), Some(dir)).await?;
    let mut batches = Vec::new();
    for _ in 0..times + WARM_UP {
        let tasks = (0..BATCH).map(|_| task()).collect::<anyhow::Result<Vec<_>>>()?;
        batches.push(tasks.iter().map(|task| report(task.id, ended(Outcome::Ok))).collect::<Vec<_>>());
        world.stores.tasks.submit(tasks).await?;
    }
    let (mut number, mut settled) = (0, 0);
    for batch in batches {
        if number == WARM_UP {
            counted_begin();
        }
        number += 1;
        settled += world.stores.tasks.settle(batch, at(3)).await?.settled.len();
    }
    counted_end();
    anyhow::ensure!(settled == BATCH * usize::try_from(number)?, "{settled} tasks were settled");
    Ok(())
}
