//! seccomp: which system calls can be made.
//!
//! A host has a list of what is refused: what it calls depends on its libc, on Tokio and on the engine, and a list of what is allowed
//! would fail by surprise after an upgrade. A compile child is small and does one thing, so that it has a list of what is allowed.
//! Refused calls answer EPERM; nothing is killed, so that an upgrade that calls something new is noticed as an error.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter, apply_filter_all_threads,
};

use crate::wall::Raised;

/// On x86-64 each call has a second number (x32), which a list of what is refused must name too.
#[cfg(target_arch = "x86_64")]
const X32_BIT: i64 = 0x4000_0000;
/// Namespaces that `clone` could make; threads never do.
const NEW_NAMESPACES: [i32; 8] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWTIME,
];
/// `CLONE_NEWTIME` shares its bit with the signal number of `clone`.
const SIGNAL_BITS: i32 = 0xff;
/// What a host has sockets of: NATS, HTTP, and what the resolver asks the kernel.
const SOCKET_FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
/// Of netlink, what the resolver asks: addresses and routes.
const NETLINK_ROUTE: i32 = 0;

/// What no host has a use for: other processes' memory, the kernel's own code and keys, mounts, namespaces, devices, clocks, and
/// ways around this filter (`io_uring`).
const REFUSED: [i64; 62] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_execveat,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mbind,
    libc::SYS_migrate_pages,
    libc::SYS_mknodat,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_move_pages,
    libc::SYS_mq_open,
    libc::SYS_msgget,
    libc::SYS_name_to_handle_at,
    libc::SYS_nfsservctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_personality,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_semget,
    libc::SYS_set_mempolicy,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_shmget,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];
/// The same, where only x86-64 has it.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: [i64; 6] =
    [libc::SYS_ioperm, libc::SYS_iopl, libc::SYS_mknod, libc::SYS_modify_ldt, libc::SYS_uselib, libc::SYS__sysctl];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: [i64; 0] = [];

/// What a compile child calls: memory, its own threads, what is open already, time, its end.
const COMPILER: [i64; 37] = [
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_clone3,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_ftruncate,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_memfd_create,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_statx,
    libc::SYS_write,
    libc::SYS_writev,
];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The argument at `index` compares so. All numbers here are small and positive.
fn when(index: u8, op: Op, value: i32) -> Result<SeccompCondition, String> {
    SeccompCondition::new(index, Len::Dword, op, u64::from(value.unsigned_abs())).map_err(text)
}

fn rule(conditions: Vec<SeccompCondition>) -> Result<SeccompRule, String> {
    SeccompRule::new(conditions).map_err(text)
}

fn compiled(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> Result<BpfProgram, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(text)?;
    SeccompFilter::new(rules, otherwise, matched, arch).map_err(text)?.try_into().map_err(text)
}

fn refused() -> SeccompAction {
    SeccompAction::Errno(libc::EPERM.unsigned_abs())
}

/// `clone3` hides its flags from a filter; told that there is none, libc uses `clone`.
fn without_clone3() -> Result<BpfProgram, String> {
    let none = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    compiled(Rules::from([(libc::SYS_clone3, Vec::new())]), SeccompAction::Allow, none)
}

/// New namespaces.
fn cloned_namespaces() -> Result<Vec<SeccompRule>, String> {
    let flags = NEW_NAMESPACES.into_iter().filter(|flag| flag & SIGNAL_BITS == 0);
    flags
        .map(|flag| {
            let bits = u64::from(flag.unsigned_abs());
            rule(vec![SeccompCondition::new(0, Len::Dword, Op::MaskedEq(bits), bits).map_err(text)?])
        })
        .collect()
}

/// Sockets of other families, and of netlink other than routes.
fn odd_sockets() -> Result<Vec<SeccompRule>, String> {
    let unknown = SOCKET_FAMILIES.into_iter().map(|family| when(0, Op::Ne, family)).collect::<Result<Vec<_>, _>>()?;
    let netlink = vec![when(0, Op::Eq, libc::AF_NETLINK)?, when(2, Op::Ne, NETLINK_ROUTE)?];
    Ok(vec![rule(unknown)?, rule(netlink)?])
}

