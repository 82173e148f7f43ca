//! `@every`: a fixed period of real time, counted from an anchor.
//!
//! Called by [`crate::Recurrence`]. Exact to the microsecond of the anchor; zones and summer time have no say.

use std::time::Duration;

use tasklane_domain::time::Timestamp;

use crate::error::{RecurrenceError, shown};

/// The shortest period of `@every`.
pub const SHORTEST_PERIOD: Duration = Duration::from_secs(1);
/// The longest period of `@every`: 366 days.
pub const LONGEST_PERIOD: Duration = Duration::from_secs(366 * 86_400);

/// Units in the order in which they must be written, with their seconds.
pub(crate) const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
/// Longest number before a unit, in digits: enough for 366 days in seconds, too little to overflow.
const MAX_DIGITS: usize = 9;

/// Whole seconds between two instants, within the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period(u32);

impl Period {
    /// Reads `1d2h3m4s`, every part of it optional.
    pub(crate) fn parse(text: &str) -> Result<Self, RecurrenceError> {
        let seconds = seconds_in(text).ok_or_else(|| RecurrenceError::Period { given: shown(text) })?;
        if seconds < SHORTEST_PERIOD.as_secs() {
            return Err(RecurrenceError::PeriodTooShort { given: shown(text) });
        }
        let period = u32::try_from(seconds).ok().filter(|_| seconds <= LONGEST_PERIOD.as_secs());
        period.map(Self).ok_or_else(|| RecurrenceError::PeriodTooLong { given: shown(text) })
    }

    pub(crate) fn as_secs(self) -> u64 {
        u64::from(self.0)
    }

    /// The first of anchor + k * period, k = 1, 2, ..., that is after `after`.
    pub(crate) fn next_after(self, after: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        let period = i128::from(self.0) * 1_000_000;
        let (after, anchor) = (i128::from(after.as_micros()), i128::from(anchor.as_micros()));
        let passed = (after - anchor).div_euclid(period).max(0);
        i64::try_from(anchor + (passed + 1) * period).ok().map(Timestamp::from_micros)
    }
}

fn seconds_in(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0;
    for (unit, seconds) in UNITS {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let Some(after) = after.strip_prefix([unit, unit.to_ascii_uppercase()]) else { continue };
        if number.len() > MAX_DIGITS {
            return Some(u64::MAX);
        }
        total += number.parse::<u64>().ok()? * seconds;
        rest = after;
    }
    (rest.is_empty() && !text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read() {
        for (text, seconds) in
            [("90s", 90), ("1h30m", 5_400), ("2d", 172_800), ("1D12H", 129_600), ("366d", 31_622_400)]
        {
            assert_eq!(Period::parse(text).map(Period::as_secs), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for text in ["", "5", "s", "1.5h", "500ms", "5m1h", "5m5m", "-5s", "+5s", "1h 30m", "1w", "\u{0665}s"] {
            assert!(matches!(Period::parse(text), Err(RecurrenceError::Period { .. })), "{text}");
        }
        assert!(matches!(Period::parse("0s"), Err(RecurrenceError::PeriodTooShort { .. })));
        for text in ["367d", "366d1s", "9999999999999999999999s", "999999999d"] {
            assert!(matches!(Period::parse(text), Err(RecurrenceError::PeriodTooLong { .. })), "{text}");
        }
    }

    #[test]
    fn instants_are_counted_from_the_anchor() {
        let (period, anchor) = (Period::parse("10s").unwrap(), Timestamp::from_micros(3));
        let next = |after: i64| period.next_after(Timestamp::from_micros(after), anchor).map(Timestamp::as_micros);
        assert_eq!(next(3), Some(10_000_003));
        assert_eq!(next(10_000_002), Some(10_000_003));
        assert_eq!(next(10_000_003), Some(20_000_003));
        assert_eq!(next(-99_000_000), Some(10_000_003));
        assert_eq!(next(i64::MAX), None);
        assert_eq!(next(i64::MIN), Some(10_000_003));
    }
}
