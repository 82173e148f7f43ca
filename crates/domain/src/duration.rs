//! Durations as people write them: `90s`, `1h 30m`, `P1DT2H`, `500ms`.
//!
//! Called by the API and the terminal. Guarantees: never negative, never over [`DURATION_MAX`]; days are 24 hours.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo, Unit};

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
    let seconds = span.total((Unit::Millisecond, SpanRelativeTo::days_are_24_hours()));
    let millis = seconds.map_err(|_| DurationError::Bounds(shown()))?;
    let duration = Duration::try_from_secs_f64(millis / 1_000.0).map_err(|_| DurationError::Bounds(shown()))?;
    if duration > DURATION_MAX { Err(DurationError::Bounds(shown())) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

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
