//! `/api/v1/webhooks`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use tasklane_api_types::{DeliveryList, DeliveryView, ErrorCode, Problem, WebhookList, WebhookRequest, WebhookView};
use tasklane_domain::WebhookName;
use tasklane_domain::webhook::{
    DeliveryPage, EventId, FORMER_SECRET_FOR, PAGE_MAX, Replayed, Secret, Standing, Webhook,
};

use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Params, TextPath};
use crate::namespaces;
use crate::state::State as Room;
use crate::webhooks::{delivery_view, new_webhook, test_delivery, view};

/// Deliveries on a page where nothing is said.
const PAGE: u32 = 50;

fn not_found(name: &str) -> ApiError {
    ApiError::new(ErrorCode::WebhookNotFound, format!("there is no webhook `{name}`"))
}

fn no_delivery(id: &str) -> ApiError {
    ApiError::new(ErrorCode::DeliveryNotFound, format!("there is no delivery `{id}` for this webhook"))
}

/// The webhook of that name, if it is told of the namespace that is asked for and of no other.
async fn known(room: &Room, text: &str, params: &Params) -> ApiResult<Webhook> {
    let asked = namespaces::asked(params)?;
    let name: WebhookName = text.parse().map_err(|_| not_found(text))?;
    let own = |found: &Webhook| asked.is_none() || found.filter.namespace == asked;
    room.ports.webhooks.webhook(&name).await?.filter(own).ok_or_else(|| not_found(text))
}

/// Make a webhook. The answer is the only one, beside that of `rotate`, that shows its secret.
#[utoipa::path(
    post, path = "/api/v1/webhooks", tag = "webhooks", request_body = WebhookRequest,
    responses(
        (status = 201, description = "Made, with its secret", body = WebhookView),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Not made", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create(
    State(room): State<Arc<Room>>,
    params: Params,
    JsonBody(request): JsonBody<WebhookRequest>,
) -> ApiResult<Response> {
    params.only(&[])?;
    let webhook = new_webhook(&room, &request)?;
    room.ports.webhooks.create(webhook.clone()).await?;
    let location = format!("/api/v1/webhooks/{}", webhook.name);
    let secret = Some(webhook.secret.reveal());
    let body = WebhookView { secret, ..view(webhook, room.clock.now()) };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(body)).into_response())
}

