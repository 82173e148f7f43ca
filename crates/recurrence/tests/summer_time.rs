//! What happens where clocks jump, written out by hand for places with unusual jumps.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use tasklane_domain::time::Timestamp;
use tasklane_recurrence::{Recurrence, Zone};

/// The instants of `expression` in a window, all of it in UTC without the trailing `:00.000000Z`.
fn fires(expression: &str, zone: &str, after: &str, until: &str) -> Vec<String> {
    let time = |text: &str| -> Timestamp { format!("{text}:00Z").parse().unwrap() };
    let (zone, rule) = (Zone::parse(zone).unwrap(), Recurrence::parse(expression).unwrap());
    let found = rule.between(time(after), time(until), &zone, Timestamp::from_micros(0), 100);
    found.iter().map(|time| time.to_string().replace(":00.000000Z", "")).collect()
}

#[test]
fn vienna_a_fixed_hour_fires_once_in_gap_and_fold() {
    let spring = ("2026-03-28T12:00", "2026-03-30T00:30");
    // The gap is 02:00 to 03:00; its end is 01:00 UTC.
    assert_eq!(fires("30 2 * * *", "Europe/Vienna", spring.0, spring.1), ["2026-03-29T01:00", "2026-03-30T00:30"]);
    assert_eq!(fires("*/15 2 29 3 *", "Europe/Vienna", spring.0, spring.1), ["2026-03-29T01:00"]);
    assert_eq!(fires("0 2,3 29 3 *", "Europe/Vienna", spring.0, spring.1), ["2026-03-29T01:00"]);
    assert_eq!(fires("0 3 29 3 *", "Europe/Vienna", spring.0, spring.1), ["2026-03-29T01:00"]);
    let autumn = ("2026-10-24T12:00", "2026-10-26T01:30");
    assert_eq!(fires("30 2 * * *", "Europe/Vienna", autumn.0, autumn.1), ["2026-10-25T00:30", "2026-10-26T01:30"]);
    assert_eq!(fires("0 2,3 25 10 *", "Europe/Vienna", autumn.0, autumn.1), ["2026-10-25T00:00", "2026-10-25T02:00"]);
}

#[test]
fn vienna_any_hour_follows_real_time() {
    let gap = fires("*/30 * * * *", "Europe/Vienna", "2026-03-29T00:00", "2026-03-29T02:00");
    assert_eq!(gap, ["2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30", "2026-03-29T02:00"]);
    let fold = fires("30 * * * *", "Europe/Vienna", "2026-10-25T00:00", "2026-10-25T02:00");
    assert_eq!(fold, ["2026-10-25T00:30", "2026-10-25T01:30"]);
    // 02:00 does not exist in spring, and exists twice in autumn.
    let spring = fires("0 */2 * * *", "Europe/Vienna", "2026-03-28T22:30", "2026-03-29T02:30");
    assert_eq!(spring, ["2026-03-28T23:00", "2026-03-29T02:00"]);
    let autumn = fires("0 */2 * * *", "Europe/Vienna", "2026-10-24T22:30", "2026-10-25T03:00");
    assert_eq!(autumn, ["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T03:00"]);
}

#[test]
fn asking_from_within_a_fold_does_not_repeat() {
    assert!(fires("30 2 25 10 *", "Europe/Vienna", "2026-10-25T00:30", "2026-10-25T12:00").is_empty());
    assert!(fires("30 2 25 10 *", "Europe/Vienna", "2026-10-25T01:15", "2026-10-25T12:00").is_empty());
    assert!(fires("30 2 29 3 *", "Europe/Vienna", "2026-03-29T01:00", "2026-03-29T12:00").is_empty());
}

#[test]
fn apia_lost_a_whole_day() {
    // After 29 December 2011 24:00 (UTC-10) came 31 December 00:00 (UTC+14), at 10:00 UTC.
    let day = fires("0 9 * * *", "Pacific/Apia", "2011-12-29T12:00", "2011-12-31T12:00");
    assert_eq!(day, ["2011-12-29T19:00", "2011-12-30T10:00", "2011-12-30T19:00"]);
    assert_eq!(fires("0 9 30 12 *", "Pacific/Apia", "2011-12-01T00:00", "2012-01-10T00:00"), ["2011-12-30T10:00"]);
    assert!(fires("0 */3 30 12 *", "Pacific/Apia", "2011-12-01T00:00", "2012-01-10T00:00").is_empty());
}

