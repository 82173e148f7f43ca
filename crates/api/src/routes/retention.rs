//! `/api/v1/retention`: how long ended tasks and what belongs to them stay. The removal itself is the scheduler's.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use tasklane_api_types::{ErrorCode, Problem, RetentionRule, RetentionView};
use tasklane_domain::name::NameError;
use tasklane_domain::retention::{Keep, KeepError, Rule, Scope};

use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Params, TextPath};
use crate::namespaces::{self, in_path};
use crate::state::State as Room;

fn time(field: &str, text: Option<&str>) -> ApiResult<Option<Keep>> {
    let wrong = |error: KeepError| {
        let code = match error {
            KeepError::Duration(_) => ErrorCode::DurationInvalid,
            KeepError::TooShort(_) => ErrorCode::RetentionInvalid,
        };
        ApiError::new(code, format!("`{field}`: {error}"))
    };
    text.map(str::parse).transpose().map_err(wrong)
}

fn rule(request: &RetentionRule) -> ApiResult<Rule> {
    let rule = Rule {
        tasks: time("tasks", request.tasks.as_deref())?,
        payloads: time("payloads", request.payloads.as_deref())?,
        results: time("results", request.results.as_deref())?,
        logs: time("logs", request.logs.as_deref())?,
    };
    if rule == Rule::default() {
        return Err(ApiError::new(ErrorCode::RetentionInvalid, "the rule says nothing: to unset a rule, delete it"));
    }
    Ok(rule)
}

fn shown(rule: &Rule) -> RetentionRule {
    let text = |keep: Option<Keep>| keep.map(|keep| keep.to_string());
    RetentionRule {
        tasks: text(rule.tasks),
        payloads: text(rule.payloads),
        results: text(rule.results),
        logs: text(rule.logs),
    }
}

fn named<T: std::str::FromStr<Err = NameError>>(name: &str, scope: impl Fn(T) -> Scope) -> ApiResult<Scope> {
    let wrong = |error: NameError| ApiError::new(ErrorCode::RetentionInvalid, error.to_string());
    name.parse().map(scope).map_err(|error| wrong(error).hint("Correct the name at the end of the path."))
}

async fn set(room: &Room, scope: Scope, request: &RetentionRule) -> ApiResult<Json<RetentionRule>> {
    let rule = rule(request)?;
    room.ports.retention.set_rule(scope, Some(rule)).await?;
    Ok(Json(shown(&rule)))
}

async fn unset(room: &Room, scope: Scope) -> ApiResult<StatusCode> {
    if room.ports.retention.set_rule(scope.clone(), None).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::new(ErrorCode::RetentionRuleNotFound, format!("no rule of retention is set for {scope}")))
}

/// Every rule of retention, and what holds without them.
#[utoipa::path(
    get, path = "/api/v1/retention", tag = "retention",
    params(("namespace" = Option<String>, Query, description = "Of modules only those of this one")),
    responses((status = 200, description = "The rules", body = RetentionView))
)]
pub(crate) async fn list(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<RetentionView>> {
    params.only(&[namespaces::PARAMETER])?;
    let asked = namespaces::asked(&params)?;
    let keep = room.settings.keep;
    let settings = Rule {
        tasks: Some(keep.tasks),
        payloads: Some(keep.payloads),
        results: Some(keep.results),
        logs: Some(keep.logs),
    };
    let mut view = RetentionView {
        settings: shown(&settings),
        default: None,
        queues: std::collections::BTreeMap::new(),
        modules: std::collections::BTreeMap::new(),
    };
    for (scope, rule) in room.ports.retention.rules().await?.0 {
        let rule = shown(&rule);
        match scope {
            Scope::Default => view.default = Some(rule),
            Scope::Queue(name) => drop(view.queues.insert(name.to_string(), rule)),
            Scope::Module(name) if asked.as_ref().is_some_and(|asked| !name.is_in(asked)) => {}
            Scope::Module(name) => drop(view.modules.insert(name.to_string(), rule)),
        }
    }
    Ok(Json(view))
}

/// Set the default rule: of all tasks for which no other rule says anything. It replaces the one before.
#[utoipa::path(
    put, path = "/api/v1/retention/default", tag = "retention", request_body = RetentionRule,
    responses(
        (status = 200, description = "The rule as it is now", body = RetentionRule),
        (status = "4XX", description = "Not set", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn set_default(
    State(room): State<Arc<Room>>,
    params: Params,
    JsonBody(request): JsonBody<RetentionRule>,
) -> ApiResult<Json<RetentionRule>> {
    params.only(&[])?;
    set(&room, Scope::Default, &request).await
}

/// Unset the default rule: the server's settings hold again.
#[utoipa::path(
    delete, path = "/api/v1/retention/default", tag = "retention",
    responses(
        (status = 204, description = "Unset"),
        (status = 404, description = "It was not set", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn unset_default(State(room): State<Arc<Room>>, params: Params) -> ApiResult<StatusCode> {
    params.only(&[])?;
    unset(&room, Scope::Default).await
}

/// Set the rule of a queue, which comes before the default rule. It replaces the one before.
#[utoipa::path(
    put, path = "/api/v1/retention/queues/{name}", tag = "retention", request_body = RetentionRule,
    params(("name" = String, Path, description = "The queue's name")),
    responses(
        (status = 200, description = "The rule as it is now", body = RetentionRule),
        (status = "4XX", description = "Not set", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn set_queue(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
    JsonBody(request): JsonBody<RetentionRule>,
) -> ApiResult<Json<RetentionRule>> {
    params.only(&[])?;
    set(&room, named(&name, Scope::Queue)?, &request).await
}

/// Unset the rule of a queue.
#[utoipa::path(
    delete, path = "/api/v1/retention/queues/{name}", tag = "retention",
    params(("name" = String, Path, description = "The queue's name")),
    responses(
        (status = 204, description = "Unset"),
        (status = "4XX", description = "It was not set", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn unset_queue(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<StatusCode> {
    params.only(&[])?;
    unset(&room, named(&name, Scope::Queue)?).await
}

/// Set the rule of a module, which comes before those of queues. It replaces the one before. The module need not be deployed.
#[utoipa::path(
    put, path = "/api/v1/retention/modules/{name}", tag = "retention", request_body = RetentionRule,
    params(
        ("name" = String, Path, description = "The module's name"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 200, description = "The rule as it is now", body = RetentionRule),
        (status = "4XX", description = "Not set", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn set_module(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
    JsonBody(request): JsonBody<RetentionRule>,
) -> ApiResult<Json<RetentionRule>> {
    let name = in_path(&name, &params, &[])?;
    set(&room, named(&name, Scope::Module)?, &request).await
}

/// Unset the rule of a module.
#[utoipa::path(
    delete, path = "/api/v1/retention/modules/{name}", tag = "retention",
    params(
        ("name" = String, Path, description = "The module's name"),
        ("namespace" = Option<String>, Query, description = "Whose; `default` if left out"),
    ),
    responses(
        (status = 204, description = "Unset"),
        (status = "4XX", description = "It was not set", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn unset_module(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<StatusCode> {
    let name = in_path(&name, &params, &[])?;
    unset(&room, named(&name, Scope::Module)?).await
}
