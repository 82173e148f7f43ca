//! Calls of guests: answered by whoever hears them, repeated only where that is safe, and never larger than a message may be.

use bytes::Bytes;
use tasklane_domain::blob::RESULT_INLINE_BYTES_MAX;
use tasklane_domain::call::{BlobPlace, Call, CallAnswer, CallError, CallRequest, CallSource, Called, Caller, Calls};
use tasklane_domain::kv::{Entry, Expected, KvAnswer, KvAsk, Revision};
use tasklane_domain::secret::{Envelope, PublicKey};
use tasklane_domain::{BlobDigest, BlobRef, TaskId};
use tasklane_nats::Nats;

use crate::world::{World, soon};

fn kv(ask: KvAsk) -> CallRequest {
    CallRequest { task: TaskId::new(), call: Call::Kv { store: "own".parse().unwrap(), ask } }
}

fn get() -> CallRequest {
    kv(KvAsk::Get { key: "k".parse().unwrap() })
}

fn swap() -> CallRequest {
    let value = Some(Bytes::from_static(b"\0\xff"));
    kv(KvAsk::Swap { key: "ü".parse().unwrap(), expected: Expected::Absent, value, ttl_ms: Some(1) })
}

fn secret() -> CallRequest {
    let to = PublicKey([7; 32]);
    CallRequest { task: TaskId::new(), call: Call::Secret { name: "a".parse().unwrap(), to } }
}

fn result() -> CallRequest {
    CallRequest { task: TaskId::new(), call: Call::Blob { of: "resize".to_owned() } }
}

fn entry() -> Called {
    let entry = Entry { value: Bytes::from_static(b"\xff"), revision: Revision::new(u64::MAX), expires_at: None };
    Ok(CallAnswer::Kv(KvAnswer::Entry(Some(entry))))
}

/// Hears one call, which must be this, and answers it.
async fn answer(calls: &mut Box<dyn Calls>, expected: &CallRequest, answer: Called) {
    let (heard, reply) = calls.next().await.unwrap();
    assert_eq!(&heard, expected);
    reply.answer(answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_and_answers_arrive_as_they_were() -> anyhow::Result<()> {
    let world = World::new().await?;
    both_ways(&world.nats, &world.nats).await
}

/// With the permissions of each role.
pub(crate) async fn both_ways(control: &Nats, host: &Nats) -> anyhow::Result<()> {
    let mut calls = control.calls().calls().await?;
    let envelope = Envelope { from: PublicKey([9; 32]), sealed: Bytes::from_static(b"\x01\x02") };
    let refused = |why: &str| CallError::Denied(why.to_owned());
    let (digest, size_bytes) = (BlobDigest::from_bytes([3; 32]), 1 << 40);
    let inline = Bytes::from(vec![0xff; RESULT_INLINE_BYTES_MAX]);
    let table: [(CallRequest, Called); 8] = [
        (get(), entry()),
        (swap(), Ok(CallAnswer::Kv(KvAnswer::Conflict(None)))),
        (get(), Err(refused("no"))),
        (secret(), Ok(CallAnswer::Secret(Some(envelope)))),
        (secret(), Ok(CallAnswer::Secret(None))),
        (result(), Ok(CallAnswer::Blob(Some(BlobPlace::Inline(inline))))),
        (result(), Ok(CallAnswer::Blob(Some(BlobPlace::Stored(BlobRef { digest, size_bytes }))))),
        (result(), Ok(CallAnswer::Blob(None))),
    ];
    for (request, wanted) in table {
        let asked = host.calls();
        let (told, ()) = soon("an answer", async {
            tokio::join!(asked.call(request.clone()), answer(&mut calls, &request, wanted.clone()))
        })
        .await?;
        assert_eq!(told, wanted);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_done_twice_is_asked_once() -> anyhow::Result<()> {
    let world = World::new().await?;
    let mut calls = world.nats.calls().calls().await?;
    let away: Called = Err(CallError::Unavailable("away".to_owned()));
    let caller = world.nats.calls();
    let once = swap();
    let (told, ()) =
        soon("an answer", async { tokio::join!(caller.call(once.clone()), answer(&mut calls, &once, away.clone())) })
            .await?;
    assert_eq!(told, away);
    let again = get();
    let twice = async {
        answer(&mut calls, &again, away.clone()).await;
        answer(&mut calls, &again, entry()).await;
    };
    let (told, ()) = soon("an answer", async { tokio::join!(caller.call(again.clone()), twice) }).await?;
    assert_eq!(told, entry());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_listens_the_guest_is_told() -> anyhow::Result<()> {
    let world = World::new().await?;
    for request in [get(), swap()] {
        let told = soon("an answer", world.nats.calls().call(request)).await?;
        assert!(matches!(told, Err(CallError::Unavailable(_))), "{told:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_message_carries_is_refused() -> anyhow::Result<()> {
    let world = World::new().await?;
    let value = Bytes::from(vec![0; world.nats.max_payload() + 1]);
    let told = world.nats.calls().call(kv(KvAsk::Set { key: "k".parse()?, value, ttl_ms: None })).await;
    assert!(matches!(told, Err(CallError::Limit(_))), "{told:?}");
    Ok(())
}
