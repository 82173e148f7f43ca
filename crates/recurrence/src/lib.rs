//! When a recurring schedule fires: pure arithmetic on times, without a clock, a store or a thread.
//!
//! Called by whoever keeps schedules: it parses what people wrote ([`Recurrence::parse`], [`Zone::parse`]), asks for
//! the next time ([`Recurrence::next_after`]) and shows it in words ([`Recurrence::describe`]). The same input gives
//! the same answer on every machine, as the time zones are those bundled with the program. It does not fire anything,
//! and does not decide what happens to times that were missed.
//!
//! # What can be written
//!
//! | Form | Meaning |
//! |---|---|
//! | `minute hour day-of-month month day-of-week` | cron with five fields, at second 0 |
//! | `second minute hour day-of-month month day-of-week` | cron with six fields |
//! | `@yearly` `@annually` `@monthly` `@weekly` `@daily` `@midnight` `@hourly` | short for the cron expression |
//! | `@every 1h30m` | anchor + k * period, k = 1, 2, ...; units d h m s; 1 s to 366 d |
//!
//! A field is a list, with commas, of `*` (also `?`), `n`, `a-b`, `*/step`, `a-b/step` and `a/step` (from `a` to the
//! field's highest value). Months and days of the week have English names of three letters. Days of the week are 0 to
//! 7: 0 and 7 are Sunday, and a range may end in `SUN`. Ranges that run backwards are refused. `L` as day of the
//! month is the month's last day; as day of the week `5L` is the last Friday of the month and `1#2` the second
//! Monday.
//!
//! If neither day field starts with `*` or `?`, a day matches when *either* does; else it must match *both* (so `*`
//! on one side leaves the other, and `0 0 1-7 * */7` is the first Sunday).
//!
//! # Summer time and other jumps of the clock
//!
//! The hour field decides. Let wall(t) be what a clock in the zone shows at the instant t.
//!
//! * **A fixed hour** (`30 2 * * *`, `*/15 9-17 * * *`): every matching wall time fires exactly once, at the first
//!   instant t with wall(t) at or past it. So what lies in a gap fires at the gap's end (the first instant after it),
//!   several such times together once; what the clock shows twice fires the first time.
//! * **Any hour**, that is an hour field with a `*`, a `?` or a `/` in it, or one that lists all 24 hours: fires at
//!   every instant t whose wall(t) matches. So what lies in a gap is skipped, and what the clock shows twice fires
//!   twice: `*/10 * * * *` stays ten minutes apart in real time.
//! * `@every` counts real time and knows no zone.
//!
//! The same holds for gaps of a whole day (Apia had no 30 December 2011: `0 9 * * *` fires at 31 December 00:00, for
//! the lost day, and at 09:00) and for jumps of other lengths. Instants always increase strictly.

mod calendar;
mod describe;
mod error;
mod every;
mod field;
mod parse;
mod values;
mod walk;
mod zone;

use std::fmt;
use std::str::FromStr;

use tasklane_domain::time::Timestamp;

pub use error::{FieldName, RecurrenceError};
pub use every::{LONGEST_PERIOD, SHORTEST_PERIOD};
pub use zone::Zone;

use calendar::Calendar;
use every::Period;

/// The longest text that is read as a recurrence, in bytes.
pub const MAX_TEXT_BYTES: usize = 256;

/// A rule that yields instants: a cron expression or a fixed period.
///
/// Two recurrences are equal if they were written alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    text: String,
    rule: Rule,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Cron(Calendar),
    Every(Period),
}

impl Recurrence {
    /// Reads a cron expression, a `@` short form or `@every <period>`; see the crate's documentation for what is
    /// allowed.
    ///
    /// # Errors
    /// Every variant of [`RecurrenceError`] except `UnknownZone`. Text of more than [`MAX_TEXT_BYTES`] is refused
    /// unread.
    pub fn parse(text: &str) -> Result<Self, RecurrenceError> {
        let text = text.trim();
        if text.len() > MAX_TEXT_BYTES {
            return Err(RecurrenceError::TooLong { bytes: text.len() });
        }
        let rule = parse::rule(text)?;
        Ok(Self { text: text.to_owned(), rule })
    }

    /// The first instant strictly after `after`. `anchor`, from which `@every` counts, is when the schedule was made.
    ///
    /// `None`: nothing fires within the next 100 years or before the year 9999. Cron instants are whole seconds.
    #[must_use]
    pub fn next_after(&self, after: Timestamp, zone: &Zone, anchor: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Cron(calendar) => walk::next_after(calendar, zone, after),
            Rule::Every(period) => period.next_after(after, anchor),
        }
    }

    /// The first `max` instants later than `after` and not later than `until`, in order.
    #[must_use]
    pub fn between(
        &self,
        after: Timestamp,
        until: Timestamp,
        zone: &Zone,
        anchor: Timestamp,
        max: usize,
    ) -> Vec<Timestamp> {
        let next = |time: Timestamp| self.next_after(time, zone, anchor);
        std::iter::successors(next(after), |&time| next(time)).take_while(|&time| time <= until).take(max).collect()
    }

    /// Plain English, such as `At 09:30, Monday through Friday`. For people; the wording may change.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.rule {
            Rule::Cron(calendar) => describe::calendar(calendar),
            Rule::Every(period) => describe::period(*period),
        }
    }

    /// The text as it was given, trimmed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Recurrence {
    type Err = RecurrenceError;

    fn from_str(text: &str) -> Result<Self, RecurrenceError> {
        Self::parse(text)
    }
}
