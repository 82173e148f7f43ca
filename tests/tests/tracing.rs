//! One task, one trace: from the caller's span over API, host and guest to the scheduler, as a collector gets it.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;
use serde_json::{Value, json};
use tasklane_tests::{Cluster, ClusterSettings, Receiver, Reply, guest, wait_for};

/// A caller's trace and span.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A span as it was exported.
#[derive(Debug, Clone)]
struct Span {
    name: String,
    trace: String,
    id: String,
    parent: String,
    kind: i32,
    begun: u64,
    ended: u64,
    is_error: bool,
    attributes: BTreeMap<String, String>,
    role: String,
    state: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    pairs.iter().map(|pair| (pair.key.clone(), text(&pair.value))).collect()
}

/// Everything that the collector was sent.
fn spans(collector: &Receiver) -> anyhow::Result<Vec<Span>> {
    let mut spans = Vec::new();
    for received in collector.seen("/v1/traces") {
        ensure!(received.header("content-type") == "application/x-protobuf", "{:?}", received.headers);
        for resource in ExportTraceServiceRequest::decode(received.body.as_ref())?.resource_spans {
            let of = texts(&resource.resource.context("a resource")?.attributes);
            ensure!(of["service.name"] == "tasklane" && of.contains_key("service.instance.id"), "{of:?}");
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                spans.push(Span {
                    name: span.name,
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    kind: span.kind,
                    begun: span.start_time_unix_nano,
                    ended: span.end_time_unix_nano,
                    is_error: span.status.is_some_and(|status| status.code == 2),
                    attributes: texts(&span.attributes),
                    role: of["tasklane.role"].clone(),
                    state: span.trace_state,
                });
            }
        }
    }
    Ok(spans)
}

async fn start() -> anyhow::Result<(Cluster, Receiver)> {
    let collector = Receiver::start(|_, _| Reply::status(200)).await?;
    let env = vec![("TASKLANE_OTLP_ENDPOINT".to_owned(), collector.url(""))];
    let cluster = Cluster::start(ClusterSettings { env, ..ClusterSettings::default() }.patient()).await?;
    let permissions = json!({"kv": ["own"]});
    let manifest = json!({"name": "guest", "version": "1.0.0", "permissions": permissions});
    cluster.client.deploy_with(manifest, &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    for target in ["wasm32-wasip1", "wasm32-wasip2"] {
        let manifest = json!({"name": target, "version": "1.0.0", "command": {"args": ["env"]}});
        cluster.client.deploy_with(manifest, &guest(target, "fixture-command.wasm")?).await?;
    }
    Ok((cluster, collector))
}

/// Submits with a caller's context and waits for the end.
async fn submit(cluster: &Cluster, traceparent: Option<&str>, task: &Value) -> anyhow::Result<Value> {
    let headers: Vec<(&str, &str)> = traceparent.map(|context| ("traceparent", context)).into_iter().collect();
    let accepted = post(cluster, "/api/v1/tasks", &headers, task).await?;
    cluster.client.ended(accepted["id"].as_str().context("an id")?).await
}

async fn post(cluster: &Cluster, path: &str, headers: &[(&str, &str)], body: &Value) -> anyhow::Result<Value> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let request = http.post(format!("{}{path}", cluster.client.url())).json(body);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    Ok(request.send().await?.error_for_status()?.json().await?)
}

/// The spans of a trace, once there are so many.
async fn trace(collector: &Receiver, id: &str, count: usize) -> anyhow::Result<Vec<Span>> {
    wait_for(&format!("{count} spans of the trace {id}"), || async {
        let found: Vec<Span> = spans(collector)?.into_iter().filter(|span| span.trace == id).collect();
        ensure!(found.len() >= count, "{found:#?}");
        Ok(Some(found))
    })
    .await
}

fn named<'a>(spans: &'a [Span], name: &str) -> anyhow::Result<&'a Span> {
    let all: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    ensure!(all.len() == 1, "{} spans are called {name}: {spans:#?}", all.len());
    Ok(all[0])
}

