//! How many requests one attempt has open: a seat is taken before a request begins, and left once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The open requests of one attempt.
#[derive(Debug, Clone, Default)]
pub(crate) struct Open(Arc<AtomicU32>);

#[derive(Debug)]
struct Place {
    open: Open,
    left: AtomicBool,
}

/// A request's seat. It is free again as soon as either side of the request, the guest's or the network's, drops its clone.
#[derive(Debug, Clone)]
pub(crate) struct Seat(Arc<Place>);

impl Open {
    /// A seat, if fewer than `max` are taken.
    pub(crate) fn sit_down(&self, max: u32) -> Option<Seat> {
        let free = |taken: u32| (taken < max).then_some(taken.saturating_add(1));
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).ok()?;
        Some(Seat(Arc::new(Place { open: self.clone(), left: AtomicBool::new(false) })))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.0.left.swap(true, Ordering::AcqRel) {
            self.0.open.0.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_left_once_by_whoever_goes_first() {
        let open = Open::default();
        let first = open.sit_down(2).unwrap();
        let (second, other_side) = (open.sit_down(2).unwrap(), first.clone());
        assert!(open.sit_down(2).is_none());
        drop(first);
        let third = open.sit_down(2).unwrap();
        drop(other_side);
        assert!(open.sit_down(2).is_none(), "it was left before");
        drop((second, third));
        assert_eq!(open.0.load(Ordering::Acquire), 0);
    }
}
