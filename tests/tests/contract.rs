//! The OpenAPI document against a live server, by a program that knows nothing else of it: schemathesis makes requests for every operation, good and
//! bad ones, and looks for answers that the document does not have.
//!
//! The same requests in each run: what is found today is found tomorrow. Left out: the live feeds, which do not end (`crates/api/tests/routes/events.rs`, `docs/asyncapi.json`).

use std::time::Duration;

use anyhow::{Context, ensure};
use tasklane_tests::{Dev, guest, workspace};

/// Requests for each operation beside those that cover its parameters' bounds.
const EXAMPLES: u32 = 15;
/// Ends a run that hangs.
const PATIENCE: Duration = Duration::from_secs(900);
/// What an answer is looked at for: no 5xx, and a status, media type, header and body that the document has.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_other_than_the_document_says() -> anyhow::Result<()> {
    let dev = Dev::start(&[]).await?;
    dev.client()?.deploy("echo", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let packages = workspace().join(".tools/clients");
    ensure!(packages.exists(), "{} is missing: run `cargo xtask test --only build`", packages.display());
    let place = tempfile::tempdir()?;
    let mut command = tokio::process::Command::new("python3");
    command
        .env("PYTHONPATH", &packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(place.path())
        .kill_on_drop(true);
    command.args(["-m", "schemathesis.cli", "run", "--checks", CHECKS, "--phases", "examples,coverage,fuzzing"]);
    command.args([
        "--max-examples",
        &EXAMPLES.to_string(),
        "--continue-on-failure",
        "--workers",
        "2",
        "--no-color",
        "--no-shrink",
    ]);
    command.args(["--request-timeout", "60", "--generation-deterministic", "--suppress-health-check", "all"]);
    command.args(["--exclude-path", "/api/v1/events", "--exclude-path", "/api/v1/events/ws"]);
    // The reset would take away what the other operations are tried on.
    command.args(["--exclude-path", "/api/v1/cluster/reset", "--warnings", "off"]);
    command.arg(format!("{}/api/v1/openapi.json", dev.url()));
    let output = tokio::time::timeout(PATIENCE, command.output()).await.context("the run never ended")??;
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{}\n{said}\n{errors}", output.status);
    ensure!(said.contains("No issues found") || said.contains("passed"), "nothing was tried:\n{said}");
    Ok(())
}
