//! SQLite against the conformance suite, and what only a file can do.

use bytes::Bytes;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tasklane_domain::blob::{SweepPlan, Swept};
use tasklane_domain::error::StoreError;
use tasklane_domain::query::{PageRequest, TaskFilter};
use tasklane_domain::{NewTask, Payload, PayloadKind};
use tasklane_testkit::conformance::world::{NOW, at, task};
use tasklane_testkit::conformance::{World, blobs};

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
    assert!(matches!(refused, Some(StoreError::SchemaTooNew { found: 9999, known: 2.. })), "{refused:?}");
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

#[tokio::test]
async fn a_blob_goes_after_the_last_row_that_refers_to_it() -> anyhow::Result<()> {
    let (world, bytes) = (fresh().await?, Bytes::from_static(b"large, as it were"));
    let (term, blobs) = (world.lead().await?, world.stores.blobs.clone());
    let blob = blobs::store(blobs.as_ref(), &bytes, NOW).await?.info().reference();
    let payload = Payload::by_reference(PayloadKind::Bytes, blob);
    let id = world.submit(NewTask { payload, ..task()? }).await?;
    let everything =
        |seconds| SweepPlan { now: at(seconds), unused_since: at(seconds), idle_since: at(seconds), limit: 9 };
    assert_eq!(blobs.sweep(term, everything(10)).await?, Swept::default());
    let gone = sqlx::query("DELETE FROM tasks WHERE id = ?").bind(id.as_uuid().as_bytes().to_vec());
    gone.execute(&mut raw(&world).await?).await?;
    assert_eq!(blobs.sweep(term, everything(20)).await?, Swept { blobs: 1, chunks: 1 });
    assert!(blobs.blob(blob.digest).await?.is_none());
    Ok(())
}
