//! What a host takes, in which order, and what it does not run.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tasklane_domain::ports::Parking;
use tasklane_domain::work::{HandBack, ReportBody};
use tasklane_domain::{Clock, Outcome, Priority, SystemClock, TaskId, WorkOrder};

use crate::ports::{Event, HOLD, Running, World, order, outcome, settings};

fn priority(mut order: WorkOrder, level: i64) -> WorkOrder {
    order.priority = Priority::try_from(level).unwrap();
    order
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_is_run_reported_and_then_acknowledged() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let orders: Vec<WorkOrder> = (0..200).map(|n| order(&module, &format!(r#"{{"do":"echo","value":{n}}}"#))).collect();
    let tasks: Vec<TaskId> = orders.iter().map(|order| order.task).collect();
    let host = Running::start(settings(dir.path(), 8), &world);
    world.send(orders);
    for (n, task) in tasks.iter().enumerate() {
        let ended = world.ended(*task).await;
        assert_eq!((ended.outcome, ended.result.as_ref()), (Outcome::Ok, n.to_string().as_bytes()));
        assert!(ended.ended_at >= ended.started_at);
        world.acked(*task).await;
    }
    assert_eq!(host.metric("tasklane_attempts_total", "ok"), 200.0);
    host.drain().await;
    let events = world.events();
    let position = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).unwrap();
    for task in tasks {
        let reported = position(&|event| matches!(event, Event::Published(report) if report.task == task));
        let acked = position(&|event| matches!(event, Event::Acked(t) if t.name().starts_with(&task.to_string())));
        assert!(reported < acked, "{task} was acknowledged before its report");
    }
    assert!(matches!(events.last(), Some(Event::Left)));
}

/// One slot; while it is taken, work of all priorities arrives. What was buffered meanwhile starts by urgency, then arrival.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_most_urgent_of_the_buffer_starts_first() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_held();
    // Whether more is asked for beside a slot that is taken is a matter of measured rates; what straggles comes all the same.
    world.straggles.store(true, Ordering::SeqCst);
    let host = Running::start(settings(dir.path(), 1), &world);
    // The first runs while the others gather.
    let blocker = order(&module, HOLD);
    let started = blocker.task;
    world.send([blocker]);
    world.started(started).await;
    let levels = [2, 9, 5, 9, 1, 10];
    let orders: Vec<WorkOrder> = levels.iter().map(|level| priority(order(&module, "{}"), *level)).collect();
    let tasks: Vec<TaskId> = orders.iter().map(|order| order.task).collect();
    let seen = world.events().len();
    world.send(orders);
    let gathered = |events: &[Event]| {
        let mut new = events.iter().skip(seen);
        new.any(|event| matches!(event, Event::Beat(info) if info.buffered == 6)).then_some(())
    };
    world.until("a full buffer", gathered).await;
    world.let_go(1);
    // Reports of urgent ones go a way of their own: the first that is told need not be the first that ran.
    let mut begun = Vec::new();
    for (place, task) in tasks.iter().enumerate() {
        begun.push((world.ended(*task).await.started_at, place));
    }
    begun.sort();
    let ran: Vec<usize> = begun.into_iter().map(|(_, place)| place).collect();
    assert_eq!(ran, [5, 1, 3, 2, 0, 4]);
    host.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_over_the_cap_is_not_run_again() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let host = Running::start(settings(dir.path(), 2), &world);
    let (poison, last_chance) = (order(&module, "{}"), order(&module, "{}"));
    let tasks = (poison.task, last_chance.task);
    world.send_as([poison], 6);
    world.send_as([last_chance], 5);
    assert_eq!(outcome(&world, tasks.0).await, Outcome::HostLost { deliveries: 5 });
    assert_eq!(outcome(&world, tasks.1).await, Outcome::Ok);
    world.acked(tasks.0).await;
    host.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlines_hold_before_the_start_and_after() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let host = Running::start(settings(dir.path(), 2), &world);
    let warm = order(&module, "{}");
    let warmed = warm.task;
    world.send([warm]);
    outcome(&world, warmed).await;
    let (mut late, mut close) = (order(&module, "{}"), order(&module, r#"{"do":"spin"}"#));
    late.deadline = Some(SystemClock.now().minus(Duration::from_millis(1)));
    // So far away that it does not pass before the start.
    close.deadline = Some(SystemClock.now().plus(Duration::from_secs(4)));
    let tasks = (late.task, close.task);
    world.send([late, close]);
    assert_eq!(outcome(&world, tasks.0).await, Outcome::Expired);
    let bound = tasklane_domain::outcome::TimeBound::Deadline;
    assert_eq!(outcome(&world, tasks.1).await, Outcome::TimedOut { bound });
    host.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_full_of_long_work_leaves_the_rest_to_others() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let host = Running::start(settings(dir.path(), 2), &world);
    let long: Vec<WorkOrder> = (0..2).map(|_| order(&module, r#"{"do":"sleep","ms":60000}"#)).collect();
    let tasks: Vec<TaskId> = long.iter().map(|order| order.task).collect();
    world.send(long);
    for task in &tasks {
        world.started(*task).await;
    }
    // It asks for no more, so what comes now stays where others can get it.
    let withheld = || world.asked.lock().last().is_some_and(|(_, parking)| *parking == Parking::Withheld);
    for _ in 0..1_000 {
        if withheld() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(withheld(), "{:?}", world.asked.lock().last());
    world.send([order(&module, "{}")]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(world.waiting(), 1);
    host.stop.cancel();
    host.drain().await;
}

/// What was buffered when long work took every slot is handed back, without an attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_too_long_behind_long_work_is_handed_back() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    // As above.
    world.straggles.store(true, Ordering::SeqCst);
    let host = Running::start(settings(dir.path(), 1), &world);
    let (long, behind) = (order(&module, r#"{"do":"sleep","ms":60000}"#), order(&module, "{}"));
    let tasks = (long.task, behind.task);
    world.send([long]);
    world.started(tasks.0).await;
    world.send([behind]);
    assert_eq!(world.last_word(tasks.1).await, ReportBody::HandedBack(HandBack::Saturated));
    world.acked(tasks.1).await;
    host.stop.cancel();
    host.drain().await;
}

/// Deliveries are asked for in batches while work is fast: a pull for each would be a round trip for each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fast_work_is_asked_for_in_batches() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let host = Running::start(settings(dir.path(), 16), &world);
    let orders: Vec<WorkOrder> = (0..20_000).map(|_| order(&module, "{}")).collect();
    let last = orders[19_999].task;
    world.send(orders);
    outcome(&world, last).await;
    let asked = world.asked.lock().len();
    assert!(asked < 20_000 / 4, "{asked} requests for 20000 deliveries");
    host.drain().await;
}
