//! What goes wrong on behalf of one guest ends there: a panic of the host, a compile child that dies, a host that is full.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tasklane_domain::Outcome;
use tasklane_domain::children::{EnqueueRequest, Enqueued, Enqueuer};
use tasklane_host::CompilerCommand;
use tasklane_host::local::LocalModule;

use crate::guests::{fixture_wasm, limits, manifest, payload, with_much_data};
use crate::ports::{Running, World, order, outcome, ports, settings};

struct Panics;

#[async_trait]
impl Enqueuer for Panics {
    async fn enqueue(&self, _: EnqueueRequest) -> Enqueued {
        panic!("as the test wants")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_the_host_ends_one_attempt_and_its_slot_is_free_again() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let mut granted = manifest("fixture");
    granted.permissions.enqueue = vec!["*".to_owned()];
    let module = world.deploy_as(granted, fixture_wasm());
    let ports = tasklane_host::HostPorts { enqueuer: Arc::new(Panics), ..ports(&world) };
    let host = Running::start_with(settings(dir.path(), 2), ports);
    for _ in 0..20 {
        let one = order(&module, r#"{"do":"enqueue","count":1,"module":"other"}"#);
        let task = one.task;
        world.send([one]);
        let outcome = outcome(&world, task).await;
        let Outcome::HostError { message } = outcome else { panic!("{outcome:?}") };
        assert!(message.contains("panicked"), "{message}");
        world.acked(task).await;
    }
    assert_eq!(host.metric("tasklane_host_panics_total", ""), 20.0);
    let one = order(&module, r#"{"do":"echo","value":1}"#);
    let task = one.task;
    world.send([one]);
    assert_eq!(outcome(&world, task).await, Outcome::Ok);
    host.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compile_child_that_is_killed_harms_only_its_module() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let mut settings = settings(dir.path(), 2);
    let args = ["-c", "kill -9 $$"].map(str::to_owned).to_vec();
    settings.compiler = CompilerCommand { program: "/bin/sh".into(), args };
    let host = Running::start(settings, &world);
    let one = order(&module, "{}");
    let task = one.task;
    world.send([one]);
    let outcome = outcome(&world, task).await;
    let Outcome::HostError { message } = outcome else { panic!("{outcome:?}") };
    assert!(message.contains("could not be compiled") && message.contains("signal: 9"), "{message}");
    world.acked(task).await;
    host.drain().await;
}

/// More at once than a host has room for: those that find no slot have not run at all, and the others do not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_host_is_no_attempt() {
    for wasm in [fixture_wasm(), with_much_data(&fixture_wasm())] {
        fill(&wasm).await;
    }
}

async fn fill(wasm: &[u8]) {
    let module = LocalModule::load(wasm, manifest("fixture"), 1).unwrap();
    let run = || module.run(payload(r#"{"do":"sleep","ms":1000}"#), limits());
    let all = futures::future::join_all((0..200).map(|_| run())).await;
    let (ran, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    assert!(!ran.is_empty() && !refused.is_empty(), "{} ran, {} did not", ran.len(), refused.len());
    assert!(ran.into_iter().all(|run| run.unwrap().outcome == Outcome::Ok));
    let again = tokio::time::timeout(Duration::from_secs(30), run()).await.unwrap();
    assert_eq!(again.unwrap().outcome, Outcome::Ok);
}
