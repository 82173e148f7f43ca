//! What this kernel and machine offer, for `taskctl doctor`. Looks only; nothing is changed.

use std::path::Path;

use rustix::process::{Resource, getrlimit};

/// Version query of `landlock_create_ruleset`.
const LANDLOCK_VERSION: u32 = 1;
/// `PAGEMAP_SCAN` of `/proc/self/pagemap`.
const PAGEMAP_SCAN: libc::Ioctl = 0xc060_6610_u32 as libc::Ioctl;

/// The version of Landlock's interface; `None` where there is none.
#[must_use]
#[expect(unsafe_code, reason = "libc has no function for this call")]
pub fn landlock_abi() -> Option<i64> {
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the kernel reads no memory and makes nothing; it answers a number.
    let abi = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, LANDLOCK_VERSION) };
    (abi > 0).then_some(abi)
}

/// Whether filters of system calls can be installed.
#[must_use]
pub fn has_seccomp() -> bool {
    std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").is_ok_and(|actions| actions.contains("errno"))
}

/// Whether a process without privileges may make a user namespace, as far as the settings tell.
#[must_use]
pub fn has_user_namespaces() -> bool {
    let most = number("/proc/sys/user/max_user_namespaces").unwrap_or(0);
    let is_allowed = number("/proc/sys/kernel/unprivileged_userns_clone").is_none_or(|allowed| allowed != 0);
    let is_confined = number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1);
    most > 0 && is_allowed && !is_confined
}

/// Whether the kernel can tell which pages a guest wrote (Linux 6.7).
#[must_use]
#[expect(unsafe_code, reason = "asking the kernel whether it knows an ioctl")]
pub fn has_pagemap_scan() -> bool {
    use std::os::fd::AsRawFd as _;
    let Ok(file) = std::fs::File::open("/proc/self/pagemap") else { return false };
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: a null argument makes it fail with EFAULT where it is known, and with ENOTTY where it is not.
    let answer = unsafe { libc::ioctl(file.as_raw_fd(), PAGEMAP_SCAN, nothing) };
    answer == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}

/// Descriptors that this process may have open at most; `None` for any number.
#[must_use]
pub fn open_files_max() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Mappings that one process may have.
#[must_use]
pub fn max_map_count() -> Option<u64> {
    number("/proc/sys/vm/max_map_count")
}

/// 0 heuristic, 1 always, 2 never more than there is.
#[must_use]
pub fn overcommit() -> Option<u64> {
    number("/proc/sys/vm/overcommit_memory")
}

/// Whether there is swap space in use, where a guest's memory could be written to a disk.
#[must_use]
pub fn has_swap() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|text| text.lines().count() > 1)
}

/// `memory.max` of this process's control group or of one above it, in bytes; `None` where there is no limit.
#[must_use]
pub fn memory_max() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let root = Path::new("/sys/fs/cgroup");
    let mine = root.join(group.trim_start_matches('/'));
    let above = mine.ancestors().take_while(|dir| dir.starts_with(root));
    above.filter_map(|dir| number(dir.join("memory.max"))).min()
}

fn number(path: impl AsRef<Path>) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Whether a time service sets the clock, as the kernel has been told.
#[must_use]
#[expect(unsafe_code, reason = "libc's structure is filled by the kernel")]
pub fn is_clock_synchronised() -> bool {
    // SAFETY: all zeros is a valid request, which with no mode set only reads; the kernel fills it.
    let answer = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        libc::adjtimex(&raw mut timex)
    };
    answer >= 0 && answer != libc::TIME_ERROR
}
