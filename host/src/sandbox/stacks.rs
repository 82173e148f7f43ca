//! Native stacks of guests, kept mapped and wiped between guests as [`super::memories`] are.
//!
//! Given to the engine as its `StackCreator`. Guarantees: a new stack is all zeros, whoever had it before; what overflows it faults;
//! there are never more than a fixed number, and so of guests, each of which has one.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::{StackCreator, StackMemory};

use super::memories::NO_ROOM;
use super::pages::{PAGE_BYTES, Pages};
use super::shelf::Shelf;
use super::wiper::Wiper;

/// The top of a stack, of which touched pages stay with the host: most guests use less. More goes back to the kernel at once.
const KEPT_BYTES: usize = 128 << 10;

/// Makes stacks, and has them back.
#[derive(Debug)]
pub(super) struct Stacks {
    wiper: Arc<Wiper>,
    shelf: Shelf<Mapping>,
    /// Stacks that guests have, and the most of them.
    taken: AtomicUsize,
    most: usize,
}

/// Addresses of one stack: closed ones, and what is above them.
#[derive(Debug)]
struct Mapping {
    pages: Pages,
    bytes: usize,
}

impl Mapping {
    fn map(bytes: usize) -> std::io::Result<Self> {
        let all = PAGE_BYTES + bytes;
        let one = Self { pages: Pages::reserve(all, all.saturating_sub(KEPT_BYTES))?, bytes };
        one.pages.open(one.stack())?;
        Ok(one)
    }

    fn stack(&self) -> Range<usize> {
        PAGE_BYTES..PAGE_BYTES + self.bytes
    }

    fn wipe(&self, wiper: &Wiper) -> std::io::Result<()> {
        let stack = self.stack();
        let kept = stack.end.saturating_sub(KEPT_BYTES)..stack.end;
        wiper.wipe(&self.pages, stack, &kept)
    }
}

impl Stacks {
    pub(super) const fn new(wiper: Arc<Wiper>, kept: usize, most: usize) -> Self {
        Self { wiper, shelf: Shelf::new(kept), taken: AtomicUsize::new(0), most }
    }

    /// Gives all that no guest has back to the kernel.
    pub(super) fn clear(&self) {
        self.shelf.clear();
    }

    fn mapping(&self, bytes: usize) -> std::io::Result<Mapping> {
        let kept = self.shelf.take(|one| one.bytes == bytes, |_| false);
        kept.map_or_else(|| Mapping::map(bytes), Ok)
    }

    /// Whether there is room for one more, which is then taken.
    fn take_room(&self) -> bool {
        let more = |taken| (taken < self.most).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn put(&self, mapping: Mapping) {
        if !self.shelf.has_room() {
            return;
        }
        match mapping.wipe(&self.wiper) {
            Ok(()) => self.shelf.put(mapping),
            Err(error) => tracing::debug!(%error, "a guest's stack is not used again"),
        }
    }
}

/// What the engine asks for stacks.
#[derive(Debug, Clone)]
pub(super) struct Creator(pub(super) Arc<Stacks>);

#[expect(unsafe_code, reason = "the engine asks for it")]
// SAFETY: a stack is whole pages of zeros above closed ones, and nobody but its owner has it.
unsafe impl StackCreator for Creator {
    fn new_stack(&self, bytes: usize, _zeroed: bool) -> wasmtime::Result<Box<dyn StackMemory>> {
        if !self.0.take_room() {
            wasmtime::bail!("{NO_ROOM}: {} have their stacks already", self.0.most);
        }
        let mut stack = Stack { mapping: None, stacks: self.0.clone() };
        stack.mapping = Some(self.0.mapping(bytes.next_multiple_of(PAGE_BYTES))?);
        Ok(Box::new(stack))
    }
}

/// One guest's, who has its room.
struct Stack {
    /// There until it is given back.
    mapping: Option<Mapping>,
    stacks: Arc<Stacks>,
}

impl Stack {
    fn at(&self, offset: impl Fn(&Mapping) -> usize) -> *mut u8 {
        self.mapping.as_ref().map_or(std::ptr::null_mut(), |mapping| mapping.pages.at(offset(mapping)))
    }
}

#[expect(unsafe_code, reason = "the engine asks for it")]
// SAFETY: as its creator says.
unsafe impl StackMemory for Stack {
    fn top(&self) -> *mut u8 {
        self.at(|mapping| mapping.stack().end)
    }

    fn range(&self) -> Range<usize> {
        self.at(|mapping| mapping.stack().start).addr()..self.top().addr()
    }

    fn guard_range(&self) -> Range<*mut u8> {
        self.at(|_| 0)..self.at(|mapping| mapping.stack().start)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Some(mapping) = self.mapping.take() {
            self.stacks.put(mapping);
        }
        self.stacks.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 1 << 20;

    #[expect(unsafe_code, reason = "looking at a stack of our own")]
    fn bytes(stack: &mut dyn StackMemory) -> &mut [u8] {
        let range = stack.range();
        // SAFETY: all of it is open, and nobody runs on it.
        unsafe { std::slice::from_raw_parts_mut(stack.top().wrapping_sub(range.len()), range.len()) }
    }

    #[test]
    fn a_stack_is_zeros_whoever_had_it_before() {
        let creator = Creator(Arc::new(Stacks::new(Arc::new(Wiper::new()), 1, 2)));
        let first = creator.new_stack(BYTES, true).unwrap().range();
        for _ in 0..3 {
            let mut one = creator.new_stack(BYTES, true).unwrap();
            assert_eq!(one.range(), first, "it is used again");
            assert!(bytes(one.as_mut()).iter().all(|byte| *byte == 0));
            bytes(one.as_mut()).fill(0xA7);
        }
        assert_ne!(creator.new_stack(2 * BYTES, true).unwrap().range(), first);
    }

    #[test]
    fn there_are_never_more_than_a_host_has_guests() {
        let creator = Creator(Arc::new(Stacks::new(Arc::new(Wiper::new()), 1, 2)));
        for _ in 0..3 {
            let two = [creator.new_stack(BYTES, true), creator.new_stack(BYTES, true)];
            assert!(two.iter().all(Result::is_ok));
            let Err(refusal) = creator.new_stack(BYTES, true) else { panic!("a third") };
            assert!(refusal.to_string().starts_with(NO_ROOM));
        }
    }

    #[test]
    fn what_is_below_is_guarded() {
        let creator = Creator(Arc::new(Stacks::new(Arc::new(Wiper::new()), 1, 2)));
        let one = creator.new_stack(BYTES, true).unwrap();
        let guard = one.guard_range();
        assert_eq!(guard.end.addr(), one.range().start);
        assert_eq!(guard.end.addr() - guard.start.addr(), PAGE_BYTES);
    }
}
