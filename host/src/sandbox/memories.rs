//! Linear memories of guests whose data is copied into place: kept mapped, wiped between guests.
//!
//! Given to the engine as its `MemoryCreator`. The engine's own pool maps a module's data as a file, which each guest's pages are copied from one
//! by one, and gives all of them back to the kernel at its end: on several threads of one process, each of these interrupts the other processors.
//! A memory of this kind is touched once and stays; what a guest has written is written over with zeros.
//!
//! Guarantees: a new memory is all zeros, whoever had it before; every access beyond its size faults, over all addresses that a guest can name,
//! and as far again below as a compiler's mistake could reach; it never moves.

use std::io;
use std::sync::Arc;

use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

use super::pages::Pages;
use super::shelf::Shelf;
use super::wiper::Wiper;

/// The part of a memory, from its beginning, of which touched pages stay with the host. More goes back to the kernel at once.
const KEPT_BYTES: usize = 4 << 20;
/// Where a guest's memory mostly begins to be touched: compilers for WebAssembly put its stack of 1 MiB first, which is used from its end.
const SEAM_BYTES: usize = 960 << 10;
/// How a refusal begins for which there is no room in this host: no fault of the guest's.
pub(crate) const NO_ROOM: &str = "no room for a guest";

/// Makes memories, and has them back.
#[derive(Debug)]
pub(super) struct Memories {
    wiper: Arc<Wiper>,
    shelf: Shelf<Mapping>,
    /// Most bytes of one memory.
    bytes_max: usize,
}

/// What one memory needs of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    /// All that a guest can name; a multiple of a page.
    reserved: usize,
    /// Closed, before and after.
    guard: usize,
}

/// Addresses of one memory.
#[derive(Debug)]
struct Mapping {
    pages: Pages,
    layout: Layout,
    /// Bytes from its beginning that are open.
    open: usize,
}

impl Mapping {
    fn map(layout: Layout) -> io::Result<Self> {
        let bytes = layout.guard.checked_add(layout.reserved).and_then(|bytes| bytes.checked_add(layout.guard));
        let pages = Pages::reserve(bytes.ok_or(io::ErrorKind::OutOfMemory)?, layout.guard.saturating_add(SEAM_BYTES))?;
        Ok(Self { pages, layout, open: 0 })
    }

    /// Opens so many bytes, and no more.
    fn resize(&mut self, bytes: usize) -> io::Result<()> {
        let base = self.layout.guard;
        if bytes > self.layout.reserved {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        if bytes > self.open {
            self.pages.open(base + self.open..base + bytes)?;
        } else {
            self.pages.close(base + bytes..base + self.open)?;
        }
        self.open = bytes;
        Ok(())
    }

    fn wipe(&self, wiper: &Wiper) -> io::Result<()> {
        let base = self.layout.guard;
        wiper.wipe(&self.pages, base..base + self.open, &(base..base + KEPT_BYTES))
    }
}

impl Memories {
    pub(super) const fn new(wiper: Arc<Wiper>, kept: usize, bytes_max: usize) -> Self {
        Self { wiper, shelf: Shelf::new(kept), bytes_max }
    }

    /// Gives all that no guest has back to the kernel.
    pub(super) fn clear(&self) {
        self.shelf.clear();
    }

    fn mapping(&self, layout: Layout, bytes: usize) -> io::Result<Mapping> {
        let is_alike = |one: &Mapping| one.layout == layout;
        let kept = self.shelf.take(|one| is_alike(one) && one.open == bytes, is_alike);
        let mut mapping = kept.map_or_else(|| Mapping::map(layout), Ok)?;
        mapping.resize(bytes)?;
        Ok(mapping)
    }

    /// Has back what a guest had, which was born with so many bytes.
    fn put(&self, mut mapping: Mapping, born_with: usize) {
        if !self.shelf.has_room() {
            return;
        }
        match mapping.wipe(&self.wiper).and_then(|()| mapping.resize(born_with)) {
            Ok(()) => self.shelf.put(mapping),
            Err(error) => tracing::debug!(%error, "a guest's memory is not used again"),
        }
    }
}

/// What the engine asks for memories.
#[derive(Debug, Clone)]
pub(super) struct Creator(pub(super) Arc<Memories>);

#[expect(unsafe_code, reason = "the engine asks for it")]
// SAFETY: a memory is zeros, reserved and guarded as the engine says, and nobody but its owner has it; see `Mapping` and `Wiper`.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let memories = self.0.clone();
        let layout = Layout { reserved: reserved.unwrap_or(memories.bytes_max), guard };
        if minimum > memories.bytes_max {
            return Err(format!("a memory of {minimum} bytes is larger than this host gives ({})", memories.bytes_max));
        }
        let mapping = memories.mapping(layout, minimum).map_err(|error| format!("{NO_ROOM}: {error}"))?;
        Ok(Box::new(Memory { mapping: Some(mapping), born_with: minimum, memories }))
    }
}

