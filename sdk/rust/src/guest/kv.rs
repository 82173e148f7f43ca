//! The host's `kv` interface, in the SDK's words.

use super::bindings::tasklane::task::kv;
use super::refused;
use crate::HostError;
use crate::kv::{Entry, Expected, Swapped};

fn entry(entry: kv::Entry) -> Entry {
    Entry { value: entry.value, revision: entry.revision }
}

pub(crate) fn get(store: &str, key: &str) -> Result<Option<Entry>, HostError> {
    kv::get(store, key).map(|found| found.map(entry)).map_err(refused)
}

pub(crate) fn set(store: &str, key: &str, value: &[u8], ttl_ms: Option<u32>) -> Result<String, HostError> {
    kv::set(store, key, value, ttl_ms).map_err(refused)
}

pub(crate) fn compare_and_set(
    store: &str,
    key: &str,
    expected: Expected<'_>,
    value: Option<&[u8]>,
    ttl_ms: Option<u32>,
) -> Result<Swapped, HostError> {
    let expected = match expected {
        Expected::Absent => kv::Expected::Absent,
        Expected::Revision(revision) => kv::Expected::Revision(revision.to_owned()),
    };
    let swapped = kv::compare_and_set(store, key, &expected, value, ttl_ms).map_err(refused)?;
    Ok(match swapped {
        kv::Swapped::Done(revision) => Swapped::Done(revision),
        kv::Swapped::Conflict(found) => Swapped::Conflict(found.map(entry)),
    })
}

pub(crate) fn increment(store: &str, key: &str, by: i32, ttl_ms: Option<u32>) -> Result<String, HostError> {
    kv::increment(store, key, by, ttl_ms).map_err(refused)
}

pub(crate) fn delete(store: &str, key: &str) -> Result<bool, HostError> {
    kv::delete(store, key).map_err(refused)
}

pub(crate) fn keys(
    store: &str,
    prefix: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<(Vec<String>, Option<String>), HostError> {
    kv::list_keys(store, prefix, after, limit).map(|page| (page.keys, page.next)).map_err(refused)
}
