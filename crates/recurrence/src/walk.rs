//! From wall times to instants: walks a zone's stretches of constant offset, in the order of real time.
//!
//! Called by [`crate::Recurrence::next_after`]. Within a stretch a wall time is the instant plus the offset, so that
//! every question is one of plain numbers; gaps and folds exist only at the seams. A *peak* is kept: the first wall
//! time the zone's clock has not reached yet. For an expression with a fixed hour, walls below the peak have fired
//! already (a fold), and walls between the peak and a stretch's begin were jumped over and fire there (a gap).

use tasklane_domain::time::Timestamp;

use crate::calendar::{Calendar, Pace};
use crate::zone::{Stretch, Zone};

/// How far before the wanted time the walk begins, so that it knows the peak. No clock was ever set back by more than a
/// day. In seconds.
const LOOK_BACK: i64 = 3 * 86_400;
/// Most stretches that one search walks through: 100 years with 20 changes each.
const MAX_STRETCHES: usize = 2_000;

/// The first instant strictly after `after` at which the expression fires; `None` beyond the horizon of the calendar.
pub(crate) fn next_after(calendar: &Calendar, zone: &Zone, after: Timestamp) -> Option<Timestamp> {
    let earliest = after.as_micros().div_euclid(1_000_000).saturating_add(1);
    let start = earliest.saturating_sub(LOOK_BACK).max(jiff::Timestamp::MIN.as_second());
    let start = jiff::Timestamp::from_second(start).ok()?;
    let mut walk = Walk { search: Search { calendar, known: None }, earliest, peak: i64::MIN };
    for stretch in zone.stretches(start).take(MAX_STRETCHES) {
        match walk.through(stretch) {
            Step::Fires(instant) => return instant.checked_mul(1_000_000).map(Timestamp::from_micros),
            Step::Never => return None,
            Step::Later => {}
        }
    }
    None
}

enum Step {
    /// At this instant, in seconds.
    Fires(i64),
    /// Not within this stretch.
    Later,
    /// No wall time matches up to the horizon.
    Never,
}

struct Walk<'a> {
    search: Search<'a>,
    /// The first second that counts.
    earliest: i64,
    /// All wall times below were shown by the zone's clock, or jumped over.
    peak: i64,
}

impl Walk<'_> {
    fn through(&mut self, stretch: Stretch) -> Step {
        let peak = if self.peak == i64::MIN { stretch.start + stretch.offset } else { self.peak };
        self.peak = peak.max(stretch.end + stretch.offset);
        if stretch.end <= self.earliest {
            return Step::Later;
        }
        if self.fires_at_seam(stretch, peak) {
            return Step::Fires(stretch.start);
        }
        self.inside(stretch, peak)
    }

    /// Whether the clock jumped over a matching wall time as this stretch began.
    fn fires_at_seam(&mut self, stretch: Stretch, peak: i64) -> bool {
        let wall = stretch.start + stretch.offset;
        self.search.calendar.pace == Pace::FixedHour
            && stretch.start >= self.earliest
            && peak < wall
            && self.search.first_from(peak).is_some_and(|missed| missed < wall)
    }

    fn inside(&mut self, stretch: Stretch, peak: i64) -> Step {
        let from = stretch.start.max(self.earliest) + stretch.offset;
        let from = match self.search.calendar.pace {
            Pace::FixedHour => from.max(peak),
            Pace::AnyHour => from,
        };
        match self.search.first_from(from) {
            Some(wall) if wall < stretch.end + stretch.offset => Step::Fires(wall - stretch.offset),
            Some(_) => Step::Later,
            None => Step::Never,
        }
    }
}

/// Asks the calendar, and remembers: one answer serves all the stretches before it.
struct Search<'a> {
    calendar: &'a Calendar,
    /// Where it was asked from, and what it said.
    known: Option<(i64, Option<i64>)>,
}

impl Search<'_> {
    fn first_from(&mut self, wall: i64) -> Option<i64> {
        match self.known {
            Some((asked, Some(found))) if asked <= wall && wall <= found => Some(found),
            _ => {
                let found = self.calendar.first_from(wall);
                self.known = Some((wall, found));
                found
            }
        }
    }
}