/// One guest's.
struct Memory {
    /// There until it is given back.
    mapping: Option<Mapping>,
    born_with: usize,
    memories: Arc<Memories>,
}

#[expect(unsafe_code, reason = "the engine asks for it")]
// SAFETY: its beginning is a page's, its end is guarded, and it never moves.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.mapping.as_ref().map_or(0, |mapping| mapping.open)
    }

    fn byte_capacity(&self) -> usize {
        self.mapping.as_ref().map_or(0, |mapping| mapping.layout.reserved)
    }

    fn grow_to(&mut self, bytes: usize) -> wasmtime::Result<()> {
        let Some(mapping) = self.mapping.as_mut() else { return Err(wasmtime::format_err!("it has ended")) };
        if bytes > self.memories.bytes_max {
            wasmtime::bail!("a memory of {bytes} bytes is larger than this host gives ({})", self.memories.bytes_max);
        }
        Ok(mapping.resize(bytes)?)
    }

    fn as_ptr(&self) -> *mut u8 {
        self.mapping.as_ref().map_or(std::ptr::null_mut(), |mapping| mapping.pages.at(mapping.layout.guard))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(mapping) = self.mapping.take() {
            self.memories.put(mapping, self.born_with);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout { reserved: 64 << 20, guard: 1 << 16 };
    const BYTES: usize = 1 << 20;

    fn memories(kept: usize) -> Arc<Memories> {
        Arc::new(Memories::new(Arc::new(Wiper::new()), kept, 32 << 20))
    }

    fn memory(memories: &Arc<Memories>, bytes: usize) -> Memory {
        let mapping = memories.mapping(LAYOUT, bytes).unwrap();
        Memory { mapping: Some(mapping), born_with: bytes, memories: memories.clone() }
    }

    #[expect(unsafe_code, reason = "looking at a memory of our own")]
    fn bytes(memory: &mut Memory) -> &mut [u8] {
        // SAFETY: so many bytes are open, and nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(memory.as_ptr(), memory.byte_size()) }
    }

    /// The access to the page at an address, as the kernel tells.
    fn access(address: usize) -> String {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let of = |line: &str| {
            let (range, rest) = line.split_once(' ').unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let number = |text| usize::from_str_radix(text, 16).unwrap();
            (number(start)..number(end)).contains(&address).then(|| rest[..4].to_owned())
        };
        maps.lines().find_map(of).unwrap_or_default()
    }

    #[test]
    fn a_memory_is_zeros_whoever_had_it_before() {
        let memories = memories(1);
        let first = memory(&memories, BYTES).as_ptr();
        for (born_with, grown) in [(BYTES, BYTES), (BYTES, 9 << 20), (2 * BYTES, 3 * BYTES), (BYTES, 2 * BYTES)] {
            let mut one = memory(&memories, born_with);
            assert_eq!(one.as_ptr(), first, "it is used again");
            assert!(bytes(&mut one).iter().all(|byte| *byte == 0));
            one.grow_to(grown).unwrap();
            assert!(bytes(&mut one).iter().all(|byte| *byte == 0));
            bytes(&mut one).fill(0x5C);
        }
    }

    #[test]
    fn what_is_beyond_its_size_cannot_be_read() {
        let memories = memories(1);
        let base = memory(&memories, BYTES).as_ptr().addr();
        for (born_with, grown) in [(BYTES, 2 * BYTES), (BYTES, 3 * BYTES), (4 * BYTES, 5 * BYTES), (BYTES, BYTES)] {
            let mut one = memory(&memories, born_with);
            assert_eq!(one.as_ptr().addr(), base);
            one.grow_to(grown).unwrap();
            for closed in [base - 1, base - LAYOUT.guard, base + grown, base + LAYOUT.reserved + LAYOUT.guard - 1] {
                assert_eq!(access(closed), "---p", "{grown} bytes, at {}", closed.wrapping_sub(base));
            }
            for open in [base, base + grown - 1] {
                assert_eq!(access(open), "rw-p");
            }
        }
    }

    #[test]
    fn it_does_not_grow_beyond_what_a_host_gives() {
        let memories = memories(1);
        let mut one = memory(&memories, BYTES);
        assert!(one.grow_to(memories.bytes_max + 1).is_err());
        assert_eq!(one.byte_size(), BYTES);
        assert!(memories.mapping(LAYOUT, LAYOUT.reserved + 1).is_err());
    }

    #[test]
    fn those_that_are_too_many_end() {
        let memories = memories(2);
        let all: Vec<Memory> = (0..5).map(|_| memory(&memories, BYTES)).collect();
        let addresses: Vec<usize> = all.iter().map(|one| one.as_ptr().addr()).collect();
        drop(all);
        let mapped = || addresses.iter().filter(|address| access(**address) == "rw-p").count();
        assert_eq!(mapped(), 2);
        memories.clear();
        assert_eq!(mapped(), 0);
    }
}
