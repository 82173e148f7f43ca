//! How much one removal takes: less where it took long, since big payloads take longer to remove than small ones.

use std::time::Duration;

use tasklane_domain::retention::REMOVAL_ROWS_MAX;

/// A removal that took longer is followed by one of half as many rows; one that took a quarter of it, by one of twice as many.
const TIME_WANTED: Duration = Duration::from_millis(40);
/// Fewest rows.
const ROWS_MIN: usize = 4;
/// Rows of the first removal.
const ROWS_FIRST: usize = 64;

/// Rows of the next removal.
#[derive(Debug)]
pub(super) struct Pace(usize);

impl Pace {
    pub(super) const fn new() -> Self {
        Self(ROWS_FIRST)
    }

    pub(super) const fn rows(&self) -> usize {
        self.0
    }

    /// Learns from a removal of so many rows.
    pub(super) fn took(&mut self, time: Duration, rows: usize) {
        let most = usize::try_from(REMOVAL_ROWS_MAX).unwrap_or(usize::MAX);
        if time > TIME_WANTED {
            self.0 = (self.0 / 2).max(ROWS_MIN);
        } else if time < TIME_WANTED / 4 && rows >= self.0 {
            self.0 = self.0.saturating_mul(2).min(most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_removals_make_small_ones_and_short_ones_big_ones() {
        let mut pace = Pace::new();
        for _ in 0..20 {
            pace.took(Duration::from_millis(1), pace.rows());
        }
        assert_eq!(pace.rows(), 500);
        pace.took(Duration::from_millis(20), pace.rows());
        assert_eq!(pace.rows(), 500);
        for _ in 0..20 {
            pace.took(Duration::from_secs(1), pace.rows());
        }
        assert_eq!(pace.rows(), ROWS_MIN);
        pace.took(Duration::from_millis(1), 1);
        assert_eq!(pace.rows(), ROWS_MIN, "a removal of few rows says nothing of many");
    }
}
