//! Who leads: one scheduler at a time holds the lease in the NATS KV and opens a term in the database.
//!
//! ```text
//!            acquired, term opened                 LeaseLost | trust over | StaleTerm | shutdown
//!  follower ───────────────────────▶ leader ──────────────────────────────────────────────────▶ follower
//!     ▲  │ taken: wait until freed                       (loops stopped, then resigned)
//!     └──┘
//! ```
//! Called by [`crate::Scheduler::run`]. Guarantees: leader-only loops run only while this process's own monotonic clock says that
//! the lease can still be held: `trusted until = start of the last successful write + 0.7 TTL`, so it stops before anybody else may
//! begin, even if its renewals hang. It does not guarantee that two never *believe* that they lead (a paused process cannot look at
//! its clock): what they commit is fenced by the term, inside each transaction.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tasklane_domain::cluster::LeaderInfo;
use tasklane_domain::error::{QueueError, StoreError};
use tasklane_domain::{Lease, Term};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::loops::{admit, cron, due, expiry, rescue, retention, sweep, trim, webhooks};
use crate::{Office, Room};

/// Share of the TTL after which a leader stops trusting an unrenewed lease.
const TRUST_SHARE: f64 = 0.7;
/// Renewals within one TTL.
const RENEWALS_PER_TTL: u32 = 4;
/// A follower looks at the key at least this often, whatever the watch says.
const FOLLOWER_POLL_MAX: Duration = Duration::from_secs(2);
/// Wait after an error, so that an unreachable NATS is not hammered.
const ERROR_PAUSE: Duration = Duration::from_millis(500);

/// Until when a lease may be trusted, by the monotonic clock; clones share it.
#[derive(Debug, Clone)]
pub struct TrustWindow {
    until: Arc<Mutex<Instant>>,
    length: Duration,
}

impl TrustWindow {
    /// A lease whose write was begun at `begun` and that lasts `ttl` without renewal.
    #[must_use]
    pub fn new(begun: Instant, ttl: Duration) -> Self {
        let length = ttl.mul_f64(TRUST_SHARE);
        Self { until: Arc::new(Mutex::new(begun + length)), length }
    }

    /// A renewal begun at `begun` succeeded.
    pub fn extend(&self, begun: Instant) {
        if let Ok(mut until) = self.until.lock() {
            *until = (*until).max(begun + self.length);
        }
    }

    /// How long it may still be trusted; zero when it may not.
    #[must_use]
    pub fn left(&self, now: Instant) -> Duration {
        self.until.lock().map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }
}

/// Follows and leads, in turn, until `shutdown`.
pub(crate) async fn run(room: Room, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        tokio::select! {
            () = shutdown.cancelled() => return,
            won = campaign(&room) => match won {
                Some((lease, trust, info)) => hold_office(&room, lease, trust, info, &shutdown).await,
                None => continue,
            },
        }
    }
}

async fn campaign(room: &Room) -> Option<(Lease, TrustWindow, LeaderInfo)> {
    let info =
        LeaderInfo { scheduler: room.settings.name.clone(), term: None, since: room.clock.now(), renewed_at: None };
    let begun = Instant::now();
    match room.ports.leases.acquire(&info, room.settings.lease_ttl).await {
        Ok(Some(lease)) => Some((lease, TrustWindow::new(begun, room.settings.lease_ttl), info)),
        Ok(None) => {
            room.ports.leases.freed(FOLLOWER_POLL_MAX).await;
            None
        }
        Err(error) => {
            tracing::warn!(%error, "the leadership key could not be reached");
            tokio::time::sleep(ERROR_PAUSE).await;
            None
        }
    }
}

async fn hold_office(
    room: &Room,
    lease: Lease,
    trust: TrustWindow,
    mut info: LeaderInfo,
    shutdown: &CancellationToken,
) {
    let term = match room.ports.leader.open_term(lease).await {
        Ok(term) => term,
        Err(error) => {
            tracing::warn!(%error, "a won lease opened no term");
            resign(room, lease.revision).await;
            tokio::time::sleep(ERROR_PAUSE).await;
            return;
        }
    };
    info.term = Some(term);
    let office = Office { term, over: shutdown.child_token(), trust };
    room.metrics.leader.set(1);
    room.metrics.term.set(term.get());
    room.metrics.leader_changes.inc();
    tracing::info!(%term, "leading");
    let loops = start_loops(room, &office);
    let revision = renew_until_over(room, &office, lease.revision, &info).await;
    room.metrics.leader.set(0);
    join(loops).await;
    tracing::info!(%term, "no longer leading");
    if let Some(revision) = revision {
        resign(room, revision).await;
    }
}

