//! What a host says, when NATS listens and when it does not.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tasklane_domain::cluster::HostStatus;
use tasklane_domain::work::ReportBody;
use tasklane_domain::{Limits, Outcome};

use crate::ports::{Event, HOLD, Running, World, bodies, order, outcome, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_that_are_refused_are_sent_again_and_nothing_is_acknowledged_before() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    world.reports_away.store(true, Ordering::SeqCst);
    let host = Running::start(settings(dir.path(), 2), &world);
    let one = order(&module, "{}");
    let task = one.task;
    world.send([one]);
    let refused =
        |events: &[Event]| (events.iter().filter(|event| matches!(event, Event::Refused)).count() >= 2).then_some(());
    world.until("two refusals", refused).await;
    assert!(!world.events().iter().any(|event| matches!(event, Event::Acked(_))));
    // Its lease is kept up meanwhile.
    world
        .until("a sign of work", |events| {
            events
                .iter()
                .find(|event| matches!(event, Event::InProgress(token) if token.name().starts_with(&task.to_string())))
                .map(|_| ())
        })
        .await;
    world.reports_away.store(false, Ordering::SeqCst);
    assert_eq!(outcome(&world, task).await, Outcome::Ok);
    world.acked(task).await;
    host.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_runs_say_that_they_have_started_and_how_far_they_are() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_held();
    let host = Running::start(settings(dir.path(), 2), &world);
    let warm = order(&module, "{}");
    let (long, flood) = (order(&module, HOLD), order(&module, r#"{"do":"progress","count":1000}"#));
    let tasks = (long.task, flood.task, warm.task);
    world.send([warm]);
    outcome(&world, tasks.2).await;
    world.send([long, flood]);
    world.started(tasks.0).await;
    world.let_go(1);
    assert_eq!(outcome(&world, tasks.0).await, Outcome::Ok);
    assert_eq!(outcome(&world, tasks.1).await, Outcome::Ok);
    let events = world.events();
    assert!(matches!(bodies(&events, tasks.0).as_slice(), [ReportBody::Started { .. }, ReportBody::Ended(_)]));
    let told = bodies(&events, tasks.1);
    let progress = told.iter().filter(|body| matches!(body, ReportBody::Progress(_))).count();
    assert!((1..=4).contains(&progress), "{progress} of 1000 reports of progress");
    assert!(matches!(bodies(&events, tasks.2).as_slice(), [ReportBody::Ended(_)] | [ReportBody::Started { .. }, _]));
    host.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_is_too_large_loses_its_log_before_its_result() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    *world.report_bytes_max.lock() = 30_000;
    let host = Running::start(settings(dir.path(), 4), &world);
    let limits = |log_bytes| Limits { log_bytes, fuel: 1_000_000_000_000, ..Limits::default() };
    let mut chatty = order(&module, r#"{"do":"log","count":1000,"bytes":100}"#);
    chatty.limits = limits(64 * 1024);
    let large = order(&module, r#"{"do":"big-output","bytes":100000}"#);
    let small = order(&module, r#"{"do":"echo","value":1}"#);
    let tasks = (chatty.task, large.task, small.task);
    world.send([chatty, large, small]);
    let chatty = world.ended(tasks.0).await;
    assert_eq!((chatty.outcome, chatty.result.as_ref()), (Outcome::Ok, b"1000".as_slice()));
    assert_eq!((chatty.log.lines().count(), chatty.log.dropped_lines), (0, 1_000));
    assert_eq!(outcome(&world, tasks.1).await, Outcome::OutputTooLarge { bytes: 100_000 });
    assert_eq!(outcome(&world, tasks.2).await, Outcome::Ok);
    world.acked(tasks.1).await;
    host.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_go_on_beside_guests_that_never_let_go() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let mut settings = settings(dir.path(), 8);
    settings.guest_threads = 1;
    let host = Running::start(settings, &world);
    let spin: Vec<_> = (0..4).map(|_| order(&module, r#"{"do":"spin"}"#)).collect();
    let first = spin[0].task;
    world.send(spin);
    world.started(first).await;
    let beats = |events: &[Event]| {
        let running = events.iter().filter(|event| matches!(event, Event::Beat(info) if info.running == 4)).count();
        (running >= 20).then_some(())
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), world.until("20 heartbeats", beats)).await;
    assert!(waited.is_ok(), "20 heartbeats of 50 ms took over 20 s");
    // Others get their turn on the one thread too.
    let small = order(&module, "{}");
    let task = small.task;
    world.send([small]);
    assert_eq!(outcome(&world, task).await, Outcome::Ok);
    let last = world.until("a beat", |events| {
        events.iter().rev().find_map(|event| if let Event::Beat(info) = event { Some(info.clone()) } else { None })
    });
    let last = last.await;
    assert_eq!((last.name.as_str(), last.slots, last.status), ("test", 8, HostStatus::Active));
    assert!(last.memory_bytes > 0 && last.pid == std::process::id());
    host.stop.cancel();
    host.drain().await;
}
