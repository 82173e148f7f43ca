//! A set of small numbers, 0 to 63, in one word.
//!
//! Called by all of the crate: fields, days of a month and weekdays are such sets. Larger numbers are never members;
//! inserting one does nothing.

/// The lowest number that is no member of any set.
const END: u8 = 64;

/// Which of 0 to 63 are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Values(u64);

impl Values {
    /// `low`, `low + step`, ... up to `high`; a step of 0 counts as 1.
    pub(crate) fn range(low: u8, high: u8, step: u8) -> Self {
        (low..=high.min(END - 1)).step_by(usize::from(step.max(1))).collect()
    }

    pub(crate) fn insert(&mut self, value: u8) {
        self.0 |= 1_u64.checked_shl(u32::from(value)).unwrap_or(0);
    }

    pub(crate) fn contains(self, value: u8) -> bool {
        self.next(value) == Some(value)
    }

    /// The lowest member that is at least `from`.
    pub(crate) fn next(self, from: u8) -> Option<u8> {
        let rest = self.0 & u64::MAX.checked_shl(u32::from(from)).unwrap_or(0);
        u8::try_from(rest.trailing_zeros()).ok().filter(|&value| value < END)
    }

    /// The lowest member that is more than `value`.
    pub(crate) fn above(self, value: u8) -> Option<u8> {
        self.next(value.checked_add(1)?)
    }

    pub(crate) fn first(self) -> Option<u8> {
        self.next(0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// The members, rising.
    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        (0..END).filter(move |&value| self.contains(value))
    }

    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<u8> for Values {
    fn from_iter<I: IntoIterator<Item = u8>>(values: I) -> Self {
        let mut all = Self::default();
        values.into_iter().for_each(|value| all.insert(value));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_in_order() {
        let set: Values = [3, 0, 59, 63, 64, 200].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 3, 59, 63]);
        assert_eq!((set.next(4), set.above(3), set.above(63), set.next(200)), (Some(59), Some(59), None, None));
        assert_eq!(Values::default().first(), None);
    }

    #[test]
    fn a_range_has_its_ends_and_its_step() {
        assert_eq!(Values::range(1, 7, 3).iter().collect::<Vec<_>>(), [1, 4, 7]);
        assert_eq!(Values::range(0, 255, 0).count(), 64);
    }
}