#[tokio::test]
async fn a_task_is_one_trace_over_all_processes() -> anyhow::Result<()> {
    let (cluster, collector) = start().await?;
    let payload = json!({"do": "kv", "op": "set", "key": "cursor", "value": "secret-input"});
    let task = json!({"module": "guest", "priority": 9, "payload": payload});
    let ended = submit(&cluster, Some(&format!("00-{TRACE}-{CALLER}-01")), &task).await?;
    ensure!(ended["state"] == "succeeded", "{ended}");

    let spans = trace(&collector, TRACE, 5).await?;
    ensure!(spans.len() == 5, "{spans:#?}");
    let (submit, wait, run) = (named(&spans, "submit")?, named(&spans, "queue wait")?, named(&spans, "run")?);
    let (set, settle) = (named(&spans, "kv_set")?, named(&spans, "settle")?);
    let parents = [&submit.parent, &wait.parent, &run.parent, &set.parent, &settle.parent];
    ensure!(parents == [CALLER, &submit.id, &submit.id, &run.id, &run.id], "{spans:#?}");
    let roles = [submit, wait, run, set, settle].map(|span| span.role.as_str());
    ensure!(roles == ["api", "host", "host", "host", "scheduler"], "{roles:?}");
    // Server, consumer, consumer, client, consumer.
    ensure!([submit, wait, run, set, settle].map(|span| span.kind) == [2, 5, 5, 3, 5], "{spans:#?}");
    for span in &spans {
        ensure!(span.begun <= span.ended && !span.is_error, "{span:?}");
        ensure!(!format!("{span:?}").contains("secret-input"), "{span:?} tells what the guest was given");
    }
    ensure!(wait.ended <= run.ended && run.begun <= set.begun && set.ended <= run.ended, "{spans:#?}");
    ensure!(settle.ended >= run.ended, "{spans:#?}");

    let is = |span: &Span, key: &str, value: &str| {
        let found = span.attributes.get(key).cloned().unwrap_or_default();
        ensure!(found == value, "{} has {key}={found}, not {value}", span.name);
        Ok(())
    };
    let id = ended["id"].as_str().context("an id")?;
    let host = cluster.hosts_alive(1).await?[0]["id"].as_str().context("an id")?.to_owned();
    for span in [wait, run, settle] {
        is(span, "tasklane.task.id", id)?;
        is(span, "tasklane.attempt", "1")?;
        is(span, "tasklane.host.id", &host)?;
        is(span, "messaging.system", "nats")?;
    }
    is(submit, "tasklane.task.id", id)?;
    is(submit, "http.route", "/api/v1/tasks")?;
    is(submit, "http.response.status_code", "202")?;
    is(run, "tasklane.module.name", "guest")?;
    is(run, "tasklane.priority", "9")?;
    is(run, "tasklane.outcome", "ok")?;
    is(settle, "messaging.operation.type", "settle")?;
    is(settle, "tasklane.state", "succeeded")?;
    is(set, "tasklane.host_function", "kv_set")
}

#[tokio::test]
async fn every_attempt_is_in_the_trace_that_the_api_began() -> anyhow::Result<()> {
    let (cluster, collector) = start().await?;
    let task = json!({"module": "guest", "payload": {"do": "flaky", "until": 2, "after_ms": 10}});
    let ended = submit(&cluster, None, &task).await?;
    ensure!(ended["state"] == "succeeded", "{ended}");
    let begun =
        wait_for("the submit", || async { Ok(spans(&collector)?.into_iter().find(|span| span.name == "submit")) })
            .await?;
    ensure!(begun.parent.is_empty(), "{begun:?} has a parent");
    // submit, and for each attempt its wait, its run and its settle.
    let spans = trace(&collector, &begun.trace, 7).await?;
    ensure!(spans.len() == 7, "{spans:#?}");
    let mut runs: Vec<&Span> = spans.iter().filter(|span| span.name == "run").collect();
    runs.sort_by_key(|run| run.begun);
    let [first, second] = runs.as_slice() else { anyhow::bail!("{runs:?}") };
    ensure!(first.is_error && first.attributes["error.type"] == "task_error", "{first:?}");
    ensure!(
        !second.is_error && second.attributes["tasklane.attempt"] == "2" && second.parent == begun.id,
        "{second:?}"
    );
    let states: Vec<&str> =
        spans.iter().filter_map(|span| span.attributes.get("tasklane.state").map(String::as_str)).collect();
    ensure!(states.contains(&"retrying") && states.contains(&"succeeded"), "{states:?}");
    Ok(())
}

