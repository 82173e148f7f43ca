//! Webhooks: from a request to a record, and back to what people see.

use std::collections::BTreeSet;

use tasklane_api_types::{DeliveryView, ErrorCode, WebhookRequest, WebhookView};
use tasklane_domain::egress::{Method, Target};
use tasklane_domain::webhook::{
    Delivery, DeliveryState, EventId, EventKind, Filter, Secret, Standing, Webhook, test_data,
};
use tasklane_domain::{Namespace, Timestamp, WebhookName};

use crate::error::{ApiError, ApiResult};
use crate::namespaces;
use crate::state::State;

fn invalid(error: &impl std::fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::WebhookInvalid, error.to_string())
}

fn read<T>(text: Option<&str>) -> ApiResult<Option<T>>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.map(|text| text.parse().map_err(|error| invalid(&error))).transpose()
}

/// What it asks for; nothing said is every end of a task.
fn events(texts: &[String]) -> ApiResult<BTreeSet<EventKind>> {
    if texts.is_empty() {
        return Ok(EventKind::SUBSCRIBABLE.into_iter().filter(|kind| *kind != EventKind::BatchEnded).collect());
    }
    let read = |text: &String| match text.parse() {
        Ok(EventKind::Test) => Err(invalid(&"`webhook.test` cannot be asked for: it comes with a test")),
        Ok(kind) => Ok(kind),
        Err(error) => Err(invalid(&error)),
    };
    texts.iter().map(read).collect()
}

/// The URL in its one form, if it may be called.
fn url(state: &State, text: &str) -> ApiResult<String> {
    let target = Target::parse(text).map_err(|error| invalid(&error))?;
    let refused = |why: tasklane_domain::egress::Refusal| ApiError::new(ErrorCode::EgressRefused, why.to_string());
    state.settings.egress.check_target(&target, Method::Post).map_err(refused)?;
    Ok(target.url().to_owned())
}

fn label(text: &str) -> ApiResult<(String, String)> {
    let pair = text.split_once(':').map(|(key, value)| (key.to_owned(), value.to_owned()));
    pair.ok_or_else(|| invalid(&format!("`label` is `{text}`, which is not key:value")))
}

/// Everything of a request checked, with a secret of its own.
pub(crate) fn new_webhook(state: &State, request: &WebhookRequest) -> ApiResult<Webhook> {
    let namespace: Option<Namespace> = read(request.namespace.as_deref())?;
    let module = request.module.as_deref().map(|text| namespaces::full(text, namespace.as_ref())).transpose()?;
    Ok(Webhook {
        name: request.name.parse().map_err(|error: tasklane_domain::name::NameError| invalid(&error))?,
        url: url(state, &request.url)?,
        events: events(&request.events)?,
        filter: Filter {
            namespace,
            queue: read(request.queue.as_deref())?,
            module: read(module.as_deref())?,
            label: request.label.as_deref().map(label).transpose()?,
        },
        standing: if request.paused { Standing::Paused(None) } else { Standing::Active },
        secret: Secret::generate(),
        former: None,
        created_at: state.clock.now(),
    })
}

/// An event that says nothing but that the endpoint can be reached.
pub(crate) fn test_delivery(name: &WebhookName, now: Timestamp) -> Delivery {
    Delivery {
        webhook: name.clone(),
        event: EventId::of_test(),
        kind: EventKind::Test,
        subject: name.to_string(),
        time: now,
        data: test_data(name),
        state: DeliveryState::Waiting,
        attempts: 0,
        next_at: Some(now),
        last_status: None,
        last_error: None,
        ended_at: None,
    }
}

/// An endpoint as people see it, without its secret.
pub(crate) fn view(webhook: Webhook, now: Timestamp) -> WebhookView {
    WebhookView {
        name: webhook.name.to_string(),
        url: webhook.url,
        events: webhook.events.into_iter().collect(),
        namespace: webhook.filter.namespace.map(|name| name.to_string()),
        queue: webhook.filter.queue.map(|name| name.to_string()),
        module: webhook.filter.module.map(|name| name.to_string()),
        label: webhook.filter.label.map(|(key, value)| format!("{key}:{value}")),
        state: webhook.standing.as_str().to_owned(),
        paused_because: if let Standing::Paused(because) = webhook.standing { because } else { None },
        former_secret_until: webhook.former.map(|(_, until)| until).filter(|until| now < *until),
        created_at: webhook.created_at,
        secret: None,
    }
}

/// A delivery as people see it.
pub(crate) fn delivery_view(delivery: Delivery) -> DeliveryView {
    DeliveryView {
        id: delivery.event.to_string(),
        webhook: delivery.webhook.to_string(),
        event: delivery.kind,
        subject: delivery.subject,
        time: delivery.time,
        state: delivery.state,
        attempts: delivery.attempts,
        next_at: delivery.next_at,
        last_status: delivery.last_status,
        last_error: delivery.last_error,
        ended_at: delivery.ended_at,
    }
}
