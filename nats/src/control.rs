//! Core messages between processes: best effort, never the truth.

use std::marker::PhantomData;
use std::sync::Arc;

use async_nats::Subscriber;
use async_trait::async_trait;
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tasklane_domain::error::QueueError;
use tasklane_domain::live_log::{Asked, LogPiece, LogQuestion};
use tasklane_domain::ports::live::{Receiver, Subscription};
use tasklane_domain::ports::{Control, TaskNews};
use tasklane_domain::{HostOrder, ModuleName, QueueName, StateKind, TaskId, Timestamp};

use crate::Nats;
use crate::api::unavailable;
use crate::codec::{decode, encode};
use crate::logs;
use crate::pace::Pace;
use crate::topology::{ADMIT, CANCEL, DUE, HOST_ORDERS, SETTLED};

/// News of one batch are cut into messages of this many, to stay far below the server's limit.
const NEWS_PER_MESSAGE_MAX: usize = 1_000;

/// Control messages and news.
#[derive(Clone)]
pub struct NatsControl {
    nats: Nats,
}

impl Nats {
    /// Control messages and news.
    #[must_use]
    pub fn control(&self) -> NatsControl {
        NatsControl { nats: self.clone() }
    }
}

#[async_trait]
impl Control for NatsControl {
    async fn cancel(&self, tasks: &[TaskId]) -> Result<(), QueueError> {
        for task in tasks {
            self.send(CANCEL, task).await?;
        }
        Ok(())
    }

    async fn cancels(&self) -> Result<Receiver<TaskId>, QueueError> {
        self.listen(CANCEL).await
    }

    async fn order_host(&self, order: HostOrder) -> Result<(), QueueError> {
        self.send(HOST_ORDERS, &order).await
    }

    async fn host_orders(&self) -> Result<Receiver<HostOrder>, QueueError> {
        self.listen(HOST_ORDERS).await
    }

    async fn nudge_due(&self, at: Timestamp) -> Result<(), QueueError> {
        self.send(DUE, &at).await
    }

    async fn due_nudges(&self) -> Result<Receiver<Timestamp>, QueueError> {
        self.listen(DUE).await
    }

    async fn nudge_admit(&self) -> Result<(), QueueError> {
        self.send(ADMIT, &()).await
    }

    async fn admit_nudges(&self) -> Result<Receiver<()>, QueueError> {
        self.listen(ADMIT).await
    }

    async fn announce(&self, tasks: &[TaskNews]) -> Result<(), QueueError> {
        for part in tasks.chunks(NEWS_PER_MESSAGE_MAX) {
            let part = together(part);
            learn(&self.nats.pace, &part);
            self.send(SETTLED, &part).await?;
        }
        Ok(())
    }

    async fn news(&self) -> Result<Receiver<Vec<TaskNews>>, QueueError> {
        let messages = self.nats.client.subscribe(SETTLED).await;
        let messages = messages.map_err(|error| unavailable("listen for news", error))?;
        let listening = Listening { messages, kind: PhantomData };
        Ok(Box::new(News { listening, pace: self.nats.pace.clone() }))
    }

    async fn ask_log(&self, question: &LogQuestion) -> Result<Option<LogPiece>, QueueError> {
        logs::ask(&self.nats, question).await
    }

    async fn log_questions(&self) -> Result<Receiver<Asked>, QueueError> {
        logs::questions(&self.nats).await
    }
}

/// News of tasks that follow each other and are alike: what they have in common is said once.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Alike {
    state: StateKind,
    queue: QueueName,
    module: ModuleName,
    #[serde(default)]
    tasks: Vec<TaskId>,
    /// The only task: so speak the versions before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task: Option<TaskId>,
    /// How long their guests ran, in microseconds, in the mean of those that did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wall_us: Option<u64>,
}

/// How long tasks of each module run. What a process both tells and hears, it learns twice; nothing depends on that.
fn learn(pace: &Pace, news: &[Alike]) {
    for Alike { module, tasks, wall_us, .. } in news {
        if let Some(wall_us) = wall_us {
            pace.learn(module, *wall_us, tasks.len());
        }
    }
}

