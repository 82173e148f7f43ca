//! Why a recurrence or a zone was refused, in words for whoever wrote it.
//!
//! Called by the parsers. Messages quote at most [`SHOWN`] characters of the input and say what is allowed instead.

use std::fmt;

/// How many characters of refused input a message repeats.
const SHOWN: usize = 48;

/// One column of a cron expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldName {
    /// 0 to 59; only in expressions of six fields.
    Second,
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31, `L`.
    DayOfMonth,
    /// 1 to 12, `JAN` to `DEC`.
    Month,
    /// 0 to 7, `SUN` to `SAT`, `5L`, `1#2`.
    DayOfWeek,
}

impl FieldName {
    /// The values that may be written, lowest and highest.
    #[must_use]
    pub const fn bounds(self) -> (u8, u8) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
        }
    }

    /// What the field takes, for messages.
    #[must_use]
    pub const fn allowed(self) -> &'static str {
        match self {
            Self::Second | Self::Minute => "0-59, `*`, lists, ranges and steps such as 0,30 or 10-20 or */15",
            Self::Hour => "0-23, `*`, lists, ranges and steps such as 9,17 or 9-17 or */2",
            Self::DayOfMonth => "1-31, `*`, lists, ranges, steps and L for the last day",
            Self::Month => "1-12, JAN-DEC, `*`, lists, ranges and steps",
            Self::DayOfWeek => {
                "0-7 (0 and 7 are Sunday), SUN-SAT, `*`, lists, ranges, steps, 5L for the last Friday, 1#2 for the second Monday"
            }
        }
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day-of-month",
            Self::Month => "month",
            Self::DayOfWeek => "day-of-week",
        })
    }
}

/// Why a text is no recurrence or no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecurrenceError {
    /// More than [`crate::MAX_TEXT_BYTES`].
    #[error("a recurrence of {bytes} bytes; at most {} are read", crate::MAX_TEXT_BYTES)]
    TooLong {
        /// Size of what was given.
        bytes: usize,
    },
    /// Neither five nor six fields.
    #[error(
        "{found} fields; write five (minute hour day-of-month month day-of-week), six (second first), or @daily or @every 1h30m"
    )]
    FieldCount {
        /// Number of fields given.
        found: usize,
    },
    /// A word with `@` that is not known.
    #[error(
        "`{given}` is not known; there are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly and @every <period>"
    )]
    UnknownShortForm {
        /// What was given.
        given: String,
    },
    /// One field of a cron expression is wrong.
    #[error("{field} field: `{item}`: {problem}. Allowed: {}", .field.allowed())]
    Field {
        /// Which field.
        field: FieldName,
        /// The wrong item of the field's list.
        item: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Every field is right, but no day matches, such as 31 February.
    #[error("`{expression}` never fires: no such day is in the calendar")]
    NeverFires {
        /// What was given.
        expression: String,
    },
    /// What follows `@every` is no period.
    #[error(
        "`{given}` is no period; write whole days, hours, minutes and seconds in this order, such as 90s, 1h30m or 2d"
    )]
    Period {
        /// What was given.
        given: String,
    },
    /// Less than [`crate::SHORTEST_PERIOD`].
    #[error("`{given}` is too short a period; the shortest is 1s")]
    PeriodTooShort {
        /// What was given.
        given: String,
    },
    /// More than [`crate::LONGEST_PERIOD`].
    #[error("`{given}` is too long a period; the longest is 366d")]
    PeriodTooLong {
        /// What was given.
        given: String,
    },
    /// No zone of that name in the bundled database.
    #[error("`{given}` is not a known IANA time zone such as Europe/Vienna or UTC{}", hint(.suggestion.as_deref()))]
    UnknownZone {
        /// What was given.
        given: String,
        /// A zone whose name is much alike.
        suggestion: Option<String>,
    },
}

impl RecurrenceError {
    pub(crate) fn field(field: FieldName, item: &str, problem: impl Into<String>) -> Self {
        Self::Field { field, item: shown(item), problem: problem.into() }
    }
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// The beginning of refused input.
pub(crate) fn shown(text: &str) -> String {
    let mut start: String = text.chars().take(SHOWN).collect();
    if start.len() < text.len() {
        start.push_str("...");
    }
    start
}
