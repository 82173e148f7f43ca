//! Every SDK does the same: one table of payloads and of how each must end, for the one program that there is in Rust, in TypeScript on both
//! engines, and in Python (`plugins/fixtures/conformance`, `sdk/ts/conformance`, `sdk/python/conformance`), on a live instance.
#![expect(clippy::print_stdout, reason = "measured figures are worth seeing")]
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use anyhow::{Context, ensure};
use base64::Engine as _;
use serde_json::{Value, json};
use tasklane_tests::{Client, Dev, wait_for, workspace};

/// One SDK's module.
struct Sdk {
    name: &'static str,
    wasm: &'static str,
    is_typescript: bool,
}

const SDKS: [Sdk; 4] = [
    Sdk {
        name: "conf-rust",
        wasm: "plugins/target/wasm32-wasip2/release/fixture_conformance.wasm",
        is_typescript: false,
    },
    Sdk { name: "conf-quickjs", wasm: "plugins/target/kinds/conformance-ts.wasm", is_typescript: true },
    Sdk {
        name: "conf-starlingmonkey",
        wasm: "plugins/target/kinds/conformance-ts-starlingmonkey.wasm",
        is_typescript: true,
    },
    Sdk { name: "conf-python", wasm: "plugins/target/kinds/conformance-python.wasm", is_typescript: false },
];

/// How a payload must end.
enum End {
    /// With this result.
    Result(Value),
    /// With an error of the task's own: how often it was tried, its code, and what its message says.
    Fails { attempts: u64, code: &'static str, says: &'static str },
}

struct Case {
    name: &'static str,
    payload: Vec<u8>,
    end: End,
}

fn asks(name: &'static str, payload: Value, result: Value) -> Case {
    Case { name, payload: payload.to_string().into_bytes(), end: End::Result(result) }
}

fn fails(
    name: &'static str,
    payload: impl Into<Vec<u8>>,
    attempts: u64,
    code: &'static str,
    says: &'static str,
) -> Case {
    Case { name, payload: payload.into(), end: End::Fails { attempts, code, says } }
}

fn values() -> Vec<Case> {
    let value = json!({"text": "Grüße 😀 \u{0} \"quoted\"", "list": [1, -2.5, true, null, []], "large": 9_007_199_254_740_991_u64});
    vec![
        asks("a value comes back", json!({"do": "echo", "value": value}), value),
        asks("nothing is null", json!({"do": "nothing"}), Value::Null),
        asks("a typed list", json!({"do": "sum", "list": [{"n": 1}, {"n": 41}]}), json!(42)),
        asks("settings of the manifest", json!({"do": "config"}), json!(["blue", null])),
        asks("another attempt", json!({"do": "until", "count": 2}), json!(2)),
        asks(
            "keys and values",
            json!({"do": "kv"}),
            json!([null, "1", "1", true, "zwei ü", 40, 42, "invalid", [["a"], "a"], [["n"], null], true, false, true]),
        ),
        asks("a refusal can be caught", json!({"do": "kv-caught"}), json!("access-denied")),
        asks("children are there once", json!({"do": "enqueue", "text": "x"}), json!([2, true])),
    ]
}

fn failures() -> Vec<Case> {
    let text = |value: Value| value.to_string();
    vec![
        fails("a permanent error", text(json!({"do": "permanent", "text": "ünfit"})), 1, "no-good", "ünfit"),
        fails("a retryable error", text(json!({"do": "retryable", "text": "full"})), 2, "busy", "full"),
        fails("a wish when to try again", text(json!({"do": "later", "count": 10})), 2, "busy", "later"),
        fails("what nobody foresaw", text(json!({"do": "unforeseen", "text": "x"})), 2, "error", "invalid digit found"),
        fails("an unknown verb", text(json!({"do": "dance"})), 1, "unknown", "dance"),
        fails("a refusal that is not caught", text(json!({"do": "kv-denied"})), 1, "access-denied", ""),
        fails("no such secret", text(json!({"do": "secret", "text": "unset"})), 1, "invalid", "secrets set unset"),
        fails("half a document", "{", 1, "bad_input", ""),
        fails("no text", [b'"', 0xff, b'"'], 1, "bad_input", ""),
        fails("another type", "7", 1, "bad_input", ""),
        fails("a field that is missing", "{}", 1, "bad_input", "do"),
        fails(
            "a field that does not fit",
            text(json!({"do": "sum", "list": [{"n": 1}, {"n": "x"}]})),
            1,
            "bad_input",
            "`list[1].n`",
        ),
        fails("a document that is too deep", "[".repeat(100_000), 1, "bad_input", ""),
    ]
}

fn manifest(sdk: &Sdk, api: &str) -> Value {
    json!({"name": sdk.name, "version": "1.0.0", "config": {"colour": "blue"},
        "limits": {"memory_bytes": 134_217_728},
        "retry": {"max_attempts": 2, "backoff_ms": 1, "backoff": "fixed"},
        "permissions": {"enqueue": [sdk.name], "kv": ["own"], "secrets": ["api-token", "unset"], "http": [format!("POST {api}")]}})
}

