//! ticks: while urgent tasks come and guests compute, the kernel looks at every processor some ten thousand times a second.
//!
//! Called by [`crate::courtesy`]. A thread that has had a little more than its share does not get a processor back from a guest, however nice
//! that is: Linux's scheduler (EEVDF, since 6.6) leaves it to who has had less, and looks again only when another thread wakes there or
//! when its own tick comes, after 4 ms where there are 250 a second. So who answers for an urgent task waited for milliseconds behind guests with
//! a tenth of its rights (docs/performance.md). One thread for each processor wakes and sleeps here, and at each of its wake-ups the kernel looks.
//! It orders nobody, takes a few hundredths of the processors meanwhile, and nothing where nothing is urgent or no guest computes.

use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_current_timer_slack};
use tasklane_jail::slice;

/// Time between two looks at a processor.
const INTERVAL: Duration = Duration::from_micros(100);
/// So much later may the kernel wake a thread of these; 50 µs if nobody says less (`PR_SET_TIMERSLACK`, prctl(2)). Nanoseconds.
const SLACK_NS: Option<NonZeroU64> = NonZeroU64::new(1);
/// Looks in a row for which there was no reason, after which there are none.
const IDLE_LOOKS: u32 = 50;

/// Why the kernel should look.
pub(crate) trait Reason: Send + Sync + 'static {
    /// Whether it should.
    fn is_there(&self) -> bool;
}

struct Shared<R> {
    reason: Arc<R>,
    /// Whether a thread rests, or is about to.
    is_resting: AtomicBool,
    is_over: AtomicBool,
}

/// The threads, which rest until [`Ticks::wake`]. They end when this is dropped.
pub(crate) struct Ticks<R> {
    shared: Arc<Shared<R>>,
    threads: Vec<Thread>,
}

impl<R: Reason> Ticks<R> {
    /// Starts one for each processor that this process may use; none if those are more than `guest_threads`. Guests leave some free then, or this
    /// process may have less of their time than all of it (a quota, which the default of `guest_threads` knows), and looking at each would cost too much.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(crate) fn start(reason: Arc<R>, guest_threads: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared { reason, is_resting: AtomicBool::new(true), is_over: AtomicBool::new(false) });
        let mut ticks = Self { shared, threads: Vec::new() };
        for processor in processors(guest_threads) {
            let shared = ticks.shared.clone();
            let thread = thread::Builder::new().name("tick".to_owned()).spawn(move || shared.run(processor))?;
            ticks.threads.push(thread.thread().clone());
        }
        Ok(ticks)
    }

    /// There is a reason. Cheap where they know.
    pub(crate) fn wake(&self) {
        if self.shared.is_resting.load(Ordering::Relaxed) && self.shared.is_resting.swap(false, Ordering::Relaxed) {
            self.threads.iter().for_each(Thread::unpark);
        }
    }
}

impl<R> Drop for Ticks<R> {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.threads.iter().for_each(Thread::unpark);
    }
}

impl<R: Reason> Shared<R> {
    fn run(&self, processor: usize) {
        if let Err(error) = stay_on(processor) {
            tracing::debug!(%error, processor, "urgent tasks may wait longer for guests there");
            return;
        }
        while !self.is_over.load(Ordering::Relaxed) {
            // Whoever comes between this and the rest is missed; the next poll of a guest comes soon.
            self.is_resting.store(true, Ordering::Relaxed);
            thread::park();
            self.tick();
        }
    }

    fn tick(&self) {
        let mut idle = 0;
        while idle < IDLE_LOOKS && !self.is_over.load(Ordering::Relaxed) {
            idle = if self.reason.is_there() { 0 } else { idle + 1 };
            thread::sleep(INTERVAL);
        }
    }
}

/// Those to look at; none where the kernel does not tell.
fn processors(guest_threads: usize) -> Vec<usize> {
    let Ok(allowed) = sched_getaffinity(None) else { return Vec::new() };
    let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor)).collect();
    if all.len() <= guest_threads { all } else { Vec::new() }
}

fn stay_on(processor: usize) -> io::Result<()> {
    let mut one = CpuSet::new();
    one.set(processor);
    sched_setaffinity(None, &one)?;
    set_current_timer_slack(SLACK_NS)?;
    slice::set(slice::LOOKS)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::time::Instant;

    use super::*;

    /// Ends a test that would hang.
    const PLENTY: Duration = Duration::from_secs(60);

    /// Asked so often whether it is there.
    #[derive(Default)]
    struct Counted {
        is_there: AtomicBool,
        times: AtomicU32,
    }

    impl Reason for Counted {
        fn is_there(&self) -> bool {
            self.times.fetch_add(1, Ordering::Relaxed);
            self.is_there.load(Ordering::Relaxed)
        }
    }

    fn until(what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < PLENTY, "{what}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// How often all threads look, once woken, if there is no reason.
    fn idle_looks(ticks: &Ticks<Counted>) -> u32 {
        u32::try_from(ticks.threads.len()).unwrap() * IDLE_LOOKS
    }

    #[test]
    fn they_look_while_there_is_a_reason_and_then_rest() {
        let reason = Arc::new(Counted { is_there: true.into(), ..Counted::default() });
        let ticks = Ticks::start(reason.clone(), usize::MAX).unwrap();
        let looked = |times: u32| reason.times.load(Ordering::Relaxed) >= times;
        until("they do not look", || {
            ticks.wake();
            looked(2 * idle_looks(&ticks))
        });
        reason.is_there.store(false, Ordering::Relaxed);
        let resting = || ticks.shared.is_resting.load(Ordering::Relaxed);
        until("they do not rest", resting);
        let before = reason.times.load(Ordering::Relaxed);
        ticks.wake();
        until("they do not look again", || looked(before + IDLE_LOOKS));
        until("they do not rest again", resting);
    }

    #[test]
    fn processors_that_guests_cannot_fill_are_left_alone() {
        let all = processors(usize::MAX);
        assert!(!all.is_empty());
        assert_eq!(processors(all.len()), all);
        assert!(processors(all.len() - 1).is_empty());
    }

    #[test]
    fn they_end_with_who_has_them() {
        let ticks = Ticks::start(Arc::new(Counted::default()), usize::MAX).unwrap();
        let shared = Arc::downgrade(&ticks.shared);
        drop(ticks);
        until("a thread goes on", || shared.strong_count() == 0);
    }
}
