//! The `blobs` functions: payloads and results piece by piece; each permission is needed and suffices, limits are answers, and nothing is
//! left of a result that was not finished.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tasklane_domain::blob::RESULT_INLINE_BYTES_MAX;
use tasklane_domain::call::BlobPlace;
use tasklane_domain::module::PayloadBy;
use tasklane_domain::{Limits, Manifest, Outcome, Payload, PayloadKind, WorkOrder};
use tasklane_host::local::{LocalModule, LocalRun};

use crate::buckets::{Buckets, reference};
use crate::guests::{limits, manifest, payload, wasm};
use crate::keeper::Keeper;
use crate::ports::{Running, World, order, settings};

const MIB: usize = 1024 * 1024;

fn pieces_wasm() -> Vec<u8> {
    wasm("wasm32-wasip2", "fixture_pieces.wasm")
}

fn granted(grants: &str) -> Manifest {
    let mut manifest = manifest("pieces");
    manifest.permissions.blobs = serde_json::from_str(grants).unwrap();
    manifest
}

fn module(grants: &str) -> LocalModule {
    LocalModule::load(&pieces_wasm(), granted(grants), 2).unwrap()
}

async fn run(module: &LocalModule, text: &str) -> LocalRun {
    module.run(payload(text), limits()).await.unwrap()
}

async fn answer(module: &LocalModule, text: &str) -> String {
    let ran = run(module, text).await;
    assert_eq!(ran.outcome, Outcome::Ok, "{text}");
    String::from_utf8(ran.result.to_vec()).unwrap()
}

