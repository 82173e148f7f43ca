//! webhooks: sends what was written down for endpoints, and records what came of it.
//!
//! Leader only. A delivery is in flight at most once in this process, and each endpoint has a few places of its own
//! ([`IN_FLIGHT_PER_ENDPOINT_MAX`]), so that a slow one keeps no other waiting. Guarantees: nothing is forgotten that was written down:
//! what is in flight when a leader dies still waits in its row, and is sent again by the next one. Not promised: order, or that a
//! receiver sees an event once only; it tells repetitions by their id.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use tasklane_domain::error::StoreError;
use tasklane_domain::webhook::{
    Answer, Delivery, EventId, FORGOTTEN_MAX, Message, Secret, Tried, Verdict, WEBHOOKS_MAX, Webhook, envelope, judge,
};
use tasklane_domain::{Term, Timestamp, WebhookName};
use tokio::task::{Id, JoinError, JoinSet};

use crate::leader::note_failure;
use crate::{Office, Room};

/// Deliveries that are on their way to one endpoint at once.
const IN_FLIGHT_PER_ENDPOINT_MAX: usize = 8;
/// Deliveries that are read for each endpoint: enough to find others than those in flight.
const READ_PER_ENDPOINT: u32 = 2 * 8;
/// How often the rows are looked at while an endpoint is active, and while none is.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// See [`LOOK_INTERVAL`].
const IDLE_INTERVAL: Duration = Duration::from_secs(2);
/// How often batches are looked at, if an endpoint wants to know.
const BATCHES_INTERVAL: Duration = Duration::from_secs(1);
/// How often old deliveries are forgotten and flooded endpoints paused.
const HOUSE_INTERVAL: Duration = Duration::from_secs(30);
/// Wait after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(250);
/// How long a leader that stops waits for answers that are on their way.
const LAST_ANSWERS_MAX: Duration = Duration::from_millis(500);

