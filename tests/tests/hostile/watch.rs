//! What a process holds, from `/proc`.

use anyhow::Context;

/// What a process holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holdings {
    /// Resident memory, in KiB.
    pub(crate) resident_kib: u64,
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
}

impl Holdings {
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("VmRSS")?;
        let resident_kib = line.split_ascii_whitespace().nth(1).context("a number")?.parse()?;
        let count = |what: &str| anyhow::Ok(std::fs::read_dir(format!("/proc/{pid}/{what}"))?.count());
        Ok(Self { resident_kib, threads: count("task")?, descriptors: count("fd")? })
    }

    /// Whether this is what was there before: 5 % more memory at most, and nothing more of the rest.
    pub(crate) fn is_back_at(&self, before: &Self) -> bool {
        let memory = self.resident_kib * 100 <= before.resident_kib * 105;
        memory && self.threads <= before.threads && self.descriptors <= before.descriptors
    }
}
