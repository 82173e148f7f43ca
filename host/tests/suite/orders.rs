//! Orders of operators: a host that drains takes nothing and resumes, and slots close and open while it runs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tasklane_domain::cluster::HostStatus;
use tasklane_domain::work::HandBack;
use tasklane_domain::{HostId, HostInfo, HostWish, Outcome, ReportBody};

use crate::ports::{Event, HOLD, Running, World, order, outcome, settings};

/// Waits for a heartbeat after those of now.
async fn beat(world: &World, what: &str, fits: impl Fn(&HostInfo) -> bool) -> HostInfo {
    let seen = world.events().len();
    let found = |events: &[Event]| {
        events.iter().skip(seen).find_map(|event| match event {
            Event::Beat(info) if fits(info) => Some(info.clone()),
            _ => None,
        })
    };
    world.until(what, found).await
}

async fn id_of(world: &Arc<World>) -> HostId {
    beat(world, "a heartbeat", |_| true).await.id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_drains_finishes_what_runs_takes_nothing_more_and_resumes() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_held();
    let host = Running::start(settings(dir.path(), 1), &world);
    let id = id_of(&world).await;
    let running = order(&module, HOLD);
    let task = running.task;
    world.send([running]);
    world.started(task).await;
    world.order_host(id, HostWish::Drain).await;
    beat(&world, "a draining heartbeat", |info| info.status == HostStatus::Draining).await;
    let other = order(&module, "{}");
    let waiting = other.task;
    world.send([other]);
    world.let_go(1);
    assert_eq!(outcome(&world, task).await, Outcome::Ok, "what ran was not finished");
    beat(&world, "a heartbeat with nothing running", |info| info.running == 0).await;
    assert_eq!(world.waiting(), 1, "it took more");

    // An order for somebody else is not for this one.
    world.order_host(HostId::new(), HostWish::Resume).await;
    world.order_host(id, HostWish::Resume).await;
    beat(&world, "an active heartbeat", |info| info.status == HostStatus::Active).await;
    assert_eq!(outcome(&world, waiting).await, Outcome::Ok);
    host.drain().await;
}

/// A pull that stood when the order came may bring more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_to_a_host_that_drains_is_handed_back_and_not_run() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let host = Running::start(settings(dir.path(), 2), &world);
    let id = id_of(&world).await;
    world.order_host(id, HostWish::Drain).await;
    beat(&world, "a draining heartbeat", |info| info.status == HostStatus::Draining).await;
    world.straggles.store(true, Ordering::SeqCst);
    for _ in 0..20 {
        let late = order(&module, "{}");
        let task = late.task;
        world.send([late]);
        assert_eq!(world.last_word(task).await, ReportBody::HandedBack(HandBack::Draining));
    }
    host.drain().await;
}

/// Nobody knows over which of them their last host was lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_again_with_others_is_handed_back_and_not_run() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let host = Running::start(settings(dir.path(), 2), &world);
    let orders: Vec<_> = (0..5).map(|_| order(&module, "{}")).collect();
    let tasks: Vec<_> = orders.iter().map(|order| order.task).collect();
    world.send_bundle_as(orders, 2);
    for task in tasks {
        assert_eq!(world.last_word(task).await, ReportBody::HandedBack(HandBack::Bundled));
        world.acked(task).await;
    }
    // A first delivery with others, and a second one alone, are run.
    let (together, alone) = (order(&module, "{}"), order(&module, "{}"));
    let tasks = [together.task, alone.task];
    world.send_bundle_as([together], 1);
    world.send_as([alone], 2);
    for task in tasks {
        assert_eq!(outcome(&world, task).await, Outcome::Ok);
    }
    host.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_close_and_open_while_it_runs() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_held();
    let mut settings = settings(dir.path(), 2);
    settings.slots_max = Some(4);
    let host = Running::start(settings, &world);
    let id = id_of(&world).await;
    let first = beat(&world, "a heartbeat", |_| true).await;
    assert_eq!((first.slots, first.slots_max), (2, 4));
    for (slots, at_once) in [(4, 4), (1, 1), (3, 3)] {
        world.order_host(id, HostWish::Scale(slots)).await;
        beat(&world, "a scaled heartbeat", |info| info.slots == slots).await;
        let orders: Vec<_> = (0..6).map(|_| order(&module, HOLD)).collect();
        let tasks: Vec<_> = orders.iter().map(|order| order.task).collect();
        let seen = world.events().len();
        world.send(orders);
        beat(&world, "full slots", |info| info.running == at_once).await;
        world.let_go(tasks.len());
        for task in tasks {
            assert_eq!(outcome(&world, task).await, Outcome::Ok);
        }
        let most = world.events().iter().skip(seen).filter_map(running).max();
        assert_eq!(most, Some(at_once), "with {slots} slots");
    }
    assert_eq!(host.metric("tasklane_slots", ""), 3.0);
    host.drain().await;
}

fn running(event: &Event) -> Option<u32> {
    match event {
        Event::Beat(info) => Some(info.running),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_there_cannot_be_change_nothing() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let host = Running::start(settings(dir.path(), 2), &world);
    let id = id_of(&world).await;
    for slots in [0, 3, u32::MAX] {
        world.order_host(id, HostWish::Scale(slots)).await;
    }
    let one = order(&module, "{}");
    let task = one.task;
    world.send([one]);
    assert_eq!(outcome(&world, task).await, Outcome::Ok);
    let info = beat(&world, "a heartbeat", |_| true).await;
    assert_eq!((info.slots, info.slots_max), (2, 2));
    host.drain().await;
}