/// Advice about the memory of other processes. About its own a host gives it for many guests in one call: one call for each would
/// interrupt all its other threads each time.
fn others_memory() -> Result<Vec<SeccompRule>, String> {
    let own = u64::from(PIDFD_SELF.cast_unsigned());
    Ok(vec![rule(vec![SeccompCondition::new(0, Len::Dword, Op::Ne, own).map_err(text)?])?])
}

/// The caller in place of a descriptor of a process (Linux 6.14, `linux/pidfd.h`); libc has no name for it.
const PIDFD_SELF: i32 = -10_000;

/// Pushing characters into somebody's terminal.
fn terminal_tricks() -> Result<Vec<SeccompRule>, String> {
    let request = |number: u64| SeccompCondition::new(1, Len::Dword, Op::Eq, number).map_err(text);
    Ok(vec![rule(vec![request(libc::TIOCSTI)?])?, rule(vec![request(TIOCLINUX)?])?])
}

/// `ioctl` of the Linux console; libc has no name for it.
const TIOCLINUX: u64 = 0x541c;

/// The same rules under the second numbers.
#[cfg(target_arch = "x86_64")]
fn both_numbers(rules: &mut Rules) {
    let second: Vec<_> = rules.iter().map(|(number, rules)| (number | X32_BIT, rules.clone())).collect();
    rules.extend(second);
}

#[cfg(not(target_arch = "x86_64"))]
fn both_numbers(_: &mut Rules) {}

fn host_filter() -> Result<BpfProgram, String> {
    let mut rules: Rules = REFUSED.into_iter().chain(REFUSED_HERE).map(|number| (number, Vec::new())).collect();
    rules.insert(libc::SYS_clone, cloned_namespaces()?);
    rules.insert(libc::SYS_socket, odd_sockets()?);
    rules.insert(libc::SYS_ioctl, terminal_tricks()?);
    rules.insert(libc::SYS_process_madvise, others_memory()?);
    both_numbers(&mut rules);
    compiled(rules, SeccompAction::Allow, refused())
}

/// The filter of a host, on every thread of the process.
pub(crate) fn host() -> Raised {
    apply_filter_all_threads(&without_clone3()?).map_err(text)?;
    apply_filter_all_threads(&host_filter()?).map_err(text)?;
    Ok(None)
}

fn compiler_filter() -> Result<BpfProgram, String> {
    let mut rules: Rules = COMPILER.into_iter().map(|number| (number, Vec::new())).collect();
    let me = rustix::process::getpid().as_raw_nonzero().get();
    // Threads, not processes.
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let is_thread = SeccompCondition::new(0, Len::Dword, Op::MaskedEq(thread), thread).map_err(text)?;
    rules.insert(libc::SYS_clone, vec![rule(vec![is_thread])?]);
    // `abort` signals itself.
    rules.insert(libc::SYS_tgkill, vec![rule(vec![when(0, Op::Eq, me)?])?]);
    // Names of threads and of memory.
    let name = |option| rule(vec![when(0, Op::Eq, option)?]);
    rules.insert(libc::SYS_prctl, vec![name(libc::PR_SET_NAME)?, name(libc::PR_SET_VMA)?]);
    // Reading limits; the third argument would set them.
    let nothing = SeccompCondition::new(2, Len::Qword, Op::Eq, 0).map_err(text)?;
    rules.insert(libc::SYS_prlimit64, vec![rule(vec![nothing])?]);
    compiled(rules, refused(), SeccompAction::Allow)
}

/// The filter of a compile child, on this thread and those that it starts.
pub(crate) fn compiler() -> Raised {
    apply_filter(&without_clone3()?).map_err(text)?;
    apply_filter(&compiler_filter()?).map_err(text)?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_are_small_enough_for_the_kernel() {
        for filter in [host_filter().unwrap(), compiler_filter().unwrap(), without_clone3().unwrap()] {
            assert!(filter.len() < 4_096, "{} instructions", filter.len());
        }
    }
}
