//! courtesy: while urgent tasks come, guests that are not urgent make room for who answers for them.
//!
//! Called by [`crate::levels`] around polls, and by [`crate::receive`] when an urgent delivery is there. Two things keep threads of roles waiting
//! beside guests, however nice those are (docs/performance.md). The kernel moves a thread that waits behind others to another processor when that
//! one has nothing to do, and a processor with a guest that computes always has: so guests sleep for a moment after each long poll. And it may
//! leave a guest on a processor for milliseconds though others wait for it: so it is made to look ([`crate::ticks`]). That costs guests that
//! compute a fifth of their time at most, for [`LASTS`] after each urgent delivery, and nothing where nothing is urgent. It orders nobody: it is for latency
//! alone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use crate::long::Attempt;
use crate::sandbox::meter::PollClock;
use crate::ticks::{Reason, Ticks};

/// How long after an urgent delivery another one is expected.
const LASTS: Duration = Duration::from_millis(20);
/// Processor time of a poll after which its thread lets go.
const LONG_POLL: Duration = Duration::from_micros(200);
/// For how long. The kernel adds up to 50 µs, the slack of its timers (`PR_SET_TIMERSLACK`, prctl(2)).
const MOMENT: Duration = Duration::from_micros(1);

/// Whether urgent tasks come to this host, and guests that are not urgent compute.
#[derive(Debug)]
struct Now {
    base: Instant,
    /// Until when urgent ones are expected, in microseconds since `base`; 0 if they are not.
    until_us: AtomicU64,
    /// Polls under way.
    polls: AtomicUsize,
}

impl Now {
    fn urgent_came(&self) {
        self.until_us.store(micros(self.base.elapsed() + LASTS), Ordering::Relaxed);
    }

    fn is_urgent(&self) -> bool {
        let until_us = self.until_us.load(Ordering::Relaxed);
        if until_us == 0 {
            return false;
        }
        let is_over = micros(self.base.elapsed()) >= until_us;
        if is_over {
            // Nobody need look at the clock until the next one comes.
            self.forget(until_us);
        }
        !is_over
    }

    /// Another one that has come meanwhile stays expected.
    fn forget(&self, until_us: u64) {
        let forgotten = self.until_us.compare_exchange(until_us, 0, Ordering::Relaxed, Ordering::Relaxed);
        if forgotten.is_err() {
            tracing::trace!("an urgent task has come meanwhile");
        }
    }

    fn is_polled(&self) -> bool {
        self.polls.load(Ordering::Relaxed) > 0
    }
}

impl Reason for Now {
    fn is_there(&self) -> bool {
        self.is_polled() && self.is_urgent()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What guests that are not urgent owe urgent tasks; shared by those of one host.
pub(crate) struct Courtesy {
    now: Arc<Now>,
    ticks: Ticks<Now>,
}

impl Courtesy {
    /// For a host with so many threads for guests of each level.
    ///
    /// # Errors
    /// When its own threads cannot be started.
    pub(crate) fn new(guest_threads: usize) -> io::Result<Arc<Self>> {
        let now = Now { base: Instant::now(), until_us: AtomicU64::new(0), polls: AtomicUsize::new(0) };
        let now = Arc::new(now);
        Ok(Arc::new(Self { ticks: Ticks::start(now.clone(), guest_threads)?, now }))
    }

    /// An urgent delivery is there.
    pub(crate) fn urgent_came(&self) {
        self.now.urgent_came();
        if self.now.is_polled() {
            self.ticks.wake();
        }
    }

    fn poll_begins(&self) -> PollUnderWay<'_> {
        self.now.polls.fetch_add(1, Ordering::Relaxed);
        if self.now.is_urgent() {
            self.ticks.wake();
        }
        PollUnderWay(&self.now)
    }

    fn let_go_after(&self, poll: Duration) {
        if poll >= LONG_POLL && self.now.is_urgent() {
            thread::sleep(MOMENT);
        }
    }
}

struct PollUnderWay<'a>(&'a Now);

impl Drop for PollUnderWay<'_> {
    fn drop(&mut self) {
        self.0.polls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How an attempt is polled: with its clock, and what it owes urgent ones, if it is not urgent itself.
#[derive(Clone)]
pub(crate) struct Manners {
    pub(crate) clock: Arc<PollClock>,
    pub(crate) courtesy: Option<Arc<Courtesy>>,
}

impl Manners {
    pub(crate) fn poll<T>(&self, attempt: &mut Attempt<T>, context: &mut Context<'_>) -> Poll<T> {
        let Some(courtesy) = &self.courtesy else { return attempt.as_mut().poll(context) };
        let before_us = self.clock.cpu_us();
        let under_way = courtesy.poll_begins();
        let polled = attempt.as_mut().poll(context);
        drop(under_way);
        if polled.is_pending() {
            courtesy.let_go_after(Duration::from_micros(self.clock.cpu_us().saturating_sub(before_us)));
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::sandbox::meter::Metered;

    /// How often this thread has gone to sleep.
    fn sleeps() -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        line.trim().parse().unwrap()
    }

    /// How often its thread sleeps while an attempt is polled that computes for so long and is not over then.
    fn sleeps_of_a_poll(computes: Duration, courtesy: Option<&Arc<Courtesy>>) -> u64 {
        let manners = Manners { clock: PollClock::start(), courtesy: courtesy.cloned() };
        let clock = manners.clock.clone();
        let mut attempt: Attempt<()> = Box::pin(async move {
            let work = std::pin::pin!(async {
                let begun = Instant::now();
                while begun.elapsed() < computes {}
                std::future::pending::<()>().await;
            });
            Metered::new(work, clock).await;
        });
        let before = sleeps();
        assert!(manners.poll(&mut attempt, &mut Context::from_waker(Waker::noop())).is_pending());
        sleeps() - before
    }

    #[test]
    fn long_polls_let_go_while_urgent_tasks_come() {
        let courtesy = Courtesy::new(1).unwrap();
        assert!(!courtesy.now.is_urgent());
        courtesy.now.until_us.store(u64::MAX, Ordering::Relaxed);
        assert!(sleeps_of_a_poll(LONG_POLL, Some(&courtesy)) > 0);
    }

    #[test]
    fn nobody_waits_for_long_for_the_next_urgent_task() {
        let courtesy = Courtesy::new(1).unwrap();
        let now = &courtesy.now;
        courtesy.urgent_came();
        let until = now.until_us.load(Ordering::Relaxed);
        assert!(until >= micros(LASTS) && until <= micros(now.base.elapsed() + LASTS));
        now.until_us.store(1, Ordering::Relaxed);
        while now.base.elapsed() < Duration::from_micros(2) {}
        assert!(!now.is_urgent());
        assert_eq!(now.until_us.load(Ordering::Relaxed), 0, "the clock is looked at once");
    }

    #[test]
    fn there_is_a_reason_to_look_while_both_urgent_tasks_and_guests_are_there() {
        let courtesy = Courtesy::new(1).unwrap();
        let under_way = courtesy.poll_begins();
        assert!(!courtesy.now.is_there(), "nothing is urgent");
        courtesy.now.until_us.store(u64::MAX, Ordering::Relaxed);
        assert!(courtesy.now.is_there());
        drop(under_way);
        assert!(!courtesy.now.is_there(), "no guest computes");
    }
}
