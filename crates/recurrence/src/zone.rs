//! Time zones by their IANA names, from the database bundled with the program.
//!
//! Called by whoever reads a schedule, and by [`crate::walk`], which needs a zone as stretches of constant offset. The
//! machine's own database is never asked.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::error::{RecurrenceError, shown};

/// The longest text that is looked up as a zone, in bytes; the longest name has 32.
const MAX_NAME_BYTES: usize = 64;
/// How alike a suggestion must be, 0 to 1.
const ALIKE: f64 = 0.84;
/// Names in the database that are no place's time.
const NO_ZONES: [&str; 2] = ["Etc/Unknown", "Factory"];

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone with its history and its rules for the future.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// A stretch of time with one offset, in seconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub start: i64,
    /// The first second that is no part of it.
    pub end: i64,
    /// Wall time minus UTC.
    pub offset: i64,
}

impl Zone {
    /// Finds an IANA name such as `Europe/Vienna`, in whatever case; its usual spelling is kept.
    ///
    /// # Errors
    /// [`RecurrenceError::UnknownZone`], with the name most alike if one is. Offsets such as `+02:00` are no zones.
    pub fn parse(text: &str) -> Result<Self, RecurrenceError> {
        let text = text.trim();
        let rules = if text.len() <= MAX_NAME_BYTES { DATABASE.get(text).ok() } else { None };
        let named = rules.and_then(|rules| Some((rules.iana_name()?.to_owned(), rules)));
        match named {
            Some((name, rules)) if !NO_ZONES.contains(&name.as_str()) => Ok(Self { name, rules }),
            _ => Err(RecurrenceError::UnknownZone { given: shown(text), suggestion: most_alike(text) }),
        }
    }

    /// Coordinated Universal Time.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// The name in its usual spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// An instant as a clock in the zone shows it, with the offset: `2026-03-29T09:00:00+02:00`. RFC 3339 in whole seconds.
    #[must_use]
    pub fn show(&self, at: tasklane_domain::Timestamp) -> String {
        match Timestamp::from_microsecond(at.as_micros()) {
            Ok(time) => time.display_with_offset(self.rules.to_offset(time)).to_string(),
            Err(_) => at.to_string(),
        }
    }

    /// Consecutive stretches, the first of which is cut to begin at `start`.
    pub(crate) fn stretches(&self, start: Timestamp) -> impl Iterator<Item = Stretch> {
        let first = (start.as_second(), self.rules.to_offset(start));
        let mut following = self.rules.following(start).map(|change| (change.timestamp().as_second(), change.offset()));
        std::iter::successors(Some((first, following.next())), move |&(_, next)| Some((next?, following.next()))).map(
            |((start, offset), next)| Stretch {
                start,
                end: next.map_or(Timestamp::MAX.as_second(), |(end, _)| end),
                offset: i64::from(offset.seconds()),
            },
        )
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Zone {
    type Err = RecurrenceError;

    fn from_str(text: &str) -> Result<Self, RecurrenceError> {
        Self::parse(text)
    }
}

/// The known name that is most like `text`, be it whole or only the place after the last `/`.
fn most_alike(text: &str) -> Option<String> {
    if text.len() > MAX_NAME_BYTES {
        return None;
    }
    let wanted = text.to_ascii_lowercase().replace(' ', "_");
    DATABASE
        .available()
        .map(|name| (likeness(&wanted, &name.as_str().to_ascii_lowercase()), name.as_str().to_owned()))
        .filter(|(likeness, name)| *likeness >= ALIKE && !NO_ZONES.contains(&name.as_str()))
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

fn likeness(wanted: &str, name: &str) -> f64 {
    let place = name.rsplit('/').next().unwrap_or(name);
    strsim::normalized_damerau_levenshtein(wanted, name).max(strsim::normalized_damerau_levenshtein(wanted, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        for (given, name) in [("europe/vienna", "Europe/Vienna"), (" UTC ", "UTC"), ("asia/kolkata", "Asia/Kolkata")] {
            assert_eq!(Zone::parse(given).unwrap().as_str(), name);
        }
        assert_eq!(Zone::parse("utc").unwrap(), Zone::utc());
    }

    #[test]
    fn near_misses_get_a_suggestion() {
        for (given, wanted) in [
            ("Europe/Viena", Some("Europe/Vienna")),
            ("vienna", Some("Europe/Vienna")),
            ("America/New York", Some("America/New_York")),
            ("Atlantis/Deep", None),
            ("", None),
        ] {
            let Err(RecurrenceError::UnknownZone { suggestion, .. }) = Zone::parse(given) else { panic!("{given}") };
            assert_eq!(suggestion.as_deref(), wanted, "{given}");
        }
    }

    #[test]
    fn what_is_no_iana_name_is_refused() {
        let long = "x".repeat(10_000);
        for given in ["+02:00", "Factory", "Etc/Unknown", "EST5EDT,M3.2.0,M11.1.0", "../etc/passwd", long.as_str()] {
            assert!(Zone::parse(given).is_err(), "{given}");
        }
    }

    #[test]
    fn stretches_join_without_holes() {
        let zone = Zone::parse("Europe/Vienna").unwrap();
        let all: Vec<Stretch> = zone.stretches("2026-01-01T00:00:00Z".parse().unwrap()).take(20).collect();
        assert!(all.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert_eq!(all.iter().map(|one| one.offset).take(3).collect::<Vec<_>>(), [3_600, 7_200, 3_600]);
        assert_eq!(Zone::utc().stretches(Timestamp::UNIX_EPOCH).count(), 1);
    }
}
