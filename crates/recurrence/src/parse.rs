//! A whole recurrence: which form it has, and how its fields work together.
//!
//! Called by [`crate::Recurrence::parse`], which bounds the length. An expression that comes out of here fires some
//! day.

use crate::Rule;
use crate::calendar::{Calendar, Days, Join, Pace};
use crate::error::{FieldName, RecurrenceError, shown};
use crate::every::Period;
use crate::field::Field;

/// Hours of a day; an hour field that has them all is as good as `*`.
const ALL_HOURS: u32 = 24;

pub(crate) fn rule(text: &str) -> Result<Rule, RecurrenceError> {
    match text.strip_prefix('@') {
        Some(word) => short_form(text, word),
        None => expression(text).map(Rule::Cron),
    }
}

fn short_form(text: &str, word: &str) -> Result<Rule, RecurrenceError> {
    if let Some((every, period)) = word.split_once(|c: char| c.is_ascii_whitespace())
        && every.eq_ignore_ascii_case("every")
    {
        return Period::parse(period.trim()).map(Rule::Every);
    }
    let cron = match word.to_ascii_lowercase().as_str() {
        "yearly" | "annually" => "0 0 1 1 *",
        "monthly" => "0 0 1 * *",
        "weekly" => "0 0 * * 0",
        "daily" | "midnight" => "0 0 * * *",
        "hourly" => "0 * * * *",
        "every" => return Err(RecurrenceError::Period { given: String::new() }),
        _ => return Err(RecurrenceError::UnknownShortForm { given: shown(text) }),
    };
    expression(cron).map(Rule::Cron)
}

fn expression(text: &str) -> Result<Calendar, RecurrenceError> {
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let calendar = match fields.as_slice() {
        [minute, hour, day, month, weekday] => calendar(["0", minute, hour, day, month, weekday]),
        [second, minute, hour, day, month, weekday] => calendar([second, minute, hour, day, month, weekday]),
        _ => Err(RecurrenceError::FieldCount { found: fields.len() }),
    }?;
    if calendar.ever_fires() { Ok(calendar) } else { Err(RecurrenceError::NeverFires { expression: shown(text) }) }
}

fn calendar([second, minute, hour, day, month, weekday]: [&str; 6]) -> Result<Calendar, RecurrenceError> {
    let seconds = Field::parse(FieldName::Second, second)?.values;
    let minutes = Field::parse(FieldName::Minute, minute)?.values;
    let hours = Field::parse(FieldName::Hour, hour)?.values;
    let by_month = Field::parse(FieldName::DayOfMonth, day)?;
    let months = Field::parse(FieldName::Month, month)?.values;
    let by_week = Field::parse(FieldName::DayOfWeek, weekday)?;
    let any_hour = hour.contains(['*', '?', '/']) || hours.count() == ALL_HOURS;
    let join = if starred(day) || starred(weekday) { Join::Both } else { Join::Either };
    let days = Days { by_month, by_week, join };
    Ok(Calendar { seconds, minutes, hours, days, months, pace: if any_hour { Pace::AnyHour } else { Pace::FixedHour } })
}

/// Vixie cron's test of whether a day field leaves the choice to the other one.
fn starred(field: &str) -> bool {
    field.starts_with(['*', '?'])
}

#[cfg(test)]
mod tests {
    use crate::{Recurrence, RecurrenceError, Rule, calendar::Pace};

    fn error(text: &str) -> String {
        Recurrence::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn the_text_is_kept_trimmed() {
        assert_eq!(Recurrence::parse("  0 9 * * 1-5\t").unwrap().to_string(), "0 9 * * 1-5");
        assert_eq!(Recurrence::parse("@Daily").unwrap().as_str(), "@Daily");
    }

    #[test]
    fn short_forms_mean_their_expressions() {
        for (short, long) in [("@yearly", "0 0 1 1 *"), ("@ANNUALLY", "0 0 1 JAN ?"), ("@weekly", "0 0 * * SUN")] {
            assert_eq!(Recurrence::parse(short).unwrap().rule, Recurrence::parse(long).unwrap().rule, "{short}");
        }
        assert!(error("@reboot").contains("@hourly"));
        assert!(matches!(Recurrence::parse("@every"), Err(RecurrenceError::Period { .. })));
    }

    #[test]
    fn messages_say_which_field_and_what_is_allowed() {
        assert_eq!(
            error("0 25 * * *"),
            "hour field: `25`: must be 0 to 23. Allowed: 0-23, `*`, lists, ranges and steps such as 9,17 or 9-17 or */2"
        );
        assert!(error("0 22-2 * * *").contains("runs backwards"));
        assert!(error("0 0 * *").contains("4 fields"));
        assert!(error("0 0 * * * * *").contains("7 fields"));
        assert!(error("").contains("0 fields"));
    }

    #[test]
    fn what_never_fires_is_refused() {
        for never in ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 FEB */2", "0 0 30 2 */7"] {
            assert!(matches!(Recurrence::parse(never), Err(RecurrenceError::NeverFires { .. })), "{never}");
        }
        for rare in ["0 0 29 2 *", "0 0 29 2 */7", "0 0 ? 2 1#5", "0 0 31 2 1"] {
            assert!(Recurrence::parse(rare).is_ok(), "{rare}");
        }
    }

    #[test]
    fn long_text_is_refused_unread() {
        let commas = format!("{}1 * * * *", "1,".repeat(10_000));
        assert!(matches!(Recurrence::parse(&commas), Err(RecurrenceError::TooLong { .. })));
        assert!(error("1--100000000 * * * *").len() < 300);
        assert!(error(&"x".repeat(256)).len() < 300);
    }

    #[test]
    fn the_hour_field_decides_how_summer_time_is_met() {
        for (text, pace) in [
            ("0 * * * *", Pace::AnyHour),
            ("0 ? * * *", Pace::AnyHour),
            ("0 */2 * * *", Pace::AnyHour),
            ("0 1-23/2 * * *", Pace::AnyHour),
            ("0 0-23 * * *", Pace::AnyHour),
            ("* 2 * * *", Pace::FixedHour),
            ("* * 2,3 * * *", Pace::FixedHour),
        ] {
            let Rule::Cron(calendar) = Recurrence::parse(text).unwrap().rule else { unreachable!() };
            assert_eq!(calendar.pace, pace, "{text}");
        }
    }
}
