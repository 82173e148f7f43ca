//! SQLite against the conformance suite, and what only a file can do.

use std::collections::HashMap;

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tasklane_domain::error::StoreError;
use tasklane_domain::flow::{Concurrency, Flow, Pass, Shares};
use tasklane_domain::query::{PageRequest, TaskFilter};
use tasklane_domain::retention::{Kind, position_at};
use tasklane_domain::task::{Lineage, Parent, Unique};
use tasklane_domain::{BatchId, NewTask, StateKind};
use tasklane_testkit::conformance::World;
use tasklane_testkit::conformance::world::{at, labels, task};

async fn fresh() -> anyhow::Result<World> {
    let dir = tempfile::tempdir()?;
    World::open(format!("sqlite://{}/deeper/tasklane.db", dir.path().display()), Some(dir)).await
}

tasklane_testkit::store_conformance!(fresh);

async fn raw(world: &World) -> anyhow::Result<SqliteConnection> {
    Ok(SqliteConnection::connect(&world.url).await?)
}

#[tokio::test]
async fn a_newer_schema_is_refused() -> anyhow::Result<()> {
    let world = fresh().await?;
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'later', TRUE, X'00', 0)";
    sqlx::query(later).execute(&mut raw(&world).await?).await?;
    let refused = tasklane_store::open(&world.url).await.err();
    assert!(matches!(refused, Some(StoreError::SchemaTooNew { found: 9999, .. })), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn a_corrupt_row_is_named() -> anyhow::Result<()> {
    let world = fresh().await?;
    let id = world.submit(task()?).await?;
    sqlx::query("UPDATE tasks SET spec = 'no JSON'").execute(&mut raw(&world).await?).await?;
    let page = PageRequest { before: None, limit: 10 };
    let failures =
        [world.stores.tasks.task(id).await.err(), world.stores.tasks.list(&TaskFilter::default(), page).await.err()];
    for failure in failures {
        let Some(StoreError::Corrupt(text)) = failure else { panic!("{failure:?} is not `Corrupt`") };
        assert!(text.contains("tasks") && text.contains(&id.to_string()), "table and id are missing: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn commits_are_synchronous_in_wal_mode() -> anyhow::Result<()> {
    let world = fresh().await?;
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut raw(&world).await?).await?;
    assert_eq!(mode, "wal");
    Ok(())
}

#[tokio::test]
async fn what_is_no_database_is_told_apart() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("not-a-database");
    std::fs::write(&path, "x".repeat(10_000))?;
    assert!(tasklane_store::open(&format!("sqlite://{}", path.display())).await.is_err());
    for url in ["mysql://localhost/x", "tasklane.db", ""] {
        let error = tasklane_store::open(url).await.err().map(|error| {
            let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            format!("{error}: {source}")
        });
        assert!(error.as_ref().is_some_and(|text| text.contains("sqlite://")), "{url:?}: {error:?}");
    }
    Ok(())
}

/// A lone task's statements bring `BEGIN` and `COMMIT` along: one that fails in between leaves neither rows nor a transaction that is open.
#[tokio::test]
async fn a_statement_that_fails_takes_its_transaction_with_it() -> anyhow::Result<()> {
    let world = fresh().await?;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON tasks BEGIN SELECT RAISE(ABORT, 'refused'); END";
    sqlx::query(refuse).execute(&mut raw(&world).await?).await?;
    let refused = world.submit(task()?).await.err();
    assert!(refused.is_some_and(|error| format!("{error:#}").contains("refused")));
    assert_eq!(rows(&world, "tasks").await?, 0);
    sqlx::query("DROP TRIGGER refuse").execute(&mut raw(&world).await?).await?;
    world.submit(task()?).await?;
    assert_eq!(rows(&world, "tasks").await?, 1);
    Ok(())
}

async fn rows(world: &World, table: &str) -> anyhow::Result<i64> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
    Ok(sqlx::query_scalar(sql).fetch_one(&mut raw(world).await?).await?)
}

