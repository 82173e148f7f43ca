//! The live feed: what changed, in windows of a tenth of a second, and how many tasks ended in each second of late.
//!
//! Filled by the loop that hears news (`background::listen`) and by submits; read by `routes::events`. Guarantees: noting a batch
//! costs counting it, whatever the number of readers, and writes nothing; memory is bounded; a reader whose place is no longer
//! kept is told so once and goes on from now. Does not promise that every change is there: news are best effort, may come twice
//! after a lease was lost, and a window names a part of what changed. The rows are the truth.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tasklane_api_types::{AuditView, FeedChange, HistorySecond, HistoryView};
use tasklane_domain::access::AuditRecord;
use tasklane_domain::ports::TaskNews;
use tasklane_domain::{Clock, Namespace, Timestamp};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

mod window;

use window::{Shares, Window};

/// How long changes are gathered after one was told.
const WINDOW: Duration = Duration::from_millis(100);
/// Changes that are kept for readers who come back: about a minute under constant load.
const CHANGES_KEPT_MAX: usize = 512;
/// Seconds of history.
pub(crate) const HISTORY_SECONDS_MAX: u32 = 900;
/// Readers at once, in one process.
const READERS_MAX: usize = 1_000;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// The feed of one process.
pub(crate) struct Feed {
    /// This process's life: places in another's feed mean nothing here.
    life: String,
    kept: Mutex<Kept>,
    /// Something waits to be told.
    waiting: Notify,
    /// `false` when the process ends; touched at each change.
    open: watch::Sender<bool>,
    places: Arc<Semaphore>,
    /// How many readers are shown the audit log.
    auditors: watch::Sender<usize>,
}

/// What a reader may see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sight {
    /// Of this namespace only.
    pub(crate) namespace: Option<Namespace>,
    /// And what was done there.
    pub(crate) audit: bool,
}

/// What is kept for readers.
enum Event {
    Changed(Shares),
    Done(Arc<AuditView>),
}

impl Event {
    /// What a reader is told of it.
    fn told_to(&self, sight: &Sight) -> Option<Told> {
        match self {
            Self::Changed(shares) => shares.told_to(sight.namespace.as_ref()),
            Self::Done(entry) => {
                let is_theirs =
                    sight.namespace.as_ref().is_none_or(|name| entry.namespace.as_deref() == Some(name.as_str()));
                (sight.audit && is_theirs).then(|| Told::Done(entry.clone()))
            }
        }
    }
}

#[derive(Default)]
struct Kept {
    window: Window,
    changes: VecDeque<Event>,
    /// Number of the newest change; the first is 1.
    newest: u64,
    seconds: VecDeque<(i64, BTreeMap<&'static str, u64>)>,
    since: Option<Timestamp>,
}

/// What a reader is told.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// It is connected; what comes next follows on this place.
    Hello,
    /// What lies between its place and this one is gone: anything may have changed.
    Resync,
    /// This has changed.
    Change(Arc<FeedChange>),
    /// Somebody has done this.
    Done(Arc<AuditView>),
}

impl Told {
    /// The event's name.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Resync => "resync",
            Self::Change(_) => "tasks",
            Self::Done(_) => "audit",
        }
    }
}

/// A place in the feed is not written as this server writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one of this feed's")]
pub(crate) struct PlaceError;

/// The process has as many readers as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{READERS_MAX} feeds are open on this process, which is the limit")]
pub(crate) struct NoPlace;

/// Where a reader was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    life: String,
    number: u64,
}

impl std::str::FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (life, number) = text.split_once('-').ok_or(PlaceError)?;
        let is_life = (1..=32).contains(&life.len()) && life.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = number.parse().map_err(|_| PlaceError)?;
        if is_life { Ok(Self { life: life.to_owned(), number }) } else { Err(PlaceError) }
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            life: uuid::Uuid::new_v4().simple().to_string(),
            kept: Mutex::default(),
            waiting: Notify::new(),
            open: watch::Sender::new(true),
            places: Arc::new(Semaphore::new(READERS_MAX)),
            auditors: watch::Sender::new(0),
        }
    }
}

/// Closes the feed when the loop that fills it ends.
struct Closing<'a>(&'a Feed);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.open.send_replace(false);
    }
}

impl Feed {
    /// Takes what changed.
    pub(crate) fn note(&self, news: &[TaskNews], now: Timestamp) {
        if news.is_empty() {
            return;
        }
        let mut kept = self.kept.lock();
        for task in news {
            kept.window.take(task);
        }
        kept.count_ended(news, now);
        drop(kept);
        self.waiting.notify_one();
    }

