//! A token bucket in one number: the generic cell rate algorithm (ITU-T I.371), whose state is the time at which the bucket would
//! be full again if nothing more were taken.

use super::Rate;
use crate::time::Timestamp;

/// What is left of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket(Timestamp);

impl Bucket {
    /// A bucket that nothing was taken from.
    pub const FULL: Self = Self(Timestamp::from_micros(0));

    /// From the database.
    #[must_use]
    pub const fn at(time: Timestamp) -> Self {
        Self(time)
    }

    /// For the database: when it is full again.
    #[must_use]
    pub const fn full_at(self) -> Timestamp {
        self.0
    }

    /// Tasks that may start now.
    #[must_use]
    pub fn tokens(self, rate: Rate, now: Timestamp) -> u32 {
        let empty_for = self.0.as_micros().saturating_sub(now.as_micros()).max(0);
        let room = interval_us(rate).saturating_mul(i64::from(rate.burst)).saturating_sub(empty_for).max(0);
        u32::try_from(room / interval_us(rate)).unwrap_or(u32::MAX)
    }

    /// When the next one may, if none may now.
    #[must_use]
    pub fn next_at(self, rate: Rate) -> Timestamp {
        let spare = interval_us(rate).saturating_mul(i64::from(rate.burst) - 1);
        Timestamp::from_micros(self.0.as_micros().saturating_sub(spare))
    }

    /// After one start.
    #[must_use]
    pub fn take(self, rate: Rate, now: Timestamp) -> Self {
        let from = self.0.as_micros().max(now.as_micros());
        Self(Timestamp::from_micros(from.saturating_add(interval_us(rate))))
    }
}

/// Microseconds between two starts: at least one, by [`Rate::check`].
fn interval_us(rate: Rate) -> i64 {
    let period = i64::try_from(rate.per_ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
    (period / i64::from(rate.limit.max(1))).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_780_000_000_000_000;

    fn at(us: i64) -> Timestamp {
        Timestamp::from_micros(NOW + us)
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let rate = Rate { limit: 10, per_ms: 1_000, burst: 3 };
        let mut bucket = Bucket::FULL;
        for left in [3, 2, 1] {
            assert_eq!(bucket.tokens(rate, at(0)), left);
            bucket = bucket.take(rate, at(0));
        }
        assert_eq!(bucket.tokens(rate, at(0)), 0);
        assert_eq!(bucket.next_at(rate), at(100_000));
        assert_eq!(bucket.tokens(rate, at(99_999)), 0);
        assert_eq!(bucket.tokens(rate, at(100_000)), 1);
        assert_eq!(bucket.tokens(rate, at(5_000_000)), 3);
    }

    proptest! {
        /// Never more than the burst and what the time allows, however often it is asked.
        #[test]
        fn no_more_than_the_rate(limit in 1_u32..1_000, per_ms in 1_u64..10_000, burst in 1_u32..50,
                                 steps in prop::collection::vec(0_i64..50_000, 1..200)) {
            let rate = Rate { limit, per_ms, burst };
            prop_assume!(rate.check().is_ok());
            let (mut bucket, mut now, mut taken) = (Bucket::FULL, 0_i64, 0_i64);
            for step in steps {
                now += step;
                while bucket.tokens(rate, at(now)) > 0 {
                    bucket = bucket.take(rate, at(now));
                    taken += 1;
                }
                prop_assert!(bucket.next_at(rate) > at(now));
                let allowed = i64::from(burst) + now / interval_us(rate);
                prop_assert!(taken <= allowed, "{taken} taken, {allowed} allowed");
            }
        }
    }
}