#[tokio::test]
async fn nothing_stays_of_tasks_that_are_removed() -> anyhow::Result<()> {
    let world = fresh().await?;
    let first = NewTask { labels: labels(&[("team", "a")])?, ..task()? };
    let mut last =
        NewTask { unique: Some(Unique { hash: [1; 32], while_in: StateKind::ALL.to_vec(), for_ms: None }), ..task()? };
    last.after.on = vec![first.id];
    let (batch, root) = (BatchId::new(), first.id);
    let lineage = Lineage { batch: Some(batch), ..Lineage::default() };
    let all = [first, last].map(|task| NewTask { lineage: lineage.clone(), ..task });
    let mut ids: Vec<_> = all.iter().map(|task| task.id).collect();
    world.stores.tasks.submit(all.to_vec()).await?;
    let parent = Parent { task: root, root, depth: 1, key: "k".to_owned() };
    ids.push(
        world.submit(NewTask { lineage: Lineage { parent: Some(parent), ..Lineage::default() }, ..task()? }).await?,
    );
    let tables = ["tasks", "task_labels", "unique_keys", "dependencies", "batches", "trees"];
    for table in tables {
        assert_ne!(rows(&world, table).await?, 0, "{table}");
    }
    for id in ids.iter().rev() {
        world.stores.tasks.cancel(*id, at(1)).await?;
    }
    let term = world.lead().await?;
    assert_eq!(world.stores.retention.remove(term, Kind::Task, vec![ids[0]]).await?.removed, 1);
    assert_eq!((rows(&world, "trees").await?, rows(&world, "batches").await?), (1, 1), "others are there");
    assert_eq!(world.stores.retention.remove(term, Kind::Task, ids).await?.removed, 2);
    for table in tables {
        assert_eq!(rows(&world, table).await?, 0, "{table}");
    }
    assert!(world.stores.retention.ended(position_at(at(0)), at(9)).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn the_walk_over_ended_tasks_uses_its_index() -> anyhow::Result<()> {
    let world = fresh().await?;
    let plan = "EXPLAIN QUERY PLAN SELECT id FROM tasks \
                WHERE state <> 'queued' AND state <> 'running' AND state <> 'scheduled' AND state <> 'blocked' \
                AND state <> 'retrying' AND (ended_at, id) > (1, X'00') AND ended_at <= 5 ORDER BY ended_at, id LIMIT 500";
    let lines: Vec<(i64, i64, i64, String)> = sqlx::query_as(plan).fetch_all(&mut raw(&world).await?).await?;
    let text: Vec<&str> = lines.iter().map(|line| line.3.as_str()).collect();
    assert!(text.len() == 1 && text[0].contains("tasks_ended"), "{text:?}");
    Ok(())
}

#[tokio::test]
async fn whether_a_batch_goes_on_is_read_from_its_index() -> anyhow::Result<()> {
    let world = fresh().await?;
    let plan = "EXPLAIN QUERY PLAN SELECT id FROM batches WHERE id IN (X'00') AND EXISTS (SELECT 1 FROM tasks \
                WHERE tasks.batch = batches.id AND tasks.state <> 'succeeded' AND tasks.state <> 'failed' \
                AND tasks.state <> 'cancelled' AND tasks.state <> 'expired')";
    let lines: Vec<(i64, i64, i64, String)> = sqlx::query_as(plan).fetch_all(&mut raw(&world).await?).await?;
    assert!(lines.iter().any(|line| line.3.contains("tasks_batch_open")), "{lines:?}");
    Ok(())
}

#[tokio::test]
async fn slots_of_tasks_that_are_removed_are_freed() -> anyhow::Result<()> {
    let world = fresh().await?;
    let limit = Concurrency { key: "a".parse()?, max: 1 };
    let limited = NewTask { flow: Flow { concurrency: Some(limit), ..Flow::default() }, ..task()? };
    let id = world.submit(limited).await?;
    let term = world.lead().await?;
    let pass = |now| Pass {
        now,
        slots: 1,
        per_second: HashMap::new(),
        shares: Shares::new(now),
        limit: 1,
        cursor: None,
        sweep: false,
    };
    assert_eq!(world.stores.flow.admit(term, pass(at(1))).await?.ready.len(), 1);
    assert_ne!(rows(&world, "slots").await?, 0);
    world.stores.tasks.cancel(id, at(2)).await?;
    assert_eq!(world.stores.retention.remove(term, Kind::Task, vec![id]).await?.removed, 1);
    world.stores.flow.admit(term, pass(at(60))).await?;
    assert_eq!(rows(&world, "slots").await?, 0);
    Ok(())
}
