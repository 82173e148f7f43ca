//! Wiping what a guest has touched, and nothing else: the kernel says which pages those are.
//!
//! Used by [`super::memories`] and [`super::stacks`]. Guarantees: after [`Wiper::wipe`] every byte of the part is zero. A page that holds something
//! has an entry in the page table, and each entry is present, swapped out or under way from one place to another, which the kernel tells as
//! swapped (`pagemap_page_category` in its `fs/proc/task_mmu.rs`; the mapping is private and no file's, so a page without an entry is zeros).
//! Both are asked for. Where the kernel cannot tell (before Linux 6.7), or something is odd, all of the part is given back instead.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd as _;

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, opcode};

use super::pages::Pages;

/// Touched ranges that one question answers.
const RANGES_MAX: usize = 64;

/// Categories of pages in the kernel's interface (`include/uapi/linux/fs.h`).
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4;
/// The kernel's own page of zeros, which a guest has read and not written.
const ZEROS: u64 = 1 << 5;

/// `struct page_region`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Touched {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg`, with room for the answer.
#[repr(C)]
#[derive(Debug, Default)]
struct Question {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `PAGEMAP_SCAN`.
struct Scan<'a>(&'a mut Question);

#[expect(unsafe_code, reason = "an ioctl that the library has no name for")]
// SAFETY: the kernel reads the question, writes its `walk_end`, and at most `vec_len` ranges to where `vec` says; see `touched`.
unsafe impl Ioctl for Scan<'_> {
    type Output = usize;

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<Question>(b'f', 16)
    }

    fn as_ptr(&mut self) -> *mut rustix::ffi::c_void {
        std::ptr::from_mut(self.0).cast()
    }

    unsafe fn output_from_ptr(answer: IoctlOutput, _: *mut rustix::ffi::c_void) -> rustix::io::Result<usize> {
        // How many ranges there are.
        usize::try_from(answer).map_err(|_| rustix::io::Errno::INVAL)
    }
}

/// Wipes; shared by all mappings of an engine.
#[derive(Debug)]
pub(super) struct Wiper {
    /// What the kernel tells of this process's pages; none where it does not.
    pagemap: Option<File>,
}

impl Wiper {
    pub(super) fn new() -> Self {
        let wiper = Self { pagemap: File::open("/proc/self/pagemap").ok() };
        let mut found = [Touched::default(); RANGES_MAX];
        let can_tell = wiper.touched(0..0, &mut found).is_ok();
        if !can_tell {
            tracing::debug!("this kernel does not tell which pages guests have touched: all of them go back to it");
        }
        Self { pagemap: wiper.pagemap.filter(|_| can_tell) }
    }

    /// One that asks nobody.
    #[cfg(test)]
    pub(super) const fn blind() -> Self {
        Self { pagemap: None }
    }

    /// Makes every byte of a part zero that is open and that nobody uses. What lies in `kept` stays with this process, what lies elsewhere goes
    /// back to the kernel.
    ///
    /// # Errors
    /// What the kernel says; then the mapping must not be used again.
    pub(super) fn wipe(&self, pages: &Pages, part: Range<usize>, kept: &Range<usize>) -> io::Result<()> {
        match self.write_zeros(pages, part.clone(), kept) {
            Ok(Elsewhere::Untouched) => Ok(()),
            Ok(Elsewhere::Touched) => {
                pages.give_back(part.start..kept.start.clamp(part.start, part.end))?;
                pages.give_back(kept.end.clamp(part.start, part.end)..part.end)
            }
            Err(_) => pages.give_back(part),
        }
    }

    fn write_zeros(&self, pages: &Pages, part: Range<usize>, kept: &Range<usize>) -> io::Result<Elsewhere> {
        let (mut at, mut elsewhere) = (part.start, Elsewhere::Untouched);
        while at < part.end {
            let mut found = [Touched::default(); RANGES_MAX];
            let base = pages.at(0).addr();
            let (count, reached) = self.touched(base + at..base + part.end, &mut found)?;
            for one in found.iter().take(count) {
                let touched = offset(one.start, base)?..offset(one.end, base)?;
                let inside = touched.start.max(kept.start)..touched.end.min(kept.end);
                if inside != touched {
                    elsewhere = Elsewhere::Touched;
                }
                if !inside.is_empty() {
                    pages.zero(inside)?;
                }
            }
            let reached = reached.saturating_sub(base);
            if reached <= at {
                return Err(io::ErrorKind::InvalidData.into());
            }
            at = reached;
        }
        Ok(elsewhere)
    }

