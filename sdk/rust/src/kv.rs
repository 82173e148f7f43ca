//! Keys and values that outlive the task. The manifest must grant each store: `[permissions] kv = ["own", "shared:carts"]`.
//!
//! Natively, stores are kept in memory for the thread, without times.

use std::time::Duration;

use crate::HostError;

/// A store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store(String);

/// A value with its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bytes.
    pub value: Vec<u8>,
    /// Changes with every write; only to be compared.
    pub revision: String,
}

impl Entry {
    /// The value as text, if it is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.value).ok()
    }
}

/// What a compare-and-set expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected<'a> {
    /// No such key.
    Absent,
    /// This revision.
    Revision(&'a str),
}

/// What a compare-and-set came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swapped {
    /// It was done; this is the new revision.
    Done(String),
    /// It was not as expected, but this.
    Conflict(Option<Entry>),
}

/// The module's own store: of all its versions, and of nobody else.
#[must_use]
pub fn own() -> Store {
    Store("own".to_owned())
}

/// A store that several modules use.
#[must_use]
pub fn shared(name: &str) -> Store {
    Store(format!("shared:{name}"))
}

fn millis(ttl: Option<Duration>) -> Option<u32> {
    ttl.map(|ttl| u32::try_from(ttl.as_millis()).unwrap_or(u32::MAX))
}

#[cfg(target_family = "wasm")]
use crate::guest::kv as host;
#[cfg(not(target_family = "wasm"))]
use crate::testing::kv as host;

impl Store {
    /// The value of a key, if it is there and has not expired.
    ///
    /// # Errors
    /// [`HostError`] says why it cannot be had.
    pub fn get(&self, key: &str) -> Result<Option<Entry>, HostError> {
        host::get(&self.0, key)
    }

    /// Sets a value for good, and gives its revision.
    ///
    /// # Errors
    /// [`HostError`] says why it was not done.
    pub fn set(&self, key: &str, value: &[u8]) -> Result<String, HostError> {
        host::set(&self.0, key, value, None)
    }

    /// Sets a value that goes by itself after `ttl` (at most 49 days).
    ///
    /// # Errors
    /// [`HostError`] says why it was not done.
    pub fn set_for(&self, key: &str, value: &[u8], ttl: Duration) -> Result<String, HostError> {
        host::set(&self.0, key, value, millis(Some(ttl)))
    }

    /// Sets a value if the key is as expected; without a value, deletes the key.
    ///
    /// # Errors
    /// [`HostError`] says why it was not done.
    pub fn compare_and_set(
        &self,
        key: &str,
        expected: Expected<'_>,
        value: Option<&[u8]>,
        ttl: Option<Duration>,
    ) -> Result<Swapped, HostError> {
        host::compare_and_set(&self.0, key, expected, value, millis(ttl))
    }

    /// Adds to a whole number and gives the new one. A key that is not there counts as 0; `ttl` holds for a new one only.
    ///
    /// # Errors
    /// [`HostError`] says why it was not done.
    pub fn increment(&self, key: &str, by: i32, ttl: Option<Duration>) -> Result<i64, HostError> {
        let digits = host::increment(&self.0, key, by, millis(ttl))?;
        let wrong = |_| HostError { code: "unavailable", message: format!("`{digits}` is no number") };
        digits.parse().map_err(wrong)
    }

    /// Deletes a key; whether it was there.
    ///
    /// # Errors
    /// [`HostError`] says why it was not done.
    pub fn delete(&self, key: &str) -> Result<bool, HostError> {
        host::delete(&self.0, key)
    }

    /// A page of at most `limit` keys that begin with `prefix`, and `after` for the next page.
    ///
    /// # Errors
    /// [`HostError`] says why they cannot be had.
    pub fn keys(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<String>, Option<String>), HostError> {
        host::keys(&self.0, prefix, after, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_keep_what_is_set() {
        let store = own();
        assert_eq!(store.get("a"), Ok(None));
        let first = store.set("a", b"1").unwrap();
        assert_eq!(store.get("a").unwrap().unwrap().text(), Some("1"));
        assert_eq!(shared("other").get("a"), Ok(None));
        let swapped = store.compare_and_set("a", Expected::Revision(&first), Some(b"2"), None).unwrap();
        assert!(matches!(swapped, Swapped::Done(_)));
        let late = store.compare_and_set("a", Expected::Revision(&first), None, None).unwrap();
        assert!(matches!(late, Swapped::Conflict(Some(_))));
        assert_eq!(store.increment("a", 40, None), Ok(42));
        store.set("ab", b"").unwrap();
        assert_eq!(store.keys("a", None, 1), Ok((vec!["a".to_owned()], Some("a".to_owned()))));
        assert_eq!(store.keys("a", Some("a"), 10), Ok((vec!["ab".to_owned()], None)));
        assert_eq!((store.delete("a"), store.delete("a")), (Ok(true), Ok(false)));
    }
}
