//! `taskctl webhooks …`.

use serde_json::json;
use tasklane_api_types::{DeliveryList, DeliveryView, WebhookList, WebhookRequest, WebhookView};

use crate::cli::{Format, WebhookArgs, Webhooks};
use crate::client::{Client, segment};
use crate::failure::{Failure, USAGE};
use crate::output::{self, Column, Table, col, state};

const HOOKS: &[Column] = &[col("NAME"), state("STATE"), col("URL"), col("EVENTS"), col("ONLY")];
const DELIVERIES: &[Column] =
    &[col("ID"), col("EVENT"), state("STATE"), col("TRIES"), col("STATUS"), col("ERROR"), col("NEXT")];
const PATH: &str = "/api/v1/webhooks";

fn path(client: &Client, name: &str, rest: &str) -> String {
    client.scoped(&format!("{PATH}/{}{rest}", segment(name)))
}

/// Carries one out.
pub(crate) async fn run(client: &Client, format: Format, command: Webhooks) -> anyhow::Result<()> {
    match command {
        Webhooks::Create(args) => secret(format, &client.post(PATH, &request(client, *args)?).await?),
        Webhooks::List { watch: _ } => list(format, &client.get(&client.scoped(PATH)).await?),
        Webhooks::Get { name } => show(format, &client.get(&path(client, &name, "")).await?),
        Webhooks::Pause { name } => show(format, &client.post(&path(client, &name, "/pause"), &json!({})).await?),
        Webhooks::Resume { name } => show(format, &client.post(&path(client, &name, "/resume"), &json!({})).await?),
        Webhooks::Delete { name } => {
            client.delete(&path(client, &name, "")).await?;
            output::note(&format!("webhook {name} is deleted"));
            Ok(())
        }
        Webhooks::Test { name } => sent(format, &client.post(&path(client, &name, "/test"), &json!({})).await?),
        Webhooks::Rotate { name } => secret(format, &client.post(&path(client, &name, "/rotate"), &json!({})).await?),
        Webhooks::Deliveries { name, state, limit, before, watch: _ } => {
            let given = [("state", state), ("before", before)];
            let rest: String = given
                .iter()
                .filter_map(|(key, value)| value.as_ref().map(|value| format!("&{key}={}", segment(value))))
                .collect();
            deliveries(format, &client.get(&path(client, &name, &format!("/deliveries?limit={limit}{rest}"))).await?)
        }
        Webhooks::Retry { name, id } => sent(
            format,
            &client.post(&path(client, &name, &format!("/deliveries/{}/retry", segment(&id))), &json!({})).await?,
        ),
    }
}

fn request(client: &Client, args: WebhookArgs) -> anyhow::Result<WebhookRequest> {
    let label = args.label.map(|text| match text.split_once('=') {
        Some((key, value)) => Ok(format!("{key}:{value}")),
        None => Err(Failure::new(USAGE, format!("label `{text}` is not key=value"))),
    });
    Ok(WebhookRequest {
        name: args.name,
        url: args.url,
        events: args.events,
        namespace: client.namespace(),
        queue: args.queue,
        module: args.module,
        label: label.transpose()?,
        paused: args.paused,
    })
}

/// The secret is the data, so that a script can keep it.
fn secret(format: Format, one: &WebhookView) -> anyhow::Result<()> {
    output::told(format, one, &one.name, || {
        output::note(&format!("webhook {} calls {}; its secret, which is not shown again:", one.name, one.url));
        output::data(one.secret.as_deref().unwrap_or_default());
    })
}

fn sent(format: Format, one: &DeliveryView) -> anyhow::Result<()> {
    output::told(format, one, &one.id, || {
        output::note(&format!("next: taskctl webhooks deliveries {}", one.webhook));
        output::data(&one.id);
    })
}

fn names(one: &WebhookView) -> String {
    one.events.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
}

fn filter(one: &WebhookView) -> String {
    let given = [("namespace", &one.namespace), ("queue", &one.queue), ("module", &one.module), ("label", &one.label)];
    let parts = given.iter().filter_map(|(key, value)| value.as_ref().map(|value| format!("{key} {value}")));
    parts.collect::<Vec<_>>().join(", ")
}

fn list(format: Format, list: &WebhookList) -> anyhow::Result<()> {
    let row = |one: &WebhookView| vec![one.name.clone(), one.state.clone(), one.url.clone(), names(one), filter(one)];
    output::list(format, list, "webhooks", &Table::new(HOOKS, list.webhooks.iter().map(row).collect()))
}

fn show(format: Format, one: &WebhookView) -> anyhow::Result<()> {
    let because = one.paused_because.as_ref().map(|because| format!(": {because}")).unwrap_or_default();
    let pairs = vec![
        ("name", one.name.clone()),
        ("state", format!("{}{because}", one.state)),
        ("url", one.url.clone()),
        ("events", names(one)),
        ("only", filter(one)),
        ("created", one.created_at.to_string()),
    ];
    output::record(format, one, &one.name, pairs)
}

fn deliveries(format: Format, list: &DeliveryList) -> anyhow::Result<()> {
    let text = |value: Option<String>| value.unwrap_or_default();
    let row = |one: &DeliveryView| {
        vec![
            one.id.clone(),
            one.event.to_string(),
            one.state.as_str().to_owned(),
            one.attempts.to_string(),
            text(one.last_status.map(|status| status.to_string())),
            text(one.last_error.clone()),
            text(one.next_at.map(|at| at.to_string())),
        ]
    };
    let rows = list.deliveries.iter().map(row).collect();
    output::list(format, list, "deliveries", &Table::new(DELIVERIES, rows))?;
    if let Some(next) = list.next.as_ref().filter(|_| output::is_for_people(format)) {
        output::note(&format!("more: --before {next}"));
    }
    Ok(())
}
