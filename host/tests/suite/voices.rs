//! What a guest says is heard while it runs, by cursor, and no longer.

use tasklane_domain::Outcome;
use tasklane_domain::live_log::LogCursor;

use crate::ports::{Running, World, order, outcome, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_guest_is_heard_from_where_the_reader_was() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new());
    let module = world.deploy_fixture();
    let host = Running::start(settings(dir.path(), 2), &world);
    // It says `again` for ever.
    let endless = order(&module, r#"{"do":"hostcall-loop"}"#);
    let (task, attempt) = (endless.task, endless.attempt);
    world.send([endless]);
    let first = world.lines(task, LogCursor::start(attempt)).await;
    assert_eq!((first.attempt, first.lines[0].message.as_str()), (attempt, "again"));
    let second = world.lines(task, first.cursor).await;
    assert!(second.cursor > first.cursor);
    let passed = second.cursor.lines - first.cursor.lines;
    assert_eq!(second.dropped + second.lines.len() as u64, passed, "each line is shown or counted");
    world.cancel(task).await;
    assert_eq!(outcome(&world, task).await, Outcome::Cancelled);
    host.drain().await;
}
