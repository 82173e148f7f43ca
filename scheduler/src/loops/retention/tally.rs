//! What a pass of retention removed, for one line of the log.

use std::collections::BTreeMap;

/// Counts by kind.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    pub(super) fn add(&mut self, what: &'static str, count: u64) {
        if count > 0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    /// Nothing, where nothing was removed.
    pub(super) fn tell(&self) {
        if !self.0.is_empty() {
            tracing::info!(removed = %self.words(), "retention");
        }
    }

    fn words(&self) -> String {
        let words: Vec<String> = self.0.iter().map(|(what, count)| format!("{what}={count}")).collect();
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_summed_and_nothing_is_left_out() {
        let mut tally = Tally::default();
        tally.add("task", 2);
        tally.add("log", 1);
        tally.add("task", 3);
        tally.add("payload", 0);
        assert_eq!(tally.words(), "log=1 task=5");
    }
}