/// Runs until the office is over.
pub(crate) async fn run(room: Room, office: Office) {
    let mut desk = Desk::default();
    while let Some(term) = office.term_if_trusted() {
        let pause = match desk.round(&room, term).await {
            Ok(pause) => pause,
            Err(error) => {
                note_failure(&room, &office, "webhooks", &error);
                ERROR_PAUSE
            }
        };
        tokio::select! {
            () = office.over.cancelled() => break,
            () = desk.something_returns(), if !desk.sending.is_empty() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    desk.close(&room, &office).await;
}

type Key = (WebhookName, EventId);

/// What is on its way, and what has come back.
#[derive(Default)]
struct Desk {
    sending: JoinSet<Tried>,
    /// Which delivery each future sends: one that panics is told by its id alone.
    senders: HashMap<Id, Key>,
    /// On their way, or come back and not yet recorded.
    busy: HashSet<Key>,
    returned: Vec<Tried>,
    batches_at: Option<Instant>,
    house_at: Option<Instant>,
}

fn is_time(last: &mut Option<Instant>, interval: Duration) -> bool {
    let now = Instant::now();
    let time = last.is_none_or(|last| now.duration_since(last) >= interval);
    if time {
        *last = Some(now);
    }
    time
}

impl Desk {
    /// Records, looks, sends; returns how long to wait if nothing comes back.
    async fn round(&mut self, room: &Room, term: Term) -> Result<Duration, StoreError> {
        self.record(room, term).await?;
        let now = room.clock.now();
        let due = room.ports.webhooks.due(now, READ_PER_ENDPOINT).await?;
        for (webhook, deliveries) in due.endpoints.iter().take(usize::try_from(WEBHOOKS_MAX).unwrap_or(usize::MAX)) {
            self.send(room, webhook, deliveries, now);
        }
        if due.batches && is_time(&mut self.batches_at, BATCHES_INTERVAL) {
            let announced = room.ports.webhooks.announce_batches(term, now).await?;
            tracing::trace!(announced, "batches were looked at");
        }
        if is_time(&mut self.house_at, HOUSE_INTERVAL) && keep_house(room, term, now).await? >= FORGOTTEN_MAX {
            // There is more to forget: at the next look, with other writes between.
            self.house_at = None;
        }
        let interval = if due.active > 0 { LOOK_INTERVAL } else { IDLE_INTERVAL };
        Ok(due.next_at.map_or(interval, |next| next.since(now).min(interval)))
    }

    fn send(&mut self, room: &Room, webhook: &Webhook, deliveries: &[Delivery], now: Timestamp) {
        let in_flight = self.busy.iter().filter(|(name, _)| *name == webhook.name).count();
        let key = |delivery: &Delivery| (delivery.webhook.clone(), delivery.event.clone());
        let fresh: Vec<&Delivery> = deliveries.iter().filter(|delivery| !self.busy.contains(&key(delivery))).collect();
        for delivery in fresh.into_iter().take(IN_FLIGHT_PER_ENDPOINT_MAX.saturating_sub(in_flight)) {
            let sender = send(room.clone(), webhook.url.clone(), webhook.secrets(now), delivery.clone());
            let handle = self.sending.spawn(sender);
            self.senders.insert(handle.id(), key(delivery));
            self.busy.insert(key(delivery));
        }
    }

    /// Waits for one, and takes what has come back beside it.
    async fn something_returns(&mut self) {
        let mut next = self.sending.join_next_with_id().await;
        while let Some(ended) = next {
            self.take(ended);
            next = self.sending.try_join_next_with_id();
        }
    }

    fn take(&mut self, ended: Result<(Id, Tried), JoinError>) {
        match ended {
            Ok((id, tried)) => {
                self.senders.remove(&id);
                self.returned.push(tried);
            }
            Err(panic) => {
                tracing::error!(error = %panic, "a delivery to a webhook panicked; it will be tried again");
                if let Some(key) = self.senders.remove(&panic.id()) {
                    self.busy.remove(&key);
                }
            }
        }
    }

    /// What cannot be recorded now stays here, and is not sent again meanwhile.
    async fn record(&mut self, room: &Room, term: Term) -> Result<(), StoreError> {
        if self.returned.is_empty() {
            return Ok(());
        }
        room.ports.webhooks.record(term, self.returned.clone()).await?;
        for tried in self.returned.drain(..) {
            room.metrics.count_delivery(tried.verdict);
            told(&tried);
            self.busy.remove(&(tried.webhook, tried.event));
        }
        Ok(())
    }

    /// Answers that come soon are still recorded; a newer leader refuses them by their term.
    async fn close(mut self, room: &Room, office: &Office) {
        let all = async {
            while !self.sending.is_empty() {
                self.something_returns().await;
            }
        };
        if tokio::time::timeout(LAST_ANSWERS_MAX, all).await.is_err() {
            tracing::debug!("deliveries were on their way; the next leader sends them again");
        }
        if let Err(error) = self.record(room, office.term).await {
            tracing::debug!(%error, "the last deliveries were not recorded; the next leader sends them again");
        }
    }
}

fn told(tried: &Tried) {
    let Tried { webhook, event, status, .. } = tried;
    let error = tried.error.as_deref().unwrap_or_default();
    match tried.verdict {
        Verdict::Delivered => tracing::debug!(%webhook, %event, ?status, "an event was delivered"),
        Verdict::Again(at) => tracing::debug!(%webhook, %event, ?status, error, %at, "an event is sent again later"),
        Verdict::Dead => tracing::warn!(%webhook, %event, ?status, error, "an event was given up: it is a dead letter"),
        Verdict::Gone => tracing::warn!(%webhook, %event, "an endpoint says that it is gone: it is paused"),
    }
}

async fn send(room: Room, url: String, secrets: Vec<Secret>, delivery: Delivery) -> Tried {
    let answer = match envelope(&delivery, &room.settings.webhooks.links) {
        Ok(body) => {
            let at = room.clock.now();
            let message = Message { url, id: delivery.event.clone(), at, body: body.into(), secrets };
            room.ports.sender.send(&message).await
        }
        Err(why) => Answer::Failed(format!("the event cannot be read: {why}")),
    };
    let now = room.clock.now();
    let Delivery { webhook, event, attempts, .. } = delivery;
    judge(webhook, event, attempts, answer, &room.settings.webhooks.retry, now, rand::random())
}

/// Returns how many deliveries were forgotten.
async fn keep_house(room: &Room, term: Term, now: Timestamp) -> Result<u64, StoreError> {
    let kept = room.ports.webhooks.keep_house(term, now, room.settings.webhooks.waiting_max).await?;
    for webhook in kept.paused {
        tracing::warn!(%webhook, "too many deliveries wait for an endpoint: it is paused");
    }
    Ok(kept.forgotten)
}
