//! levels: a guest that has computed for long makes way for those that have not, and all make way for urgent ones.
//!
//! Each attempt begins on the guests' threads, an urgent one on threads of its own. Once it has used [`SHORT_CPU`] of processor time, its
//! future goes on, on threads of lower priority ([`LONG_NICE`]), where all that are long share the rest. So an attempt of microseconds never
//! waits behind loops that use up every core: the feedback queue of operating systems. Nor does an urgent one wait for the slices of others,
//! which can be long: a guest that touches 64 MiB of fresh memory holds its thread for tens of milliseconds. Threads of guests that are not
//! urgent are nicer than those that answer ([`SHORT_NICE`]), and have long slices ([`slice::COMPUTES`]), so that whatever answers, in whichever
//! process, has its turn at once when it wakes. They get little while others want both cores, never nothing: what has to be sure does not wait for
//! their turn ([`crate::long`]). Called by [`crate::receive`]; attempts without a cluster ([`crate::local`]) have one level only.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tasklane_jail::slice;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::courtesy::Manners;
use crate::long::{Attempt, Long};

/// Processor time after which an attempt is long.
const SHORT_CPU: Duration = Duration::from_millis(5);
/// Nice value of the threads for attempts that are neither urgent nor long. The kernel's weight of it is 110, that of threads that answer 1,024.
const SHORT_NICE: i32 = 10;
/// Nice value of the threads for long attempts. Its weight is 15.
const LONG_NICE: i32 = 19;
/// Polls of guests between two looks at what came from elsewhere, such as a delivery for a slot. A poll may last a millisecond, and
/// tokio's own choice of up to 127 polls would make an urgent delivery wait behind as many.
const ARRIVALS_INTERVAL: u32 = 1;
/// Polls of guests between two looks at timers and sockets. Tokio's default is 61.
const EVENTS_INTERVAL: u32 = 8;

/// The threads of all levels.
pub(crate) struct GuestThreads {
    pub(crate) urgent: Runtime,
    pub(crate) short: Runtime,
    pub(crate) long: Runtime,
}

/// What the kernel is told of the threads of a level.
#[derive(Debug, Clone, Copy)]
struct Share {
    nice: i32,
    slice: Option<Duration>,
}

impl Share {
    const URGENT: Self = Self { nice: 0, slice: None };
    const SHORT: Self = Self { nice: SHORT_NICE, slice: Some(slice::COMPUTES) };
    const LONG: Self = Self { nice: LONG_NICE, slice: Some(slice::COMPUTES) };

    /// Without it, all threads are equally important: slower for urgent and short attempts, and no reason not to run.
    fn take(self) {
        if self.nice != 0
            && let Err(error) = rustix::process::setpriority_process(None, self.nice)
        {
            tracing::warn!(%error, "the threads of guests keep their priority");
        }
        if let Some(Err(error)) = self.slice.map(slice::set) {
            tracing::warn!(%error, "the threads of guests keep their slice");
        }
    }
}

fn runtime(name: &str, threads: usize, share: Share) -> std::io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads).thread_name(name).enable_all();
    builder.global_queue_interval(ARRIVALS_INTERVAL).event_interval(EVENTS_INTERVAL);
    builder.on_thread_start(move || share.take());
    builder.build()
}

impl GuestThreads {
    /// Starts `threads` threads for each level.
    pub(crate) fn start(threads: usize) -> std::io::Result<Self> {
        Ok(Self {
            urgent: runtime("guest-urgent", threads, Share::URGENT)?,
            short: runtime("guest", threads, Share::SHORT)?,
            long: runtime("guest-long", threads, Share::LONG)?,
        })
    }

    /// A runtime must not be dropped inside another; its threads end by themselves.
    pub(crate) fn end(self) {
        self.urgent.shutdown_background();
        self.short.shutdown_background();
        self.long.shutdown_background();
    }
}

enum Stage<T> {
    Short(Attempt<T>),
    Long(Long<T>),
    Stopped,
}

/// An attempt that changes its level by itself. Dropping it stops the guest soon; [`Leveled::stop`] waits for that.
pub(crate) struct Leveled<T> {
    manners: Manners,
    long: Handle,
    stage: Stage<T>,
}

impl<T: Send + 'static> Leveled<T> {
    pub(crate) fn new(manners: Manners, long: Handle, attempt: impl Future<Output = T> + Send + 'static) -> Self {
        Self { manners, long, stage: Stage::Short(Box::pin(attempt)) }
    }

    fn is_long(&self) -> bool {
        Duration::from_micros(self.manners.clock.cpu_us()) >= SHORT_CPU
    }

    fn demote(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Stopped) {
            Stage::Short(attempt) => self.stage = Stage::Long(Long::start(attempt, self.manners.clone(), &self.long)),
            other => self.stage = other,
        }
    }

    /// Stops the guest, and returns when everything that it had is given back: at once, unless a thread is at it, and never after the
    /// turns of all other long ones.
    pub(crate) async fn stop(mut self) {
        if let Stage::Long(long) = &mut self.stage
            && !long.stop()
        {
            long.over().await;
        }
    }
}

