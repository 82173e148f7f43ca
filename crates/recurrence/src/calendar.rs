//! Which wall times an expression matches, on the calendar alone, without zones.
//!
//! Called by [`crate::walk`]. A wall time is a number of seconds since 1970-01-01 00:00 *on the wall*, as if the zone
//! were UTC. The search steps through months, days and fields and never through seconds, and is bounded.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use crate::field::Field;
use crate::values::Values;

/// How far the search for a day goes. The rarest, a 29 February on one day of the week, is at most 40 years away.
const HORIZON_MONTHS: i64 = 100 * 12;

/// The fields of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Calendar {
    pub seconds: Values,
    pub minutes: Values,
    pub hours: Values,
    pub days: Days,
    pub months: Values,
    pub pace: Pace,
}

/// The two day fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Days {
    pub by_month: Field,
    pub by_week: Field,
    pub join: Join,
}

/// How the two day fields work together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    /// A day matches that matches one of them.
    Either,
    /// A day matches that matches both.
    Both,
}

/// What happens where the clock jumps; see the crate's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Every matching wall time fires once.
    FixedHour,
    /// Every instant with a matching wall time fires.
    AnyHour,
}

impl Days {
    /// The matching days of the month that begins with `first`.
    pub(crate) fn of_month(&self, first: Date) -> Values {
        let length = u8::try_from(first.days_in_month()).unwrap_or(0);
        let offset = u8::try_from(first.weekday().to_sunday_zero_offset()).unwrap_or(0);
        (1..=length).filter(|&day| self.matches(day, length, (day - 1 + offset) % 7)).collect()
    }

    fn matches(&self, day: u8, length: u8, weekday: u8) -> bool {
        let by_month = self.by_month.values.contains(day) || (self.by_month.last_day && day == length);
        let last = day + 7 > length && self.by_week.last_weekdays.contains(weekday);
        let nth = self.by_week.nth.contains((day - 1) / 7 * 7 + weekday);
        let by_week = self.by_week.values.contains(weekday) || last || nth;
        match self.join {
            Join::Either => by_month || by_week,
            Join::Both => by_month && by_week,
        }
    }
}

impl Calendar {
    /// Whether any day ever matches. The calendar repeats itself after 400 years, so this looks no further.
    pub(crate) fn ever_fires(&self) -> bool {
        [2000, 2100, 2200, 2300].into_iter().any(|year| {
            Date::new(year, 1, 1)
                .is_ok_and(|first| self.months_from(first).any(|first| !self.days.of_month(first).is_empty()))
        })
    }

    /// The first matching wall time at or after `wall`, within about 100 years and before the year 9999.
    pub(crate) fn first_from(&self, wall: i64) -> Option<i64> {
        let from = Offset::UTC.to_datetime(Timestamp::from_second(wall).ok()?);
        let today = Date::new(from.year(), from.month(), 1).ok()?;
        let day = u8::try_from(from.day()).ok()?;
        let now = self.time_from(from.time()).filter(|_| self.day_matches(today, day));
        let found = match now {
            Some(time) => from.date().to_datetime(time),
            None => self.day_after(today, day)?.to_datetime(self.time_from(Time::midnight())?),
        };
        to_wall(found)
    }

    fn day_matches(&self, first: Date, day: u8) -> bool {
        u8::try_from(first.month()).is_ok_and(|month| self.months.contains(month))
            && self.days.of_month(first).contains(day)
    }

    /// The first matching day after `day` of the month that begins with `first`.
    fn day_after(&self, first: Date, day: u8) -> Option<Date> {
        self.months_from(first).find_map(|month| {
            let above = if month == first { day } else { 0 };
            let found = self.days.of_month(month).above(above)?;
            Date::new(month.year(), month.month(), i8::try_from(found).ok()?).ok()
        })
    }

    /// The first days of the matching months, from the given one on, up to the horizon.
    fn months_from(&self, first: Date) -> impl Iterator<Item = Date> {
        let start = i64::from(first.year()) * 12 + i64::from(first.month()) - 1;
        (start..start + HORIZON_MONTHS).filter_map(|index| {
            let month = u8::try_from(index.rem_euclid(12) + 1).ok().filter(|&month| self.months.contains(month))?;
            Date::new(i16::try_from(index.div_euclid(12)).ok()?, i8::try_from(month).ok()?, 1).ok()
        })
    }

