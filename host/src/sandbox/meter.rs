//! CPU time of a guest, and the hook that makes it yield inside loops of host calls.
//!
//! Fuel alone does not preempt a guest that loops over host functions: they burn time, not fuel. So each return from the host
//! yields once the current poll has lasted [`POLL_TIME_MAX`]; that capped a 1.6 s poll at about 1 ms.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::trace::AttemptTrace;
use wasmtime::{CallHook, CallHookHandler, StoreContextMut};

/// How long one poll of a guest may last before its next return from the host yields.
const POLL_TIME_MAX: Duration = Duration::from_millis(1);

/// When the current poll began, and the sum of all polls; shared by the meter and the hook.
#[derive(Debug)]
pub(crate) struct PollClock {
    base: Instant,
    began_ns: AtomicU64,
    total_ns: AtomicU64,
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl PollClock {
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Self { base: Instant::now(), began_ns: AtomicU64::new(0), total_ns: AtomicU64::new(0) })
    }

    fn now_ns(&self) -> u64 {
        nanos(self.base.elapsed())
    }

    fn current_poll(&self) -> Duration {
        Duration::from_nanos(self.now_ns().saturating_sub(self.began_ns.load(Ordering::Relaxed)))
    }

    /// Time since the attempt's start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.base.elapsed()
    }

    /// Time spent in polls, in microseconds.
    pub(crate) fn cpu_us(&self) -> u64 {
        self.total_ns.load(Ordering::Relaxed) / 1_000
    }
}

/// Measures each poll of a future.
pub(crate) struct Metered<'a, F> {
    future: Pin<&'a mut F>,
    clock: Arc<PollClock>,
}

impl<'a, F: Future> Metered<'a, F> {
    pub(crate) fn new(future: Pin<&'a mut F>, clock: Arc<PollClock>) -> Self {
        Self { future, clock }
    }
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let began = self.clock.now_ns();
        self.clock.began_ns.store(began, Ordering::Relaxed);
        let answer = self.future.as_mut().poll(context);
        let took = self.clock.now_ns().saturating_sub(began);
        self.clock.total_ns.fetch_add(took, Ordering::Relaxed);
        answer
    }
}

/// Yields on the way back from the host when the current poll is too long, and bounds what a guest hands over at once: as the argument
/// of a host function little, as its result as much as its limit allows.
pub(crate) struct Watch {
    pub(crate) clock: Arc<PollClock>,
    /// Most bytes in one call of a host function.
    pub(crate) argument_bytes: usize,
    /// Most bytes at the guest's end.
    pub(crate) result_bytes: usize,
    /// Its spans, if its trace is sampled.
    pub(crate) trace: Option<AttemptTrace>,
}

#[async_trait::async_trait]
impl<T: Send> CallHookHandler<T> for Watch {
    async fn handle_call_event(&self, mut store: StoreContextMut<'_, T>, event: CallHook) -> wasmtime::Result<()> {
        match event {
            CallHook::CallingHost => {
                store.set_hostcall_fuel(self.argument_bytes);
                if let Some(trace) = &self.trace {
                    trace.called();
                }
            }
            CallHook::ReturningFromHost if self.clock.current_poll() > POLL_TIME_MAX => tokio::task::yield_now().await,
            // Its end, or that of an allocation for a host function, which then gives and takes nothing.
            CallHook::ReturningFromWasm => store.set_hostcall_fuel(self.result_bytes),
            CallHook::ReturningFromHost | CallHook::CallingWasm => {}
        }
        Ok(())
    }
}
