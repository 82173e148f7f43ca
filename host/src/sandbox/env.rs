//! Environment variables that are secrets: revealed when an attempt starts, through the same calls as a guest's own.
//!
//! Called by [`crate::run`] for every kind of module; made for commands, which have no other way to a secret. Guarantees: a guest never
//! starts with a variable that should hold a secret and does not; what was revealed is masked in the attempt's log and errors.

use std::collections::BTreeMap;

use tasklane_domain::outcome::Retryability;
use tasklane_domain::secret::SecretValue;
use tasklane_domain::{Manifest, Outcome, SecretName, TaskId};

use super::bindings::tasklane::task::types::HostError;
use super::secrets::fetch;
use super::stdio::SharedVoice;
use super::units::Calls;

/// Variables with their values; each is text without NUL.
pub(crate) type SecretEnv = Vec<(String, SecretValue)>;

/// All secrets of `[command] env`, or how the attempt ends without one.
pub(crate) async fn reveal(
    manifest: &Manifest,
    task: TaskId,
    calls: &Calls,
    voice: &SharedVoice,
) -> Result<SecretEnv, Outcome> {
    let (mut env, mut known) = (SecretEnv::new(), BTreeMap::<&SecretName, SecretValue>::new());
    for (variable, name) in manifest.command.secrets() {
        let value = match known.get(name) {
            Some(value) => value.clone(),
            None => value(task, calls, variable, name).await?,
        };
        voice.lock().hide(value.reveal());
        known.insert(name, value.clone());
        env.push((variable.to_owned(), value));
    }
    Ok(env)
}

async fn value(task: TaskId, calls: &Calls, variable: &str, name: &SecretName) -> Result<SecretValue, Outcome> {
    let found = fetch(calls, task, name).await;
    let why = match found {
        Ok(Some(value)) if is_text(&value) => return Ok(value),
        Ok(Some(_)) => "is not text, and a variable holds nothing else".to_owned(),
        Ok(None) => format!("is not set: taskctl secrets set {name}"),
        Err(HostError::AccessDenied(why) | HostError::LimitExceeded(why) | HostError::Invalid(why)) => {
            format!("is refused: {why}")
        }
        // That passes by itself, as everything that is the host's.
        Err(HostError::Unavailable(why)) => {
            let message = format!("the secret `{name}` for the variable `{variable}` could not be had: {why}");
            return Err(Outcome::HostError { message });
        }
    };
    Err(Outcome::TaskError {
        retryability: Retryability::Retryable,
        code: "secret_unavailable".to_owned(),
        message: format!("the secret `{name}`, which the manifest maps to the variable `{variable}`, {why}"),
        details: None,
        retry_after_ms: None,
    })
}

fn is_text(value: &SecretValue) -> bool {
    std::str::from_utf8(value.reveal()).is_ok_and(|text| !text.contains('\0'))
}
