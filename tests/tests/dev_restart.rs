//! A `taskctl dev` that is stopped or killed in the middle of work continues it.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tasklane_tests::{Client, Dev, guest, wait_at_most, wait_for};

async fn half_done(client: &Client) -> anyhow::Result<()> {
    client.deploy("guest", &guest("wasm32-wasip2", "fixture_guest.wasm")?).await?;
    let task = json!({"module": "guest@1.0.0", "payload": {"do": "sleep", "ms": 200}});
    client.submit_many(&task, 600).await?;
    wait_for("some tasks to be done", || async { Ok((client.count("succeeded").await? > 50).then_some(())) }).await
}

#[tokio::test]
async fn a_stop_in_the_middle_of_work_loses_nothing() -> anyhow::Result<()> {
    let mut dev = Dev::start(&[]).await?;
    let client = dev.client()?;
    half_done(&client).await?;

    dev.process()?.signal(Signal::TERM)?;
    let process = dev.process()?;
    let code = wait_at_most(Duration::from_secs(60), "taskctl dev to end", || {
        let code = process.exit_code();
        async move { Ok(code) }
    })
    .await?;
    assert_eq!(code, 0, "{}", dev.process()?.output());

    dev.start_again().await?;
    client.until_count("succeeded", 600).await
}

#[tokio::test]
async fn a_kill_in_the_middle_of_work_loses_nothing() -> anyhow::Result<()> {
    let mut dev = Dev::start(&[]).await?;
    let client = dev.client()?;
    half_done(&client).await?;

    dev.process()?.kill()?;
    dev.start_again().await?;
    client.until_count("succeeded", 600).await
}
