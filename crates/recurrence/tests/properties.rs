//! What holds for every expression, zone and time.

use std::time::Duration;

use proptest::prelude::*;
use tasklane_domain::time::Timestamp;
use tasklane_recurrence::{Recurrence, RecurrenceError, Zone};

const ZONES: [&str; 9] = [
    "UTC",
    "Europe/Vienna",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Asia/Tehran",
];

fn item(low: u8, high: u8) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        1 => (1..=high).prop_map(|step| format!("*/{step}")),
        3 => (low..=high).prop_map(|value| value.to_string()),
        1 => (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (low..=high, low..=high, 1..=high).prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
    ]
}

fn field(low: u8, high: u8) -> impl Strategy<Value = String> {
    prop::collection::vec(item(low, high), 1..3).prop_map(|items| items.join(","))
}

fn expression() -> impl Strategy<Value = String> {
    let seconds = prop::option::weighted(0.3, field(0, 59));
    (seconds, field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7)).prop_map(
        |(second, minute, hour, day, month, weekday)| {
            let second = second.map(|second| second + " ").unwrap_or_default();
            format!("{second}{minute} {hour} {day} {month} {weekday}")
        },
    )
}

fn recurrence() -> impl Strategy<Value = String> {
    prop_oneof![6 => expression(), 1 => (1_u32..31_622_400).prop_map(|seconds| format!("@every {seconds}s"))]
}

/// Microseconds from 1900 to 2200.
fn time() -> impl Strategy<Value = Timestamp> {
    (-2_208_988_800_000_000_i64..7_258_118_400_000_000).prop_map(Timestamp::from_micros)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn instants_increase_strictly_and_between_is_next_iterated(
        text in recurrence(), zone in prop::sample::select(ZONES.as_slice()), after in time(), anchor in time(),
    ) {
        let zone = Zone::parse(zone).unwrap();
        let rule = match Recurrence::parse(&text) {
            Err(RecurrenceError::NeverFires { .. }) => return Ok(()),
            other => other.unwrap(),
        };
        let mut iterated = Vec::new();
        let mut at = after;
        for _ in 0..20 {
            let next = rule.next_after(at, &zone, anchor).unwrap();
            prop_assert!(next > at, "{text} {at} {next}");
            iterated.push(next);
            at = next;
        }
        prop_assert_eq!(rule.between(after, at, &zone, anchor, 100), iterated.clone());
        prop_assert_eq!(rule.between(after, at, &zone, anchor, 7), &iterated[..7]);
        prop_assert_eq!(rule.between(after, after, &zone, anchor, 7), vec![]);
    }

    #[test]
    fn nothing_lies_between_a_time_and_the_next(
        text in expression(), zone in prop::sample::select(ZONES.as_slice()), after in time(), part in 0.0_f64..1.0,
    ) {
        let Ok(rule) = Recurrence::parse(&text) else { return Ok(()) };
        let zone = Zone::parse(zone).unwrap();
        let next = rule.next_after(after, &zone, after).unwrap();
        let just_before = next.minus(Duration::from_micros(1));
        let within = after.plus(next.since(after).mul_f64(part)).min(just_before);
        prop_assert_eq!(rule.next_after(within, &zone, after), Some(next));
    }

    #[test]
    fn any_text_is_answered(text in "[ -~]{0,300}|[0-9*,/LW#?@a-z -]{0,64}|\\PC{0,100}") {
        if let Ok(rule) = Recurrence::parse(&text) {
            prop_assert_eq!(Recurrence::parse(rule.as_str()).unwrap(), rule.clone());
            prop_assert!(!rule.describe().is_empty());
        }
    }

    #[test]
    fn any_zone_text_is_answered(text in "\\PC{0,100}") {
        if let Ok(zone) = Zone::parse(&text) {
            prop_assert!(zone.as_str().eq_ignore_ascii_case(text.trim()));
        }
    }

    #[test]
    fn any_instant_is_answered(text in expression(), after: i64) {
        if let Ok(rule) = Recurrence::parse(&text) {
            let next = rule.next_after(Timestamp::from_micros(after), &Zone::utc(), Timestamp::from_micros(0));
            prop_assert!(next.is_none_or(|next| next.as_micros() > after));
        }
    }
}
