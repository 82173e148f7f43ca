//! `/api/v1/queues` and `/api/v1/flow/modules`: what operators say of queues and modules.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use tasklane_api_types::{
    ErrorCode, ModuleFlowList, ModuleFlowRequest, ModuleFlowView, Problem, QueueList, QueueRequest, QueueView,
};
use tasklane_domain::flow::{FlowRules, ModuleFlow, QueueChange};
use tasklane_domain::query::QueueDepth;
use tasklane_domain::{ModuleName, QueueName};

use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Params, TextPath};
use crate::flow::module_flow;
use crate::modules::missing;
use crate::namespaces::{self, in_path};
use crate::state::State as Room;
use crate::submit::nudge_admit;

fn queue_name(text: &str) -> ApiResult<QueueName> {
    text.parse()
        .map_err(|error: tasklane_domain::name::NameError| ApiError::new(ErrorCode::InvalidRequest, error.to_string()))
}

fn view(name: &QueueName, rules: &FlowRules, depth: Option<&QueueDepth>) -> QueueView {
    let rule = rules.queues.get(name).copied().unwrap_or_default();
    let count = |of: fn(&QueueDepth) -> u64| depth.map_or(0, of);
    QueueView {
        name: name.to_string(),
        paused_at: rule.paused_at,
        fair: rule.fair,
        queued: count(|depth| depth.queued),
        held: count(|depth| depth.held),
        running: count(|depth| depth.running),
        waiting: count(|depth| depth.waiting),
        oldest_queued_at: depth.and_then(|depth| depth.oldest_queued_at),
    }
}

async fn shown(room: &Room, name: &QueueName) -> ApiResult<Json<QueueView>> {
    let (rules, depths) = (room.ports.flow.rules().await?, room.ports.flow.queues().await?);
    Ok(Json(view(name, &rules, depths.iter().find(|depth| depth.queue == *name))))
}

