//! One field of a cron expression: text in, set of values out.
//!
//! Called by [`crate::parse`]. Numbers are checked against the field's bounds before anything is expanded, so no input
//! costs more than its length times 64. It does not know how fields work together.

use crate::error::{FieldName, RecurrenceError};
use crate::values::Values;

/// Names of months, from January = 1.
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
/// Names of days of the week, from Sunday = 0.
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
/// Sunday, written as the end of a week.
const SUNDAY_AS_LAST: u8 = 7;

/// What a field says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Field {
    /// Plain values; Sunday is 0.
    pub values: Values,
    /// `L` in the day of the month.
    pub last_day: bool,
    /// `1#2`: (week of the month - 1) * 7 + day of the week.
    pub nth: Values,
    /// `5L`: the last such day of the week in the month.
    pub last_weekdays: Values,
}

impl Field {
    /// Reads `text`, the whole field.
    pub(crate) fn parse(name: FieldName, text: &str) -> Result<Self, RecurrenceError> {
        let mut field = Self::default();
        for item in text.split(',') {
            field.add(name, item).map_err(|problem| RecurrenceError::field(name, item, problem))?;
        }
        Ok(field)
    }

    fn add(&mut self, name: FieldName, item: &str) -> Result<(), String> {
        match name {
            FieldName::DayOfMonth if item.eq_ignore_ascii_case("L") => self.last_day = true,
            FieldName::DayOfWeek if item.contains('#') => self.nth.insert(nth_weekday(item)?),
            FieldName::DayOfWeek if last_of(item).is_some() => self.last_weekdays.insert(last_weekday(item)?),
            _ => self.values = self.values.union(plain(name, item)?),
        }
        Ok(())
    }
}

/// `*`, `n` or `a-b`, each with or without `/step`.
fn plain(name: FieldName, item: &str) -> Result<Values, String> {
    let (span, step) = match item.split_once('/') {
        Some((span, step)) => (span, Some(parse_step(name, step)?)),
        None => (item, None),
    };
    let (low, high) = parse_span(name, span, step.is_some())?;
    let values = Values::range(low, high, step.unwrap_or(1));
    Ok(if name == FieldName::DayOfWeek { values.iter().map(|day| day % SUNDAY_AS_LAST).collect() } else { values })
}

fn parse_step(name: FieldName, text: &str) -> Result<u8, String> {
    let (_, high) = name.bounds();
    let step = number(text).filter(|step| (1..=high).contains(step));
    step.ok_or_else(|| format!("the step after `/` must be 1 to {high}"))
}

fn parse_span(name: FieldName, span: &str, stepped: bool) -> Result<(u8, u8), String> {
    let (low, high) = name.bounds();
    // Sunday must not be counted at both ends of the week.
    let high = if name == FieldName::DayOfWeek { high - 1 } else { high };
    if span == "*" || span == "?" {
        return Ok((low, high));
    }
    let Some((from, to)) = span.split_once('-') else {
        let from = value(name, span)?;
        return Ok((from, if stepped { from.max(high) } else { from }));
    };
    let from = value(name, from)?;
    let to = range_end(name, from, to)?;
    if from > to { Err(backwards(span)) } else { Ok((from, to)) }
}

/// `FRI-SUN` runs to the end of the week.
fn range_end(name: FieldName, from: u8, to: &str) -> Result<u8, String> {
    let sunday_last = name == FieldName::DayOfWeek && from > 0 && to.eq_ignore_ascii_case("SUN");
    if sunday_last { Ok(SUNDAY_AS_LAST) } else { value(name, to) }
}

fn backwards(span: &str) -> String {
    format!("the range `{span}` runs backwards; write it as two, such as 22-23,0-2")
}

fn value(name: FieldName, text: &str) -> Result<u8, String> {
    let (low, high) = name.bounds();
    if let Some(named) = named(name, text) {
        return Ok(named);
    }
    if text.is_empty() {
        return Err("a value is missing".to_owned());
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unreadable(name, text));
    }
    number(text).filter(|number| (low..=high).contains(number)).ok_or_else(|| format!("must be {low} to {high}"))
}

/// What to say about a value that is no number.
fn unreadable(name: FieldName, text: &str) -> String {
    match text.to_ascii_uppercase().as_str() {
        "L" if name == FieldName::DayOfWeek => "say which day, such as 5L for the last Friday".to_owned(),
        upper if name == FieldName::DayOfMonth && upper.ends_with('W') => "W is not supported".to_owned(),
        upper if name == FieldName::DayOfMonth && upper.starts_with("L-") => "only L itself is supported".to_owned(),
        _ => "neither a number nor a known name".to_owned(),
    }
}

fn named(field: FieldName, text: &str) -> Option<u8> {
    let (names, first): (&[&str], u8) = match field {
        FieldName::Month => (&MONTHS, 1),
        FieldName::DayOfWeek => (&WEEKDAYS, 0),
        _ => return None,
    };
    (first..).zip(names).find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(value, _)| value)
}

