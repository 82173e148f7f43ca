//! What processes take, from `/proc`.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// Resident memory of one process in KiB.
pub(crate) fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    field(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// The same, with what is shared divided among those who share it.
pub(crate) fn proportional_kib(pid: u32) -> anyhow::Result<u64> {
    field(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

/// Mappings of one process.
pub(crate) fn mappings(pid: u32) -> anyhow::Result<usize> {
    Ok(std::fs::read_to_string(format!("/proc/{pid}/maps"))?.lines().count())
}

/// Most mappings that a process may have here.
pub(crate) fn mappings_max() -> anyhow::Result<usize> {
    Ok(std::fs::read_to_string("/proc/sys/vm/max_map_count")?.trim().parse()?)
}

fn field(file: &str, name: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(file).with_context(|| file.to_owned())?;
    let line =
        text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("{file} has no {name}"))?;
    Ok(line.split_ascii_whitespace().next().context("a number")?.parse()?)
}

/// A process and all that descend from it, with their command lines. What ends while this looks is left out; that the process itself
/// is not there is an error.
pub(crate) fn family(pid: u32) -> anyhow::Result<Vec<(u32, String)>> {
    let mut all = vec![pid];
    all.extend(children(pid)?);
    let mut at = 1;
    while let Some(parent) = all.get(at).copied() {
        all.extend(children(parent).unwrap_or_default());
        at += 1;
    }
    Ok(all.into_iter().map(|pid| (pid, command(pid))).collect())
}

/// What threads had of the processors.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ran {
    /// Time in microseconds.
    pub(crate) micros: f64,
    /// How often one was put on a processor.
    pub(crate) times: f64,
}

impl Ran {
    /// What a process and all that descend from it had since they began. Of threads that have ended nothing is known any more.
    pub(crate) fn by_now(pid: u32) -> anyhow::Result<Self> {
        Self::of(pid, |_| true)
    }

    /// The same without the threads that run guests.
    pub(crate) fn beside_guests(pid: u32) -> anyhow::Result<Self> {
        Self::of(pid, |thread| !thread.starts_with("guest"))
    }

    /// Of the threads whose names count.
    fn of(pid: u32, counts: impl Fn(&str) -> bool) -> anyhow::Result<Self> {
        let mut sum = Self::default();
        for (pid, _) in family(pid)? {
            let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
            for thread in threads {
                let thread = thread?.path();
                // A thread that has ended meanwhile has no name, and nothing to add.
                if counts(&std::fs::read_to_string(thread.join("comm")).unwrap_or_default()) {
                    let one = Self::of_thread(&thread.join("schedstat"));
                    sum.micros += one.micros;
                    sum.times += one.times;
                }
            }
        }
        anyhow::ensure!(sum.times > 0.0, "this kernel tells nothing in /proc/PID/task/TID/schedstat");
        Ok(sum)
    }

    fn of_thread(file: &Path) -> Self {
        // A thread that has ended meanwhile has none.
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let mut figures = text.split_ascii_whitespace().map(|figure| figure.parse().unwrap_or(0.0));
        let (nanos, times) = (figures.next().unwrap_or(0.0), figures.nth(1).unwrap_or(0.0));
        Self { micros: nanos / 1_000.0, times }
    }

    /// What it had since `before`, for each of so many.
    pub(crate) fn since(self, before: Self, count: f64) -> Self {
        Self { micros: (self.micros - before.micros) / count, times: (self.times - before.times) / count }
    }
}

fn children(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let file: PathBuf = thread?.path().join("children");
        // A thread that has ended meanwhile has none.
        let text = std::fs::read_to_string(file).unwrap_or_default();
        found.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    Ok(found)
}

fn command(pid: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_size_and_a_family() {
        let own = std::process::id();
        assert!(resident_kib(own).unwrap() > 100);
        assert!(mappings(own).unwrap() > 10);
        let ran = Ran::by_now(own).unwrap();
        assert!(ran.micros > 0.0 && ran.times >= 1.0, "{ran:?}");
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        // Until it has become what it shall be, a child has no command line of its own.
        while command(child.id()).is_empty() {
            std::thread::yield_now();
        }
        let family = family(own).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(family.iter().any(|(pid, command)| *pid == child.id() && command.contains("sleep")), "{family:?}");
    }
}
