//! Who had how much of late: the memory of a leader, for fair shares and window sizes.
//!
//! Lost with the leader's office, which costs some fairness for a moment and nothing else.

use std::collections::HashMap;
use std::time::Duration;

use crate::cluster::Lane;
use crate::time::Timestamp;

/// After this time, half of what a share had is forgotten: a burst of a few tasks goes before a long backlog, and nobody can save up
/// for more than a moment.
const HALF_LIFE: Duration = Duration::from_secs(2);
/// Shares remembered; the least used are forgotten first.
const SHARES_MAX: usize = 10_000;
/// Over which time a lane's throughput is taken.
const THROUGHPUT_TIME: Duration = Duration::from_millis(300);

fn factor(from: Timestamp, to: Timestamp, half_life: Duration) -> f64 {
    (-to.since(from).as_secs_f64() / half_life.as_secs_f64()).exp2()
}

/// Admitted tasks by share, fading.
#[derive(Debug, Clone)]
pub struct Shares {
    used: HashMap<String, f64>,
    at: Timestamp,
}

impl Shares {
    /// Nobody had anything.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { used: HashMap::new(), at: now }
    }

    /// How much a share had of late, in tasks.
    #[must_use]
    pub fn used(&self, share: &str) -> f64 {
        self.used.get(share).copied().unwrap_or(0.0)
    }

    /// Lets time pass, and adds what was admitted.
    pub fn note(&mut self, admitted: &HashMap<String, u32>, now: Timestamp) {
        let fade = factor(self.at, now, HALF_LIFE);
        self.at = self.at.max(now);
        for used in self.used.values_mut() {
            *used *= fade;
        }
        self.used.retain(|_, used| *used > 0.01);
        for (share, count) in admitted {
            *self.used.entry(share.clone()).or_default() += f64::from(*count);
        }
        self.forget();
    }

    fn forget(&mut self) {
        if self.used.len() <= SHARES_MAX {
            return;
        }
        let mut all: Vec<f64> = self.used.values().copied().collect();
        all.sort_unstable_by(f64::total_cmp);
        let least = all.get(self.used.len() - SHARES_MAX).copied().unwrap_or(0.0);
        self.used.retain(|_, used| *used > least);
    }
}

/// Admitted tasks a second by lane, over the last moments.
#[derive(Debug, Clone)]
pub struct Throughput {
    lanes: HashMap<Lane, f64>,
    at: Timestamp,
}

impl Throughput {
    /// Nothing was admitted yet.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { lanes: HashMap::new(), at: now }
    }

    /// Lets time pass, and adds what was admitted.
    pub fn note(&mut self, admitted: &HashMap<Lane, u32>, now: Timestamp) {
        let fade = factor(self.at, now, THROUGHPUT_TIME);
        self.at = self.at.max(now);
        for rate in self.lanes.values_mut() {
            *rate *= fade;
        }
        self.lanes.retain(|_, rate| *rate > 0.1);
        for (lane, count) in admitted {
            // A steady rate r converges to r: each task adds what fading takes in its time.
            let added = f64::from(*count) * std::f64::consts::LN_2 / THROUGHPUT_TIME.as_secs_f64();
            *self.lanes.entry(lane.clone()).or_default() += added;
        }
    }

    /// Every lane's, in tasks a second.
    #[must_use]
    pub fn per_second(&self) -> &HashMap<Lane, f64> {
        &self.lanes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_micros(1_780_000_000_000_000).plus(Duration::from_millis(ms))
    }

    #[test]
    fn half_is_forgotten_in_a_half_life() {
        let mut shares = Shares::new(at(0));
        shares.note(&HashMap::from([("a".to_owned(), 8)]), at(0));
        shares.note(&HashMap::new(), at(2_000));
        assert!((shares.used("a") - 4.0).abs() < 1e-9);
        shares.note(&HashMap::new(), at(60_000));
        assert!(shares.used("a").abs() < f64::EPSILON);
    }

    #[test]
    fn a_steady_rate_is_seen() {
        let lane = Lane { queue: crate::QueueName::default(), priority: crate::Priority::MEDIUM };
        let mut throughput = Throughput::new(at(0));
        for tick in 1..=300 {
            throughput.note(&HashMap::from([(lane.clone(), 5)]), at(tick * 10));
        }
        let rate = throughput.per_second()[&lane];
        assert!((450.0..550.0).contains(&rate), "{rate}");
    }

    #[test]
    fn the_least_used_are_forgotten_first() {
        let mut shares = Shares::new(at(0));
        let many: HashMap<String, u32> = (0..20_000_u32).map(|number| (number.to_string(), number + 1)).collect();
        shares.note(&many, at(0));
        assert!(shares.used.len() <= SHARES_MAX);
        assert!(shares.used("19999") > 0.0);
        assert!(shares.used("0").abs() < f64::EPSILON);
    }
}