fn write(bytes: usize, pieces: u32, writers: u32, end: &str) -> String {
    format!(r#"{{"do":"write","bytes":{bytes},"pieces":{pieces},"writers":{writers},"end":"{end}"}}"#)
}

fn large(bytes: usize) -> bytes::Bytes {
    b"abcdefghij".iter().copied().cycle().take(bytes).collect()
}

#[tokio::test]
async fn a_payload_is_read_in_parts_without_any_permission() {
    let module = module("[]");
    let said = answer(&module, r#"{"do":"payload","offset":2,"length":4}"#).await;
    assert_eq!(said, "4 of 38: do\":");
    assert_eq!(answer(&module, r#"{"do":"payload","offset":36,"length":9}"#).await, "3 of 39: :9}");
    assert_eq!(answer(&module, r#"{"do":"payload","offset":4000000000,"length":4294967295}"#).await, "0 of 56: ");
}

#[tokio::test]
async fn megabytes_pass_through_a_guest_that_has_hardly_any_memory() {
    let mut manifest = granted(r#"["write"]"#);
    manifest.payload = PayloadBy::Blob;
    let module = LocalModule::load(&pieces_wasm(), manifest, 1).unwrap();
    let input = large(20 * MIB);
    let small = Limits { memory_bytes: 3 * MIB as u64, ..limits() };
    let ran = module.run(Payload::inline(PayloadKind::Bytes, input.clone()), small).await.unwrap();
    assert_eq!(ran.outcome, Outcome::Ok);
    assert!(ran.result == input.to_ascii_uppercase(), "{} bytes", ran.result.len());
    assert_eq!(ran.usage.output_bytes, 20 * MIB as u64);
    assert!(ran.usage.peak_memory_bytes <= small.memory_bytes);
}

#[tokio::test]
async fn what_was_finished_is_the_result_and_is_named_by_its_content() {
    let module = module(r#"["write"]"#);
    let ran = run(&module, &write(1_000, 3, 2, "finish")).await;
    assert_eq!(
        (ran.outcome, ran.result.as_ref()),
        (Outcome::Ok, vec![b'x'; 3_000].as_slice()),
        "not what `run` returned"
    );
    let said: Vec<String> = ran.log.lines().map(|line| line.message.clone()).collect();
    assert_eq!(said, [format!("3000 {}", reference(&[b'x'; 3_000]).digest)]);
    assert_eq!(answer(&module, &write(0, 1, 1, "finish")).await, "", "an empty result is one too");
}

#[tokio::test]
async fn each_permission_is_needed_and_suffices() {
    let keeper = Arc::new(Keeper::default());
    keeper.results.lock().insert("resize".to_owned(), Some(BlobPlace::Inline("pixels".into())));
    let open = r#"{"do":"open","of":"resize","offset":0,"length":100}"#;
    for (text, needed, other, suffices) in
        [(open.to_owned(), "read", "write", "6 of 6: pixels"), (write(1, 1, 1, "drop"), "write", "read", "dropped")]
    {
        let with = |grant: &str| module(&format!("[\"{grant}\"]")).with_caller(keeper.clone());
        let denied = answer(&with(other), &text).await;
        assert!(denied.starts_with("access-denied: ") && denied.contains("[permissions] blobs"), "{denied}");
        assert!(keeper.asked.lock().is_empty(), "what is not granted asks nobody");
        assert_eq!(answer(&with(needed), &text).await, suffices);
        keeper.asked.lock().clear();
    }
}

#[tokio::test]
async fn results_of_others_are_had_by_name_large_or_not() {
    let (keeper, buckets) = (Arc::new(Keeper::default()), Arc::new(Buckets::default()));
    let blob = buckets.upload(large(3 * MIB));
    let lost = reference(b"nowhere");
    for (name, place) in [
        ("big", Some(BlobPlace::Stored(blob))),
        ("small", Some(BlobPlace::Inline("text".into()))),
        ("failed", None),
        ("lost", Some(BlobPlace::Stored(lost))),
    ] {
        keeper.results.lock().insert(name.to_owned(), place);
    }
    let disk = tempfile::tempdir().unwrap();
    let module = module(r#"["read"]"#).with_caller(keeper.clone()).with_blobs(buckets.clone());
    let module = module.with_spool(disk.path().to_owned(), 4 * MIB as u64);
    let open = async |of: &str, offset: usize| {
        answer(&module, &format!(r#"{{"do":"open","of":"{of}","offset":{offset},"length":5}}"#)).await
    };
    assert_eq!(open("big", 1_000_001).await, "5 of 3145728: bcdef");
    assert_eq!(open("big", 3 * MIB - 2).await, "2 of 3145728: gh");
    assert_eq!(open("small", 0).await, "4 of 4: text");
    assert_eq!(open("failed", 0).await, "none");
    assert!(open("lost", 0).await.starts_with("unavailable: "));
    let stranger = open("stranger", 0).await;
    assert!(stranger.starts_with("access-denied: "), "{stranger}");
    assert_eq!(open(&blob.digest.to_string(), 0).await, stranger, "a digest is a name like any other");
    assert!(open("", 0).await.starts_with("invalid: "));
    buckets.payloads.lock().insert(blob.digest, large(3 * MIB - 1));
    assert_eq!(open("big", 0).await, "5 of 3145728: abcde", "bad bytes were fetched again");
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0, "nothing on the disk has a name");
}

#[tokio::test]
async fn too_much_is_an_answer() {
    let module = module(r#"["read", "write"]"#);
    let said = answer(&module, r#"{"do":"hoard","times":16}"#).await;
    assert_eq!(said, "16");
    for (text, what) in [
        (r#"{"do":"hoard","times":17}"#.to_owned(), "16 blobs"),
        (write(1, 1, 5, "drop"), "4 writers"),
        (write(MIB + 1, 1, 1, "drop"), "1048576 bytes"),
    ] {
        let said = answer(&module, &text).await;
        assert!(said.starts_with("limit-exceeded: ") && said.contains(what), "{text}: {said}");
    }
    let small = Limits { output_bytes: 2_500, ..limits() };
    let ran = module.run(payload(&write(1_000, 1, 3, "finish")), small).await.unwrap();
    let said = String::from_utf8_lossy(&ran.result).into_owned();
    assert!(said.starts_with("limit-exceeded: ") && said.contains("limits.output_bytes"), "together: {said}");
    let ran = module.run(payload(&write(1_250, 2, 1, "finish")), small).await.unwrap();
    assert_eq!((ran.outcome, ran.result.len()), (Outcome::Ok, 2_500), "up to the limit");
    let few = module.with_host_units(100);
    assert_eq!(answer(&few, &write(1_000, 99, 1, "drop")).await, "dropped");
    let said = answer(&few, &write(1_000, 100, 1, "drop")).await;
    assert!(said.starts_with("limit-exceeded: ") && said.contains("100 host units"), "{said}");
    let said = answer(&few, &write(MIB, 10, 1, "drop")).await;
    assert!(said.starts_with("limit-exceeded: "), "megabytes cost more: {said}");
}

#[tokio::test]
async fn a_writer_that_is_not_finished_leaves_nothing() {
    let disk = tempfile::tempdir().unwrap();
    let module = module(r#"["write"]"#).with_spool(disk.path().to_owned(), 4 * MIB as u64);
    for end in ["drop", "fail", "panic"] {
        // Three times over, so that what is not given back would be missed.
        for _ in 0..3 {
            let ran = run(&module, &write(MIB, 3, 1, end)).await;
            assert_eq!(ran.outcome == Outcome::Ok, end == "drop", "{end}: {:?}", ran.outcome);
            assert!(ran.result.len() < 100, "{end}");
        }
    }
    let ended = Limits { fuel: 1_000_000, ..limits() };
    for _ in 0..3 {
        let ran = module.run(payload(&write(MIB, 3, 1, "finish")), ended).await.unwrap();
        assert!(ran.outcome == Outcome::OutOfFuel && ran.result.is_empty(), "{:?}", ran.outcome);
    }
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0);
    assert_eq!(run(&module, &write(MIB, 4, 1, "finish")).await.result.len(), 4 * MIB, "all room is there");
    let said = answer(&module, &write(MIB, 5, 1, "finish")).await;
    assert!(said.starts_with("unavailable: ") && said.contains("no room"), "{said}");
}

async fn ended(world: &Arc<World>, dir: &Path, order: WorkOrder) -> tasklane_domain::work::Ended {
    let host = Running::start(settings(dir, 2), world);
    let task = order.task;
    world.send([order]);
    let ended = world.ended(task).await;
    host.drain().await;
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_stores_a_large_written_result_before_it_reports_it() {
    let (world, dir) = (World::new(), tempfile::tempdir().unwrap());
    let mut manifest = granted(r#"["write"]"#);
    manifest.payload = PayloadBy::Blob;
    let module = world.deploy_as(manifest, pieces_wasm());
    let input = large(5 * MIB);
    let blob = world.blobs.upload(input.clone());
    let mut order = order(&module, "");
    order.payload = Payload::by_reference(PayloadKind::Bytes, blob);
    world.blobs.refusals.store(2, std::sync::atomic::Ordering::SeqCst);
    let ended = ended(&world, dir.path(), order).await;
    let wanted = input.to_ascii_uppercase();
    assert_eq!((ended.outcome, ended.result_blob), (Outcome::Ok, Some(reference(&wanted))));
    assert!(ended.result.is_empty());
    assert!(world.blobs.results.lock().values().all(|stored| *stored == wanted), "after two refusals");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_written_result_goes_in_its_report() {
    let (world, dir) = (World::new(), tempfile::tempdir().unwrap());
    let module = world.deploy_as(granted(r#"["write"]"#), pieces_wasm());
    let ended = ended(&world, dir.path(), order(&module, &write(RESULT_INLINE_BYTES_MAX / 2, 2, 1, "finish"))).await;
    assert_eq!((ended.result.len(), ended.result_blob), (RESULT_INLINE_BYTES_MAX, None));
    assert!(world.blobs.results.lock().is_empty());
}

#[tokio::test]
async fn a_written_result_is_held_against_its_schema() {
    let mut manifest = granted(r#"["write"]"#);
    manifest.output = Some(tasklane_domain::schema::Schema::new(serde_json::json!({"type": "object"})));
    let module = LocalModule::load(&pieces_wasm(), manifest, 1).unwrap();
    let ran = run(&module, &write(10, 1, 1, "finish")).await;
    let Outcome::TaskError { code, .. } = &ran.outcome else { panic!("{:?}", ran.outcome) };
    assert!(code == "result_schema_mismatch" && ran.result.is_empty());
}

#[tokio::test]
async fn a_module_that_runs_by_itself_has_nowhere_to_fetch_from() {
    let keeper = Arc::new(Keeper::default());
    keeper.results.lock().insert("big".to_owned(), Some(BlobPlace::Stored(reference(b"big"))));
    let module = module(r#"["read"]"#).with_caller(keeper);
    let said = tokio::time::timeout(
        Duration::from_secs(60),
        answer(&module, r#"{"do":"open","of":"big","offset":0,"length":1}"#),
    );
    assert!(said.await.unwrap().starts_with("unavailable: "));
}
