//! The turn to write: processes that share a SQLite file queue for it, rather than ask again and again.
//!
//! SQLite's own waiting sleeps for up to 100 ms between two looks at a lock that another process takes again every few
//! milliseconds: who comes second may wait for long. Here a writer first locks `FILE-turn`, then `FILE-writing`, and gives the first
//! back: who waits is next, whatever the writer before it wants. Called by [`super::WriteConnection`] around each transaction.
//!
//! It is for fairness alone. SQLite's lock still guards the file, so a turn that cannot be had (no right to make the files, a process
//! that was stopped while it wrote) costs time, never data.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// How long a writer waits for its turn before it tries without.
const PATIENCE: Duration = Duration::from_secs(2);

/// Both files; closing them gives the turn back.
struct Files {
    next: File,
    writing: File,
}

impl Files {
    fn open(database: &str) -> io::Result<Self> {
        let open = |suffix: &str| {
            let path = PathBuf::from(format!("{database}-{suffix}"));
            OpenOptions::new().create(true).truncate(false).write(true).open(path)
        };
        Ok(Self { next: open("turn")?, writing: open("writing")? })
    }

    /// The turn, if nobody has it or waits for it.
    fn try_take(&self) -> io::Result<bool> {
        if !is_free(self.next.try_lock())? {
            return Ok(false);
        }
        let taken = is_free(self.writing.try_lock());
        self.next.unlock()?;
        taken
    }

    fn take(&self) -> io::Result<()> {
        self.next.lock()?;
        let taken = self.writing.lock();
        self.next.unlock()?;
        taken
    }
}

fn is_free(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// One process's place in the queue of writers.
pub(super) struct Turns {
    database: String,
    files: Option<Files>,
}

impl Turns {
    pub(super) fn new(database: &str) -> Self {
        Self { database: database.to_owned(), files: None }
    }

    /// Waits for the turn, at most [`PATIENCE`]; it lasts until [`Turns::end`].
    pub(super) async fn begin(&mut self) {
        match self.wait().await {
            Ok(files) => self.files = Some(files),
            Err(error) => tracing::debug!(%error, "writing without a turn"),
        }
    }

    async fn wait(&mut self) -> io::Result<Files> {
        let files = self.files.take().map_or_else(|| Files::open(&self.database), Ok)?;
        if files.try_take()? {
            return Ok(files);
        }
        let (taken, turn) = oneshot::channel();
        // A thread that no runtime waits for at its end. When patience is over it goes on, and what it gets is closed, since nobody takes it.
        let wait = move || drop(taken.send(files.take().map(|()| files)));
        thread::Builder::new().name("turn".to_owned()).spawn(wait)?;
        tokio::time::timeout(PATIENCE, turn).await?.map_err(io::Error::other)?
    }

    /// Gives the turn back.
    pub(super) fn end(&mut self) {
        let Some(files) = &self.files else { return };
        if let Err(error) = files.writing.unlock() {
            tracing::debug!(%error, "a turn is given back by closing its files");
            self.files = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Instant;

    use super::*;

    /// Ends a test that would hang; never a bound that a slow machine meets.
    const PLENTY: Duration = Duration::from_secs(60);

    fn two() -> (tempfile::TempDir, Turns, Turns) {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("tasklane.db").to_str().unwrap().to_owned();
        let turns = (Turns::new(&database), Turns::new(&database));
        (dir, turns.0, turns.1)
    }

    /// Whoever waits is next, although the one before wants the turn again at once.
    #[tokio::test]
    async fn who_waits_is_next() {
        let (_dir, mut busy, mut other) = two();
        busy.begin().await;
        let mut waiting = pin!(async move {
            other.begin().await;
            let had = other.files.is_some();
            other.end();
            had
        });
        let begun = Instant::now();
        // One look of its own finds the turn taken; after that, whoever has the first lock is its thread, which stands in line.
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("the turn was not taken"),
            () = std::future::ready(()) => {}
        }
        let next = Files::open(&busy.database).unwrap().next;
        while is_free(next.try_lock()).unwrap() {
            next.unlock().unwrap();
            assert!(begun.elapsed() < PLENTY, "nobody stands in line");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        busy.end();
        let (had, ()) = tokio::join!(waiting, busy.begin());
        // Whose patience was over, since this machine stood still, has left the line.
        let is_over = begun.elapsed() >= PATIENCE;
        assert!(had || is_over, "the other had its turn before the busy one had its second");
    }

    #[tokio::test]
    async fn a_turn_that_nobody_gives_back_is_not_waited_for_for_ever() {
        let (_dir, mut stopped, mut other) = two();
        stopped.begin().await;
        other.begin().await;
        assert!(other.files.is_none());
        stopped.end();
        // The thread whose patience was over gives back what it gets, as soon as it runs.
        let begun = Instant::now();
        while other.files.is_none() {
            assert!(begun.elapsed() < PLENTY, "the turn was given back");
            other.begin().await;
        }
    }

    #[tokio::test]
    async fn without_a_place_for_the_files_there_are_no_turns() {
        let mut turns = Turns::new("/proc/no/such/place/tasklane.db");
        turns.begin().await;
        assert!(turns.files.is_none());
        turns.end();
    }
}
