//! No guest sees anything of another, whatever slot it gets; and one that is dropped leaves nothing behind.

use std::sync::Arc;
use std::time::Duration;

use tasklane_domain::Outcome;
use tasklane_host::local::LocalModule;

use crate::guests::{fixture_wasm, limits, manifest, payload, with_much_data};

/// More than the memories in the pool of a module with one slot, so that each is used again.
const ROUNDS: usize = 12;

fn one_slot() -> LocalModule {
    LocalModule::load(&fixture_wasm(), manifest("fixture"), 1).unwrap()
}

/// In each of the two ways in which a host begins a memory.
fn one_slot_each() -> [LocalModule; 2] {
    [one_slot(), LocalModule::load(&with_much_data(&fixture_wasm()), manifest("fixture"), 1).unwrap()]
}

async fn answer(module: &LocalModule, text: &str) -> String {
    let ran = module.run(payload(text), limits()).await.unwrap();
    assert_eq!(ran.outcome, Outcome::Ok, "{text}");
    String::from_utf8(ran.result.to_vec()).unwrap()
}

#[tokio::test]
async fn a_memory_used_before_is_all_zeros() {
    for module in one_slot_each() {
        for _ in 0..ROUNDS {
            let regions: usize = answer(&module, r#"{"do":"dirty","mib":16}"#).await.parse().unwrap();
            assert!(regions > 32, "only {regions} regions were soiled");
            assert_eq!(answer(&module, r#"{"do":"sniff","mib":32}"#).await, "0 0");
        }
    }
}

#[tokio::test]
async fn a_crashed_or_stopped_guest_leaves_nothing_either() {
    for module in one_slot_each() {
        for _ in 0..ROUNDS {
            let hog = module.run(payload(r#"{"do":"memory-hog"}"#), limits()).await.unwrap();
            assert_eq!(hog.outcome, Outcome::OutOfMemory);
            assert_eq!(answer(&module, r#"{"do":"sniff","mib":64}"#).await, "0 0");
        }
    }
}

/// Dropped after times from zero to longer than the run, a guest is stopped wherever it is, and its slot is free again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_dropped_anywhere_gives_its_slot_back() {
    let module = Arc::new(one_slot());
    for text in [r#"{"do":"spin"}"#, r#"{"do":"sleep","ms":60000}"#, r#"{"do":"hostcall-loop"}"#, r#"{"do":"echo"}"#] {
        for step in 0..40_u64 {
            let micros = Duration::from_micros(step * step * 7);
            let run = module.run(payload(text), limits());
            // Whether it ended in time does not matter.
            drop(tokio::time::timeout(micros, run).await);
        }
    }
    assert_eq!(answer(&module, r#"{"do":"sniff","mib":8}"#).await, "0 0");
}
