//! Secrets between requests and rows: sealed before they are stored, opened only for a guest that may have them.
//!
//! Guarantees: a value in the clear is in no row, log line, error or answer of this process.

use tasklane_api_types::ErrorCode;
use tasklane_domain::secret::{SecretInfo, SecretValue, VALUE_BYTES_MAX};
use tasklane_domain::{Namespace, SecretName};

use crate::error::{ApiError, ApiResult};
use crate::state::State;

/// What a value must be.
fn check(value: &SecretValue) -> ApiResult<()> {
    match value.reveal().len() {
        1..=VALUE_BYTES_MAX => Ok(()),
        bytes => Err(ApiError::new(
            ErrorCode::SecretInvalid,
            format!("the value has {bytes} bytes, but must have 1 to {VALUE_BYTES_MAX}"),
        )),
    }
}

fn without_key() -> ApiError {
    ApiError::new(ErrorCode::SecretsNotConfigured, "this server has no key to seal secrets with")
}

fn unsealed(error: tasklane_seal::Unsealed) -> ApiError {
    tracing::error!(%error, "a secret could not be sealed");
    ApiError::new(ErrorCode::Internal, "something is wrong on our side")
}

/// Seals and stores a value.
pub(crate) async fn put(
    state: &State,
    namespace: Namespace,
    name: SecretName,
    value: &SecretValue,
) -> ApiResult<SecretInfo> {
    check(value)?;
    let keys = &state.settings.secret_keys;
    if keys.current().is_none() {
        return Err(without_key());
    }
    let sealed = keys.seal(&namespace, &name, value).map_err(unsealed)?;
    Ok(state.ports.secrets.put(namespace, name, sealed, state.clock.now()).await?)
}

/// The value, if it was ever set.
pub(crate) async fn open(state: &State, namespace: &Namespace, name: &SecretName) -> ApiResult<Option<SecretValue>> {
    let Some((info, sealed)) = state.ports.secrets.sealed(namespace, name).await? else { return Ok(None) };
    let keys = &state.settings.secret_keys;
    if !keys.has(&info.key) {
        return Err(unknown_key(&info));
    }
    match keys.open(namespace, name, &sealed) {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            tracing::error!(%namespace, %name, key = %info.key, %error, "a secret's row was changed by somebody else");
            Err(ApiError::new(ErrorCode::SecretKeyUnknown, format!("secret `{name}`: {error}")))
        }
    }
}

fn unknown_key(info: &SecretInfo) -> ApiError {
    let detail = format!("secret `{}` is sealed with key {}, which this server does not have", info.name, info.key);
    ApiError::new(ErrorCode::SecretKeyUnknown, detail)
}

/// What a change of keys came to.
#[derive(Debug, Default)]
pub(crate) struct Resealed {
    pub(crate) resealed: u64,
    pub(crate) unchanged: u64,
}

/// Seals every value anew that is not sealed with the newest key.
pub(crate) async fn reseal(state: &State) -> ApiResult<Resealed> {
    let keys = &state.settings.secret_keys;
    let current = keys.current().ok_or_else(without_key)?;
    let mut done = Resealed::default();
    for info in state.ports.secrets.list(None).await? {
        if info.key == *current {
            done.unchanged += 1;
            continue;
        }
        let Some(value) = open(state, &info.namespace, &info.name).await? else { continue };
        let sealed = keys.seal(&info.namespace, &info.name, &value).map_err(unsealed)?;
        // One that was set meanwhile is sealed with the newest key already.
        if state.ports.secrets.reseal(info, sealed).await? {
            done.resealed += 1;
        }
    }
    Ok(done)
}
