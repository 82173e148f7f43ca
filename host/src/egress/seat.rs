//! How many requests one attempt has open: a seat is taken before a request begins, and left when the guest has its error or the end of
//! its answer, or lets go of it. An answer that nobody reads keeps its seat, since the host keeps pieces of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The open requests of one attempt.
#[derive(Debug, Clone, Default)]
pub(crate) struct Open(Arc<AtomicU32>);

/// A request's seat; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Seat(Open);

impl Open {
    /// A seat, if fewer than `max` are taken.
    pub(crate) fn sit_down(&self, max: u32) -> Option<Seat> {
        let free = |taken: u32| (taken < max).then_some(taken.saturating_add(1));
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).ok()?;
        Some(Seat(self.clone()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_seats_and_they_come_back() {
        let open = Open::default();
        let (first, second) = (open.sit_down(2).unwrap(), open.sit_down(2).unwrap());
        assert!(open.sit_down(2).is_none());
        drop(first);
        let third = open.sit_down(2).unwrap();
        assert!(open.sit_down(2).is_none());
        drop((second, third));
        assert_eq!(open.0.load(Ordering::Acquire), 0);
    }
}
