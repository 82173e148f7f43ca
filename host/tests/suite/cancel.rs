//! Cancelled tasks: stopped where they run, and not started where they wait.

use std::time::{Duration, Instant};

use tasklane_domain::Outcome;

use crate::ports::{Running, World, order, outcome, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_guests_are_stopped_at_once_and_others_go_on() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let host = Running::start(settings(dir.path(), 4), &world);
    let verbs = [r#"{"do":"spin"}"#, r#"{"do":"sleep","ms":60000}"#, r#"{"do":"hostcall-loop"}"#];
    let orders = verbs.map(|text| order(&module, text));
    let tasks: Vec<_> = orders.iter().map(|order| order.task).collect();
    let other = order(&module, r#"{"do":"sleep","ms":1500}"#);
    let bystander = other.task;
    world.send(orders.into_iter().chain([other]));
    for task in &tasks {
        world.started(*task).await;
    }
    let asked = Instant::now();
    for task in &tasks {
        world.cancel(*task).await;
        assert_eq!(outcome(&world, *task).await, Outcome::Cancelled);
        world.acked(*task).await;
    }
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    assert_eq!(outcome(&world, bystander).await, Outcome::Ok);
    assert_eq!(host.metric("tasklane_attempts_total", "cancelled"), 3.0);
    host.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_was_cancelled_before_is_not_started() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let host = Running::start(settings(dir.path(), 2), &world);
    let warm = order(&module, "{}");
    let late = order(&module, r#"{"do":"sleep","ms":60000}"#);
    let (first, task) = (warm.task, late.task);
    world.cancel(task).await;
    // By the time that something else has been run, the cancel has been heard.
    world.send([warm]);
    outcome(&world, first).await;
    world.send([late]);
    assert_eq!(outcome(&world, task).await, Outcome::Cancelled);
    host.drain().await;
}
