//! Keys and values: what is written reads back, revisions and limits hold, what has expired goes.

use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use tasklane_domain::error::StoreError;
use tasklane_domain::kv::{
    Entry, Expected, Key, KeyQuery, KvFault, KvLimits, Owner, Place, Revision, Totals, Write, Written,
};
use tasklane_domain::{Lease, Timestamp};
use tokio::task::JoinSet;

use super::World;
use super::world::{NOW, at};

fn place(owner: &str) -> anyhow::Result<Place> {
    Ok(Place { namespace: "default".parse()?, owner: owner.parse::<Owner>()? })
}

fn key(text: &str) -> anyhow::Result<Key> {
    Ok(text.parse()?)
}

fn set(value: &'static str, expires_at: Option<Timestamp>) -> Write {
    Write::Set { value: Bytes::from_static(value.as_bytes()), expires_at }
}

async fn write(world: &World, owner: &str, name: &str, write: Write) -> Result<Written, StoreError> {
    let broken = |error: anyhow::Error| StoreError::Corrupt(error.to_string());
    let (place, key) = (place(owner).map_err(broken)?, key(name).map_err(broken)?);
    world.stores.kv.write(place, key, write, KvLimits::default(), NOW).await
}

async fn read(world: &World, owner: &str, name: &str, now: Timestamp) -> anyhow::Result<Option<Entry>> {
    Ok(world.stores.kv.entry(&place(owner)?, &key(name)?, now).await?)
}

async fn totals(world: &World, owner: &str) -> anyhow::Result<Totals> {
    let wanted: Owner = owner.parse()?;
    let all = world.stores.kv.stores(&"default".parse()?).await?;
    all.into_iter().find(|info| info.owner == wanted).map(|info| info.totals).context("the store")
}

/// Bytes of every value, and of keys that are no ASCII.
pub async fn what_is_written_reads_back(world: World) -> anyhow::Result<()> {
    let value: Bytes = (0..=255_u8).collect::<Vec<_>>().into();
    let later = at(60);
    let wish = Write::Set { value: value.clone(), expires_at: Some(later) };
    let Written::Done(revision) = write(&world, "module:a", "ключ/ü\u{10FFFF}", wish).await? else {
        anyhow::bail!("not done")
    };
    let found = read(&world, "module:a", "ключ/ü\u{10FFFF}", NOW).await?.context("the entry")?;
    ensure!(found == Entry { value, revision, expires_at: Some(later) }, "{found:?}");
    ensure!(read(&world, "shared:a", "ключ/ü\u{10FFFF}", NOW).await?.is_none(), "stores are apart");
    let elsewhere = Place { namespace: "other".parse()?, ..place("module:a")? };
    ensure!(world.stores.kv.entry(&elsewhere, &key("ключ/ü\u{10FFFF}")?, NOW).await?.is_none(), "namespaces are apart");
    ensure!(write(&world, "module:a", "ключ/ü\u{10FFFF}", Write::Delete).await? == Written::Deleted(true));
    ensure!(write(&world, "module:a", "ключ/ü\u{10FFFF}", Write::Delete).await? == Written::Deleted(false));
    Ok(())
}

/// Also after a key was deleted in between: nobody takes the new entry for the old one.
pub async fn a_revision_is_given_once(world: World) -> anyhow::Result<()> {
    let first = write(&world, "module:a", "k", set("1", None)).await?;
    write(&world, "module:a", "k", Write::Delete).await?;
    let second = write(&world, "module:a", "k", set("1", None)).await?;
    ensure!(first != second, "{first:?}");
    let Written::Done(old) = first else { anyhow::bail!("{first:?}") };
    let swap = |expected| Write::Swap { expected, value: Some(Bytes::from_static(b"2")), expires_at: None };
    let late = write(&world, "module:a", "k", swap(Expected::Revision(old))).await?;
    ensure!(matches!(late, Written::Conflict(Some(ref found)) if found.value == "1"), "{late:?}");
    let absent = write(&world, "module:a", "k", swap(Expected::Absent)).await?;
    ensure!(matches!(absent, Written::Conflict(Some(_))), "{absent:?}");
    let Written::Done(new) = second else { anyhow::bail!("{second:?}") };
    ensure!(matches!(write(&world, "module:a", "k", swap(Expected::Revision(new))).await?, Written::Done(_)));
    Ok(())
}

