//! A control plane that answers every call at once, and the same call always with the same: from the call's own values.

use async_trait::async_trait;
use bytes::Bytes;
use tasklane_domain::call::{BlobPlace, Call, CallAnswer, CallError, CallRequest, Called, Caller};
use tasklane_domain::kv::{Entry, KeyPage, KvAnswer, KvAsk, Revision};
use tasklane_domain::secret::{SecretValue, context};

/// The first revision.
const FIRST: u64 = 1;

pub(crate) struct Echo;

fn entry(value: &str) -> Entry {
    Entry { value: Bytes::copy_from_slice(value.as_bytes()), revision: Revision::new(FIRST), expires_at: None }
}

fn kv(ask: KvAsk) -> KvAnswer {
    match ask {
        KvAsk::Get { key } => KvAnswer::Entry((key.as_str().len() % 2 == 0).then(|| entry(key.as_str()))),
        KvAsk::Keys(query) => KvAnswer::Keys(KeyPage { next: query.after, keys: vec![query.prefix] }),
        KvAsk::Set { .. } => KvAnswer::Done(Revision::new(FIRST)),
        KvAsk::Swap { key, value, .. } => match value {
            Some(_) => KvAnswer::Done(Revision::new(FIRST)),
            None => KvAnswer::Conflict(Some(entry(key.as_str()))),
        },
        KvAsk::Increment { by, .. } => KvAnswer::Number(by.into()),
        KvAsk::Delete { key } => KvAnswer::Deleted(key.as_str().len() % 2 == 0),
    }
}

#[async_trait]
impl Caller for Echo {
    async fn call(&self, request: CallRequest) -> Called {
        let unavailable = |error: tasklane_seal::Unsealed| CallError::Unavailable(error.to_string());
        match request.call {
            Call::Kv { ask, .. } => Ok(CallAnswer::Kv(kv(ask))),
            Call::Secret { name, to } => {
                let (about, value) = (context(request.task, &name), SecretValue::new(b"a value".to_vec()));
                let sealed = tasklane_seal::envelope(to, about.as_bytes(), &value).map_err(unavailable)?;
                Ok(CallAnswer::Secret(Some(sealed)))
            }
            Call::Blob { of } if of.len() % 3 == 0 => Ok(CallAnswer::Blob(None)),
            Call::Blob { of } => Ok(CallAnswer::Blob(Some(BlobPlace::Inline(of.into())))),
        }
    }
}
