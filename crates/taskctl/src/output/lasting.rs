//! What lasts is shown on a terminal, and nowhere else: a line on standard error that comes after a second and goes when it is done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How long something may take before it is remarked.
const UNREMARKED: Duration = Duration::from_secs(1);
/// How often the line moves.
const TICK: Duration = Duration::from_millis(120);

static SHOWN: AtomicBool = AtomicBool::new(false);

/// From now on nothing of the kind is shown: the terminal is another's.
pub(crate) fn silence() {
    SHOWN.store(true, Ordering::Relaxed);
}

/// A line that can be told what to say; hidden where nobody sees it.
pub(crate) fn line() -> ProgressBar {
    let line = if super::stderr_is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        line.set_style(style);
    }
    line
}

/// Waits for something, and says so when it takes longer than a second.
pub(crate) async fn lasting<T>(what: &str, awaited: impl Future<Output = T>) -> T {
    if !super::stderr_is_terminal() {
        return awaited.await;
    }
    let mut awaited = std::pin::pin!(awaited);
    if let Ok(done) = tokio::time::timeout(UNREMARKED, awaited.as_mut()).await {
        return done;
    }
    // One line at a time: what is asked within something that lasts is a part of it.
    if SHOWN.swap(true, Ordering::Relaxed) {
        return awaited.await;
    }
    let line = line();
    line.set_message(format!("{what} …"));
    line.enable_steady_tick(TICK);
    let done = awaited.await;
    line.finish_and_clear();
    SHOWN.store(false, Ordering::Relaxed);
    done
}