/// Twenty writers that each add one, and as many that compare and set: nothing is lost.
pub async fn concurrent_writes_of_one_key_lose_nothing(world: World) -> anyhow::Result<()> {
    let other = world.open_another().await?;
    let mut writers = JoinSet::new();
    for number in 0..20 {
        let kv = if number % 2 == 0 { world.stores.kv.clone() } else { other.kv.clone() };
        let (place, key, swapped) = (place("shared:n")?, key("n")?, key("s")?);
        writers.spawn(async move {
            let limits = KvLimits::default();
            kv.write(place.clone(), key, Write::Increment { by: 1, expires_at: None }, limits, NOW).await?;
            loop {
                let found = kv.entry(&place, &swapped, NOW).await?;
                let expected = found.as_ref().map_or(Expected::Absent, |entry| Expected::Revision(entry.revision));
                let mut value = found.map(|entry| entry.value.to_vec()).unwrap_or_default();
                value.push(b'x');
                let wish = Write::Swap { expected, value: Some(value.into()), expires_at: None };
                if let Written::Done(_) = kv.write(place.clone(), swapped.clone(), wish, limits, NOW).await? {
                    return anyhow::Ok(());
                }
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    ensure!(read(&world, "shared:n", "n", NOW).await?.context("n")?.value == "20");
    ensure!(read(&world, "shared:n", "s", NOW).await?.context("s")?.value.len() == 20);
    Ok(())
}

/// By bytes, in pages, with a prefix; what has expired is left out.
pub async fn keys_are_listed_by_their_bytes(world: World) -> anyhow::Result<()> {
    for name in ["b", "a", "B", "a/1", "a/2", "a/\u{10FFFF}", "ä", "aa", "a0"] {
        write(&world, "module:a", name, set("", None)).await?;
    }
    write(&world, "module:a", "a/gone", set("", Some(at(1)))).await?;
    write(&world, "shared:a", "a/x", set("", None)).await?;
    let list = async |prefix: &str, after: Option<&str>, limit| {
        let query = KeyQuery { prefix: prefix.to_owned(), after: after.map(str::to_owned), limit };
        let page = world.stores.kv.keys(&place("module:a")?, &query, at(2)).await?;
        anyhow::Ok((page.keys, page.next))
    };
    let all = list("", None, 100).await?;
    ensure!(all.0 == ["B", "a", "a/1", "a/2", "a/\u{10FFFF}", "a0", "aa", "b", "ä"] && all.1.is_none(), "{all:?}");
    let first = list("a/", None, 2).await?;
    ensure!(first.0 == ["a/1", "a/2"] && first.1.as_deref() == Some("a/2"), "{first:?}");
    let second = list("a/", Some("a/2"), 2).await?;
    ensure!(second.0 == ["a/\u{10FFFF}"] && second.1.is_none(), "{second:?}");
    ensure!(list("\u{10FFFF}", None, 10).await?.0.is_empty());
    Ok(())
}

/// Nothing changes then.
pub async fn a_full_store_takes_no_more(world: World) -> anyhow::Result<()> {
    let limits = KvLimits { value_bytes: 8, store_keys: 2, store_bytes: 12 };
    let write = async |name: &str, value: &'static str| {
        world.stores.kv.write(place("module:a")?, key(name)?, set(value, None), limits, NOW).await.map_err(Into::into)
    };
    let fault = |answer: anyhow::Result<Written>| match answer {
        Err(error) => match error.downcast::<StoreError>()? {
            StoreError::KvRefused(fault) => Ok(fault),
            other => Err(other.into()),
        },
        Ok(written) => Err(anyhow::anyhow!("{written:?}")),
    };
    write("a", "1234").await?;
    write("b", "12").await?;
    ensure!(totals(&world, "module:a").await? == Totals { keys: 2, bytes: 8, revision: 2 });
    ensure!(matches!(fault(write("c", "1").await)?, KvFault::KeysFull(2)));
    ensure!(matches!(fault(write("b", "1234567").await)?, KvFault::BytesFull { .. }));
    ensure!(matches!(fault(write("a", "123456789").await)?, KvFault::ValueTooLarge { .. }));
    ensure!(totals(&world, "module:a").await? == Totals { keys: 2, bytes: 8, revision: 2 }, "what is refused counts");
    write("b", "123456").await?;
    Ok(())
}

/// Unseen at once, removed by the leader a few at a time, with its room.
pub async fn what_has_expired_goes(world: World) -> anyhow::Result<()> {
    let term = world.stores.leader.open_term(Lease { revision: 1, generation: NOW }).await?;
    for name in ["a", "b", "c"] {
        write(&world, "module:a", name, set("12", Some(at(10)))).await?;
    }
    write(&world, "module:a", "stays", set("12", None)).await?;
    write(&world, "shared:s", "later", set("12", Some(at(100)))).await?;
    ensure!(read(&world, "module:a", "a", at(9)).await?.is_some());
    ensure!(read(&world, "module:a", "a", at(10)).await?.is_none());
    ensure!(world.stores.kv.sweep_expired(term, at(9), 10).await? == 0);
    ensure!(world.stores.kv.sweep_expired(term, at(10), 2).await? == 2);
    ensure!(world.stores.kv.sweep_expired(term, at(10), 2).await? == 1);
    let left = totals(&world, "module:a").await?;
    ensure!((left.keys, left.bytes) == (1, 7), "{left:?}");
    ensure!(read(&world, "shared:s", "later", at(99)).await?.is_some());
    Ok(())
}

/// Its term is over.
pub async fn a_former_leader_expires_nothing(world: World) -> anyhow::Result<()> {
    let term = world.stores.leader.open_term(Lease { revision: 1, generation: NOW }).await?;
    world.stores.leader.open_term(Lease { revision: 2, generation: NOW }).await?;
    write(&world, "module:a", "a", set("1", Some(at(1)))).await?;
    let swept = world.stores.kv.sweep_expired(term, at(2), 10).await;
    ensure!(matches!(swept, Err(StoreError::StaleTerm { .. })), "{swept:?}");
    Ok(())
}

/// One that was written anew while it had expired stays.
pub async fn an_expired_key_can_be_written_anew(world: World) -> anyhow::Result<()> {
    let term = world.stores.leader.open_term(Lease { revision: 1, generation: NOW }).await?;
    let before = NOW.minus(Duration::from_secs(5));
    write(&world, "module:a", "k", set("old", Some(before))).await?;
    let wish = Write::Swap { expected: Expected::Absent, value: Some(Bytes::from_static(b"new")), expires_at: None };
    let written = write(&world, "module:a", "k", wish).await?;
    ensure!(written == Written::Done(Revision::new(2)), "{written:?}");
    ensure!(world.stores.kv.sweep_expired(term, at(9), 10).await? == 0);
    ensure!(totals(&world, "module:a").await? == Totals { keys: 1, bytes: 4, revision: 2 });
    Ok(())
}
