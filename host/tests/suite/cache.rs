//! Modules on their way into a host: fetched, compiled in a child, kept on disk under a MAC, refused when they are not right.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use tasklane_domain::Outcome;
use tasklane_domain::outcome::Retryability;

use crate::guests::wasm;
use crate::ports::{Running, World, order, outcome, settings};

fn compiled(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("cache")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect()
}

/// Runs one task in a new host on the same cache, and tells how many files it refused.
async fn run_once(dir: &Path, expected_compiles: f64) -> f64 {
    let world = World::new();
    let module = world.deploy_fixture();
    let host = Running::start(settings(dir, 2), &world);
    let one = order(&module, "{}");
    let task = one.task;
    world.send([one]);
    assert_eq!(outcome(&world, task).await, Outcome::Ok);
    assert_eq!(host.metric("tasklane_module_loads_total", "compiler"), expected_compiles);
    let refused = host.metric("tasklane_module_cache_refused_total", "");
    host.drain().await;
    refused
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compiled_code_is_kept_and_used_again_by_the_next_host() {
    let dir = tempfile::tempdir().unwrap();
    run_once(dir.path(), 1.0).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("cache")), 0o700);
    assert_eq!(mode(&dir.path().join("cache/key")), 0o600);
    assert_eq!(compiled(dir.path()).len(), 1);
    assert_eq!(run_once(dir.path(), 0.0).await, 0.0);
}

/// A host that has the compiled code needs no wasm, of whichever kind it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_runs_without_its_wasm() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let command = |target: &str| wasm(target, "fixture-command.wasm");
    let modules = [
        world.deploy_fixture(),
        world.deploy("first", command("wasm32-wasip1")),
        world.deploy("second", command("wasm32-wasip2")),
    ];
    for (place, loads) in [("compiler", 3.0), ("disk", 3.0)] {
        let host = Running::start(settings(dir.path(), 2), &world);
        for module in &modules {
            let one = order(module, "{}");
            let task = one.task;
            world.send([one]);
            assert_eq!(outcome(&world, task).await, Outcome::Ok, "{module} from {place}");
        }
        assert_eq!(host.metric("tasklane_module_loads_total", place), loads);
        assert_eq!(world.wasm_reads.load(Ordering::Relaxed), 3, "only to compile it");
        host.drain().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_truncated_and_foreign_code_is_compiled_again() {
    let dir = tempfile::tempdir().unwrap();
    run_once(dir.path(), 1.0).await;
    let path = compiled(dir.path()).pop().unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut forged = whole.clone();
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    for bytes in [forged.as_slice(), &whole[..whole.len() - 1], &whole[..20], b""] {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(run_once(dir.path(), 1.0).await, 1.0);
        assert_eq!(std::fs::read(&path).unwrap().len(), whole.len());
    }
    // Another key: its code has other names, and nobody looks at the old bytes.
    std::fs::write(dir.path().join("cache/key"), [7; 32]).unwrap();
    assert_eq!(run_once(dir.path(), 1.0).await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_of_a_new_module_compile_it_once() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let host = Running::start(settings(dir.path(), 8), &world);
    let orders: Vec<_> = (0..50).map(|_| order(&module, "{}")).collect();
    let tasks: Vec<_> = orders.iter().map(|order| order.task).collect();
    world.send(orders);
    for task in tasks {
        assert_eq!(outcome(&world, task).await, Outcome::Ok);
    }
    assert_eq!(host.metric("tasklane_module_loads_total", "compiler"), 1.0);
    host.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modules_that_cannot_be_loaded_are_the_hosts_error_and_may_be_tried_again() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let host = Running::start(settings(dir.path(), 2), &world);
    let missing = World::new().deploy_fixture();
    let rubbish = world.deploy("rubbish", b"\0asm rubbish".to_vec());
    let unlisted = world.deploy("unlisted", wasm("wasm32-wasip2", "fixture_unlisted.wasm"));
    for (module, word) in [(missing, "fetched"), (rubbish, "not a valid"), (unlisted, "acme:backdoor")] {
        let one = order(&module, "{}");
        let task = one.task;
        world.send([one]);
        let outcome = outcome(&world, task).await;
        assert_eq!(outcome.retryability(), Retryability::Retryable);
        let Outcome::HostError { message } = outcome else { panic!("{outcome:?}") };
        assert!(message.contains(word), "{message}");
    }
    host.drain().await;
}

/// More modules than are kept ready: each is dropped and loaded again while others run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modules_come_and_go_under_load() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let noop = wasm("wasm32-wasip2", "fixture_noop.wasm");
    let modules: Vec<_> = (0..4).map(|n| world.deploy(&format!("noop-{n}"), noop.clone())).collect();
    let mut settings = settings(dir.path(), 4);
    settings.modules_max = 2;
    let host = Running::start(settings, &world);
    let orders: Vec<_> = (0..400).map(|n| order(&modules[n % 4], "{}")).collect();
    let tasks: Vec<_> = orders.iter().map(|order| order.task).collect();
    world.send(orders);
    for task in tasks {
        assert_eq!(outcome(&world, task).await, Outcome::Ok);
    }
    assert!(host.metric("tasklane_module_loads_total", "disk") > 3.0);
    host.drain().await;
}
