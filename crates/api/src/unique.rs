//! `unique`: what makes two tasks the same kind, as one hash.

use sha2::{Digest, Sha256};
use tasklane_api_types::{ErrorCode, UniqueRequest};
use tasklane_domain::task::Unique;
use tasklane_domain::{NewTask, PayloadKind, StateKind};

use crate::error::{ApiError, ApiResult};
use crate::submit::duration;

/// What makes the kind where nothing is named.
const USUAL: [&str; 2] = ["module", "payload"];
/// Most things that can make a kind.
const BY_MAX: usize = 20;

fn wrong(detail: String) -> ApiError {
    ApiError::new(ErrorCode::UniqueInvalid, detail)
}

/// The store's view of a wish; everything else of the task must be resolved already.
pub(crate) fn resolve(wish: &UniqueRequest, task: &NewTask) -> ApiResult<Unique> {
    let for_time = wish.for_time.as_deref().map(|text| duration("unique.for", text)).transpose()?;
    if for_time.is_some_and(|time| time.is_zero()) {
        return Err(wrong("`unique.for` is no time at all".to_owned()));
    }
    let while_in = match &wish.while_in {
        Some(states) if states.is_empty() => return Err(wrong("`unique.while` lists no state".to_owned())),
        Some(states) => states.clone(),
        None => usual_states(for_time.is_some()),
    };
    let for_ms = for_time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    Ok(Unique { hash: hash(wish, task)?, while_in, for_ms })
}

fn usual_states(for_a_time: bool) -> Vec<StateKind> {
    let stands = |state: &StateKind| !state.is_terminal() || (for_a_time && *state == StateKind::Succeeded);
    StateKind::ALL.into_iter().filter(stands).collect()
}

fn hash(wish: &UniqueRequest, task: &NewTask) -> ApiResult<[u8; 32]> {
    if wish.by.len() > BY_MAX {
        return Err(wrong(format!("`unique.by` lists over {BY_MAX} things")));
    }
    let mut by: Vec<&str> =
        if wish.by.is_empty() { USUAL.to_vec() } else { wish.by.iter().map(String::as_str).collect() };
    by.sort_unstable();
    by.dedup();
    let mut hash = Sha256::new();
    feed(&mut hash, task.namespace.as_str().as_bytes());
    for one in by {
        feed(&mut hash, one.as_bytes());
        feed(&mut hash, &part(one, task)?);
    }
    Ok(hash.finalize().into())
}

/// With its length in front, so that no two lists of parts look the same.
fn feed(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn part(by: &str, task: &NewTask) -> ApiResult<Vec<u8>> {
    let label =
        |key: &str| task.labels.iter().find(|(known, _)| *known == key).map_or(Vec::new(), |(_, value)| value.into());
    match by {
        "module" => Ok(task.module.name.as_str().into()),
        "version" => Ok(task.module.version.to_string().into()),
        "queue" => Ok(task.queue.as_str().into()),
        "payload" => Ok(payload(task)),
        "label" => Ok(task.labels.iter().flat_map(|(key, value)| format!("{key}\0{value}\0").into_bytes()).collect()),
        other => match other.strip_prefix("label:") {
            Some(key) => Ok(label(key)),
            None => Err(wrong(format!("`unique.by` cannot be `{other}`"))),
        },
    }
}

/// JSON in one form, whatever its white space and the order of its keys.
fn payload(task: &NewTask) -> Vec<u8> {
    if let Some(blob) = task.payload.blob {
        return blob.digest.to_string().into_bytes();
    }
    let bytes = &task.payload.bytes;
    let json = || serde_json::from_slice::<serde_json::Value>(bytes).ok().map(|value| value.to_string().into_bytes());
    if task.payload.kind == PayloadKind::Json { json().unwrap_or_else(|| bytes.to_vec()) } else { bytes.to_vec() }
}
