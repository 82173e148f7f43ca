//! PostgreSQL against the conformance suite, and what only a server can do. The cluster is this file's own, one for all tests.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tasklane_domain::StateKind;
use tasklane_domain::error::StoreError;
use tasklane_testkit::conformance::World;
use tasklane_testkit::conformance::world::{at, ended, report, task, tasks};
use tasklane_testkit::postgres::{Durability, Postgres};
use tokio::task::JoinSet;

/// How long the store may take to be back after its connections were cut.
const RECOVERY_MAX: Duration = Duration::from_secs(30);

static CLUSTER: OnceLock<Postgres> = OnceLock::new();

#[expect(clippy::expect_used, reason = "without a cluster every test here must fail, with the reason")]
async fn fresh() -> anyhow::Result<World> {
    let url = tokio::task::spawn_blocking(|| {
        CLUSTER.get_or_init(|| Postgres::start(Durability::None).expect("a PostgreSQL cluster")).database()
    });
    World::open(url.await??, None).await
}

tasklane_testkit::store_conformance!(fresh);

async fn raw(world: &World) -> anyhow::Result<PgConnection> {
    Ok(PgConnection::connect(&world.url).await?)
}

#[tokio::test]
async fn a_newer_schema_is_refused() -> anyhow::Result<()> {
    let world = fresh().await?;
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'later', TRUE, '\\x00', 0)";
    sqlx::query(later).execute(&mut raw(&world).await?).await?;
    let refused = tasklane_store::open(&world.url).await.err();
    assert!(matches!(refused, Some(StoreError::SchemaTooNew { found: 9999, known: 2.. })), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn a_corrupt_row_is_named() -> anyhow::Result<()> {
    let world = fresh().await?;
    let id = world.submit(task()?).await?;
    sqlx::query("UPDATE tasks SET state = 'lost'").execute(&mut raw(&world).await?).await?;
    let failure = world.stores.tasks.task(id).await.err();
    let Some(StoreError::Corrupt(text)) = failure else { panic!("{failure:?} is not `Corrupt`") };
    assert!(text.contains("tasks") && text.contains(&id.to_string()), "table and id are missing: {text}");
    Ok(())
}

/// Cuts every connection of the store, as a restart of the server does.
async fn cut(world: &World) -> anyhow::Result<()> {
    let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query(all).execute(&mut raw(world).await?).await?;
    Ok(())
}

/// Waits until no transaction is under way: the commit of a connection that was cut may come after its caller was told of the failure.
async fn quiet(world: &World) -> anyhow::Result<()> {
    let under_way = "SELECT count(*) FROM pg_stat_activity \
                     WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL";
    let mut connection = raw(world).await?;
    let over = async {
        loop {
            let count: i64 = sqlx::query_scalar(under_way).fetch_one(&mut connection).await?;
            if count == 0 {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(RECOVERY_MAX, over).await?
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_is_made_anew() -> anyhow::Result<()> {
    let world = fresh().await?;
    let before = world.submit(task()?).await?;
    for _ in 0..3 {
        cut(&world).await?;
        let back = async {
            // A caller may see one failure, but not a store that stays broken.
            while world.stores.tasks.submit(vec![task()?]).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(RECOVERY_MAX, back).await??;
        world.settle(report(before, ended(tasklane_domain::Outcome::Ok)), at(3)).await?;
        world.expect_state(before, StateKind::Succeeded).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_during_cuts_is_there_and_nothing_is_half_there() -> anyhow::Result<()> {
    let world = fresh().await?;
    let mut callers = JoinSet::new();
    for _ in 0..40 {
        let store = Arc::clone(&world.stores.tasks);
        let batch = tasks(20)?;
        callers.spawn(async move {
            let ids: Vec<_> = batch.iter().map(|task| task.id).collect();
            (ids, store.submit(batch).await.is_ok())
        });
        cut(&world).await?;
    }
    let answers = callers.join_all().await;
    quiet(&world).await?;
    for (ids, acknowledged) in answers {
        let mut found = 0;
        for id in &ids {
            found += usize::from(world.stores.tasks.task(*id).await?.is_some());
        }
        assert!(found == ids.len() || (found == 0 && !acknowledged), "{found} of {} rows, {acknowledged}", ids.len());
    }
    Ok(())
}
