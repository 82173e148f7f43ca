//! The leadership key: one holder, an end by itself, and no way back for who lost it.

use std::time::Duration;

use tasklane_domain::cluster::LeaderInfo;
use tasklane_domain::error::QueueError;
use tasklane_domain::ports::LeaseStore;
use tasklane_domain::{Clock, SystemClock, Term};

use crate::world::{BOUND, World, eventually, soon};

const TTL: Duration = Duration::from_secs(30);
/// The shortest that a server takes.
const SHORT_TTL: Duration = Duration::from_secs(1);

fn info(scheduler: &str) -> LeaderInfo {
    LeaderInfo { scheduler: scheduler.to_owned(), term: Some(Term::new(4)), since: SystemClock.now(), renewed_at: None }
}

fn is_lost<T: std::fmt::Debug>(answer: &Result<T, QueueError>) -> bool {
    matches!(answer, Err(QueueError::LeaseLost))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_holds_it_until_it_resigns() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leases = world.nats.lease_store(&world.topology);
    let (a, b) = (info("a"), info("b"));
    let first = leases.acquire(&a, TTL).await?.unwrap();
    assert_eq!(leases.acquire(&b, TTL).await?, None);
    assert_eq!(leases.acquire(&a, TTL).await?, None, "the holder renews, it does not acquire again");
    assert_eq!(leases.holder().await?, Some(a.clone()));

    let renewed = leases.renew(first.revision, &a, TTL).await?;
    assert!(renewed > first.revision);
    let stale = leases.renew(first.revision, &b, TTL).await;
    assert!(is_lost(&stale), "{stale:?}");
    let stale = leases.resign(first.revision).await;
    assert!(is_lost(&stale), "{stale:?}");
    assert_eq!(leases.holder().await?, Some(a.clone()));

    leases.resign(renewed).await?;
    assert_eq!(leases.holder().await?, None);
    let second = leases.acquire(&b, TTL).await?.unwrap();
    assert_eq!(second.generation, first.generation);
    assert!(second.revision > renewed);
    let late = leases.renew(renewed, &a, TTL).await;
    assert!(is_lost(&late), "{late:?}");
    assert_eq!(leases.holder().await?, Some(b));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_want_it_one_gets_it() -> anyhow::Result<()> {
    let world = World::new().await?;
    for round in 0..10 {
        let mut candidates = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let leases = world.nats.lease_store(&world.topology);
            candidates.spawn(async move { leases.acquire(&info("one of many"), TTL).await });
        }
        let won: Vec<_> = candidates.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let won: Vec<_> = won.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "round {round}");
        world.nats.lease_store(&world.topology).resign(won[0].revision).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_by_itself_also_over_the_marker_of_an_earlier_end() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leases = world.nats.lease_store(&world.topology);
    let mut last = 0;
    for name in ["a", "b", "c"] {
        let lease = soon("a free key", async {
            loop {
                if let Some(lease) = leases.acquire(&info(name), SHORT_TTL).await? {
                    return anyhow::Ok(lease);
                }
                leases.freed(BOUND / 2).await;
            }
        })
        .await??;
        assert!(lease.revision > last);
        last = lease.revision;
    }
    eventually("the last holder's end", async || Ok(leases.holder().await?.is_none().then_some(()))).await?;
    let late = leases.renew(last, &info("c"), SHORT_TTL).await;
    assert!(is_lost(&late), "an ended lease was renewed: {late:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_lasts_no_less_than_it_was_asked_for() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leases = world.nats.lease_store(&world.topology);
    let ttl = Duration::from_millis(1_900);
    let begun = std::time::Instant::now();
    leases.acquire(&info("a"), ttl).await?.unwrap();
    eventually("its end", async || Ok(leases.holder().await?.is_none().then_some(()))).await?;
    assert!(begun.elapsed() >= ttl, "it ended after {:?}", begun.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn renewals_keep_it_beyond_its_ttl() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leases = world.nats.lease_store(&world.topology);
    // So long that a busy machine does not let it pass between two renewals.
    let ttl = Duration::from_secs(8);
    let mut revision = leases.acquire(&info("a"), ttl).await?.unwrap().revision;
    let mut interval = tokio::time::interval(Duration::from_millis(500));
    // For twice as long.
    for _ in 0..34 {
        interval.tick().await;
        revision = leases.renew(revision, &info("a"), ttl).await?;
        assert_eq!(leases.acquire(&info("b"), ttl).await?, None);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resignation_wakes_those_who_wait() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leases = world.nats.lease_store(&world.topology);
    let lease = leases.acquire(&info("a"), TTL).await?.unwrap();
    // Nobody tells when the watch has begun: it is waited for again and again until one resignation was heard.
    let waiting = tokio::spawn({
        let leases = leases.clone();
        async move { leases.freed(BOUND * 10).await }
    });
    let mut revision = lease.revision;
    eventually("the waiter wakes", async || {
        leases.resign(revision).await?;
        revision = leases.acquire(&info("a"), TTL).await?.unwrap().revision;
        Ok(waiting.is_finished().then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_without_a_key_ends_in_time() -> anyhow::Result<()> {
    let world = World::new().await?;
    soon("the end of the wait", world.nats.lease_store(&world.topology).freed(Duration::from_millis(200))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_of_another_version_is_a_holder() -> anyhow::Result<()> {
    let world = World::new().await?;
    let leases = world.nats.lease_store(&world.topology);
    let lease = leases.acquire(&info("a"), TTL).await?.unwrap();
    leases.resign(lease.revision).await?;
    world.raw().await?.publish("$KV.leadership.leader", "{\"unheard\":\"of\"}".into()).await?.await?;
    assert_eq!(leases.acquire(&info("b"), TTL).await?, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_after_a_wipe_is_of_a_later_generation() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let leases = world.nats.lease_store(&world.topology);
    let first = leases.acquire(&info("a"), TTL).await?.unwrap();
    world.server.wipe_and_restart().await?;
    let second = eventually("another lease", async || Ok(leases.acquire(&info("b"), TTL).await.ok().flatten())).await?;
    assert!(second.generation > first.generation);
    let stale = leases.renew(first.revision + 7, &info("a"), TTL).await;
    assert!(is_lost(&stale), "{stale:?}");
    Ok(())
}
