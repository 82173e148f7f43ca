//! Addresses of this process that are kept for one guest after the other. Nothing stands behind them but memory that the kernel gives when it
//! is touched first.
//!
//! Used by [`super::memories`] and [`super::stacks`]. Guarantees: what is not opened faults; what was never touched, or was given back, reads
//! as zeros. That nobody uses a part while it is closed, wiped or given back is up to who owns it.

use std::io;
use std::ops::Range;
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};

/// The smallest unit of memory here: what is opened and closed is a multiple. It is one of every kernel's pages, which have 4 to 64 KiB, and
/// WebAssembly's own.
pub(super) const PAGE_BYTES: usize = 64 * 1024;

/// What one table of the lowest level of the kernel's page tables stands for, on machines with pages of 4 KiB. The kernel looks through all of a table
/// that is there, and passes by one that is not.
const TABLE_BYTES: usize = 2 << 20;

/// One range of addresses. All parts are offsets into it.
#[derive(Debug)]
pub(super) struct Pages {
    start: NonNull<u8>,
    bytes: usize,
    /// What was asked of the kernel: `start` lies in it.
    mapped: NonNull<u8>,
    mapped_bytes: usize,
}

#[expect(unsafe_code, reason = "they are owned like a box")]
// SAFETY: the addresses belong to the one owner of this, on whichever thread.
unsafe impl Send for Pages {}
#[expect(unsafe_code, reason = "as above")]
// SAFETY: what changes them through a shared reference is asked for by their owner only.
unsafe impl Sync for Pages {}

impl Pages {
    /// So many addresses, all closed. Those from `seam` on begin a table of their own, so that who asks which of all were touched does not wait
    /// for the ones before, if none of them was.
    ///
    /// # Errors
    /// What the kernel says where there is no room.
    pub(super) fn reserve(bytes: usize, seam: usize) -> io::Result<Self> {
        let mapped_bytes = bytes.checked_add(TABLE_BYTES).ok_or(io::ErrorKind::OutOfMemory)?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        #[expect(unsafe_code, reason = "mapping nothing")]
        // SAFETY: the kernel chooses addresses that nobody has.
        let mapped = unsafe { mmap_anonymous(std::ptr::null_mut(), mapped_bytes, ProtFlags::empty(), flags) }?;
        let mapped = NonNull::new(mapped.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        let seam = mapped.addr().get().wrapping_add(seam);
        let lead = seam.next_multiple_of(TABLE_BYTES) - seam;
        let start = NonNull::new(mapped.as_ptr().wrapping_add(lead)).ok_or(io::ErrorKind::OutOfMemory)?;
        let pages = Self { start, bytes, mapped, mapped_bytes };
        pages.advise_no_huge_pages();
        Ok(pages)
    }

    /// A huge page would give a guest of a few pages 2 MiB to be wiped. All that was mapped gets the advice: for the kernel it stays one mapping.
    fn advise_no_huge_pages(&self) {
        #[expect(unsafe_code, reason = "advice on our own addresses")]
        // SAFETY: they are ours, and the advice changes no bytes.
        let advised = unsafe { madvise(self.mapped.as_ptr().cast(), self.mapped_bytes, Advice::LinuxNoHugepage) };
        if let Err(error) = advised {
            tracing::trace!(%error, "a kernel without huge pages does not know the advice");
        }
    }

    /// Where an offset lies. One beyond the end lies at the end.
    pub(super) fn at(&self, offset: usize) -> *mut u8 {
        self.start.as_ptr().wrapping_add(offset.min(self.bytes))
    }

    fn within(&self, part: &Range<usize>) -> io::Result<()> {
        if part.start <= part.end && part.end <= self.bytes { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }

    /// Lets a part be read and written.
    ///
    /// # Errors
    /// What the kernel says, mostly that there are too many mappings.
    pub(super) fn open(&self, part: Range<usize>) -> io::Result<()> {
        self.protect(part, MprotectFlags::READ | MprotectFlags::WRITE)
    }

    /// Lets every access to a part fault.
    ///
    /// # Errors
    /// As for [`Pages::open`].
    pub(super) fn close(&self, part: Range<usize>) -> io::Result<()> {
        self.protect(part, MprotectFlags::empty())
    }

    fn protect(&self, part: Range<usize>, access: MprotectFlags) -> io::Result<()> {
        self.within(&part)?;
        if part.is_empty() {
            return Ok(());
        }
        #[expect(unsafe_code, reason = "the access to our own addresses")]
        // SAFETY: the part is ours, and its owner does not use what it closes.
        unsafe { mprotect(self.at(part.start).cast(), part.len(), access) }.map_err(Into::into)
    }

    /// Gives the memory behind a part back to the kernel: it reads as zeros from then on.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn give_back(&self, part: Range<usize>) -> io::Result<()> {
        self.within(&part)?;
        if part.is_empty() {
            return Ok(());
        }
        #[expect(unsafe_code, reason = "advice on our own addresses")]
        // SAFETY: the part is ours, and nobody relies on its bytes any more.
        unsafe { madvise(self.at(part.start).cast(), part.len(), Advice::LinuxDontNeed) }.map_err(Into::into)
    }

    /// Writes zeros over a part that is open.
    ///
    /// # Errors
    /// When it is not a part.
    pub(super) fn zero(&self, part: Range<usize>) -> io::Result<()> {
        self.within(&part)?;
        #[expect(unsafe_code, reason = "writing to our own addresses")]
        // SAFETY: the part is ours and open, and no reference to it is left.
        unsafe {
            std::ptr::write_bytes(self.at(part.start), 0, part.len());
        }
        Ok(())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "the end of the mapping")]
        // SAFETY: it is ours, and nobody has it any more.
        let ended = unsafe { munmap(self.mapped.as_ptr().cast(), self.mapped_bytes) };
        debug_assert!(ended.is_ok(), "a mapping of our own can be ended");
    }
}
