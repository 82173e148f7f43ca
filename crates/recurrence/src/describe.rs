//! A recurrence in plain English.
//!
//! Called by [`crate::Recurrence::describe`]. It describes the sets of values, not the text: `0,15,30,45` and
//! `*/15` read the same. It says nothing of zones and of summer time.

use crate::calendar::{Calendar, Days, Join};
use crate::every::{Period, UNITS};
use crate::values::Values;

/// Up to so many times of day are listed one by one.
const MAX_TIMES: u32 = 6;

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// `Every 1 hour 30 minutes`.
pub(crate) fn period(period: Period) -> String {
    let mut rest = period.as_secs();
    let mut words = vec!["Every".to_owned()];
    for ((_, seconds), name) in UNITS.iter().zip(["day", "hour", "minute", "second"]) {
        let count = rest / seconds;
        rest %= seconds;
        if count > 0 {
            words.push(format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
        }
    }
    words.join(" ")
}

/// `At 09:30, Monday through Friday`.
pub(crate) fn calendar(calendar: &Calendar) -> String {
    let time = times_of_day(calendar).unwrap_or_else(|| rhythm(calendar));
    let parts = [Some(time), days(&calendar.days), months(calendar.months)];
    capitalised(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The times of day one by one, where they are few.
fn times_of_day(calendar: &Calendar) -> Option<String> {
    let (hours, minutes, seconds) = (calendar.hours, calendar.minutes, calendar.seconds);
    if hours.count() * minutes.count() * seconds.count() > MAX_TIMES {
        return None;
    }
    let times = hours.iter().flat_map(|hour| {
        minutes.iter().flat_map(move |minute| seconds.iter().map(move |second| clock(hour, minute, second)))
    });
    Some(format!("at {}", listed(times.collect())))
}

fn clock(hour: u8, minute: u8, second: u8) -> String {
    if second == 0 { format!("{hour:02}:{minute:02}") } else { format!("{hour:02}:{minute:02}:{second:02}") }
}

/// How seconds, minutes and hours repeat.
fn rhythm(calendar: &Calendar) -> String {
    let on_the_minute = calendar.seconds == Values::range(0, 0, 1);
    let on_the_hour = on_the_minute && calendar.minutes == Values::range(0, 0, 1);
    let seconds = if on_the_minute { None } else { Some(unit(calendar.seconds, "second", 60)) };
    let minutes = match (on_the_hour, seconds.is_some() && calendar.minutes.count() == 60) {
        (false, false) => Some(unit(calendar.minutes, "minute", 60)),
        _ => None,
    };
    let hours = if calendar.hours.count() == 24 && !on_the_hour && on_each(calendar) {
        None
    } else {
        Some(unit(calendar.hours, "hour", 24))
    };
    [seconds, minutes, hours].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Whether the words for minutes (or seconds) already say that it goes on all day.
fn on_each(calendar: &Calendar) -> bool {
    calendar.minutes.count() == 60 || every_nth(calendar.minutes, 60).is_some()
}

/// `every minute`, `every 5 minutes`, `at minute 5`, `at minutes 0 through 10`.
fn unit(values: Values, name: &str, size: u8) -> String {
    if values.count() == u32::from(size) {
        return format!("every {name}");
    }
    if let Some(step) = every_nth(values, size) {
        return format!("every {step} {name}s");
    }
    let plural = if values.count() == 1 { "" } else { "s" };
    let preposition = if name == "hour" { "in" } else { "at" };
    format!("{preposition} {name}{plural} {}", listed(runs(values, |value| value.to_string())))
}

/// The step, where the values are 0, step, 2 * step, ... and the step divides `size`.
fn every_nth(values: Values, size: u8) -> Option<u8> {
    let step = values.above(0)?;
    (size.is_multiple_of(step) && values == Values::range(0, size - 1, step)).then_some(step)
}

fn days(days: &Days) -> Option<String> {
    let all_month = days.by_month.values.count() == 31;
    let all_week = days.by_week.values.count() == 7;
    match (all_month, all_week, days.join) {
        (true, true, _) | (true, _, Join::Either) | (_, true, Join::Either) => None,
        (true, false, Join::Both) => Some(days_of_week(days)),
        (false, true, Join::Both) => Some(days_of_month(days)),
        (false, false, Join::Either) => Some(format!("{} or {}", days_of_month(days), days_of_week(days))),
        (false, false, Join::Both) => Some(format!("{} if it is {}", days_of_month(days), days_of_week(days))),
    }
}

fn days_of_month(days: &Days) -> String {
    let mut parts = Vec::new();
    let values = days.by_month.values;
    if !values.is_empty() {
        let plural = if values.count() == 1 { "" } else { "s" };
        parts.push(format!("day{plural} {} of the month", listed(runs(values, |day| day.to_string()))));
    }
    if days.by_month.last_day {
        parts.push("the last day of the month".to_owned());
    }
    format!("on {}", listed(parts))
}

fn days_of_week(days: &Days) -> String {
    let week = &days.by_week;
    let mut parts = runs(week.values, weekday);
    parts.extend(week.nth.iter().map(|nth| format!("the {} {} of the month", nth_word(nth / 7), weekday(nth % 7))));
    parts.extend(week.last_weekdays.iter().map(|day| format!("the last {} of the month", weekday(day))));
    listed(parts)
}

fn months(months: Values) -> Option<String> {
    let name = |month: u8| name_of(&MONTHS, month.saturating_sub(1));
    (months.count() < 12).then(|| format!("in {}", listed(runs(months, name))))
}

fn weekday(day: u8) -> String {
    name_of(&WEEKDAYS, day)
}

fn nth_word(week: u8) -> String {
    name_of(&WEEKS, week)
}

fn name_of(names: &[&str], index: u8) -> String {
    names.get(usize::from(index)).copied().unwrap_or_default().to_owned()
}

/// The values in order, three or more in a row as `a through b`.
fn runs(values: Values, name: impl Fn(u8) -> String) -> Vec<String> {
    let mut parts = Vec::new();
    let mut next = values.first();
    while let Some(from) = next {
        let to = (from..=u8::MAX).take_while(|&value| values.contains(value)).last().unwrap_or(from);
        match to - from {
            0 => parts.push(name(from)),
            1 => parts.extend([name(from), name(to)]),
            _ => parts.push(format!("{} through {}", name(from), name(to))),
        }
        next = values.above(to);
    }
    parts
}

/// `a, b and c`.
fn listed(mut parts: Vec<String>) -> String {
    match (parts.pop(), parts.is_empty()) {
        (Some(last), false) => format!("{} and {last}", parts.join(", ")),
        (last, _) => last.unwrap_or_default(),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use crate::Recurrence;

    #[test]
    fn recurrences_in_words() {
        for (text, words) in [
            ("30 9 * * 1-5", "At 09:30, Monday through Friday"),
            ("0 9,17 * * *", "At 09:00 and 17:00"),
            ("15 30 9 * * *", "At 09:30:15"),
            ("* * * * *", "Every minute"),
            ("* * * * * *", "Every second"),
            ("*/10 * * * * *", "Every 10 seconds"),
            ("*/15 * * * *", "Every 15 minutes"),
            ("@hourly", "Every hour"),
            ("0 */2 * * *", "Every 2 hours"),
            ("5 * * * *", "At minute 5, every hour"),
            ("*/7 * * * *", "At minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56, every hour"),
            ("*/15 9-17 * * MON-FRI", "Every 15 minutes, in hours 9 through 17, Monday through Friday"),
            ("0 8-18/2 * * *", "At 08:00, 10:00, 12:00, 14:00, 16:00 and 18:00"),
            ("*/5 2 * * * *", "Every 5 seconds, at minute 2, every hour"),
            ("@daily", "At 00:00"),
            ("@weekly", "At 00:00, Sunday"),
            ("@monthly", "At 00:00, on day 1 of the month"),
            ("@yearly", "At 00:00, on day 1 of the month, in January"),
            ("0 0 1,15,L * *", "At 00:00, on days 1 and 15 of the month and the last day of the month"),
            ("0 0 13 * 5", "At 00:00, on day 13 of the month or Friday"),
            ("0 0 1-7 * */7", "At 00:00, on days 1 through 7 of the month if it is Sunday"),
            (
                "0 0 * 6-8 MON#2,5L",
                "At 00:00, the second Monday of the month and the last Friday of the month, in June through August",
            ),
            ("0 0 ? * 0,6", "At 00:00, Sunday and Saturday"),
            ("@every 90s", "Every 1 minute 30 seconds"),
            ("@every 366d", "Every 366 days"),
        ] {
            assert_eq!(Recurrence::parse(text).unwrap().describe(), words, "{text}");
        }
    }
}