impl<T: Send + 'static> Future for Leveled<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        if let Stage::Short(attempt) = &mut this.stage {
            let polled = this.manners.poll(attempt, context);
            if polled.is_ready() || !self.is_long() {
                return polled;
            }
            self.demote();
        }
        let Stage::Long(long) = &mut self.stage else { return Poll::Pending };
        match long.poll(context) {
            Poll::Ready(Ok(Some(ended))) => Poll::Ready(ended),
            // It was stopped, so nobody asks any more.
            Poll::Ready(Ok(None)) => Poll::Pending,
            Poll::Ready(Err(error)) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Its runtime ends, and with it this process.
                Err(_) => Poll::Pending,
            },
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T> Drop for Leveled<T> {
    fn drop(&mut self) {
        if let Stage::Long(long) = &self.stage {
            long.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::sandbox::meter::{Metered, PollClock};

    fn threads() -> GuestThreads {
        GuestThreads::start(1).unwrap()
    }

    fn rude(clock: Arc<PollClock>) -> Manners {
        Manners { clock, courtesy: None }
    }

    /// How long a poll of a guest takes that is on its way to the long level.
    const POLL: Duration = Duration::from_millis(1);

    /// Where it begins and where it ends, after polls that take so long each.
    async fn wander(clock: Arc<PollClock>, polls: u32, poll: Duration) -> (String, String) {
        let name = || thread::current().name().unwrap_or_default().to_owned();
        let begun = name();
        let work = std::pin::pin!(async {
            for _ in 0..polls {
                thread::sleep(poll);
                tokio::task::yield_now().await;
            }
        });
        Metered::new(work, clock).await;
        (begun, name())
    }

    fn run(threads: &GuestThreads, polls: u32, poll: Duration) -> (String, String) {
        let clock = PollClock::start();
        let leveled = Leveled::new(rude(clock.clone()), threads.long.handle().clone(), wander(clock, polls, poll));
        threads.short.block_on(threads.short.spawn(leveled)).unwrap()
    }

    #[test]
    fn only_what_takes_long_changes_its_level() {
        let threads = threads();
        // It does not sleep: a busy machine wakes it late.
        assert_eq!(run(&threads, 1, Duration::ZERO), ("guest".to_owned(), "guest".to_owned()));
        assert_eq!(run(&threads, 50, POLL), ("guest".to_owned(), "guest-long".to_owned()));
        threads.end();
    }

    #[test]
    fn threads_of_guests_that_are_not_urgent_are_nicer() {
        let threads = threads();
        let of = |runtime: &Runtime| {
            let nice = async { rustix::process::getpriority_process(None).unwrap() };
            runtime.block_on(runtime.spawn(nice)).unwrap()
        };
        let (urgent, short, long) = (of(&threads.urgent), of(&threads.short), of(&threads.long));
        assert_eq!((short, long), (SHORT_NICE, LONG_NICE));
        assert!(urgent < short);
        threads.end();
    }

    /// Kernels before 6.12 do not keep slices.
    #[test]
    fn threads_of_guests_that_are_not_urgent_have_long_slices() {
        let threads = threads();
        let of = |runtime: &Runtime| runtime.block_on(runtime.spawn(async { slice::get().unwrap() })).unwrap();
        let (urgent, short, long) = (of(&threads.urgent), of(&threads.short), of(&threads.long));
        assert_eq!(short, long);
        assert!(short == slice::COMPUTES && urgent < short || short.is_zero(), "{urgent:?} {short:?}");
        threads.end();
    }

    /// What was told to stop has given everything back, on whichever level it was.
    #[test]
    fn stop_waits_for_the_end() {
        let threads = threads();
        for polls in [0, 20] {
            let (clock, held) = (PollClock::start(), Arc::new(()));
            let (guest, metered) = (held.clone(), clock.clone());
            let attempt = async move {
                let _held = guest;
                wander(metered, polls, POLL).await;
                std::future::pending::<()>().await;
            };
            let mut leveled = Leveled::new(rude(clock), threads.long.handle().clone(), attempt);
            threads.short.block_on(async {
                let some_time = Duration::from_millis(50);
                assert!(tokio::time::timeout(some_time, &mut leveled).await.is_err());
                leveled.stop().await;
            });
            assert_eq!(Arc::strong_count(&held), 1);
        }
        threads.end();
    }

    #[test]
    #[should_panic(expected = "on behalf of a guest")]
    fn a_panic_on_the_long_level_is_a_panic_of_the_attempt() {
        let threads = threads();
        let clock = PollClock::start();
        let metered = clock.clone();
        let attempt = async move {
            wander(metered, 20, POLL).await;
            panic!("on behalf of a guest");
        };
        threads.short.block_on(Leveled::new(rude(clock), threads.long.handle().clone(), attempt));
    }
}
