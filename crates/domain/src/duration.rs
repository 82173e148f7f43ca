//! Durations as people write them: `90s`, `1h 30m`, `P1DT2H`, `500ms`, and back.
//!
//! Called by the API and the terminal. Guarantees: never negative, never over [`DURATION_MAX`]; days are 24 hours.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// Longest duration: ten years of 365 days.
pub const DURATION_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Text that is no duration, or one out of bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It cannot be read.
    #[error("`{0}` is not a duration such as 90s, 1h 30m, 2 days or P1DT2H")]
    Unreadable(String),
    /// It is negative or too long.
    #[error("the duration `{0}` is negative or over ten years")]
    Bounds(String),
}

/// Reads a duration: the units are ms, s, m, h, d and w, alone or together, or ISO 8601.
///
/// # Errors
/// [`DurationError`] when it cannot be read, is negative or too long. A number without a unit cannot be read, since nobody could
/// tell what it counts.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let shown = || text.chars().take(64).collect::<String>();
    let span: Span = text.trim().parse().map_err(|_| DurationError::Unreadable(shown()))?;
    if span.get_years() != 0 || span.get_months() != 0 {
        // They have no fixed length.
        return Err(DurationError::Unreadable(shown()));
    }
    let exact = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| DurationError::Bounds(shown()))?;
    let duration = Duration::try_from(exact).map_err(|_| DurationError::Bounds(shown()))?;
    if duration > DURATION_MAX { Err(DurationError::Bounds(shown())) } else { Ok(duration) }
}

/// A duration as [`parse`] reads it: `14d`, `1h 30m`, `500ms`. Parts of a millisecond are left out.
#[must_use]
pub fn show(duration: Duration) -> String {
    let mut left = duration.as_millis();
    let mut parts = Vec::new();
    for (unit, ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if left >= ms {
            parts.push(format!("{}{unit}", left / ms));
        }
        left %= ms;
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(ms in 0_u64..315_360_000_000) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse(&show(duration)), Ok(duration));
        }
    }

    #[test]
    fn durations_are_shown_in_few_words() {
        let shown = |ms| show(Duration::from_millis(ms));
        assert_eq!(
            [shown(0), shown(1_209_600_000), shown(5_400_000), shown(61_500)],
            ["0s", "14d", "1h 30m", "1m 1s 500ms"]
        );
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        let seconds = |text| parse(text).map(|duration| duration.as_secs_f64());
        assert_eq!(seconds("90s"), Ok(90.0));
        assert_eq!(seconds("1h 30m"), Ok(5_400.0));
        assert_eq!(seconds("500ms"), Ok(0.5));
        assert_eq!(seconds("P1DT2H"), Ok(93_600.0));
        assert_eq!(seconds("2w"), Ok(1_209_600.0));
        assert_eq!(seconds("0s"), Ok(0.0));
    }

    #[test]
    fn what_is_no_duration_is_told() {
        assert!(matches!(parse("soon"), Err(DurationError::Unreadable(_))));
        assert!(matches!(parse("90"), Err(DurationError::Unreadable(_))));
        assert!(matches!(parse("1 month"), Err(DurationError::Unreadable(_))));
        assert!(matches!(parse("-5s"), Err(DurationError::Bounds(_))));
        assert!(matches!(parse("600w"), Err(DurationError::Bounds(_))));
    }
}
