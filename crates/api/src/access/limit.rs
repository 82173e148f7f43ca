//! How often: token buckets of callers, namespaces and addresses that guess, in a map of bounded size.
//!
//! Called by [`super::guard`]. Guarantees: takes a lock for a moment and never waits. A limit holds in one process: with three API processes
//! a caller may ask three times as often.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;
use parking_lot::Mutex;
use tasklane_domain::flow::{Bucket, Rate};
use tasklane_domain::{Namespace, Timestamp};

use crate::error::ApiError;
use tasklane_api_types::ErrorCode;

/// Buckets that are kept; the one that was used longest ago goes first, and begins full again.
const BUCKETS_MAX: NonZeroUsize = match NonZeroUsize::new(20_000) {
    Some(most) => most,
    None => NonZeroUsize::MIN,
};
/// Credentials that open nothing, from one address: 10 in a second, 50 at once.
const GUESSES: Rate = Rate { limit: 10, per_ms: 1_000, burst: 50 };

/// Whose bucket it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    Caller(String),
    Namespace(Namespace),
    /// Who shows credentials that open nothing.
    Guesses(IpAddr),
}

/// The buckets.
pub(super) struct RateBook(Mutex<LruCache<Whose, Bucket>>);

impl Default for RateBook {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(BUCKETS_MAX)))
    }
}

impl RateBook {
    /// Takes one, or says how long until there is one.
    pub(super) fn take(&self, whose: Whose, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        let mut buckets = self.0.lock();
        let bucket = buckets.get_or_insert_mut(whose, || Bucket::FULL);
        if bucket.tokens(rate, now) == 0 {
            return Err(bucket.next_at(rate).since(now));
        }
        *bucket = bucket.take(rate, now);
        Ok(())
    }

    /// Whether an address may guess once more.
    pub(super) fn may_guess(&self, from: IpAddr, now: Timestamp) -> Result<(), ApiError> {
        let mut buckets = self.0.lock();
        let Some(bucket) = buckets.get(&Whose::Guesses(from)) else { return Ok(()) };
        if bucket.tokens(GUESSES, now) > 0 {
            return Ok(());
        }
        Err(limited(
            "too many credentials that open nothing came from this address",
            bucket.next_at(GUESSES).since(now),
        ))
    }

    /// An address has guessed wrong.
    pub(super) fn guessed(&self, from: IpAddr, now: Timestamp) {
        // Whether there was room is asked before the next one.
        self.take(Whose::Guesses(from), GUESSES, now).unwrap_or_default();
    }
}

/// Too often, and when to come again.
pub(super) fn limited(detail: &str, wait: Duration) -> ApiError {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
    ApiError::new(ErrorCode::RateLimited, detail).retry_after(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_micros(1_780_000_000_000_000 + ms * 1_000)
    }

    #[test]
    fn each_has_a_bucket_of_its_own() {
        let (book, rate) = (RateBook::default(), "2/1s".parse().unwrap());
        let caller = |name: &str| Whose::Caller(name.to_owned());
        for _ in 0..2 {
            assert_eq!(book.take(caller("a"), rate, at(0)), Ok(()));
        }
        assert_eq!(book.take(caller("a"), rate, at(100)), Err(Duration::from_millis(400)));
        assert_eq!(book.take(caller("b"), rate, at(100)), Ok(()));
        assert_eq!(book.take(Whose::Namespace("a".parse().unwrap()), rate, at(100)), Ok(()));
        assert_eq!(book.take(caller("a"), rate, at(500)), Ok(()));
    }

    #[test]
    fn the_map_is_bounded() {
        let (book, rate) = (RateBook::default(), "1/1s".parse().unwrap());
        for number in 0..BUCKETS_MAX.get() + 10 {
            book.take(Whose::Caller(number.to_string()), rate, at(0)).unwrap();
        }
        assert_eq!(book.0.lock().len(), BUCKETS_MAX.get());
    }

    #[test]
    fn guesses_run_out_and_come_back() {
        let (book, from) = (RateBook::default(), IpAddr::from([127, 0, 0, 1]));
        for _ in 0..50 {
            book.may_guess(from, at(0)).unwrap();
            book.guessed(from, at(0));
        }
        assert_eq!(book.may_guess(from, at(0)).unwrap_err().code(), ErrorCode::RateLimited);
        assert!(book.may_guess(IpAddr::from([127, 0, 0, 2]), at(0)).is_ok());
        assert!(book.may_guess(from, at(1_000)).is_ok());
    }
}
