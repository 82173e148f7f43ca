//! Checks of the kernel and of this machine's limits.

use tasklane_jail::kernel;

use super::{Check, Checks};

/// Landlock's interface from which on every right that is asked for is there (Linux 6.12).
const LANDLOCK_ABI_WANTED: i64 = 6;
/// Descriptors that a host with many connections and modules may need.
const OPEN_FILES_WANTED: u64 = 8_192;
/// Mappings that a pool of guests' memories needs: a few for each slot, and their guards.
const MAP_COUNT_WANTED: u64 = 65_530;
/// `vm.overcommit_memory`: never more than there is. The pool keeps terabytes of addresses that it does not use.
const OVERCOMMIT_NEVER: u64 = 2;

/// All of them.
pub(super) fn checks() -> Vec<Check> {
    vec![
        landlock(),
        Check::good(
            "seccomp",
            kernel::has_seccomp(),
            if kernel::has_seccomp() { "filters of system calls can be installed" } else { "not in this kernel" },
            "use a kernel with CONFIG_SECCOMP_FILTER: without it guests are held by the engine alone",
        ),
        Check::good(
            "user_namespaces",
            kernel::has_user_namespaces(),
            if kernel::has_user_namespaces() { "can be made" } else { "cannot be made by users" },
            "nothing needs doing: compile children have no sockets in either case",
        ),
        pagemap_scan(),
        open_files(),
        map_count(),
        overcommit(),
        Check::good(
            "swap",
            !kernel::has_swap(),
            if kernel::has_swap() { "in use" } else { "none" },
            "switch it off for hosts (`memory.swap.max=0`): swapped memory of guests lies on a disk, and makes all slow",
        ),
        memory_max(),
        user(),
        clock(),
    ]
}

fn landlock() -> Check {
    let advice = "use Linux 6.12 or newer with Landlock among its security modules (`lsm=landlock,…`)";
    match kernel::landlock_abi() {
        Some(abi) => {
            Check::good("landlock", abi >= LANDLOCK_ABI_WANTED, format!("version {abi} of its interface"), advice)
        }
        None => Check::warn("landlock", "not in this kernel, or switched off", advice),
    }
}

fn pagemap_scan() -> Check {
    let is_there = kernel::has_pagemap_scan();
    let found = if is_there { "in this kernel" } else { "not in this kernel, or not for this user" };
    let advice = "use Linux 6.7 or newer: hosts then wipe only what a guest has touched, rather than give back all of its memory";
    Check::good("pagemap_scan", is_there, found, advice)
}

fn open_files() -> Check {
    let most = kernel::open_files_max();
    let found = most.map_or_else(|| "any number".to_owned(), |most| format!("at most {most}"));
    let advice = "raise the limit: LimitNOFILE= of the unit, or `ulimit -Hn`";
    Check::good("open_files", most.is_none_or(|most| most >= OPEN_FILES_WANTED), found, advice)
}

fn map_count() -> Check {
    let Some(most) = kernel::max_map_count() else { return Check::ok("max_map_count", "not told") };
    let advice = "set `sysctl vm.max_map_count=262144`: hosts with many slots run out of mappings";
    Check::good("max_map_count", most >= MAP_COUNT_WANTED, format!("{most} mappings for a process"), advice)
}

fn overcommit() -> Check {
    match kernel::overcommit() {
        Some(OVERCOMMIT_NEVER) => Check::fail(
            "overcommit",
            "the kernel hands out no more than there is",
            "set `sysctl vm.overcommit_memory=0`: the pool of guests reserves far more addresses than it uses",
        ),
        Some(mode) => Check::ok("overcommit", format!("mode {mode}")),
        None => Check::ok("overcommit", "not told"),
    }
}

fn memory_max() -> Check {
    let advice = "run hosts in a control group with `memory.max` (MemoryMax= of the unit), so that only they end when memory does";
    match kernel::memory_max() {
        Some(bytes) => Check::ok("memory_limit", crate::output::size(bytes)),
        None => Check::warn("memory_limit", "no control group limits this process's memory", advice),
    }
}

fn user() -> Check {
    let is_root = rustix::process::geteuid().is_root();
    let found = if is_root { "root, without capabilities once it is a host" } else { "an ordinary user" };
    Check::good("user", !is_root, found, "run hosts as a user of their own: root owns the system's files")
}

fn clock() -> Check {
    let advice = "let a time service set it (chrony, systemd-timesyncd): deadlines and schedules go by it";
    let is_set = kernel::is_clock_synchronised();
    Check::good("clock", is_set, if is_set { "set by a time service" } else { "not set by a time service" }, advice)
}
