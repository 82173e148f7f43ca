//! A secret's value, as a guest asks for it: opened here, and sealed at once for the one host that asked.

use tasklane_domain::SecretName;
use tasklane_domain::call::CallError;
use tasklane_domain::secret::{Envelope, PublicKey, context};

use super::Guest;
use crate::secrets;
use crate::state::State;

pub(super) async fn answer(
    state: &State,
    guest: &Guest,
    name: &SecretName,
    to: PublicKey,
) -> Result<Option<Envelope>, CallError> {
    if !guest.grants.may_have(name) {
        return Err(CallError::Denied(format!("the manifest does not grant the secret `{name}`")));
    }
    let value = secrets::open(state, &guest.namespace, name).await;
    let value = value.map_err(|error| CallError::Unavailable(error.to_string()))?;
    let Some(value) = value else { return Ok(None) };
    let sealed = tasklane_seal::envelope(to, context(guest.task, name).as_bytes(), &value);
    sealed.map(Some).map_err(|error| CallError::Unavailable(error.to_string()))
}
