//! courtesy: while urgent tasks come, guests that are not urgent let go of their processor for a moment after each long poll.
//!
//! Called by [`crate::levels`] around polls, and by [`crate::receive`] when an urgent delivery is there. The kernel moves a thread that waits behind others
//! to another processor when that one has nothing to do, and a processor with a guest that computes always has: of the time that threads
//! of roles waited for a processor beside 1,000 hostile runs, they waited behind each other for 87 %, while a guest had the
//! other processor for 78 % (docs/performance.md). In that moment the kernel takes over who waits. It costs guests that compute a fifth of their time at
//! most, for [`LASTS`] after each urgent delivery, and nothing where nothing is urgent. It orders nobody: it is for latency alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use crate::long::Attempt;
use crate::sandbox::meter::PollClock;

/// How long after an urgent delivery another one is expected.
const LASTS: Duration = Duration::from_millis(20);
/// Processor time of a poll after which its thread lets go.
const LONG_POLL: Duration = Duration::from_micros(200);
/// For how long. The kernel adds up to 50 µs, the slack of its timers (`PR_SET_TIMERSLACK`, prctl(2)).
const MOMENT: Duration = Duration::from_micros(1);

/// Whether urgent tasks come to this host; shared by its guests.
#[derive(Debug)]
pub(crate) struct Courtesy {
    base: Instant,
    /// Until when, in microseconds since `base`.
    until_us: AtomicU64,
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Courtesy {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { base: Instant::now(), until_us: AtomicU64::new(0) })
    }

    /// An urgent delivery is there.
    pub(crate) fn urgent_came(&self) {
        self.until_us.store(micros(self.base.elapsed() + LASTS), Ordering::Relaxed);
    }

    fn is_asked_for(&self) -> bool {
        micros(self.base.elapsed()) < self.until_us.load(Ordering::Relaxed)
    }

    fn let_go_after(&self, poll: Duration) {
        if poll >= LONG_POLL && self.is_asked_for() {
            thread::sleep(MOMENT);
        }
    }
}

/// How an attempt is polled: with its clock, and what it owes urgent ones, if it is not urgent itself.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    pub(crate) clock: Arc<PollClock>,
    pub(crate) courtesy: Option<Arc<Courtesy>>,
}

impl Manners {
    pub(crate) fn poll<T>(&self, attempt: &mut Attempt<T>, context: &mut Context<'_>) -> Poll<T> {
        let before_us = self.clock.cpu_us();
        let polled = attempt.as_mut().poll(context);
        if polled.is_pending()
            && let Some(courtesy) = &self.courtesy
        {
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
        let courtesy = Courtesy::new();
        assert!(!courtesy.is_asked_for());
        courtesy.until_us.store(u64::MAX, Ordering::Relaxed);
        assert!(sleeps_of_a_poll(LONG_POLL, Some(&courtesy)) > 0);
    }

    #[test]
    fn nobody_waits_for_long_for_the_next_urgent_task() {
        let courtesy = Courtesy::new();
        courtesy.urgent_came();
        let until = courtesy.until_us.load(Ordering::Relaxed);
        assert!(until >= micros(LASTS) && until <= micros(courtesy.base.elapsed() + LASTS));
        courtesy.until_us.store(1, Ordering::Relaxed);
        while courtesy.base.elapsed() < Duration::from_micros(2) {}
        assert!(!courtesy.is_asked_for());
    }
}
