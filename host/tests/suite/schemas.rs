//! Payloads and results against the manifest's schemas, on the host: permanent errors with a place, and no guest for a payload that does not fit.

use serde_json::json;
use tasklane_domain::Outcome;
use tasklane_domain::outcome::Retryability;
use tasklane_domain::schema::Schema;
use tasklane_host::local::{LocalModule, LocalRun};

use crate::guests::{fixture_wasm, limits, manifest, payload};

fn module(input: Option<serde_json::Value>, output: Option<serde_json::Value>) -> LocalModule {
    let mut manifest = manifest("fixture");
    (manifest.input, manifest.output) = (input.map(Schema::new), output.map(Schema::new));
    LocalModule::load(&fixture_wasm(), manifest, 1).unwrap()
}

fn error(run: &LocalRun) -> (&str, &str) {
    let Outcome::TaskError { retryability: Retryability::Permanent, code, message, .. } = &run.outcome else {
        panic!("{:?}", run.outcome)
    };
    (code, message)
}

#[tokio::test]
async fn a_payload_that_does_not_fit_starts_no_guest() {
    let module = module(Some(json!({"properties": {"do": {"const": "echo"}}, "required": ["value"]})), None);
    let run = module.run(payload(r#"{"do":"spin","value":1}"#), limits()).await.unwrap();
    let (code, message) = error(&run);
    assert!(code == "payload_schema_mismatch" && message.contains("`$.do` must be"), "{message}");
    assert_eq!(run.usage.fuel, 0);
    let run = module.run(payload(r#"{"do":"echo","value":[1]}"#), limits()).await.unwrap();
    assert_eq!((run.outcome, run.result.as_ref()), (Outcome::Ok, &b"[1]"[..]));
}

#[tokio::test]
async fn a_result_that_does_not_fit_is_lost() {
    let module = module(None, Some(json!({"items": {"type": "integer"}, "maxItems": 20_000})));
    let run = module.run(payload(r#"{"do":"echo","value":[1,"two"]}"#), limits()).await.unwrap();
    let (code, message) = error(&run);
    assert!(code == "result_schema_mismatch" && message.contains("`$[1]` must be of type integer"), "{message}");
    assert!(run.result.is_empty() && run.usage.fuel > 0);
    let long = format!("{{\"do\":\"echo\",\"value\":{:?}}}", vec![7; 19_000]);
    let run = module.run(payload(&long), limits()).await.unwrap();
    assert_eq!(run.outcome, Outcome::Ok, "a large one is checked elsewhere");
    let run = module.run(payload(r#"{"do":"big-output","bytes":100000}"#), limits()).await.unwrap();
    assert!(error(&run).1.contains("is not JSON"));
}
