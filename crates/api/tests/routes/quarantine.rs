//! Modules that hosts died of: no new tasks of them, until somebody releases them.

use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use serde_json::json;
use tasklane_domain::error::QueueError;
use tasklane_domain::quarantine::{Death, DeathReply, DeathSource, Deaths};
use tasklane_domain::{HostId, ModuleDigest};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::support::Room;

type Told = (Vec<Death>, Box<dyn DeathReply>);

/// The hosts of a test.
pub(crate) struct DeathFeed {
    tell: mpsc::UnboundedSender<Told>,
    heard: Mutex<Option<mpsc::UnboundedReceiver<Told>>>,
}

impl DeathFeed {
    pub(crate) fn new() -> Arc<Self> {
        let (tell, heard) = mpsc::unbounded_channel();
        Arc::new(Self { tell, heard: Mutex::new(Some(heard)) })
    }

    /// Tells a death as a host would, and waits for the answer.
    async fn died(&self, modules: Vec<ModuleDigest>) -> Vec<ModuleDigest> {
        let (answer, heard) = oneshot::channel();
        let death = Death { host: HostId::new(), modules };
        self.tell.send((vec![death], Box::new(Answer(answer)))).ok().unwrap();
        heard.await.unwrap()
    }
}

struct Answer(oneshot::Sender<Vec<ModuleDigest>>);

#[async_trait]
impl DeathReply for Answer {
    async fn answer(self: Box<Self>, quarantined: Vec<ModuleDigest>) {
        self.0.send(quarantined).unwrap();
    }
}

struct Feed(mpsc::UnboundedReceiver<Told>);

#[async_trait]
impl Deaths for Feed {
    async fn next(&mut self) -> Option<Told> {
        self.0.recv().await
    }
}

#[async_trait]
impl DeathSource for DeathFeed {
    async fn deaths(&self) -> Result<Box<dyn Deaths>, QueueError> {
        match self.heard.lock().await.take() {
            Some(heard) => Ok(Box::new(Feed(heard))),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn a_module_that_hosts_died_of_takes_no_tasks_until_it_is_released() {
    let room = Room::working().await;
    let view = room.get("/api/v1/modules/noop/1.0.0").await.json();
    let digest: ModuleDigest = view["digest"].as_str().unwrap().parse().unwrap();
    assert!(room.deaths.died(vec![digest]).await.is_empty(), "one may be chance");
    room.submitted(&json!({"module": "noop"})).await;
    assert_eq!(room.deaths.died(vec![digest]).await, [digest]);
    for module in ["noop", "noop@1.0.0"] {
        let refused = room.post("/api/v1/tasks", &json!({"module": module})).await;
        refused.problem(409, "module_quarantined");
    }
    let view = room.get("/api/v1/modules/noop/1.0.0").await.json();
    assert!(view["quarantined_at"].is_string(), "{view}");
    let events = room.get("/api/v1/modules/noop/events").await.json();
    assert_eq!(events["events"][0]["action"], "quarantined", "{events}");
    assert_eq!(events["events"][0]["deaths"], 2, "{events}");

    for _ in 0..2 {
        let released = room.post("/api/v1/modules/noop/1.0.0/release", &json!({})).await;
        assert_eq!(released.status, StatusCode::OK);
        assert!(released.json().get("quarantined_at").is_none());
    }
    room.submitted(&json!({"module": "noop@1.0.0"})).await;
    let absent = room.post("/api/v1/modules/noop/9.0.0/release", &json!({})).await;
    absent.problem(404, "module_version_not_found");
    let odd = room.post("/api/v1/modules/noop/one/release", &json!({})).await;
    odd.problem(422, "invalid_request");
}
