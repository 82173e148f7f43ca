//! Cancelling at random points, 10,000 times: no panic, and every slot comes back.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use tasklane_domain::{Limits, ModuleRef, Outcome, WorkOrder};
use tasklane_host::local::LocalModule;

use crate::guests::{fixture_wasm, limits, manifest, payload};
use crate::ports::{Event, Running, World, order, outcome, settings};

/// Runs that are dropped, by themselves.
const DROPS: usize = 10_000;
/// Tasks that are cancelled in a host.
const CANCELS: usize = 2_000;
/// Tasks that are in the host at a time.
const WAVE: usize = 50;
/// The longest wait before a cancel, in microseconds: some guests have ended by then.
const WAIT_US_MAX: u64 = 1_500;

/// Guests that compute, wait, call the host, take memory, crash and end.
const VERBS: [&str; 8] = [
    r#"{"do":"spin"}"#,
    r#"{"do":"sleep","ms":60000}"#,
    r#"{"do":"hostcall-loop"}"#,
    r#"{"do":"clock-loop"}"#,
    r#"{"do":"random-loop"}"#,
    r#"{"do":"log","count":100000,"bytes":100}"#,
    r#"{"do":"dirty","mib":2}"#,
    r#"{"do":"trap"}"#,
];

fn verb(number: usize) -> &'static str {
    VERBS[number % VERBS.len()]
}

/// Each future is dropped wherever it is: in instantiate, in the guest, in a host call, between two polls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_runs_dropped_at_random_leave_every_slot_free() {
    const SLOTS: u8 = 4;
    let module = LocalModule::load(&fixture_wasm(), manifest("fixture"), u32::from(SLOTS)).unwrap();
    let module = Arc::new(module);
    let workers = (0..SLOTS).map(|worker| {
        let module = module.clone();
        tokio::spawn(async move {
            for number in 0..DROPS / usize::from(SLOTS) {
                let wait = Duration::from_micros(rand::rng().random_range(0..WAIT_US_MAX));
                let run = module.run(payload(verb(number + usize::from(worker))), limits());
                // Whether it ended in time does not matter; that there was a slot does.
                if let Ok(ran) = tokio::time::timeout(wait, run).await {
                    ran.unwrap();
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let all = (0..SLOTS).map(|_| module.run(payload(r#"{"do":"sniff","mib":4}"#), limits()));
    for ran in futures::future::join_all(all).await {
        let ran = ran.unwrap();
        assert_eq!((ran.outcome, ran.result.as_ref()), (Outcome::Ok, b"0 0".as_slice()));
    }
}

fn wave(module: &ModuleRef) -> Vec<WorkOrder> {
    let limits = Limits { fuel: 1_000_000_000_000, timeout_ms: 30_000, ..Limits::default() };
    (0..WAVE).map(|number| WorkOrder { limits, ..order(module, verb(number)) }).collect()
}

/// The same through a whole host: cancelled while they wait, while they start, while they run and after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_cancelled_at_random_leave_a_host_as_it_was() {
    const SLOTS: u32 = 8;
    let dir = tempfile::tempdir().unwrap();
    let mut host = None;
    let mut last = None;
    for _ in 0..CANCELS / WAVE {
        // A new world each time: looking for a task among all events of all waves would be most of the test.
        let world = World::new();
        let module = world.deploy_fixture();
        let running = Running::start(settings(dir.path(), SLOTS), &world);
        let orders = wave(&module);
        let tasks: Vec<_> = orders.iter().map(|order| order.task).collect();
        world.send(orders);
        for task in &tasks {
            tokio::time::sleep(Duration::from_micros(rand::rng().random_range(0..WAIT_US_MAX))).await;
            world.cancel(*task).await;
        }
        for task in &tasks {
            world.last_word(*task).await;
            world.acked(*task).await;
        }
        assert_eq!(running.metric("tasklane_host_panics_total", ""), 0.0);
        if let Some((_, earlier)) = host.replace((world, running)) {
            Running::drain(earlier).await;
        }
        last = Some(module);
    }
    let (Some((world, running)), Some(module)) = (host, last) else { panic!("no wave") };
    let idle = |events: &[Event]| {
        let last = events.iter().rev().find_map(|event| if let Event::Beat(info) = event { Some(info) } else { None });
        last.filter(|info| info.running == 0 && info.buffered == 0).map(|_| ())
    };
    world.until("an idle host", idle).await;
    let all: Vec<_> = (0..SLOTS).map(|_| order(&module, r#"{"do":"sniff","mib":4}"#)).collect();
    let tasks: Vec<_> = all.iter().map(|order| order.task).collect();
    world.send(all);
    for task in tasks {
        assert_eq!(outcome(&world, task).await, Outcome::Ok);
    }
    running.drain().await;
}
