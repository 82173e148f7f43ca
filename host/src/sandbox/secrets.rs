//! The `secrets` interface: a value is in this process only while the attempt that asked for it runs, and nowhere else on this machine.
//!
//! Guarantees: one question for each secret and attempt, so that a value that is changed or taken away holds from the next attempt on;
//! what was revealed is masked in the attempt's log, progress and errors. What the guest returns or keeps elsewhere is its own affair.

use std::collections::BTreeMap;

use tasklane_domain::call::{Call, CallAnswer};
use tasklane_domain::secret::SecretValue;
use tasklane_domain::{SecretName, TaskId};
use tasklane_seal::Recipient;
use wasmtime::component::Resource;

use super::bindings::tasklane::task::secrets::{self, HostSecret};
use super::bindings::tasklane::task::types::HostError;
use super::guest::Guest;
use super::units::{Calls, unexpected};

/// Different secrets that one attempt may ask for.
const SECRETS_MAX: usize = 64;

/// What a guest holds.
#[expect(unreachable_pub, reason = "the generated bindings name it in what they make public")]
pub struct Handle {
    name: SecretName,
}

/// Values of one attempt; `None` for what nobody has set.
#[derive(Default)]
pub(crate) struct Pocket(BTreeMap<SecretName, Option<SecretValue>>);

/// Asks for a value; `None` if nobody has set it.
pub(super) async fn fetch(calls: &Calls, task: TaskId, name: &SecretName) -> Result<Option<SecretValue>, HostError> {
    let unsealed = |error: tasklane_seal::Unsealed| HostError::Unavailable(error.to_string());
    let recipient = Recipient::new().map_err(unsealed)?;
    let call = Call::Secret { name: name.clone(), to: recipient.public() };
    let CallAnswer::Secret(answer) = calls.ask(task, call).await? else { return unexpected() };
    let Some(envelope) = answer else { return Ok(None) };
    let context = tasklane_domain::secret::context(task, name);
    let opened = recipient.open(context.as_bytes(), &envelope);
    opened.map(Some).map_err(|error| HostError::Unavailable(format!("secret `{name}`: {error}")))
}

impl Guest {
    async fn fetch(&mut self, name: &SecretName) -> Result<Option<SecretValue>, HostError> {
        self.units.take(1, 0)?;
        fetch(&self.setup.calls, self.setup.order.task, name).await
    }

    async fn secret(&mut self, text: String) -> Result<Option<Resource<Handle>>, HostError> {
        let name: SecretName =
            text.parse().map_err(|error: tasklane_domain::name::NameError| HostError::Invalid(error.to_string()))?;
        if !self.setup.manifest.permissions.may_have(&name) {
            let hint = format!("list it in the manifest: [permissions] secrets = [\"{name}\"]");
            return Err(HostError::AccessDenied(format!("the secret `{name}` is not granted: {hint}")));
        }
        if !self.pocket.0.contains_key(&name) {
            if self.pocket.0.len() >= SECRETS_MAX {
                return Err(HostError::LimitExceeded(format!("an attempt may ask for {SECRETS_MAX} secrets")));
            }
            let value = self.fetch(&name).await?;
            self.pocket.0.insert(name.clone(), value);
        }
        if self.pocket.0.get(&name).is_none_or(Option::is_none) {
            return Ok(None);
        }
        let full = |_| HostError::LimitExceeded("too many resources are held: drop secrets after use".to_owned());
        self.table.push(Handle { name }).map(Some).map_err(full)
    }

    fn revealed(&mut self, handle: &Resource<Handle>) -> Result<Vec<u8>, HostError> {
        let absent = |_| HostError::Invalid("there is no such secret".to_owned());
        let name = &self.table.get(handle).map_err(absent)?.name;
        let Some(Some(value)) = self.pocket.0.get(name) else { return unexpected() };
        self.units.take(0, value.reveal().len())?;
        self.setup.voice.lock().hide(value.reveal());
        Ok(value.reveal().to_vec())
    }
}

impl HostSecret for Guest {
    fn reveal(&mut self, handle: Resource<Handle>) -> Result<Vec<u8>, HostError> {
        let answer = self.revealed(&handle);
        self.counted("secrets_reveal", answer)
    }

    fn drop(&mut self, handle: Resource<Handle>) -> wasmtime::Result<()> {
        self.table.delete(handle).map(drop).map_err(Into::into)
    }
}

impl secrets::Host for Guest {
    async fn get(&mut self, name: String) -> Result<Option<Resource<Handle>>, HostError> {
        let answer = self.secret(name).await;
        self.counted("secrets_get", answer)
    }
}