fn mean_wall_us(news: &[TaskNews]) -> Option<u64> {
    let mut ran = 0;
    let sum: u64 = news.iter().filter_map(|one| one.wall_us).inspect(|_| ran += 1).fold(0, u64::saturating_add);
    sum.checked_div(ran)
}

fn together(news: &[TaskNews]) -> Vec<Alike> {
    let alike = |a: &TaskNews, b: &TaskNews| a.state == b.state && a.queue == b.queue && a.module == b.module;
    let of = |all: &[TaskNews]| {
        let first = all.first()?;
        let tasks = all.iter().map(|one| one.task).collect();
        Some(Alike {
            state: first.state,
            queue: first.queue.clone(),
            module: first.module.clone(),
            tasks,
            task: None,
            wall_us: mean_wall_us(all),
        })
    };
    news.chunk_by(alike).filter_map(of).collect()
}

impl Alike {
    fn each(self) -> impl Iterator<Item = TaskNews> {
        let Self { state, queue, module, tasks, task, wall_us } = self;
        let of = move |task| TaskNews { task, state, queue: queue.clone(), module: module.clone(), wall_us };
        task.into_iter().chain(tasks).map(of)
    }
}

struct News {
    listening: Listening<Vec<Alike>>,
    pace: Arc<Pace>,
}

#[async_trait]
impl Subscription<Vec<TaskNews>> for News {
    async fn next(&mut self) -> Option<Vec<TaskNews>> {
        let news = self.listening.next().await?;
        learn(&self.pace, &news);
        Some(news.into_iter().flat_map(Alike::each).collect())
    }
}

impl NatsControl {
    async fn send<T: Serialize>(&self, subject: &'static str, value: &T) -> Result<(), QueueError> {
        if !self.nats.is_connected() {
            return Err(unavailable("send a control message", "not connected"));
        }
        let sent = self.nats.client.publish(subject, encode(value)?).await;
        sent.map_err(|error| unavailable("send a control message", error))
    }

    async fn listen<T: DeserializeOwned + Send + 'static>(
        &self,
        subject: &'static str,
    ) -> Result<Receiver<T>, QueueError> {
        let messages = self.nats.client.subscribe(subject).await;
        let messages = messages.map_err(|error| unavailable("listen for control messages", error))?;
        Ok(Box::new(Listening { messages, kind: PhantomData }))
    }
}

struct Listening<T> {
    messages: Subscriber,
    kind: PhantomData<fn() -> T>,
}

#[async_trait]
impl<T: DeserializeOwned + Send + 'static> Subscription<T> for Listening<T> {
    async fn next(&mut self) -> Option<T> {
        loop {
            let message = self.messages.next().await?;
            match decode(&message.payload) {
                Ok(value) => return Some(value),
                Err(error) => tracing::debug!(%error, "a control message could not be read"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(module: &str, state: StateKind) -> TaskNews {
        let module = module.parse().unwrap();
        TaskNews { task: TaskId::new(), state, queue: QueueName::default(), module, wall_us: None }
    }

    #[test]
    fn news_that_are_alike_are_told_together_and_in_their_order() {
        let told = [("a", StateKind::Succeeded), ("a", StateKind::Succeeded), ("b", StateKind::Succeeded)];
        let mut told: Vec<TaskNews> = told.into_iter().map(|(module, state)| news(module, state)).collect();
        told.push(news("b", StateKind::Failed));
        told.push(news("a", StateKind::Succeeded));
        let groups = together(&told);
        assert_eq!(groups.iter().map(|group| group.tasks.len()).collect::<Vec<_>>(), [2, 1, 1, 1]);
        assert_eq!(groups.into_iter().flat_map(Alike::each).collect::<Vec<_>>(), told);
    }

    #[test]
    fn news_of_the_version_before_are_understood() {
        let told = vec![news("a", StateKind::Succeeded), news("b", StateKind::Failed)];
        let heard: Vec<Alike> = decode(&encode(&told).unwrap()).unwrap();
        assert_eq!(heard.into_iter().flat_map(Alike::each).collect::<Vec<_>>(), told);
    }
}