/// Every queue that has tasks or a rule, and `default`.
#[utoipa::path(
    get, path = "/api/v1/queues", tag = "queues",
    responses((status = 200, description = "The queues", body = QueueList))
)]
pub(crate) async fn list(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<QueueList>> {
    params.only(&[])?;
    let (rules, depths) = (room.ports.flow.rules().await?, room.ports.flow.queues().await?);
    let mut names: Vec<QueueName> = depths.iter().map(|depth| depth.queue.clone()).collect();
    names.extend(rules.queues.keys().cloned());
    names.push(QueueName::default());
    names.sort_unstable();
    names.dedup();
    let one = |name: &QueueName| view(name, &rules, depths.iter().find(|depth| depth.queue == *name));
    Ok(Json(QueueList { queues: names.iter().map(one).collect() }))
}

/// One queue. A queue is there as soon as somebody names it.
#[utoipa::path(
    get, path = "/api/v1/queues/{name}", tag = "queues", params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The queue", body = QueueView),
        (status = "4XX", description = "Not a name", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn queue(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<QueueView>> {
    params.only(&[])?;
    shown(&room, &queue_name(&name)?).await
}

async fn change(room: &Room, name: &str, change: QueueChange) -> ApiResult<Json<QueueView>> {
    let name = queue_name(name)?;
    room.ports.flow.change_queue(name.clone(), change, room.clock.now()).await?;
    nudge_admit(room).await;
    shown(room, &name).await
}

/// Change a queue. What is not named stays.
#[utoipa::path(
    patch, path = "/api/v1/queues/{name}", tag = "queues", params(("name" = String, Path, description = "Its name")),
    request_body = QueueRequest,
    responses(
        (status = 200, description = "Changed", body = QueueView),
        (status = "4XX", description = "Not changed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn set(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
    JsonBody(request): JsonBody<QueueRequest>,
) -> ApiResult<Json<QueueView>> {
    params.only(&[])?;
    change(&room, &name, QueueChange { paused: None, fair: request.fair }).await
}

/// Pause a queue: nothing more of it starts. What runs goes on, what is submitted waits.
#[utoipa::path(
    post, path = "/api/v1/queues/{name}/pause", tag = "queues", params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "Paused", body = QueueView),
        (status = "4XX", description = "Not paused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn pause(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<QueueView>> {
    params.only(&[])?;
    change(&room, &name, QueueChange { paused: Some(true), fair: None }).await
}

/// Let a paused queue go on.
#[utoipa::path(
    post, path = "/api/v1/queues/{name}/resume", tag = "queues", params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "It goes on", body = QueueView),
        (status = "4XX", description = "Not changed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn resume(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<QueueView>> {
    params.only(&[])?;
    change(&room, &name, QueueChange { paused: Some(false), fair: None }).await
}

fn rule_view(module: &ModuleName, flow: ModuleFlow) -> ModuleFlowView {
    ModuleFlowView { module: module.to_string(), max: flow.max, rate: flow.rate }
}

fn no_rule(module: &str) -> ApiError {
    ApiError::new(ErrorCode::FlowRuleNotFound, format!("nobody set a rule for module `{module}`"))
}

/// What operators said of modules: each replaces the `flow` of the manifest.
#[utoipa::path(
    get, path = "/api/v1/flow/modules", tag = "queues",
    params(("namespace" = Option<String>, Query, description = "Only those of this one")),
    responses((status = 200, description = "The rules, by module", body = ModuleFlowList))
)]
pub(crate) async fn modules(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<ModuleFlowList>> {
    params.only(&[namespaces::PARAMETER])?;
    let (rules, asked) = (room.ports.flow.rules().await?, namespaces::asked(&params)?);
    let shown = rules.modules.iter().filter(|(name, _)| asked.as_ref().is_none_or(|asked| name.is_in(asked)));
    Ok(Json(ModuleFlowList { modules: shown.map(|(name, flow)| rule_view(name, *flow)).collect() }))
}

/// What operators said of one module.
#[utoipa::path(
    get, path = "/api/v1/flow/modules/{name}", tag = "queues",
    params(
        ("name" = String, Path, description = "The module's name"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "The rule", body = ModuleFlowView),
        (status = "4XX", description = "No rule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn module(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<ModuleFlowView>> {
    let name = in_path(&name, &params, &[])?;
    let rules = room.ports.flow.rules().await?;
    let found = rules.modules.iter().find(|(module, _)| module.to_string() == name);
    found.map(|(module, flow)| Json(rule_view(module, *flow))).ok_or_else(|| no_rule(&name))
}

async fn deployed(room: &Room, name: &str) -> ApiResult<ModuleName> {
    let wrong = |error: tasklane_domain::name::NameError| ApiError::new(ErrorCode::InvalidRequest, error.to_string());
    let name: ModuleName = name.parse().map_err(wrong)?;
    if room.ports.modules.modules(Some(&name)).await?.is_empty() {
        return Err(missing(room.ports.modules.as_ref(), &name, None).await?);
    }
    Ok(name)
}

/// Limit how many tasks of a module run at once and how fast they start, whatever its manifest says.
#[utoipa::path(
    put, path = "/api/v1/flow/modules/{name}", tag = "queues",
    params(
        ("name" = String, Path, description = "The module's name"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    request_body = ModuleFlowRequest,
    responses(
        (status = 200, description = "Set", body = ModuleFlowView),
        (status = "4XX", description = "Not set", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn set_module(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
    JsonBody(request): JsonBody<ModuleFlowRequest>,
) -> ApiResult<Json<ModuleFlowView>> {
    let name = in_path(&name, &params, &[])?;
    let flow = module_flow(&request)?;
    // A misspelt name would limit nothing.
    let module = deployed(&room, &name).await?;
    room.ports.flow.set_module(module.clone(), Some(flow)).await?;
    nudge_admit(&room).await;
    Ok(Json(rule_view(&module, flow)))
}

/// Let the manifest's `flow` hold again.
#[utoipa::path(
    delete, path = "/api/v1/flow/modules/{name}", tag = "queues",
    params(
        ("name" = String, Path, description = "The module's name"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = "4XX", description = "No such rule", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn unset_module(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<StatusCode> {
    let name = in_path(&name, &params, &[])?;
    let module: ModuleName = name.parse().map_err(|_| no_rule(&name))?;
    if !room.ports.flow.rules().await?.modules.contains_key(&module) {
        return Err(no_rule(&name));
    }
    room.ports.flow.set_module(module, None).await?;
    nudge_admit(&room).await;
    Ok(StatusCode::NO_CONTENT)
}