#[tokio::test]
async fn guests_get_the_context_and_a_caller_that_does_not_record_is_followed() -> anyhow::Result<()> {
    let (cluster, collector) = start().await?;
    for (number, module) in ["wasm32-wasip1", "wasm32-wasip2"].into_iter().enumerate() {
        let trace_id = format!("{}{number}", &TRACE[..31]);
        let ended = submit(&cluster, Some(&format!("00-{trace_id}-{CALLER}-01")), &json!({"module": module})).await?;
        let told = output(&cluster, &ended).await?;
        let spans = trace(&collector, &trace_id, 4).await?;
        ensure!(told == Some(format!("00-{trace_id}-{}-01", named(&spans, "run")?.id)), "{module}: {told:?}");
    }
    let unrecorded = format!("00-{}f-{CALLER}-00", &TRACE[..31]);
    let ended = submit(&cluster, Some(&unrecorded), &json!({"module": "wasm32-wasip1"})).await?;
    ensure!(output(&cluster, &ended).await? == Some(unrecorded.clone()), "the guest gets what the caller gave");
    let foreign = spans(&collector)?.into_iter().find(|span| unrecorded.contains(&span.trace));
    ensure!(foreign.is_none(), "{foreign:?} was recorded although the caller did not want it");
    Ok(())
}

#[tokio::test]
async fn what_vendors_say_of_a_trace_is_handed_on_to_every_span_and_to_the_guest() -> anyhow::Result<()> {
    let (cluster, collector) = start().await?;
    let context = format!("00-{TRACE}-{CALLER}-01");
    // Two headers are one list.
    let headers =
        [("traceparent", context.as_str()), ("tracestate", "rojo=00f067aa0ba902b7"), ("tracestate", "congo=t61")];
    let accepted = post(&cluster, "/api/v1/tasks", &headers, &json!({"module": "wasm32-wasip2"})).await?;
    let ended = cluster.client.ended(accepted["id"].as_str().context("an id")?).await?;
    let state = "rojo=00f067aa0ba902b7,congo=t61";
    ensure!(variable(&cluster, &ended, "TRACESTATE").await? == Some(state.to_owned()), "{ended}");
    for span in trace(&collector, TRACE, 4).await? {
        ensure!(span.state == state, "{span:?}");
    }
    let alone = post(&cluster, "/api/v1/tasks", &headers[1..], &json!({"module": "wasm32-wasip2"})).await?;
    let ended = cluster.client.ended(alone["id"].as_str().context("an id")?).await?;
    ensure!(variable(&cluster, &ended, "TRACESTATE").await?.is_none(), "without a traceparent it says nothing");
    Ok(())
}

/// Names of a trace's spans, with how often.
fn names(spans: &[Span]) -> BTreeMap<&str, usize> {
    spans.iter().fold(BTreeMap::new(), |mut names, span| {
        *names.entry(span.name.as_str()).or_default() += 1;
        names
    })
}