    /// Takes the number of tasks that were just submitted here, to one namespace.
    pub(crate) fn note_submitted(&self, namespace: &Namespace, count: u64) {
        self.kept.lock().window.take_submitted(namespace, count);
        self.waiting.notify_one();
    }

    /// Takes what was done, for those who may see it.
    pub(crate) fn note_audit(&self, records: &[AuditRecord]) {
        if records.is_empty() {
            return;
        }
        let mut kept = self.kept.lock();
        for record in records {
            kept.keep(Event::Done(Arc::new(crate::routes::audit_entry(record.clone()))));
        }
        drop(kept);
        self.open.send_replace(true);
    }

    /// Whether somebody is shown the audit log.
    pub(crate) fn has_auditors(&self) -> bool {
        *self.auditors.borrow() > 0
    }

    /// Waits until somebody is.
    pub(crate) async fn until_auditors(&self) {
        // The sender is this feed's own: it is there as long as this waits.
        drop(self.auditors.subscribe().wait_for(|count| *count > 0).await);
    }

    /// Tells what waits: at once where nothing was told of late, else when the window is over. Runs until it is dropped, which
    /// ends every reader.
    pub(crate) async fn run(&self, clock: &dyn Clock) {
        let _closing = Closing(self);
        self.kept.lock().since.get_or_insert_with(|| clock.now());
        loop {
            self.waiting.notified().await;
            self.tell(clock.now());
            tokio::time::sleep(WINDOW).await;
        }
    }

    fn tell(&self, now: Timestamp) {
        if self.kept.lock().close_window(now) {
            self.open.send_replace(true);
        }
    }

    /// A new reader, behind `after` if that is given.
    pub(crate) fn reader(self: &Arc<Self>, after: Option<&Place>, sight: Sight) -> Result<Reader, NoPlace> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| NoPlace)?;
        let open = self.open.subscribe();
        let newest = self.kept.lock().newest;
        let (at, told) = match after {
            None => (newest, Told::Hello),
            Some(after) if after.life == self.life && self.since(after.number, &sight).is_some() => {
                (after.number, Told::Hello)
            }
            Some(_) => (newest, Told::Resync),
        };
        if sight.audit {
            self.auditors.send_modify(|count| *count += 1);
        }
        Ok(Reader { feed: self.clone(), at, sight, ready: VecDeque::from([(at, told)]), open, _place: place })
    }

    /// The newest number, and what a reader is told behind number `at`; `None` if some of that is no longer kept.
    fn since(&self, at: u64, sight: &Sight) -> Option<(u64, Vec<(u64, Told)>)> {
        let kept = self.kept.lock();
        let missed = usize::try_from(kept.newest.checked_sub(at)?).ok()?;
        let skipped = kept.changes.len().checked_sub(missed)?;
        let numbers = at.saturating_add(1)..;
        let events = numbers.zip(kept.changes.iter().skip(skipped));
        let told = events.filter_map(|(number, event)| Some((number, event.told_to(sight)?))).collect();
        Some((kept.newest, told))
    }

    fn newest(&self) -> u64 {
        self.kept.lock().newest
    }

    /// What ended in each of the last `seconds`.
    pub(crate) fn history(&self, seconds: u32, now: Timestamp) -> HistoryView {
        let kept = self.kept.lock();
        let asked = now.minus(Duration::from_secs(u64::from(seconds)));
        let first = second_of(asked);
        let view = |(at, ended): &(i64, BTreeMap<&'static str, u64>)| HistorySecond {
            at: Timestamp::from_micros(at.saturating_mul(MICROS_PER_SECOND)),
            ended: owned(ended),
        };
        HistoryView {
            since: kept.since.unwrap_or(now).max(asked),
            seconds: kept.seconds.iter().filter(|(at, ended)| *at > first && !ended.is_empty()).map(view).collect(),
        }
    }
}

const fn second_of(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(MICROS_PER_SECOND)
}

fn owned(counts: &BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

impl Kept {
    fn count_ended(&mut self, news: &[TaskNews], now: Timestamp) {
        let second = second_of(now);
        if self.seconds.back().is_none_or(|(at, _)| *at < second) {
            self.seconds.push_back((second, BTreeMap::new()));
        }
        let oldest = second.saturating_sub(i64::from(HISTORY_SECONDS_MAX));
        while self.seconds.front().is_some_and(|(at, _)| *at < oldest) {
            self.seconds.pop_front();
        }
        let Some((_, ended)) = self.seconds.back_mut() else { return };
        for task in news.iter().filter(|task| task.state.is_terminal()) {
            *ended.entry(task.state.as_str()).or_default() += 1;
        }
    }

    /// Makes a change of what was gathered; whether there was something.
    fn close_window(&mut self, now: Timestamp) -> bool {
        let Some(shares) = std::mem::take(&mut self.window).close(now) else { return false };
        self.keep(Event::Changed(shares));
        true
    }

    fn keep(&mut self, event: Event) {
        self.changes.push_back(event);
        self.newest += 1;
        if self.changes.len() > CHANGES_KEPT_MAX {
            self.changes.pop_front();
        }
    }
}

/// One who reads the feed; its place is free again when it is dropped.
pub(crate) struct Reader {
    feed: Arc<Feed>,
    at: u64,
    sight: Sight,
    ready: VecDeque<(u64, Told)>,
    open: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.sight.audit {
            self.feed.auditors.send_modify(|count| *count -= 1);
        }
    }
}

