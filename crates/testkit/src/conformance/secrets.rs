//! Secrets: what is sealed reads back as it was sealed, versions rise, a namespace has so many.

use anyhow::{Context, ensure};
use tasklane_domain::error::StoreError;
use tasklane_domain::secret::{KeyId, SECRETS_MAX, Sealed, SecretInfo};
use tasklane_domain::{Namespace, SecretName, Timestamp};

use super::World;
use super::world::{NOW, at};

fn sealed(key: &str, bytes: &'static [u8]) -> Sealed {
    Sealed { key: KeyId::new(key), bytes: bytes.into() }
}

async fn put(world: &World, namespace: &str, name: &str, sealed: Sealed, now: Timestamp) -> anyhow::Result<SecretInfo> {
    Ok(world.stores.secrets.put(namespace.parse()?, name.parse()?, sealed, now).await?)
}

async fn read(world: &World, namespace: &str, name: &str) -> anyhow::Result<Option<(SecretInfo, Sealed)>> {
    Ok(world.stores.secrets.sealed(&namespace.parse()?, &name.parse()?).await?)
}

/// In its namespace, and with the version and times that belong to it.
pub async fn a_sealed_value_reads_back(world: World) -> anyhow::Result<()> {
    put(&world, "default", "stripe-key", sealed("k1", b"\0\xffone"), NOW).await?;
    let second = put(&world, "default", "stripe-key", sealed("k2", b"two"), at(5)).await?;
    let expected = SecretInfo {
        namespace: Namespace::default(),
        name: "stripe-key".parse()?,
        version: 2,
        key: KeyId::new("k2"),
        created_at: NOW,
        changed_at: at(5),
    };
    ensure!(second == expected, "{second:?}");
    ensure!(read(&world, "default", "stripe-key").await? == Some((expected.clone(), sealed("k2", b"two"))));
    ensure!(read(&world, "other", "stripe-key").await?.is_none(), "namespaces are apart");
    put(&world, "other", "a", sealed("k1", b"x"), NOW).await?;
    ensure!(world.stores.secrets.list(Some(&Namespace::default())).await? == [expected]);
    ensure!(world.stores.secrets.list(None).await?.len() == 2);
    Ok(())
}

/// And not one that was set meanwhile.
pub async fn a_value_is_sealed_anew(world: World) -> anyhow::Result<()> {
    let info = put(&world, "default", "a", sealed("k1", b"old"), NOW).await?;
    ensure!(world.stores.secrets.reseal(info.clone(), sealed("k2", b"anew")).await?);
    let (now, bytes) = read(&world, "default", "a").await?.context("the secret")?;
    ensure!((now.version, now.changed_at, bytes) == (1, NOW, sealed("k2", b"anew")), "it is the same value");
    put(&world, "default", "a", sealed("k2", b"set"), at(1)).await?;
    ensure!(!world.stores.secrets.reseal(info, sealed("k3", b"late")).await?);
    ensure!(read(&world, "default", "a").await?.context("the secret")?.1 == sealed("k2", b"set"));
    Ok(())
}

/// Once.
pub async fn a_secret_is_removed(world: World) -> anyhow::Result<()> {
    put(&world, "default", "a", sealed("k1", b"x"), NOW).await?;
    let remove = async || -> anyhow::Result<bool> {
        Ok(world.stores.secrets.remove(Namespace::default(), "a".parse::<SecretName>()?).await?)
    };
    ensure!(remove().await? && !remove().await?);
    ensure!(read(&world, "default", "a").await?.is_none());
    let again = put(&world, "default", "a", sealed("k1", b"x"), NOW).await?;
    ensure!(again.version == 1);
    Ok(())
}

/// A limit, and not for one that is there.
pub async fn a_namespace_has_so_many_secrets(world: World) -> anyhow::Result<()> {
    for number in 0..SECRETS_MAX {
        put(&world, "default", &format!("s{number}"), sealed("k1", b"x"), NOW).await?;
    }
    let more = world.stores.secrets.put(Namespace::default(), "more".parse()?, sealed("k1", b"x"), NOW).await;
    ensure!(matches!(more, Err(StoreError::SecretsFull(_))), "{more:?}");
    put(&world, "default", "s0", sealed("k1", b"y"), NOW).await?;
    put(&world, "other", "more", sealed("k1", b"y"), NOW).await?;
    Ok(())
}