#[tokio::test]
async fn every_firing_of_a_schedule_begins_a_trace() -> anyhow::Result<()> {
    let (cluster, collector) = start().await?;
    let task = json!({"module": "guest", "payload": {"do": "echo", "value": 1}});
    let schedule = json!({"name": "every-second", "expression": "* * * * * *", "task": task});
    cluster.client.post("/api/v1/schedules", &schedule).await?;
    let of_schedule =
        |span: &Span| span.attributes.get("tasklane.schedule.name").is_some_and(|name| name == "every-second");
    let fired = wait_for("two firings", || async {
        let fired: Vec<Span> = spans(&collector)?.into_iter().filter(|span| of_schedule(span)).collect();
        Ok((fired.len() >= 2).then_some(fired))
    })
    .await?;
    ensure!(fired[0].trace != fired[1].trace, "{fired:?}");
    for submit in &fired[..2] {
        ensure!(submit.name == "submit" && submit.parent.is_empty() && submit.role == "scheduler", "{submit:?}");
        // Producer.
        ensure!(submit.kind == 4 && !submit.is_error, "{submit:?}");
        let spans = trace(&collector, &submit.trace, 4).await?;
        ensure!(
            names(&spans) == BTreeMap::from([("submit", 1), ("queue wait", 1), ("run", 1), ("settle", 1)]),
            "{spans:#?}"
        );
        let run = named(&spans, "run")?;
        ensure!(
            run.parent == submit.id && run.attributes["tasklane.task.id"] == submit.attributes["tasklane.task.id"],
            "{spans:#?}"
        );
    }
    // By hand, it is a request like any other.
    let by_hand = format!("00-{}a-{CALLER}-01", &TRACE[..31]);
    post(&cluster, "/api/v1/schedules/every-second/run-now", &[("traceparent", &by_hand)], &json!({})).await?;
    ensure!(names(&trace(&collector, &by_hand[3..35], 4).await?).len() == 4);
    Ok(())
}

#[tokio::test]
async fn what_is_tried_again_is_in_the_trace_of_who_asked_for_it() -> anyhow::Result<()> {
    let (cluster, collector) = start().await?;
    let task = json!({"module": "guest", "queue": "default", "labels": {"again": "yes"}, "retry": {"max_attempts": 1},
        "payload": {"do": "fail"}});
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(submit(&cluster, None, &task).await?["id"].as_str().context("an id")?.to_owned());
    }
    let context = |digit: char| format!("00-{}{digit}-{CALLER}-01", &TRACE[..31]);
    let (one, all) = (context('1'), context('2'));
    post(&cluster, &format!("/api/v1/tasks/{}/retry", ids[0]), &[("traceparent", &one)], &json!({})).await?;
    let spans = trace(&collector, &one[3..35], 4).await?;
    ensure!(named(&spans, "submit")?.attributes["http.route"] == "/api/v1/tasks/{id}/retry", "{spans:#?}");
    ensure!(named(&spans, "run")?.attributes["tasklane.task.id"] != ids[0], "{spans:#?}");

    let headers = [("traceparent", all.as_str()), ("tracestate", "rojo=1")];
    let begun = post(&cluster, "/api/v1/tasks/retry", &headers, &json!({"label": "again:yes"})).await?;
    let spans = trace(&collector, &all[3..35], 1 + 4 * 3).await?;
    // Four had failed: three and the one that was tried again.
    let expected = BTreeMap::from([("submit", 1), ("queue wait", 4), ("run", 4), ("settle", 4)]);
    ensure!(names(&spans) == expected, "{spans:#?}");
    let asked = named(&spans, "submit")?;
    ensure!(asked.attributes["tasklane.operation.id"] == begun["id"].as_str().unwrap_or_default(), "{asked:?}");
    ensure!(spans.iter().all(|span| span.state == "rojo=1"), "{spans:#?}");
    ensure!(spans.iter().filter(|span| span.name == "run").all(|run| run.parent == asked.id), "{spans:#?}");
    Ok(())
}

/// The guest's variable `TRACEPARENT`, as it printed it.
async fn output(cluster: &Cluster, task: &Value) -> anyhow::Result<Option<String>> {
    variable(cluster, task, "TRACEPARENT").await
}

async fn variable(cluster: &Cluster, task: &Value, name: &str) -> anyhow::Result<Option<String>> {
    ensure!(task["state"] == "succeeded", "{task}");
    let id = task["id"].as_str().context("an id")?;
    let text = cluster.client.text(&format!("/api/v1/tasks/{id}/result")).await?;
    Ok(text.lines().find_map(|line| line.strip_prefix(&format!("{name}=")).map(str::to_owned)))
}