async fn submit(client: &Client, sdk: &Sdk, payload: &[u8]) -> anyhow::Result<String> {
    let payload = base64::engine::general_purpose::STANDARD.encode(payload);
    client.submit(&json!({"module": sdk.name, "payload_base64": payload, "priority": "high"})).await
}

async fn ended(client: &Client, sdk: &Sdk, payload: &Value) -> anyhow::Result<(Value, Value)> {
    let id = submit(client, sdk, payload.to_string().as_bytes()).await?;
    let task = client.ended(&id).await?;
    ensure!(task["state"] == "succeeded", "{payload}: {task}");
    Ok((task, serde_json::from_slice(&client.bytes(&format!("/api/v1/tasks/{id}/result")).await?)?))
}

async fn check(client: &Client, sdk: &Sdk, case: &Case) -> anyhow::Result<()> {
    let id = submit(client, sdk, &case.payload).await?;
    let task = client.ended(&id).await?;
    match &case.end {
        End::Result(wanted) => {
            ensure!(task["state"] == "succeeded", "{task}");
            let result = client.bytes(&format!("/api/v1/tasks/{id}/result")).await?;
            let result: Value = serde_json::from_slice(&result)?;
            ensure!(result == *wanted, "{result} is not {wanted}");
        }
        End::Fails { attempts, code, says } => {
            let outcome = &task["outcome"];
            ensure!(task["state"] == "failed" && outcome["kind"] == "task_error", "{task}");
            ensure!(outcome["code"] == *code && task["attempt"] == *attempts, "not `{code}` after {attempts}: {task}");
            let message = outcome["message"].as_str().unwrap_or_default();
            ensure!(message.contains(says), "`{message}` does not say `{says}`");
        }
    }
    Ok(())
}

/// Details of both kinds of error are the JSON that the task gave.
async fn details(client: &Client, sdk: &Sdk) -> anyhow::Result<()> {
    for verb in ["permanent", "retryable"] {
        let id = submit(client, sdk, json!({"do": verb}).to_string().as_bytes()).await?;
        let task = client.ended(&id).await?;
        let details = task["outcome"]["details"].as_str().unwrap_or_default();
        ensure!(serde_json::from_str::<Value>(details)? == json!({"a": 1}), "{task}");
    }
    Ok(())
}

async fn context(client: &Client, sdk: &Sdk) -> anyhow::Result<()> {
    let (task, seen) = ended(client, sdk, &json!({"do": "context"})).await?;
    let wanted = json!({"task_id": task["id"], "attempt": 1, "max_attempts": 2, "module": sdk.name, "version": "1.0.0",
        "queue": "default", "priority": 8, "is_last": false, "has_time": true});
    ensure!(seen == wanted, "{seen} is not {wanted}");
    Ok(())
}

async fn log(client: &Client, sdk: &Sdk) -> anyhow::Result<()> {
    let (task, _) = ended(client, sdk, &json!({"do": "log"})).await?;
    let id = task["id"].as_str().context("an id")?;
    let log = client.get(&format!("/api/v1/tasks/{id}/logs")).await?;
    let lines = log["lines"].as_array().context("lines")?;
    for (level, word) in [("trace", "a"), ("debug", "b"), ("info", "c"), ("warn", "d"), ("error", "e")] {
        let message = format!("{word} n=1 who=Ada");
        let has = lines.iter().any(|line| line["level"] == level && line["message"] == message.as_str());
        ensure!(has, "no {level} line: {log}");
    }
    Ok(())
}

async fn secret(client: &Client, sdk: &Sdk) -> anyhow::Result<()> {
    let (task, length) = ended(client, sdk, &json!({"do": "secret", "text": "api-token"})).await?;
    let id = task["id"].as_str().context("an id")?;
    let log = client.text(&format!("/api/v1/tasks/{id}/logs")).await?;
    ensure!(length == 7 && log.contains("it is ") && !log.contains("hunter2"), "{length}: {log}");
    Ok(())
}

async fn progress(client: &Client, sdk: &Sdk) -> anyhow::Result<()> {
    let id = submit(client, sdk, json!({"do": "progress", "count": 3_000}).to_string().as_bytes()).await?;
    wait_for("half of the task to be seen", || async {
        let task = client.task(&id).await?;
        ensure!(task["state"] != "failed", "{task}");
        let is_seen = task["progress"]["fraction"] == 0.5 && task["progress"]["message"] == "half";
        Ok(is_seen.then_some(()))
    })
    .await?;
    ensure!(client.ended(&id).await?["state"] == "succeeded");
    Ok(())
}