    /// Ranges of addresses that hold something: how many, and up to which address they are all.
    fn touched(&self, addresses: Range<usize>, found: &mut [Touched; RANGES_MAX]) -> io::Result<(usize, usize)> {
        let pagemap = self.pagemap.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        let mut question = Question {
            size: size_of::<Question>() as u64,
            start: addresses.start as u64,
            end: addresses.end as u64,
            vec: found.as_mut_ptr().expose_provenance() as u64,
            vec_len: RANGES_MAX as u64,
            category_inverted: ZEROS,
            category_mask: ZEROS,
            category_anyof_mask: PRESENT | SWAPPED,
            return_mask: PRESENT | SWAPPED,
            ..Question::default()
        };
        #[expect(unsafe_code, reason = "asking the kernel")]
        // SAFETY: `found` has room for `vec_len` ranges and lives until the answer.
        let count = unsafe { rustix::ioctl::ioctl(pagemap.as_fd(), Scan(&mut question)) }?;
        Ok((count.min(RANGES_MAX), usize::try_from(question.walk_end).unwrap_or(0)))
    }
}

/// Whether something outside of what is kept was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    Untouched,
    Touched,
}

fn offset(address: u64, base: usize) -> io::Result<usize> {
    usize::try_from(address).ok().and_then(|address| address.checked_sub(base)).ok_or(io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::super::pages::PAGE_BYTES;
    use super::*;

    /// Pages of the mapping that is wiped: more ranges than one answer has room for.
    const PAGES: usize = 4 * RANGES_MAX;

    fn opened() -> Pages {
        let pages = Pages::reserve(PAGES * PAGE_BYTES, PAGES / 3 * PAGE_BYTES).unwrap();
        pages.open(0..PAGES * PAGE_BYTES).unwrap();
        pages
    }

    #[expect(unsafe_code, reason = "looking at our own addresses")]
    fn bytes(pages: &Pages) -> &[u8] {
        // SAFETY: all of it is open, and nobody writes to it while it is looked at.
        unsafe { std::slice::from_raw_parts(pages.at(0), PAGES * PAGE_BYTES) }
    }

    /// Writes over one page.
    #[expect(unsafe_code, reason = "writing to our own addresses")]
    fn stain(pages: &Pages, page: usize) {
        // SAFETY: all of it is open, and nobody looks at it meanwhile.
        unsafe { std::ptr::write_bytes(pages.at(page * PAGE_BYTES), 0xA7, PAGE_BYTES) }
    }

    /// Whether all of it is zeros after every `step`th page was written and it was wiped.
    fn is_wiped(wiper: &Wiper, step: usize, kept: Range<usize>) -> bool {
        let pages = opened();
        (0..PAGES).step_by(step).for_each(|page| stain(&pages, page));
        wiper.wipe(&pages, 0..PAGES * PAGE_BYTES, &(kept.start * PAGE_BYTES..kept.end * PAGE_BYTES)).unwrap();
        bytes(&pages).iter().all(|byte| *byte == 0)
    }

    #[test]
    fn whatever_was_touched_is_zeros() {
        for wiper in [Wiper::new(), Wiper::blind()] {
            for step in [1, 2, 3, 7, PAGES] {
                for kept in [0..PAGES, 0..PAGES / 2, PAGES / 2..PAGES, PAGES / 4..PAGES / 2, 0..0] {
                    assert!(is_wiped(&wiper, step, kept.clone()), "{wiper:?}, every {step}th, {kept:?} kept");
                }
            }
        }
    }

    fn resident(wiper: &Wiper, pages: &Pages) -> usize {
        let (base, mut found) = (pages.at(0).addr(), [Touched::default(); RANGES_MAX]);
        let (count, _) = wiper.touched(base..base + PAGES * PAGE_BYTES, &mut found).unwrap();
        let bytes: u64 = found.iter().take(count).map(|one| one.end - one.start).sum();
        usize::try_from(bytes).unwrap() / PAGE_BYTES
    }

    /// Kernels before 6.7 cannot tell, and keep nothing.
    #[test]
    fn what_is_kept_stays_and_the_rest_goes_back() {
        let wiper = Wiper::new();
        if wiper.pagemap.is_none() {
            return;
        }
        let (pages, half) = (opened(), PAGES / 2 * PAGE_BYTES);
        (0..PAGES).for_each(|page| stain(&pages, page));
        wiper.wipe(&pages, 0..PAGES * PAGE_BYTES, &(0..half)).unwrap();
        assert_eq!(resident(&wiper, &pages), PAGES / 2);
    }

    #[test]
    fn what_was_only_read_costs_nothing() {
        let wiper = Wiper::new();
        if wiper.pagemap.is_none() {
            return;
        }
        let pages = opened();
        assert!(bytes(&pages).iter().all(|byte| *byte == 0));
        assert_eq!(resident(&wiper, &pages), 0);
    }
}