impl Reader {
    /// The next event with the cursor behind it; `None` when the process ends. Nothing is lost when it is dropped while it waits.
    pub(crate) async fn next(&mut self) -> Option<(String, Told)> {
        loop {
            if let Some((number, told)) = self.ready.pop_front() {
                return Some((format!("{}-{number}", self.feed.life), told));
            }
            let open = *self.open.borrow_and_update();
            self.look();
            if self.ready.is_empty() && (!open || self.open.changed().await.is_err()) {
                return None;
            }
        }
    }

    fn look(&mut self) {
        let newest = self.feed.newest();
        match self.feed.since(self.at, &self.sight) {
            Some((seen, told)) => {
                self.at = seen;
                self.ready.extend(told);
            }
            None => {
                self.at = newest;
                self.ready.push_back((newest, Told::Resync));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tasklane_domain::{StateKind, TaskId};

    use super::window::TASKS_NAMED_MAX;
    use super::*;

    fn news(state: StateKind, count: usize) -> Vec<TaskNews> {
        let one = |_| TaskNews {
            task: TaskId::new(),
            state,
            queue: "default".parse().unwrap(),
            module: "noop".parse().unwrap(),
            wall_us: None,
        };
        (0..count).map(one).collect()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * MICROS_PER_SECOND)
    }

    fn changed(feed: &Feed, count: usize) {
        feed.note(&news(StateKind::Succeeded, count), at(1));
        feed.tell(at(1));
    }

    async fn place(reader: &mut Reader) -> (Place, Told) {
        let (cursor, told) = reader.next().await.unwrap();
        (cursor.parse().unwrap(), told)
    }

    #[tokio::test]
    async fn a_reader_that_comes_back_gets_what_it_missed() {
        let feed = Arc::new(Feed::default());
        let (hello, told) = place(&mut feed.reader(None, Sight::default()).unwrap()).await;
        assert!(matches!(told, Told::Hello));
        changed(&feed, 3);
        changed(&feed, 4);
        let mut back = feed.reader(Some(&hello), Sight::default()).unwrap();
        assert!(matches!(place(&mut back).await.1, Told::Hello));
        for count in [3, 4] {
            let Told::Change(change) = place(&mut back).await.1 else { panic!("no change") };
            assert_eq!(change.counts["succeeded"], count);
            assert!(!change.more);
        }
    }

    #[tokio::test]
    async fn a_place_that_is_not_kept_any_more_is_told_once() {
        let feed = Arc::new(Feed::default());
        let mut slow = feed.reader(None, Sight::default()).unwrap();
        let (begun, _) = place(&mut slow).await;
        for _ in 0..=CHANGES_KEPT_MAX {
            changed(&feed, 1);
        }
        assert!(matches!(place(&mut slow).await.1, Told::Resync));
        assert!(matches!(place(&mut feed.reader(Some(&begun), Sight::default()).unwrap()).await.1, Told::Resync));
        let elsewhere = Place { life: "ab".to_owned(), number: 1 };
        assert!(matches!(place(&mut feed.reader(Some(&elsewhere), Sight::default()).unwrap()).await.1, Told::Resync));
        changed(&feed, 1);
        assert!(matches!(place(&mut slow).await.1, Told::Change(_)));
    }

    #[tokio::test]
    async fn a_window_counts_all_and_names_some() {
        let feed = Arc::new(Feed::default());
        let mut reader = feed.reader(None, Sight::default()).unwrap();
        place(&mut reader).await;
        feed.note_submitted(&Namespace::default(), 7);
        changed(&feed, TASKS_NAMED_MAX + 1);
        let Told::Change(change) = place(&mut reader).await.1 else { panic!("no change") };
        assert_eq!(change.counts["succeeded"], TASKS_NAMED_MAX as u64 + 1);
        assert_eq!(change.counts["submitted"], 7);
        assert_eq!(change.tasks.len(), TASKS_NAMED_MAX);
        assert!(change.more);
    }

    #[tokio::test]
    async fn a_reader_of_one_namespace_hears_of_no_other() {
        let feed = Arc::new(Feed::default());
        let of = |name: &str| Sight { namespace: Some(name.parse().unwrap()), audit: false };
        let (mut acme, mut idle) = (feed.reader(None, of("acme")).unwrap(), feed.reader(None, of("idle")).unwrap());
        place(&mut acme).await;
        place(&mut idle).await;
        let mut mixed = news(StateKind::Succeeded, 3);
        mixed[1].module = "acme/own".parse().unwrap();
        feed.note(&mixed, at(1));
        feed.note_submitted(&"idle".parse().unwrap(), 2);
        feed.tell(at(1));
        let Told::Change(change) = place(&mut acme).await.1 else { panic!("no change") };
        assert_eq!(change.counts, BTreeMap::from([("succeeded".to_owned(), 1)]));
        assert_eq!(change.tasks.len(), 1);
        let Told::Change(change) = place(&mut idle).await.1 else { panic!("no change") };
        assert_eq!((change.counts["submitted"], change.tasks.len()), (2, 0));
        changed(&feed, 1);
        feed.note(&mixed, at(2));
        feed.tell(at(2));
        let Told::Change(change) = place(&mut acme).await.1 else { panic!("no change") };
        assert_eq!(change.at, at(2), "what is not theirs is passed over");
    }

    #[tokio::test]
    async fn what_was_done_is_told_to_those_who_may_see_it() {
        use tasklane_domain::access::AuditEntry;
        let feed = Arc::new(Feed::default());
        let sight =
            |namespace: Option<&str>, audit| Sight { namespace: namespace.map(|name| name.parse().unwrap()), audit };
        assert!(!feed.has_auditors());
        let mut all = feed.reader(None, sight(None, true)).unwrap();
        let mut acme = feed.reader(None, sight(Some("acme"), true)).unwrap();
        let mut viewer = feed.reader(None, sight(None, false)).unwrap();
        for reader in [&mut all, &mut acme, &mut viewer] {
            place(reader).await;
        }
        let record = |seq, namespace: Option<&str>| {
            let text = || "x".to_owned();
            let (source, namespace) = (None, namespace.map(|name| name.parse().unwrap()));
            let entry = AuditEntry {
                at: at(1),
                actor: text(),
                name: text(),
                source,
                action: text(),
                target: text(),
                namespace,
                status: 200,
                request: text(),
            };
            AuditRecord { seq, entry }
        };
        feed.note_audit(&[record(1, None), record(2, Some("beta")), record(3, Some("acme"))]);
        for seq in 1..=3 {
            assert!(matches!(place(&mut all).await.1, Told::Done(entry) if entry.seq == seq));
        }
        assert!(matches!(place(&mut acme).await.1, Told::Done(entry) if entry.seq == 3));
        changed(&feed, 1);
        assert!(matches!(place(&mut viewer).await.1, Told::Change(_)));
        drop((all, acme));
        assert!(!feed.has_auditors());
    }

    #[tokio::test]
    async fn readers_end_with_the_process_and_are_bounded() {
        let feed = Arc::new(Feed::default());
        let mut readers: Vec<Reader> = (0..READERS_MAX).map(|_| feed.reader(None, Sight::default()).unwrap()).collect();
        assert_eq!(feed.reader(None, Sight::default()).err(), Some(NoPlace));
        drop(Closing(&feed));
        let last = readers.last_mut().unwrap();
        assert!(last.next().await.is_some(), "its greeting");
        assert!(last.next().await.is_none());
        readers.pop();
        assert!(feed.reader(None, Sight::default()).is_ok());
    }

    #[test]
    fn history_counts_ends_by_the_second_and_forgets() {
        let feed = Feed::default();
        feed.note(&news(StateKind::Succeeded, 2), at(100));
        feed.note(&news(StateKind::Retrying, 5), at(100));
        feed.note(&news(StateKind::Failed, 1), at(103));
        let history = feed.history(60, at(104));
        assert_eq!(history.seconds.len(), 2);
        assert_eq!(history.seconds[0].at, at(100));
        assert_eq!(history.seconds[0].ended, BTreeMap::from([("succeeded".to_owned(), 2)]));
        assert_eq!(feed.history(2, at(104)).seconds.len(), 1);
        feed.note(&news(StateKind::Failed, 1), at(200 + i64::from(HISTORY_SECONDS_MAX)));
        assert_eq!(feed.kept.lock().seconds.len(), 1);
    }

    #[test]
    fn places_of_another_making_are_refused() {
        for text in ["", "x", "ab", "ab-", "ab-x", "-1", "zz-1", "ab--1", &format!("{}-1", "a".repeat(33))] {
            assert_eq!(text.parse::<Place>(), Err(PlaceError), "{text}");
        }
    }
}
