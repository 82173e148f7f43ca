//! Stores of keys and values in memory, one set for each thread.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::HostError;
use crate::kv::{Entry, Expected, Swapped};

/// Entries by store and key, and how many writes there were.
type Stores = (BTreeMap<(String, String), Entry>, u64);

thread_local! {
    static STORES: RefCell<Stores> = RefCell::default();
}

fn at(store: &str, key: &str) -> (String, String) {
    (store.to_owned(), key.to_owned())
}

pub(crate) fn get(store: &str, key: &str) -> Result<Option<Entry>, HostError> {
    Ok(STORES.with_borrow(|(entries, _)| entries.get(&at(store, key)).cloned()))
}

pub(crate) fn set(store: &str, key: &str, value: &[u8], _ttl_ms: Option<u32>) -> Result<String, HostError> {
    STORES.with_borrow_mut(|(entries, writes)| {
        *writes += 1;
        let entry = Entry { value: value.to_vec(), revision: writes.to_string() };
        entries.insert(at(store, key), entry);
        Ok(writes.to_string())
    })
}

pub(crate) fn compare_and_set(
    store: &str,
    key: &str,
    expected: Expected<'_>,
    value: Option<&[u8]>,
    ttl_ms: Option<u32>,
) -> Result<Swapped, HostError> {
    let found = get(store, key)?;
    let fits = match (expected, &found) {
        (Expected::Absent, found) => found.is_none(),
        (Expected::Revision(revision), found) => found.as_ref().is_some_and(|entry| entry.revision == revision),
    };
    match value {
        _ if !fits => Ok(Swapped::Conflict(found)),
        Some(value) => set(store, key, value, ttl_ms).map(Swapped::Done),
        None => delete(store, key).map(|_| Swapped::Done(String::new())),
    }
}

pub(crate) fn increment(store: &str, key: &str, by: i32, ttl_ms: Option<u32>) -> Result<String, HostError> {
    let invalid = || HostError { code: "invalid", message: "the value is not a whole number".to_owned() };
    let before = match get(store, key)? {
        None => 0,
        Some(entry) => entry.text().and_then(|text| text.parse::<i64>().ok()).ok_or_else(invalid)?,
    };
    let after = before.checked_add(by.into()).ok_or_else(invalid)?.to_string();
    set(store, key, after.as_bytes(), ttl_ms)?;
    Ok(after)
}

pub(crate) fn delete(store: &str, key: &str) -> Result<bool, HostError> {
    Ok(STORES.with_borrow_mut(|(entries, _)| entries.remove(&at(store, key)).is_some()))
}

pub(crate) fn keys(
    store: &str,
    prefix: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<(Vec<String>, Option<String>), HostError> {
    let limit = usize::try_from(limit.clamp(1, 1_000)).unwrap_or(1);
    STORES.with_borrow(|(entries, _)| {
        let fits = |(of, key): &&(String, String)| {
            of == store && key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after)
        };
        let mut keys: Vec<String> = entries.keys().filter(fits).take(limit + 1).map(|(_, key)| key.clone()).collect();
        let more = keys.len() > limit;
        keys.truncate(limit);
        let next = keys.last().filter(|_| more).cloned();
        Ok((keys, next))
    })
}
