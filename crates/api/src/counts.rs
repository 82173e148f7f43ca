//! Counts of tasks, for `/metrics` and `/api/v1/cluster/stats`.
//!
//! Counting reads an entry of an index for each task that is kept, so that with millions of them many who look would take the database from
//! those who work. So one counts at a time, and a count that took long is shown again for a while. Guarantees: counting takes at
//! most about a twentieth of one core, however many look; counts of a small table are always fresh. Does not promise that a
//! large table's counts are of this moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tasklane_domain::error::StoreError;
use tasklane_domain::ports::TaskStore;
use tasklane_domain::query::Stats;
use tokio::sync::Mutex;

/// A count that took less is not kept.
const CHEAP: Duration = Duration::from_millis(5);
/// A count is shown for so many times its own duration.
const REST_FACTOR: u32 = 20;

struct Counted {
    stats: Arc<Stats>,
    until: Instant,
}

/// The newest counts.
#[derive(Default)]
pub(crate) struct Counts {
    newest: Mutex<Option<Counted>>,
}

/// For how long a count that took this long is shown.
fn rest(took: Duration) -> Duration {
    if took < CHEAP { Duration::ZERO } else { took * REST_FACTOR }
}

impl Counts {
    /// The counts, at most [`REST_FACTOR`] times as old as it takes to count.
    pub(crate) async fn get(&self, tasks: &dyn TaskStore) -> Result<Arc<Stats>, StoreError> {
        let mut newest = self.newest.lock().await;
        if let Some(counted) = newest.as_ref().filter(|counted| Instant::now() < counted.until) {
            return Ok(counted.stats.clone());
        }
        let begun = Instant::now();
        let stats = Arc::new(tasks.stats().await?);
        let ended = Instant::now();
        let until = ended + rest(ended - begun);
        *newest = Some(Counted { stats: stats.clone(), until });
        Ok(stats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_takes_a_twentieth_of_the_time_and_small_counts_are_fresh() {
        assert_eq!(rest(Duration::from_millis(4)), Duration::ZERO);
        assert_eq!(rest(Duration::from_millis(50)), Duration::from_secs(1));
    }
}
