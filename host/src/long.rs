//! long: a long attempt, where its threads and whoever stops it find it.
//!
//! Called by [`crate::levels`]. Threads of long guests are the last to have a processor. An attempt that is stopped is therefore not left in their
//! queue until its turn comes, which may be never on a machine that others keep busy: who stops it takes it away and drops it. Only if a
//! thread is at it just then, that thread drops it at the end of its poll, a millisecond of processor time later at most.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};

use crate::courtesy::Manners;

pub(crate) type Attempt<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A long attempt, where its threads and whoever stops it find it.
struct Stoppable<T> {
    attempt: Mutex<Option<Attempt<T>>>,
    manners: Manners,
    is_stopped: AtomicBool,
}

impl<T> Stoppable<T> {
    fn of(attempt: Attempt<T>, manners: Manners) -> Arc<Self> {
        Arc::new(Self { attempt: Mutex::new(Some(attempt)), manners, is_stopped: AtomicBool::new(false) })
    }

    /// What it came to; nothing when it was stopped.
    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut place = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(attempt) = place.as_mut() else { return Poll::Ready(None) };
        let polled = self.manners.poll(attempt, context);
        if polled.is_pending() && !self.is_stopped.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        *place = None;
        match polled {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending => Poll::Ready(None),
        }
    }

    /// Drops it here and now unless a thread is at it, which then does after its poll. Whether it is gone.
    fn stop(&self) -> bool {
        self.is_stopped.store(true, Ordering::Release);
        let Ok(mut place) = self.attempt.try_lock() else { return false };
        drop(place.take());
        true
    }
}

/// An attempt on the long level.
pub(crate) struct Long<T> {
    attempt: Arc<Stoppable<T>>,
    going: JoinHandle<Option<T>>,
}

impl<T: Send + 'static> Long<T> {
    pub(crate) fn start(attempt: Attempt<T>, manners: Manners, threads: &Handle) -> Self {
        let attempt = Stoppable::of(attempt, manners);
        let polled = attempt.clone();
        Self { attempt, going: threads.spawn(std::future::poll_fn(move |context| polled.poll(context))) }
    }
}

impl<T> Long<T> {
    /// What it came to, as [`JoinHandle`] tells it; nothing when it was stopped.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<T>, JoinError>> {
        Pin::new(&mut self.going).poll(context)
    }

    /// Tells it to stop. Whether nothing is left of it.
    pub(crate) fn stop(&self) -> bool {
        let is_gone = self.attempt.stop();
        // Where a thread was at its poll's end and did not see it: it is dropped when its turn comes again.
        self.going.abort();
        is_gone
    }

    /// The end of one that was told to stop while a thread was at it: whether it was dropped or came to its end meanwhile.
    pub(crate) async fn over(&mut self) {
        drop((&mut self.going).await);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::sandbox::meter::PollClock;

    /// A runtime whose only thread is kept busy until the sender is dropped.
    fn busy() -> (Runtime, std::sync::mpsc::Sender<()>) {
        let threads = Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (busy, is_busy) = std::sync::mpsc::channel();
        threads.spawn(async move {
            busy.send(()).unwrap();
            assert!(held.recv().is_err());
        });
        is_busy.recv().unwrap();
        (threads, release)
    }

    fn manners() -> Manners {
        Manners { clock: PollClock::start(), courtesy: None }
    }

    /// Although its threads have no time for it.
    #[test]
    fn what_is_stopped_in_the_queue_gives_everything_back_at_once() {
        let (threads, release) = busy();
        let held = Arc::new(());
        let guest = held.clone();
        let long = Long::start(Box::pin(async move { drop(guest) }), manners(), threads.handle());
        assert!(long.stop());
        assert_eq!(Arc::strong_count(&held), 1);
        drop(release);
    }

    #[test]
    fn what_is_stopped_within_a_poll_is_dropped_at_its_end() {
        let threads = Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let ((inside, is_inside), (go_on, may_go_on)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
        let held = Arc::new(());
        let guest = held.clone();
        let mut long = Long::start(
            Box::pin(async move {
                inside.send(()).unwrap();
                may_go_on.recv().unwrap();
                std::future::pending::<()>().await;
                drop(guest);
            }),
            manners(),
            threads.handle(),
        );
        is_inside.recv().unwrap();
        assert!(!long.stop());
        go_on.send(()).unwrap();
        threads.block_on(async { tokio::time::timeout(Duration::from_secs(60), long.over()).await }).unwrap();
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
