//! Mappings that wait, wiped, for their next guest.
//!
//! Used by [`super::memories`] and [`super::stacks`]. A mapping that finds no place here ends: so a host that had ten thousand guests at once does
//! not keep what they touched.

use parking_lot::Mutex;

/// At most a fixed number of one kind; the last that was put here is the first to be taken, since it is warm.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    all: Mutex<Vec<T>>,
    most: usize,
}

impl<T> Shelf<T> {
    pub(super) const fn new(most: usize) -> Self {
        Self { all: Mutex::new(Vec::new()), most }
    }

    /// The last that fits; if none does, the first that can be made to.
    pub(super) fn take(&self, fits: impl Fn(&T) -> bool, can_be_made_to: impl Fn(&T) -> bool) -> Option<T> {
        let mut all = self.all.lock();
        let at = all.iter().rposition(fits).or_else(|| all.iter().position(can_be_made_to))?;
        Some(all.remove(at))
    }

    /// Whether there is a place.
    pub(super) fn has_room(&self) -> bool {
        self.all.lock().len() < self.most
    }

    /// Drops it where there is none.
    pub(super) fn put(&self, one: T) {
        let mut all = self.all.lock();
        if all.len() < self.most {
            all.push(one);
        }
    }

    /// Drops all.
    pub(super) fn clear(&self) {
        let all = std::mem::take(&mut *self.all.lock());
        drop(all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_that_fits_is_taken() {
        let shelf = Shelf::new(3);
        [1, 2, 3].into_iter().for_each(|one| shelf.put(one));
        assert_eq!(shelf.take(|one| one % 2 == 1, |_| true), Some(3));
        assert_eq!(shelf.take(|one| *one > 2, |_| true), Some(1));
        assert_eq!(shelf.take(|one| *one > 2, |_| false), None);
    }

    #[test]
    fn what_finds_no_place_is_dropped() {
        let (shelf, one) = (Shelf::new(2), std::sync::Arc::new(()));
        (0..5).for_each(|_| shelf.put(one.clone()));
        assert!(!shelf.has_room());
        assert_eq!(std::sync::Arc::strong_count(&one), 3);
        shelf.clear();
        assert!(shelf.has_room());
        assert_eq!(std::sync::Arc::strong_count(&one), 1);
    }
}
