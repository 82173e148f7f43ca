//! `tasklane.v1.Cluster`.

use tasklane_api_types::{ClusterInfo, ClusterStats, HostList};
use tonic::{Request, Response, Status};

use crate::door::{Answer, Ask, Caller, Door};
use crate::proto;
use crate::proto::cluster_server::Cluster;

/// The service.
pub(crate) struct ClusterService(pub(crate) Door);

impl ClusterService {
    async fn ask<T>(&self, request: &Request<T>, path: &[&str]) -> Result<Answer, Status> {
        self.0.ask(&Caller::of(request.metadata(), request.extensions()), Ask::get(path)).await
    }
}

fn whole(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.bytes).into_owned()
}

#[tonic::async_trait]
impl Cluster for ClusterService {
    async fn info(&self, request: Request<proto::InfoRequest>) -> Result<Response<proto::InfoResponse>, Status> {
        let answer = self.ask(&request, &["cluster", "info"]).await?;
        let info: ClusterInfo = answer.parse()?;
        Ok(Response::new(proto::InfoResponse { version: info.version, json: whole(&answer) }))
    }

    async fn hosts(&self, request: Request<proto::HostsRequest>) -> Result<Response<proto::HostsResponse>, Status> {
        let HostList { hosts } = self.ask(&request, &["hosts"]).await?.parse()?;
        let hosts = hosts.into_iter().map(|host| proto::Host {
            json: serde_json::to_string(&host).unwrap_or_default(),
            id: host.id.to_string(),
            version: host.version,
            slots: host.slots,
            running: host.running,
        });
        Ok(Response::new(proto::HostsResponse { hosts: hosts.collect() }))
    }

    async fn stats(&self, request: Request<proto::StatsRequest>) -> Result<Response<proto::StatsResponse>, Status> {
        let answer = self.ask(&request, &["cluster", "stats"]).await?;
        let stats: ClusterStats = answer.parse()?;
        let tasks_by_state = stats.states.into_iter().collect();
        Ok(Response::new(proto::StatsResponse { tasks_by_state, json: whole(&answer) }))
    }
}
