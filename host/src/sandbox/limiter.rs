//! Memory and tables of one guest: summed over all memories, since a limit for each would multiply.

use wasmtime::ResourceLimiter;

/// Elements that all tables of a guest may have together.
const TABLE_ELEMENTS_MAX: usize = 40_000;

/// Counts and refuses.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_max: usize,
    memory_now: usize,
    memory_peak: usize,
    tables_now: usize,
    refused: bool,
    /// The last wish that was granted, in case that the engine cannot fulfil it.
    granted: usize,
}

impl Limiter {
    pub(crate) fn new(memory_bytes: u64) -> Self {
        let memory_max = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
        Self { memory_max, memory_now: 0, memory_peak: 0, tables_now: 0, refused: false, granted: 0 }
    }

    /// Whether a wish for memory or for a larger table was refused.
    pub(crate) const fn refused(&self) -> bool {
        self.refused
    }

    /// Largest sum of all memories, in bytes.
    pub(crate) fn peak_bytes(&self) -> u64 {
        u64::try_from(self.memory_peak).unwrap_or(u64::MAX)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.granted = desired.saturating_sub(current);
        let total = self.memory_now.saturating_add(self.granted);
        if total > self.memory_max {
            self.granted = 0;
            self.refused = true;
            return Ok(false);
        }
        self.memory_now = total;
        self.memory_peak = self.memory_peak.max(total);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = true;
        self.memory_now = self.memory_now.saturating_sub(std::mem::take(&mut self.granted));
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.tables_now.saturating_add(desired.saturating_sub(current));
        if total > TABLE_ELEMENTS_MAX {
            self.refused = true;
            return Ok(false);
        }
        self.tables_now = total;
        Ok(true)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = true;
        Ok(())
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_share_one_limit() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.refused());
        assert_eq!(limiter.peak_bytes(), 60);
    }

    #[test]
    fn tables_share_one_limit_and_count_as_memory() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.table_growing(0, 20_000, None).unwrap());
        assert!(limiter.table_growing(0, 20_000, None).unwrap());
        assert!(!limiter.refused());
        assert!(!limiter.table_growing(0, 1, None).unwrap());
        assert!(limiter.refused());
    }
}
