//! Modules that hosts died of: what ran at a death is told by the next host, and what is quarantined does not run.

use tasklane_domain::Outcome;
use tasklane_domain::outcome::Retryability;

use crate::guests::wasm;
use crate::ports::{Running, World, order, outcome, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ran_at_a_death_is_told_before_any_work_is_taken() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let host = Running::start(settings(dir.path(), 2), &world);
    let long = order(&module, r#"{"do":"sleep","ms":60000}"#);
    let task = long.task;
    world.send([long]);
    world.started(task).await;
    // As its supervisor would, had the process died now.
    let cache = dir.path().join("cache");
    tasklane_host::confirm_death(&cache, std::process::id());
    let died = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
    let died = died.into_iter().find(|path| path.to_string_lossy().contains("died-")).unwrap();
    let marks = std::fs::read(&died).unwrap();
    host.stop.cancel();
    host.drain().await;
    // It lives, and has taken its marks away.
    std::fs::write(&died, marks).unwrap();

    world.quarantined.lock().push(module.digest);
    let host = Running::start(settings(dir.path(), 2), &world);
    let next = order(&module, "{}");
    let task = next.task;
    world.send([next]);
    assert_eq!(outcome(&world, task).await, Outcome::Quarantined);
    assert_eq!(Outcome::Quarantined.retryability(), Retryability::Permanent);
    let told = world.deaths.lock().clone();
    assert_eq!(told.len(), 1, "once: {told:?}");
    assert_eq!(told[0].modules, [module.digest]);

    // Others run meanwhile, and it does too when it is released.
    let other = world.deploy("noop", wasm("wasm32-wasip2", "fixture_noop.wasm"));
    let one = order(&other, "{}");
    let task = one.task;
    world.send([one]);
    assert_eq!(outcome(&world, task).await, Outcome::Ok);
    world.quarantined.lock().clear();
    let mut last = Outcome::Quarantined;
    for _ in 0..100 {
        let again = order(&module, "{}");
        let task = again.task;
        world.send([again]);
        last = outcome(&world, task).await;
        if last == Outcome::Ok {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert_eq!(last, Outcome::Ok);
    host.drain().await;
}
