//! An empty database for one check, and short words for tasks and reports.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use tasklane_domain::dependence::After;
use tasklane_domain::flow::Flow;
use tasklane_domain::log::{LogCapture, LogLevel, LogLine, LogSource};
use tasklane_domain::outcome::Retryability;
use tasklane_domain::ports::SettleAnswer;
use tasklane_domain::task::{Idempotency, Lineage, Submitted};
use tasklane_domain::work::{Ended, HandBack};
use tasklane_domain::{
    Attempt, DeliveryId, HostId, Labels, Lease, Limits, ModuleDigest, ModuleRef, Namespace, NewTask, Outcome, Payload,
    Priority, QueueName, Report, ReportBody, RetryPolicy, StateKind, Task, TaskId, Term, Timestamp, Usage,
};
use tasklane_store::Stores;
use tempfile::TempDir;

/// When every check begins.
pub const NOW: Timestamp = Timestamp::from_micros(1_780_000_000_000_000);
/// The delivery that a host has of a task that was published once.
pub const FIRST: DeliveryId = DeliveryId::from_raw(DeliveryId::FIRST_DISPATCH.raw() + 1);

/// `seconds` after [`NOW`].
#[must_use]
pub fn at(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

/// An open database that nobody else uses.
pub struct World {
    /// Where it is.
    pub url: String,
    /// The store on it.
    pub stores: Stores,
    /// Removes the files when dropped.
    dir: Option<TempDir>,
}

impl World {
    /// Opens the empty database at `url`; `dir` is removed with the world.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(url: String, dir: Option<TempDir>) -> anyhow::Result<Self> {
        let stores = tasklane_store::open(&url).await?;
        Ok(Self { url, stores, dir })
    }

    /// Another store on the same database, as another process would open it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open_another(&self) -> anyhow::Result<Stores> {
        Ok(tasklane_store::open(&self.url).await?)
    }

    /// Drops the store and opens a new one, as a restart does.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn reopen(self) -> anyhow::Result<Self> {
        let Self { url, stores, dir } = self;
        drop(stores);
        Self::open(url, dir).await
    }

    /// Commits one task.
    ///
    /// # Errors
    /// When the store refuses it.
    pub async fn submit(&self, task: NewTask) -> anyhow::Result<TaskId> {
        let answers = self.stores.tasks.submit(vec![task]).await?;
        answers.tasks.first().copied().map(Submitted::id).context("one answer")
    }

    /// The task's row.
    ///
    /// # Errors
    /// When there is none.
    pub async fn task(&self, id: TaskId) -> anyhow::Result<Task> {
        self.stores.tasks.task(id).await?.context("the task's row")
    }

    /// Checks where a task stands.
    ///
    /// # Errors
    /// When it stands elsewhere.
    pub async fn expect_state(&self, id: TaskId, wanted: StateKind) -> anyhow::Result<()> {
        let found = self.task(id).await?.state;
        anyhow::ensure!(found == wanted, "task {id} is {found}, not {wanted}");
        Ok(())
    }

    /// Settles one report.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle(&self, report: Report, now: Timestamp) -> anyhow::Result<SettleAnswer> {
        Ok(self.stores.tasks.settle(vec![report], now).await?)
    }

    /// The first term.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lead(&self) -> anyhow::Result<Term> {
        Ok(self.stores.leader.open_term(Lease { generation: NOW, revision: 1 }).await?)
    }
}

/// The module that tasks run.
///
/// # Errors
/// When the name breaks a rule.
pub fn module(name: &str) -> anyhow::Result<ModuleRef> {
    Ok(ModuleRef { name: name.parse()?, version: "1.2.3".parse()?, digest: ModuleDigest::from_bytes([7; 32]) })
}

/// A task with nothing special: default queue, priority 5, to run at once, three attempts, no jitter.
///
/// # Errors
/// Never in fact.
pub fn task() -> anyhow::Result<NewTask> {
    Ok(NewTask {
        id: TaskId::new(),
        module: module("resize")?,
        alias: None,
        queue: QueueName::default(),
        priority: Priority::MEDIUM,
        payload: Payload::json(Bytes::from_static(b"{\"width\":64}")),
        limits: Limits::default(),
        retry: RetryPolicy { jitter: 0.0, ..RetryPolicy::default() },
        labels: Labels::default(),
        created_at: NOW,
        run_at: None,
        deadline: None,
        traceparent: None,
        tracestate: None,
        idempotency: None,
        unique: None,
        namespace: Namespace::default(),
        lineage: Lineage::default(),
        after: After::default(),
        flow: Flow::default(),
    })
}

/// `count` tasks with nothing special.
///
/// # Errors
/// Never in fact.
pub fn tasks(count: usize) -> anyhow::Result<Vec<NewTask>> {
    (0..count).map(|_| task()).collect()
}

/// A task under an idempotency key that expires an hour after [`NOW`].
///
/// # Errors
/// Never in fact.
pub fn keyed(key: &str, body: u8) -> anyhow::Result<NewTask> {
    let promise = Idempotency { key: key.to_owned(), body_hash: [body; 32], expires_at: at(3600) };
    Ok(NewTask { idempotency: Some(promise), ..task()? })
}

/// Labels of pairs.
///
/// # Errors
/// When a pair breaks a rule.
pub fn labels(pairs: &[(&str, &str)]) -> anyhow::Result<Labels> {
    let pairs: BTreeMap<String, String> =
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Ok(Labels::try_from(pairs)?)
}

/// A report of the first delivery of the first attempt.
#[must_use]
pub fn report(task: TaskId, body: ReportBody) -> Report {
    Report { task, attempt: Attempt::FIRST, delivery: FIRST, host: HostId::new(), body }
}

/// The end of an attempt.
#[must_use]
pub fn ended(outcome: Outcome) -> ReportBody {
    let result = if outcome == Outcome::Ok { Bytes::from_static(b"\"done\"") } else { Bytes::new() };
    let usage = Usage { fuel: 1_000, wall_us: 2_000, ..Usage::default() };
    let log = LogCapture { head: vec![line("hello")], ..LogCapture::default() };
    ReportBody::Ended(Box::new(Ended {
        outcome,
        result,
        result_blob: None,
        usage,
        log,
        started_at: at(1),
        ended_at: at(2),
        traceparent: None,
        tracestate: None,
    }))
}

/// One line of a log.
#[must_use]
pub fn line(message: &str) -> LogLine {
    LogLine { offset_ms: 3, source: LogSource::Log, level: LogLevel::Info, message: message.to_owned() }
}

/// A retryable error of the guest's own.
#[must_use]
pub fn failing() -> Outcome {
    Outcome::TaskError {
        retryability: Retryability::Retryable,
        code: "busy".to_owned(),
        message: "try later".to_owned(),
        details: None,
        retry_after_ms: None,
    }
}

/// A report that a guest runs.
#[must_use]
pub fn started() -> ReportBody {
    ReportBody::Started { at: at(1) }
}

/// A report that a delivery comes back unrun.
#[must_use]
pub fn handed_back() -> ReportBody {
    ReportBody::HandedBack(HandBack::Draining)
}
