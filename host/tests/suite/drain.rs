//! The end of a host: asked for once it finishes or hands back within a bound, asked for twice it stops at once.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tasklane_domain::Outcome;
use tasklane_domain::cluster::HostStatus;
use tasklane_domain::work::{HandBack, ReportBody};

use crate::ports::{Event, HOLD, Running, World, order, outcome, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_is_finished_and_nothing_more_is_taken() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_held();
    let host = Running::start(settings(dir.path(), 2), &world);
    let running = order(&module, HOLD);
    let task = running.task;
    world.send([running]);
    world.started(task).await;
    host.drain.cancel();
    let draining = |events: &[Event]| {
        events
            .iter()
            .find(|event| matches!(event, Event::Beat(info) if info.status == HostStatus::Draining))
            .map(|_| ())
    };
    world.until("a draining heartbeat", draining).await;
    // A heartbeat may be quicker than what asks for work.
    world.unasked().await;
    world.send([order(&module, "{}")]);
    world.let_go(1);
    host.over().await;
    assert_eq!(outcome(&world, task).await, Outcome::Ok);
    world.acked(task).await;
    assert_eq!(world.waiting(), 1);
    assert!(matches!(world.events().last(), Some(Event::Left)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_end_in_time_is_handed_back() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let mut settings = settings(dir.path(), 2);
    settings.drain_timeout = Duration::from_millis(300);
    let host = Running::start(settings, &world);
    let orders = [order(&module, r#"{"do":"spin"}"#), order(&module, r#"{"do":"sleep","ms":60000}"#)];
    let tasks = [orders[0].task, orders[1].task];
    world.send(orders);
    for task in tasks {
        world.started(task).await;
    }
    let begun = Instant::now();
    host.drain().await;
    assert!((300..20_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    for task in tasks {
        assert_eq!(world.last_word(task).await, ReportBody::HandedBack(HandBack::Draining));
        world.acked(task).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_stops_at_once() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let mut settings = settings(dir.path(), 2);
    settings.drain_timeout = Duration::from_secs(3_600);
    let host = Running::start(settings, &world);
    let running = order(&module, r#"{"do":"spin"}"#);
    let task = running.task;
    world.send([running]);
    world.started(task).await;
    host.drain.cancel();
    host.stop.cancel();
    host.over().await;
    assert_eq!(world.last_word(task).await, ReportBody::HandedBack(HandBack::Draining));
}

/// A host must end although NATS is away: its deliveries come again elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_ends_although_nobody_takes_its_reports() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let host = Running::start(settings(dir.path(), 2), &world);
    world.reports_away.store(true, Ordering::SeqCst);
    world.send([order(&module, "{}")]);
    let refused = |events: &[Event]| events.iter().find(|event| matches!(event, Event::Refused)).map(|_| ());
    world.until("a refusal", refused).await;
    host.drain.cancel();
    host.stop.cancel();
    host.over().await;
    assert!(!world.events().iter().any(|event| matches!(event, Event::Acked(_))));
}
