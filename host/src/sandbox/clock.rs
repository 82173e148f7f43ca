//! The clocks that guests see: coarse, so that nobody can time what neighbours leave behind in caches.
//!
//! Given to WASI by [`super::guest`]. Sleeping is not affected: timers are the host's own. There are no threads and no shared
//! memory from which a finer clock could be made.

use std::time::{Duration, Instant, SystemTime};

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// The clocks move in steps of this many nanoseconds.
const STEP_NS: u64 = 100_000;

/// `wasi:clocks/monotonic-clock`, from the attempt's start.
pub(crate) struct CoarseMonotonic(Instant);

/// `wasi:clocks/wall-clock`.
pub(crate) struct CoarseWall;

impl CoarseMonotonic {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

fn coarse(time: Duration) -> u64 {
    let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    ns - ns % STEP_NS
}

impl HostMonotonicClock for CoarseMonotonic {
    fn resolution(&self) -> u64 {
        STEP_NS
    }

    fn now(&self) -> u64 {
        coarse(self.0.elapsed())
    }
}

impl HostWallClock for CoarseWall {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(STEP_NS)
    }

    #[expect(clippy::disallowed_methods, reason = "the clock of guests, which no test moves")]
    fn now(&self) -> Duration {
        // A clock before 1970 is shown as 1970.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Duration::from_nanos(coarse(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_move_in_steps() {
        let clock = CoarseMonotonic::start();
        for _ in 0..10_000 {
            assert_eq!(clock.now() % STEP_NS, 0);
        }
        assert_eq!(CoarseWall.now().as_nanos() % u128::from(STEP_NS), 0);
        assert_eq!(coarse(Duration::from_nanos(STEP_NS - 1)), 0);
    }
}
