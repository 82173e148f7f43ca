//! Large payloads and results: ten mebibytes in and out of real guests, and everything that can go wrong on the way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tasklane_domain::blob::ResultKey;
use tasklane_domain::work::{Ended, HandBack, ReportBody};
use tasklane_domain::{Attempt, BlobRef, DeliveryId, Limits, ModuleRef, Outcome, Payload, PayloadKind, WorkOrder};

use crate::buckets::reference;
use crate::guests::wasm;
use crate::ports::{Running, World, order, settings};

const TEN_MIB: usize = 10 * 1024 * 1024;

/// Bytes of which no two places look alike.
fn content(bytes: usize) -> Bytes {
    (0_u32..).flat_map(u32::to_le_bytes).take(bytes).collect::<Vec<u8>>().into()
}

fn by_reference(module: &ModuleRef, blob: BlobRef) -> WorkOrder {
    WorkOrder { payload: Payload::by_reference(PayloadKind::Bytes, blob), ..order(module, "") }
}

fn echo(world: &World, target: &str) -> ModuleRef {
    world.deploy("echo", wasm(target, "fixture-command.wasm"))
}

/// A host with a few slots, and one order run to its end.
async fn run(world: &Arc<World>, order: WorkOrder) -> Ended {
    let (dir, task) = (tempfile::tempdir().unwrap(), order.task);
    let host = Running::start(settings(dir.path(), 2), world);
    world.send([order]);
    let ended = world.ended(task).await;
    world.acked(task).await;
    host.drain().await;
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_mebibytes_go_through_commands_of_both_previews() {
    for target in ["wasm32-wasip1", "wasm32-wasip2"] {
        let world = World::new();
        let (module, blob) = (echo(&world, target), world.blobs.upload(content(TEN_MIB)));
        let order = by_reference(&module, blob);
        let key =
            ResultKey { task: order.task, attempt: Attempt::FIRST, delivery: DeliveryId::FIRST_DISPATCH.received(1) };
        let ended = run(&world, order).await;
        assert_eq!(ended.outcome, Outcome::Ok, "{target}: {:?}", ended.log);
        assert_eq!((ended.result_blob, ended.result.len()), (Some(blob), 0), "{target}");
        assert_eq!((ended.usage.input_bytes, ended.usage.output_bytes), (blob.size_bytes, blob.size_bytes));
        assert!(world.blobs.results.lock().get(&key) == Some(&content(TEN_MIB)), "{target}: other bytes were stored");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_mebibytes_go_through_a_component() {
    let world = World::new();
    let module = world.deploy_fixture();
    let filler = "x".repeat(TEN_MIB);
    let large = format!(r#"{{"do":"echo","value":"{filler}"}}"#);
    let ended = run(&world, by_reference(&module, world.blobs.upload(large.into()))).await;
    assert_eq!(ended.outcome, Outcome::Ok, "{:?}", ended.log);
    let blob = ended.result_blob.expect("a result by reference");
    assert!(blob.size_bytes >= TEN_MIB as u64, "{blob:?}");
    let results: Vec<Bytes> = world.blobs.results.lock().values().cloned().collect();
    assert_eq!(results.iter().map(|bytes| reference(bytes)).collect::<Vec<_>>(), [blob]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_larger_than_the_guests_memory_ends_only_its_attempt() {
    let world = World::new();
    let module = world.deploy_fixture();
    let order = by_reference(&module, world.blobs.upload(content(TEN_MIB)));
    let limits = Limits { memory_bytes: 4 * 1024 * 1024, ..order.limits };
    let ended = run(&world, WorkOrder { limits, ..order }).await;
    assert!(matches!(ended.outcome, Outcome::OutOfMemory | Outcome::Trap { .. }), "{:?}", ended.outcome);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_results_stay_in_their_reports() {
    let world = World::new();
    let (module, blob) = (echo(&world, "wasm32-wasip1"), world.blobs.upload(content(1_000)));
    let ended = run(&world, by_reference(&module, blob)).await;
    assert!(ended.result == content(1_000) && ended.result_blob.is_none());
    assert!(world.blobs.results.lock().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_bytes_in_the_bucket_are_replaced_and_never_seen_by_a_guest() {
    for bad in [content(999_999), content(1_000_001), Bytes::from(vec![7; 1_000_000]), Bytes::new()] {
        let world = World::new();
        let (module, blob) = (echo(&world, "wasm32-wasip1"), world.blobs.upload(content(1_000_000)));
        world.blobs.payloads.lock().insert(blob.digest, bad);
        let ended = run(&world, by_reference(&module, blob)).await;
        assert_eq!((ended.outcome, ended.result_blob), (Outcome::Ok, Some(blob)));
        assert_eq!(world.blobs.wants.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stays_bad_or_is_unknown_is_an_error_that_is_tried_again_later() {
    let world = World::new();
    let (module, blob) = (echo(&world, "wasm32-wasip1"), reference(&content(1_000)));
    world.blobs.supply.lock().insert(blob.digest, Bytes::from_static(b"something else"));
    let unknown = reference(b"never uploaded");
    for blob in [blob, unknown] {
        let ended = run(&world, by_reference(&module, blob)).await;
        let Outcome::HostError { message } = &ended.outcome else { panic!("{:?}", ended.outcome) };
        assert!(message.contains(&blob.digest.to_string()), "{message}");
        assert_eq!(ended.outcome.retryability(), tasklane_domain::outcome::Retryability::Retryable);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_is_offered_again_and_at_last_given_up() {
    for (refusals, kept) in [(2, true), (1_000, false)] {
        let world = World::new();
        let (module, blob) = (echo(&world, "wasm32-wasip1"), world.blobs.upload(content(1_000_000)));
        world.blobs.refusals.store(refusals, Ordering::SeqCst);
        let ended = run(&world, by_reference(&module, blob)).await;
        assert_eq!(ended.result_blob.is_some(), kept, "{:?}", ended.outcome);
        assert_eq!(matches!(ended.outcome, Outcome::HostError { .. }), !kept, "{:?}", ended.outcome);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payloads_wait_for_their_share_of_memory_and_all_run() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let (module, blob) = (echo(&world, "wasm32-wasip1"), world.blobs.upload(content(1_000_000)));
    let mut settings = settings(dir.path(), 8);
    // Less than one payload: they run one after the other.
    settings.blob_memory_bytes = 500_000;
    let host = Running::start(settings, &world);
    let orders: Vec<WorkOrder> = (0..16).map(|_| by_reference(&module, blob)).collect();
    let tasks: Vec<_> = orders.iter().map(|order| order.task).collect();
    world.send(orders);
    for task in tasks {
        assert_eq!(world.ended(task).await.outcome, Outcome::Ok);
    }
    host.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_waits_for_memory_can_be_handed_back() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let sleeper = world.deploy_fixture();
    let blob = world.blobs.upload(Bytes::from_static(br#"{"do":"sleep","ms":60000}"#));
    let mut settings = settings(dir.path(), 2);
    settings.blob_memory_bytes = 1;
    settings.drain_timeout = std::time::Duration::from_millis(100);
    let host = Running::start(settings, &world);
    let (first, second) = (by_reference(&sleeper, blob), by_reference(&sleeper, blob));
    let tasks = [first.task, second.task];
    world.send([first, second]);
    world.until("a start", |events| tasks.iter().any(|task| started(events, *task)).then_some(())).await;
    host.drain().await;
    for task in tasks {
        assert_eq!(world.last_word(task).await, ReportBody::HandedBack(HandBack::Draining));
    }
}

fn started(events: &[crate::ports::Event], task: tasklane_domain::TaskId) -> bool {
    crate::ports::bodies(events, task).iter().any(|body| matches!(body, ReportBody::Started { .. }))
}