/// All webhooks, by name.
#[utoipa::path(
    get, path = "/api/v1/webhooks", tag = "webhooks",
    params(("namespace" = Option<String>, Query, description = "Only those that are told of this one alone")),
    responses((status = 200, description = "The webhooks", body = WebhookList))
)]
pub(crate) async fn list(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<WebhookList>> {
    params.only(&[namespaces::PARAMETER])?;
    let now = room.clock.now();
    let asked = namespaces::asked(&params)?;
    let all = room.ports.webhooks.webhooks().await?.into_iter();
    let shown = all.filter(|webhook| asked.is_none() || webhook.filter.namespace == asked);
    let webhooks = shown.map(|webhook| view(webhook, now)).collect();
    Ok(Json(WebhookList { webhooks }))
}

/// One webhook.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{name}", tag = "webhooks",
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is told of this one alone"),
    ),
    responses(
        (status = 200, description = "The webhook", body = WebhookView),
        (status = "4XX", description = "No such webhook", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn webhook(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<WebhookView>> {
    params.only(&[namespaces::PARAMETER])?;
    Ok(Json(view(known(&room, &name, &params).await?, room.clock.now())))
}

/// Delete a webhook with its deliveries, also those that wait.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/{name}", tag = "webhooks",
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is told of this one alone"),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = "4XX", description = "No such webhook", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn delete(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<StatusCode> {
    params.only(&[namespaces::PARAMETER])?;
    let webhook = known(&room, &name, &params).await?;
    if room.ports.webhooks.remove(&webhook.name).await? { Ok(StatusCode::NO_CONTENT) } else { Err(not_found(&name)) }
}

async fn set(room: &Room, text: &str, params: &Params, standing: Standing) -> ApiResult<Json<WebhookView>> {
    let webhook = known(room, text, params).await?;
    if webhook.standing.as_str() != standing.as_str()
        && !room.ports.webhooks.set_standing(&webhook.name, standing).await?
    {
        return Err(not_found(text));
    }
    Ok(Json(view(known(room, text, params).await?, room.clock.now())))
}

/// Pause a webhook: what ends meanwhile is not told, what waits is kept.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{name}/pause", tag = "webhooks",
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is told of this one alone"),
    ),
    responses(
        (status = 200, description = "Paused", body = WebhookView),
        (status = "4XX", description = "No such webhook", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn pause(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<WebhookView>> {
    params.only(&[namespaces::PARAMETER])?;
    set(&room, &name, &params, Standing::Paused(None)).await
}

/// Resume a webhook: what waits is sent, and what ends from now on is told.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{name}/resume", tag = "webhooks",
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is told of this one alone"),
    ),
    responses(
        (status = 200, description = "Active", body = WebhookView),
        (status = "4XX", description = "No such webhook", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn resume(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<WebhookView>> {
    params.only(&[namespaces::PARAMETER])?;
    set(&room, &name, &params, Standing::Active).await
}

/// Give a webhook another secret. For 24 hours events are signed with both.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{name}/rotate", tag = "webhooks",
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is told of this one alone"),
    ),
    responses(
        (status = 200, description = "With the new secret", body = WebhookView),
        (status = "4XX", description = "No such webhook", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn rotate(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<WebhookView>> {
    params.only(&[namespaces::PARAMETER])?;
    let webhook = known(&room, &name, &params).await?;
    let (secret, now) = (Secret::generate(), room.clock.now());
    if !room.ports.webhooks.rotate(&webhook.name, secret.clone(), now.plus(FORMER_SECRET_FOR)).await? {
        return Err(not_found(&name));
    }
    let shown = view(known(&room, &name, &params).await?, now);
    Ok(Json(WebhookView { secret: Some(secret.reveal()), ..shown }))
}

/// Send a test event, whatever the webhook asks for.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{name}/test", tag = "webhooks",
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is told of this one alone"),
    ),
    responses(
        (status = 202, description = "The delivery, which waits to be sent", body = DeliveryView),
        (status = "4XX", description = "No such webhook", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn test(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Response> {
    params.only(&[namespaces::PARAMETER])?;
    let webhook = known(&room, &name, &params).await?;
    if webhook.standing != Standing::Active {
        return Err(ApiError::new(ErrorCode::WebhookPaused, format!("webhook `{name}` is paused: nothing is sent")));
    }
    let delivery = test_delivery(&webhook.name, room.clock.now());
    room.ports.webhooks.enqueue(delivery.clone()).await?;
    let location = format!("/api/v1/webhooks/{name}/deliveries/{}", delivery.event);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(delivery_view(delivery))).into_response())
}

/// A webhook's deliveries, those of the newest tasks first. With `state=dead`: its dead letters.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{name}/deliveries", tag = "webhooks",
    params(
        ("name" = String, Path, description = "Its name"),
        ("namespace" = Option<String>, Query, description = "Only if it is told of this one alone"),
        ("state" = Option<String>, Query, description = "waiting, delivered or dead"),
        ("limit" = Option<u32>, Query, description = "1 to 200, default 50"),
        ("before" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = DeliveryList),
        (status = "4XX", description = "No such webhook", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn deliveries(
    State(room): State<Arc<Room>>,
    TextPath(name): TextPath<String>,
    params: Params,
) -> ApiResult<Json<DeliveryList>> {
    params.only(&[namespaces::PARAMETER, "state", "limit", "before"])?;
    let webhook = known(&room, &name, &params).await?;
    let limit = match params.parsed("limit")?.unwrap_or(PAGE) {
        limit @ 1..=PAGE_MAX => limit,
        other => {
            let why = format!("limit: must be from 1 to {PAGE_MAX}, not {other}");
            return Err(ApiError::new(ErrorCode::InvalidQuery, why));
        }
    };
    let page = DeliveryPage { state: params.parsed("state")?, before: params.parsed("before")?, limit };
    let found = room.ports.webhooks.deliveries(&webhook.name, page).await?;
    let full = found.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = found.last().filter(|_| full).map(|last| last.event.to_string());
    Ok(Json(DeliveryList { deliveries: found.into_iter().map(delivery_view).collect(), next }))
}

async fn one(room: &Room, name: &str, id: &str, params: &Params) -> ApiResult<(WebhookName, EventId)> {
    let webhook = known(room, name, params).await?;
    Ok((webhook.name, id.parse().map_err(|_| no_delivery(id))?))
}

/// One delivery.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{name}/deliveries/{id}", tag = "webhooks",
    params(
        ("name" = String, Path, description = "Its name"), ("id" = String, Path, description = "The event's id"),
        ("namespace" = Option<String>, Query, description = "Only if it is told of this one alone"),
    ),
    responses(
        (status = 200, description = "The delivery", body = DeliveryView),
        (status = "4XX", description = "No such delivery", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn delivery(
    State(room): State<Arc<Room>>,
    TextPath((name, id)): TextPath<(String, String)>,
    params: Params,
) -> ApiResult<Json<DeliveryView>> {
    params.only(&[namespaces::PARAMETER])?;
    let (name, event) = one(&room, &name, &id, &params).await?;
    let found = room.ports.webhooks.delivery(&name, &event).await?;
    found.map(|found| Json(delivery_view(found))).ok_or_else(|| no_delivery(&id))
}

/// Send a dead letter, or a delivery that waits, again: now, with all its attempts before it.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{name}/deliveries/{id}/retry", tag = "webhooks",
    params(
        ("name" = String, Path, description = "Its name"), ("id" = String, Path, description = "The event's id"),
        ("namespace" = Option<String>, Query, description = "Only if it is told of this one alone"),
    ),
    responses(
        (status = 202, description = "It waits to be sent", body = DeliveryView),
        (status = 409, description = "It was delivered", body = Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "No such delivery", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn retry(
    State(room): State<Arc<Room>>,
    TextPath((name, id)): TextPath<(String, String)>,
    params: Params,
) -> ApiResult<Response> {
    params.only(&[namespaces::PARAMETER])?;
    let (name, event) = one(&room, &name, &id, &params).await?;
    match room.ports.webhooks.replay(&name, &event, room.clock.now()).await? {
        Replayed::Due => {}
        Replayed::Unknown => return Err(no_delivery(&id)),
        Replayed::Delivered => {
            return Err(ApiError::new(ErrorCode::DeliveryDone, format!("delivery `{id}` was taken by the endpoint")));
        }
    }
    let found = room.ports.webhooks.delivery(&name, &event).await?.ok_or_else(|| no_delivery(&id))?;
    Ok((StatusCode::ACCEPTED, Json(delivery_view(found))).into_response())
}