fn start_loops(room: &Room, office: &Office) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    loops.spawn(due::run(room.clone(), office.clone()));
    loops.spawn(admit::run(room.clone(), office.clone()));
    loops.spawn(cron::run(room.clone(), office.clone()));
    loops.spawn(rescue::run(room.clone(), office.clone()));
    loops.spawn(trim::run(room.clone(), office.clone()));
    loops.spawn(sweep::run(room.clone(), office.clone()));
    loops.spawn(retention::run(room.clone(), office.clone()));
    loops.spawn(webhooks::run(room.clone(), office.clone()));
    loops.spawn(expiry::run(room.clone(), office.clone()));
    loops
}

async fn join(mut loops: JoinSet<()>) {
    while let Some(ended) = loops.join_next().await {
        if let Err(panic) = ended {
            tracing::error!(error = %panic, "a leader's loop panicked");
        }
    }
}

/// Renews until the office is over, and ends it when the lease is lost. Returns the revision to resign with, if still held.
async fn renew_until_over(room: &Room, office: &Office, mut revision: u64, info: &LeaderInfo) -> Option<u64> {
    let interval = room.settings.lease_ttl / RENEWALS_PER_TTL;
    // The first renewal comes at once: it shows the term to others.
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = office.over.cancelled() => return Some(revision),
            () = tokio::time::sleep(pause) => {}
        }
        let left = office.trust.left(Instant::now());
        let begun = Instant::now();
        let info = LeaderInfo { renewed_at: Some(room.clock.now()), ..info.clone() };
        let renewal = room.ports.leases.renew(revision, &info, room.settings.lease_ttl);
        match tokio::time::timeout(left, renewal).await {
            Ok(Ok(newer)) => {
                revision = newer;
                office.trust.extend(begun);
                pause = interval;
            }
            Ok(Err(QueueError::LeaseLost)) => return give_up(office, "somebody else took the lease"),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the lease was not renewed");
                pause = ERROR_PAUSE.min(interval);
            }
            Err(_) => {}
        }
        if office.trust.left(Instant::now()).is_zero() {
            return give_up(office, "the lease could not be renewed in time");
        }
    }
}

fn give_up(office: &Office, reason: &str) -> Option<u64> {
    tracing::warn!(term = %office.term, reason, "stepping down");
    office.over.cancel();
    None
}

async fn resign(room: &Room, revision: u64) {
    let resigned = tokio::time::timeout(ERROR_PAUSE * 2, room.ports.leases.resign(revision)).await;
    match resigned {
        Ok(Ok(())) | Ok(Err(QueueError::LeaseLost)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the lease was not given up; it will expire"),
        Err(_) => tracing::warn!("the lease was not given up in time; it will expire"),
    }
}

/// What a leader's loop does about a failed transaction: a stale term ends the office, anything else is tried again later.
pub(crate) fn note_failure(room: &Room, office: &Office, what: &'static str, error: &StoreError) {
    if let StoreError::StaleTerm { .. } = error {
        room.metrics.stale_terms.inc();
        tracing::warn!(%error, what, "a newer leader has begun: stepping down");
        office.over.cancel();
        return;
    }
    tracing::warn!(%error, what, "a leader's transaction failed; it will be tried again");
}

impl Office {
    /// The term, if a transaction may be begun now.
    pub(crate) fn term_if_trusted(&self) -> Option<Term> {
        let trusted = !self.over.is_cancelled() && !self.trust.left(Instant::now()).is_zero();
        trusted.then_some(self.term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_ends_before_the_ttl_and_is_extended_from_the_start_of_a_renewal() {
        let begun = Instant::now();
        let trust = TrustWindow::new(begun, Duration::from_secs(10));
        assert_eq!(trust.left(begun), Duration::from_secs(7));
        assert_eq!(trust.left(begun + Duration::from_secs(8)), Duration::ZERO);
        trust.extend(begun + Duration::from_secs(3));
        assert_eq!(trust.left(begun + Duration::from_secs(8)), Duration::from_secs(2));
    }

    #[test]
    fn a_late_answer_to_an_early_renewal_takes_nothing_away() {
        let begun = Instant::now();
        let trust = TrustWindow::new(begun + Duration::from_secs(5), Duration::from_secs(10));
        trust.extend(begun);
        assert_eq!(trust.left(begun + Duration::from_secs(5)), Duration::from_secs(7));
    }
}
