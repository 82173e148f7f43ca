//! Recurrences and time zones from text: `expression \n zone \n start in seconds`.
//!
//! Must hold: no panic and no long search; what is accepted is described, is read back as the same, and its instants ascend.

use tasklane_domain::Timestamp;
use tasklane_recurrence::{Recurrence, Zone};

/// Instants to look at.
const INSTANTS: usize = 4;
/// The last second of the year 9998, beyond which nothing fires.
const LAST_SECOND: i64 = 253_370_764_799;

fn start(text: Option<&str>) -> Timestamp {
    let seconds = text.and_then(|text| text.trim().parse::<i64>().ok()).unwrap_or(1_800_000_000);
    Timestamp::from_micros(seconds.clamp(0, LAST_SECOND) * 1_000_000)
}

/// Reads one input.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let expression = lines.next().unwrap_or_default();
    let zone = lines.next().and_then(|name| Zone::parse(name).ok()).unwrap_or_else(Zone::utc);
    let begin = start(lines.next());
    let Ok(recurrence) = Recurrence::parse(expression) else { return };
    assert!(!recurrence.describe().is_empty());
    let again = Recurrence::parse(recurrence.as_str()).expect("what was accepted is accepted again");
    let mut at = begin;
    for _ in 0..INSTANTS {
        let next = recurrence.next_after(at, &zone, begin);
        assert_eq!(next, again.next_after(at, &zone, begin));
        let Some(next) = next else { return };
        assert!(next > at, "instants ascend");
        at = next;
    }
}
