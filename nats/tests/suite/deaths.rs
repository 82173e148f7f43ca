//! Deaths of hosts: told to one API process, answered with what is quarantined.

use tasklane_domain::quarantine::{Death, DeathRegister, DeathSource};
use tasklane_domain::{HostId, ModuleDigest};
use tasklane_nats::Nats;

use crate::world::{World, eventually, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_death_is_told_and_answered() -> anyhow::Result<()> {
    let world = World::new().await?;
    both_ends(&world.nats, &world.nats).await?;
    assert!(soon("an answer", world.nats.deaths().tell(&[])).await?.is_err(), "nobody listens any more");
    Ok(())
}

/// Also with the permissions of `accounts.conf`.
pub(crate) async fn both_ends(control: &Nats, host: &Nats) -> anyhow::Result<()> {
    let death = Death { host: HostId::new(), modules: vec![ModuleDigest::from_bytes([1; 32])] };
    let expected = vec![death.clone()];
    let mut told = control.deaths().deaths().await?;
    // As often as it is asked: a host that hears the answer too late tells again.
    let api = tokio::spawn(async move {
        while let Some((deaths, reply)) = told.next().await {
            assert_eq!(deaths, expected);
            reply.answer(vec![ModuleDigest::from_bytes([2; 32])]).await;
        }
    });
    let register = host.deaths();
    // The server may hear of the host's question before it hears that somebody listens, on another connection.
    let heard = eventually("an answer", async || Ok(register.tell(std::slice::from_ref(&death)).await.ok())).await?;
    assert_eq!(heard, [ModuleDigest::from_bytes([2; 32])]);
    api.abort();
    // It was aborted, and found nothing else but what was expected.
    assert!(api.await.unwrap_err().is_cancelled());
    Ok(())
}
