//! What a write does to an entry and its store's totals: pure. Called by the store, with the totals' row locked.

use bytes::Bytes;

use super::{Entry, Expected, Key, KvFault, KvLimits, Revision, Totals, Write, Written};
use crate::time::Timestamp;

/// What becomes of the entry's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It stays as it is.
    None,
    /// It is this.
    Put(Entry),
    /// It goes.
    Remove,
}

/// What a write comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The row.
    pub change: Change,
    /// The store.
    pub totals: Totals,
    /// The answer.
    pub written: Written,
}

/// What is there, and what may be.
struct Scene<'a> {
    key: &'a Key,
    /// The row, expired or not: it counts.
    row: Option<&'a Entry>,
    /// The entry as its readers see it.
    live: Option<&'a Entry>,
    totals: Totals,
    limits: &'a KvLimits,
}

/// Decides. `row` is what the database has, expired or not.
///
/// # Errors
/// [`KvFault`]; then nothing changes.
pub fn write(
    key: &Key,
    row: Option<&Entry>,
    totals: Totals,
    wish: &Write,
    limits: &KvLimits,
    now: Timestamp,
) -> Result<Decision, KvFault> {
    let live = row.filter(|entry| !entry.is_expired(now));
    let scene = Scene { key, row, live, totals, limits };
    match wish {
        Write::Set { value, expires_at } => scene.put(value.clone(), *expires_at, Written::Done),
        Write::Swap { expected, value, expires_at } => scene.swap(*expected, value.as_ref(), *expires_at),
        Write::Increment { by, expires_at } => scene.increment(*by, *expires_at),
        Write::Delete => Ok(scene.remove(|_| Written::Deleted(live.is_some()))),
    }
}

fn size(key: &Key, value: &Bytes) -> u64 {
    (key.as_str().len() + value.len()) as u64
}

impl Scene<'_> {
    fn next(&self) -> Revision {
        Revision::new(self.totals.revision.saturating_add(1))
    }

    /// The totals without the row.
    fn without(&self) -> Totals {
        let bytes = self.row.map_or(0, |entry| size(self.key, &entry.value));
        Totals {
            keys: self.totals.keys.saturating_sub(u64::from(self.row.is_some())),
            bytes: self.totals.bytes.saturating_sub(bytes),
            revision: self.next().get(),
        }
    }

    fn put(
        &self,
        value: Bytes,
        expires_at: Option<Timestamp>,
        answer: impl Fn(Revision) -> Written,
    ) -> Result<Decision, KvFault> {
        let max = self.limits.value_bytes;
        if value.len() > max {
            return Err(KvFault::ValueTooLarge { bytes: value.len(), max });
        }
        let without = self.without();
        let bytes = without.bytes.saturating_add(size(self.key, &value));
        if self.row.is_none() && without.keys >= self.limits.store_keys {
            return Err(KvFault::KeysFull(self.limits.store_keys));
        }
        // One that shrinks is taken although the limit was lowered meanwhile.
        if bytes > self.limits.store_bytes && bytes > self.totals.bytes {
            return Err(KvFault::BytesFull { bytes, max: self.limits.store_bytes });
        }
        let revision = self.next();
        Ok(Decision {
            change: Change::Put(Entry { value, revision, expires_at }),
            totals: Totals { keys: without.keys + 1, bytes, ..without },
            written: answer(revision),
        })
    }

    fn remove(&self, answer: impl Fn(Revision) -> Written) -> Decision {
        let written = answer(self.next());
        match self.row {
            None => Decision { change: Change::None, totals: self.totals, written },
            Some(_) => Decision { change: Change::Remove, totals: self.without(), written },
        }
    }

    fn swap(
        &self,
        expected: Expected,
        value: Option<&Bytes>,
        expires_at: Option<Timestamp>,
    ) -> Result<Decision, KvFault> {
        let fits = match (expected, self.live) {
            (Expected::Absent, live) => live.is_none(),
            (Expected::Revision(revision), live) => live.is_some_and(|entry| entry.revision == revision),
        };
        match value {
            _ if !fits => Ok(Decision {
                change: Change::None,
                totals: self.totals,
                written: Written::Conflict(self.live.cloned()),
            }),
            Some(value) => self.put(value.clone(), expires_at, Written::Done),
            None => Ok(self.remove(Written::Done)),
        }
    }

    fn increment(&self, by: i64, expires_at: Option<Timestamp>) -> Result<Decision, KvFault> {
        let before = match self.live {
            None => 0,
            Some(entry) => number(&entry.value)?,
        };
        let after = before.checked_add(by).ok_or(KvFault::Overflow)?;
        let expires_at = self.live.map_or(expires_at, |entry| entry.expires_at);
        self.put(Bytes::from(after.to_string()), expires_at, |_| Written::Number(after))
    }
}

fn number(value: &Bytes) -> Result<i64, KvFault> {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(KvFault::NotANumber)
}