async fn children(client: &Client, sdk: &Sdk) -> anyhow::Result<()> {
    let (task, _) = ended(client, sdk, &json!({"do": "enqueue", "text": "labelled"})).await?;
    let id = task["id"].as_str().context("an id")?;
    let list = client.get(&format!("/api/v1/tasks?parent={id}")).await?;
    let children = list["tasks"].as_array().context("a list")?;
    ensure!(children.len() == 2, "{list}");
    let mut results = Vec::new();
    for child in children {
        let child = client.ended(child["id"].as_str().context("an id")?).await?;
        let path = format!("/api/v1/tasks/{}/result", child["id"].as_str().unwrap_or_default());
        results.push(format!("{} {} {}", client.text(&path).await?, child["priority"], child["labels"]["of"]));
    }
    results.sort();
    ensure!(results == [r#""a" 8 "labelled""#, r#""b" 5 null"#], "{results:?}");
    Ok(())
}

/// Requests that the manifest grants are made, others are refused; the target is the instance's own API, which answers a POST to a list with 405.
async fn http(client: &Client, sdk: &Sdk, api: &str) -> anyhow::Result<()> {
    let url = format!("{api}/api/v1/hosts");
    let (_, answer) = ended(client, sdk, &json!({"do": "http", "text": url})).await?;
    ensure!(answer == json!([405, true, true]), "{answer}");
    let (_, code) = ended(client, sdk, &json!({"do": "http-caught", "text": url})).await?;
    ensure!(code == "HTTP-request-denied", "a GET is not granted: {code}");
    let denied = json!({"do": "http", "text": "https://example.com/"}).to_string();
    check(client, sdk, &fails("a request that is not granted", denied, 1, "http", "HTTP-request-denied")).await
}

/// What only JavaScript has.
async fn promises(client: &Client, sdk: &Sdk) -> anyhow::Result<()> {
    let (_, seen) = ended(client, sdk, &json!({"do": "promises"})).await?;
    let wanted = json!({"all": [1, 2, 3], "order": [2, 1, 4, 5, 6], "settled": ["rejected", "fulfilled"]});
    ensure!(seen == wanted, "{seen} is not {wanted}");
    check(client, sdk, &fails("no JSON", r#"{"do":"unprintable"}"#, 1, "bad_output", "no JSON")).await?;
    let id = submit(client, sdk, br#"{"do":"deep"}"#).await?;
    let task = client.ended(&id).await?;
    let details = task["outcome"]["details"].as_str().unwrap_or_default();
    let place = "conformance/task.ts:139";
    ensure!(task["outcome"]["message"] == "TypeError: from within" && details.contains(place), "no {place}: {task}");
    if sdk.name == "conf-quickjs" {
        let never =
            fails("a promise that nothing settles", r#"{"do":"never"}"#, 1, "never_settles", "nothing can settle");
        check(client, sdk, &never).await?;
    }
    Ok(())
}

async fn tell(client: &Client, sdk: &Sdk, api: &str) -> anyhow::Result<()> {
    let wasm = workspace().join(sdk.wasm);
    ensure!(wasm.exists(), "{} is missing: run `cargo xtask plugins`", wasm.display());
    let deployed = client.deploy_with(manifest(sdk, api), &wasm).await?;
    ensure!(deployed["kind"] == "component", "{deployed}");
    for case in values().iter().chain(&failures()) {
        check(client, sdk, case).await.context(case.name)?;
    }
    details(client, sdk).await.context("details")?;
    context(client, sdk).await.context("the context")?;
    log(client, sdk).await.context("the log")?;
    secret(client, sdk).await.context("a secret")?;
    progress(client, sdk).await.context("progress")?;
    children(client, sdk).await.context("children")?;
    http(client, sdk, api).await.context("HTTP")?;
    if sdk.is_typescript {
        promises(client, sdk).await.context("promises")?;
    }
    cost(client, sdk, wasm.metadata()?.len()).await
}

/// Tasks that are measured.
const MEASURED: usize = 31;

/// What a task that does next to nothing costs, after the first ones.
async fn cost(client: &Client, sdk: &Sdk, bytes: u64) -> anyhow::Result<()> {
    let mut usages = Vec::new();
    for _ in 0..MEASURED {
        usages.push(ended(client, sdk, &json!({"do": "echo", "value": 1})).await?.0["usage"].clone());
    }
    let middle = |field: &str| {
        let mut values: Vec<u64> = usages.iter().filter_map(|usage| usage[field].as_u64()).collect();
        values.sort_unstable();
        values.get(MEASURED / 2).copied().unwrap_or_default()
    };
    let (cpu, fuel, memory) = (middle("cpu_us"), middle("fuel"), middle("peak_memory_bytes"));
    println!("{}: {bytes} bytes; a task: {cpu} us, {fuel} fuel, {memory} bytes of memory", sdk.name);
    Ok(())
}

#[tokio::test]
async fn every_sdk_does_the_same() -> anyhow::Result<()> {
    let env = [("TASKLANE_EGRESS_ALLOW", "http://*:*,https://*:*"), ("TASKLANE_EGRESS_GRANT_NETWORKS", "127.0.0.0/8")];
    let dev = Dev::start(&env).await?;
    let client = dev.client()?;
    client.put("/api/v1/secrets/api-token", &json!({"value": "hunter2"})).await?;
    for sdk in &SDKS {
        tell(&client, sdk, &dev.url()).await.context(sdk.name)?;
    }
    Ok(())
}