/// One or two digits.
fn number(text: &str) -> Option<u8> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// `MON#2`, as the position in a month of seven-day weeks.
fn nth_weekday(item: &str) -> Result<u8, String> {
    let (day, week) = item.split_once('#').unwrap_or((item, ""));
    let day = value(FieldName::DayOfWeek, day)? % SUNDAY_AS_LAST;
    let week = number(week).filter(|week| (1..=5).contains(week));
    week.map(|week| (week - 1) * 7 + day).ok_or_else(|| "the number after `#` must be 1 to 5".to_owned())
}

/// What stands before a final `L`.
fn last_of(item: &str) -> Option<&str> {
    item.strip_suffix(['L', 'l']).filter(|day| !day.is_empty())
}

fn last_weekday(item: &str) -> Result<u8, String> {
    value(FieldName::DayOfWeek, last_of(item).unwrap_or_default()).map(|day| day % SUNDAY_AS_LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: FieldName, text: &str) -> Vec<u8> {
        Field::parse(name, text).unwrap().values.iter().collect()
    }

    #[test]
    fn lists_ranges_and_steps() {
        assert_eq!(values(FieldName::Minute, "5,1-3,50/4"), [1, 2, 3, 5, 50, 54, 58]);
        assert_eq!(values(FieldName::Hour, "*/10"), [0, 10, 20]);
        assert_eq!(values(FieldName::Hour, "?/10"), [0, 10, 20]);
        assert_eq!(values(FieldName::DayOfMonth, "*/10"), [1, 11, 21, 31]);
        assert_eq!(values(FieldName::Month, "jan,Jun-AUG"), [1, 6, 7, 8]);
        assert_eq!(values(FieldName::Minute, "07"), [7]);
    }

    #[test]
    fn sunday_is_both_ends_of_the_week() {
        assert_eq!(values(FieldName::DayOfWeek, "7"), [0]);
        assert_eq!(values(FieldName::DayOfWeek, "5-7"), [0, 5, 6]);
        assert_eq!(values(FieldName::DayOfWeek, "FRI-SUN"), [0, 5, 6]);
        assert_eq!(values(FieldName::DayOfWeek, "SUN-SUN"), [0]);
        assert_eq!(values(FieldName::DayOfWeek, "0-7"), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(values(FieldName::DayOfWeek, "1/2"), [1, 3, 5]);
        assert_eq!(values(FieldName::DayOfWeek, "7/2"), [0]);
        assert_eq!(values(FieldName::DayOfWeek, "*/7"), [0]);
    }

    #[test]
    fn days_that_depend_on_the_month() {
        let field = Field::parse(FieldName::DayOfWeek, "MON#2,7#5,fril,0L").unwrap();
        assert_eq!(field.nth.iter().collect::<Vec<_>>(), [8, 28]);
        assert_eq!(field.last_weekdays.iter().collect::<Vec<_>>(), [0, 5]);
        assert!(field.values.is_empty());
        assert!(Field::parse(FieldName::DayOfMonth, "15,l").unwrap().last_day);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for (name, text) in [
            (FieldName::Minute, ""),
            (FieldName::Minute, "1,,2"),
            (FieldName::Minute, "60"),
            (FieldName::Minute, "+5"),
            (FieldName::Minute, "-5"),
            (FieldName::Minute, "5-"),
            (FieldName::Minute, "1--100000000"),
            (FieldName::Minute, "0-4294967295"),
            (FieldName::Minute, "*/0"),
            (FieldName::Minute, "*/60"),
            (FieldName::Minute, "1/2/3"),
            (FieldName::Minute, "*-5"),
            (FieldName::Minute, "**"),
            (FieldName::Minute, "MON"),
            (FieldName::Minute, "L"),
            (FieldName::Minute, "\u{0665}"),
            (FieldName::Hour, "22-2"),
            (FieldName::Hour, "24"),
            (FieldName::DayOfMonth, "0"),
            (FieldName::DayOfMonth, "32"),
            (FieldName::DayOfMonth, "15W"),
            (FieldName::DayOfMonth, "L-3"),
            (FieldName::DayOfMonth, "1#2"),
            (FieldName::Month, "13"),
            (FieldName::Month, "1JAN"),
            (FieldName::Month, "NOV-FEB"),
            (FieldName::DayOfWeek, "8"),
            (FieldName::DayOfWeek, "L"),
            (FieldName::DayOfWeek, "1#6"),
            (FieldName::DayOfWeek, "1#0"),
            (FieldName::DayOfWeek, "1#"),
            (FieldName::DayOfWeek, "#1"),
            (FieldName::DayOfWeek, "1#2#3"),
            (FieldName::DayOfWeek, "8L"),
            (FieldName::DayOfWeek, "SAT-MON"),
        ] {
            assert!(Field::parse(name, text).is_err(), "{name} {text}");
        }
    }
}