#[test]
fn days_lost_and_days_lived_twice() {
    // Kwajalein had no 21 August 1993.
    assert_eq!(fires("0 0 21 8 *", "Pacific/Kwajalein", "1993-08-01T00:00", "1993-09-01T00:00"), ["1993-08-21T12:00"]);
    // Manila, which went from the eastern to the western side of the date line, had no 31 December 1844.
    let manila = fires("0 0 31 12 *", "Asia/Manila", "1844-12-01T00:00", "1845-01-10T00:00");
    assert_eq!(manila.len(), 1);
    // Alaska went the other way in October 1867: a day was lived twice, and a fixed hour fires on the first of both.
    let alaska = |text: &str| fires(text, "America/Juneau", "1867-10-16T00:00", "1867-10-22T00:00").len();
    assert_eq!((alaska("0 12 * * *"), alaska("0 */12 * * *")), (5, 12));
}

#[test]
fn lord_howe_moves_by_half_an_hour() {
    // Gap 02:00 to 02:30 at 15:30 UTC; fold 01:30 to 02:00, back at 15:00 UTC.
    assert_eq!(
        fires("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", "2026-10-04T00:00"),
        ["2026-10-03T15:30"]
    );
    let every = fires("15 * * * *", "Australia/Lord_Howe", "2026-10-03T13:50", "2026-10-03T17:00");
    assert_eq!(every, ["2026-10-03T14:45", "2026-10-03T16:15"]);
    assert_eq!(
        fires("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00", "2026-04-05T00:00"),
        ["2026-04-04T14:45"]
    );
    let fold = fires("45 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00", "2026-04-04T16:00");
    assert_eq!(fold, ["2026-04-04T14:45", "2026-04-04T15:15"]);
}

#[test]
fn midnight_gaps_of_cairo_and_sao_paulo() {
    let cairo = fires("@daily", "Africa/Cairo", "2024-04-24T00:00", "2024-04-27T00:00");
    assert_eq!(cairo, ["2024-04-24T22:00", "2024-04-25T22:00", "2024-04-26T21:00"]);
    // Autumn: midnight comes twice (24:00 back to 23:00); 23:30 is shown twice.
    assert_eq!(fires("30 23 31 10 *", "Africa/Cairo", "2024-10-30T00:00", "2024-11-02T00:00"), ["2024-10-31T20:30"]);
    let brazil = fires("0 0 * * *", "America/Sao_Paulo", "2018-11-03T04:00", "2018-11-05T12:00");
    assert_eq!(brazil, ["2018-11-04T03:00", "2018-11-05T02:00"]);
}

#[test]
fn casablanca_goes_back_for_ramadan() {
    // In 2025 the clock went back (03:00 to 02:00) on 23 February and forward on 6 April.
    let fold = fires("30 2 * * *", "Africa/Casablanca", "2025-02-22T12:00", "2025-02-24T12:00");
    assert_eq!(fold, ["2025-02-23T01:30", "2025-02-24T02:30"]);
    let gap = fires("30 2 * * *", "Africa/Casablanca", "2025-04-05T12:00", "2025-04-07T12:00");
    assert_eq!(gap, ["2025-04-06T02:00", "2025-04-07T01:30"]);
}

#[test]
fn times_far_away_are_answered() {
    let (zone, rule) = (Zone::parse("Europe/Vienna").unwrap(), Recurrence::parse("0 0 29 2 */7").unwrap());
    let anchor = Timestamp::from_micros(0);
    let next = |text: &str| rule.next_after(text.parse().unwrap(), &zone, anchor).map(|time| time.to_string());
    assert_eq!(next("2088-03-01T00:00:00Z").as_deref(), Some("2128-02-28T23:00:00.000000Z"));
    assert_eq!(next("9999-01-01T00:00:00Z"), None);
    assert_eq!(rule.next_after(Timestamp::from_micros(i64::MAX), &zone, anchor), None);
}