    /// The first matching time of day at or after `from`.
    fn time_from(&self, from: Time) -> Option<Time> {
        let (hour, minute, second) = (small(from.hour()), small(from.minute()), small(from.second()));
        let within_minute = || Some((hour, minute, self.seconds.next(second)?));
        let within_hour = || Some((hour, self.minutes.above(minute)?, self.seconds.first()?));
        let same_hour = || {
            let this_minute = if self.minutes.contains(minute) { within_minute() } else { None };
            this_minute.or_else(within_hour)
        };
        let later = || Some((self.hours.above(hour)?, self.minutes.first()?, self.seconds.first()?));
        let (hour, minute, second) = if self.hours.contains(hour) { same_hour() } else { None }.or_else(later)?;
        Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, i8::try_from(second).ok()?, 0).ok()
    }
}

/// Parts of a time of day are never negative.
fn small(part: i8) -> u8 {
    part.unsigned_abs()
}

fn to_wall(time: DateTime) -> Option<i64> {
    Offset::UTC.to_timestamp(time).ok().map(Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Recurrence, Rule};

    fn first(expression: &str, from: &str) -> String {
        let Rule::Cron(calendar) = Recurrence::parse(expression).unwrap().rule else { unreachable!() };
        let from: Timestamp = from.parse().unwrap();
        Timestamp::from_second(calendar.first_from(from.as_second()).unwrap()).unwrap().to_string()
    }

    #[test]
    fn fields_are_stepped_through_from_the_largest() {
        assert_eq!(first("30 9 * * *", "2026-03-01T09:30:00Z"), "2026-03-01T09:30:00Z");
        assert_eq!(first("30 9 * * *", "2026-03-01T09:30:01Z"), "2026-03-02T09:30:00Z");
        assert_eq!(first("5,50 8-9 * * *", "2026-03-01T08:50:01Z"), "2026-03-01T09:05:00Z");
        assert_eq!(first("10 5 8 * * *", "2026-12-31T08:05:11Z"), "2027-01-01T08:05:10Z");
        assert_eq!(first("0 0 1 1 *", "2026-01-01T00:00:01Z"), "2027-01-01T00:00:00Z");
    }

    #[test]
    fn days_that_depend_on_the_month() {
        assert_eq!(first("0 0 L * *", "2027-02-01T00:00:00Z"), "2027-02-28T00:00:00Z");
        assert_eq!(first("0 0 * * 5L", "2026-03-01T00:00:00Z"), "2026-03-27T00:00:00Z");
        assert_eq!(first("0 0 * * MON#2", "2026-03-01T00:00:00Z"), "2026-03-09T00:00:00Z");
        assert_eq!(first("0 0 * 2 1#5", "2026-03-01T00:00:00Z"), "2044-02-29T00:00:00Z");
    }

    #[test]
    fn both_day_fields_restricted_means_either() {
        assert_eq!(first("0 0 13 * 5", "2026-03-01T00:00:00Z"), "2026-03-06T00:00:00Z");
        assert_eq!(first("0 0 13 * 5", "2026-03-07T00:00:00Z"), "2026-03-13T00:00:00Z");
        assert_eq!(first("0 0 1-7 * */7", "2026-03-02T00:00:00Z"), "2026-04-05T00:00:00Z");
    }

    #[test]
    fn the_rarest_day_is_found() {
        assert_eq!(first("0 0 29 2 */7", "2088-03-01T00:00:00Z"), "2128-02-29T00:00:00Z");
    }

    #[test]
    fn the_end_of_time_is_none() {
        let Rule::Cron(calendar) = Recurrence::parse("0 0 1 1 *").unwrap().rule else { unreachable!() };
        assert_eq!(calendar.first_from(Timestamp::MAX.as_second()), None);
        assert_eq!(calendar.first_from(i64::MAX), None);
    }
}
