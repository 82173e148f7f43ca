//! How long a thread may have a processor before the kernel looks whether another should.
//!
//! Called by `taskctl` before its roles start threads, which inherit it, and by a host's threads for guests. Of two threads with equal
//! rights the one with the shorter slice has its turn sooner when it wakes, and neither gets more time in all: Linux's scheduler EEVDF,
//! since 6.12 (`sched_setattr(2)`, `sched_runtime`). Earlier kernels take the value and do nothing with it.

use std::io;
use std::mem::size_of;
use std::time::Duration;

/// For threads that answer: they run for microseconds, and wake often. 0.3 ms; the kernel's own choice is about 3 ms.
pub const ANSWERS: Duration = Duration::from_micros(300);
/// For threads that do nothing but wake, so that the kernel looks who should have their processor. 0.1 ms is the shortest that it takes.
pub const LOOKS: Duration = Duration::from_micros(100);
/// For threads that compute for as long as they may. 100 ms is the longest that the kernel takes.
pub const COMPUTES: Duration = Duration::from_millis(100);

/// `struct sched_attr` of Linux, as of 5.3.
#[repr(C)]
#[derive(Debug, Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
    util_min: u32,
    util_max: u32,
}

/// This thread's slice; zero where the kernel does not tell.
///
/// # Errors
/// When the kernel refuses to answer.
pub fn get() -> io::Result<Duration> {
    read().map(|attributes| Duration::from_nanos(attributes.runtime))
}

/// Sets this thread's slice, and that of threads and processes that it starts from now on. Its priority stays.
///
/// # Errors
/// When the kernel or a filter of system calls refuses.
pub fn set(slice: Duration) -> io::Result<()> {
    let attributes =
        Attributes { runtime: u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX), deadline: 0, period: 0, ..read()? };
    write(&attributes)
}

#[expect(unsafe_code, reason = "libc has no function for this call")]
fn read() -> io::Result<Attributes> {
    let mut attributes = Attributes::default();
    // SAFETY: the structure is as long as is said, and is the kernel's to fill during the call; thread 0 is this one.
    let answer =
        unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size_of::<Attributes>(), 0_u32) };
    if answer == 0 { Ok(attributes) } else { Err(io::Error::last_os_error()) }
}

#[expect(unsafe_code, reason = "libc has no function for this call")]
fn write(attributes: &Attributes) -> io::Result<()> {
    // SAFETY: the structure carries its own length and is only read during the call; thread 0 is this one.
    let answer = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const *attributes, 0_u32) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kernels before 6.12 do not keep it.
    #[test]
    fn a_thread_keeps_its_slice_and_hands_it_on() {
        let one = std::thread::spawn(|| {
            set(COMPUTES).unwrap();
            let kept = get().unwrap();
            (kept, std::thread::spawn(|| get().unwrap()).join().unwrap())
        });
        let (kept, handed_on) = one.join().unwrap();
        assert_eq!(kept, handed_on);
        assert!(kept == COMPUTES || kept == Duration::ZERO, "{kept:?}");
    }
}
