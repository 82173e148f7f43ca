//! Signals as cancellations: the first asks for an orderly end, the second for one at once.

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// (drain, stop): cancelled by the first and the second SIGINT or SIGTERM.
pub(crate) fn tokens() -> (CancellationToken, CancellationToken) {
    let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
    let (first, second) = (drain.clone(), stop.clone());
    // Heard from now on, and between the two.
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::error!("signals cannot be heard");
        return (drain, stop);
    };
    tokio::spawn(async move {
        one(&mut interrupt, &mut terminate).await;
        tracing::info!("stopping; a second signal stops at once");
        first.cancel();
        one(&mut interrupt, &mut terminate).await;
        second.cancel();
    });
    (drain, stop)
}

async fn one(interrupt: &mut Signals, terminate: &mut Signals) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Has the kernel end this process when its parent dies, even by `kill -9`.
pub(crate) fn die_with(parent: u32) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let now = getppid().map(rustix::process::Pid::as_raw_nonzero).map(|pid| pid.get().unsigned_abs());
    anyhow::ensure!(now == Some(parent), "the parent process has ended already");
    Ok(())
}
