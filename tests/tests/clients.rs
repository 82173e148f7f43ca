//! The three clients against a live instance: Rust here, TypeScript and Python as programs (`sdk/client-ts/tests`, `sdk/client-python/tests`). Each
//! also goes through a way that loses its first answer and refuses its next request: there is one task all the same.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tasklane_client::types::{BatchRequest, SubmitRequest};
use tasklane_client::{ClientError, Event, Tasklane, task, task_of_bytes};
use tasklane_tests::{Dev, workspace};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A way to the server. Its first connection forwards the request and loses the answer, its second refuses.
struct Flaky {
    url: String,
    /// What the first connection sent.
    asked: Arc<Mutex<Vec<u8>>>,
    way: JoinHandle<()>,
}

impl Drop for Flaky {
    fn drop(&mut self) {
        self.way.abort();
    }
}

impl Flaky {
    async fn start(server: &str) -> anyhow::Result<Self> {
        let server = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (url, asked) = (format!("http://{}", listener.local_addr()?), Arc::new(Mutex::new(Vec::new())));
        let kept = asked.clone();
        let way = tokio::spawn(async move {
            let mut count = 0;
            while let Ok((client, _)) = listener.accept().await {
                let (server, kept, number) = (server.clone(), kept.clone(), count);
                count += 1;
                // A connection that breaks is what this is for.
                tokio::spawn(async move { drop(Box::pin(connection(client, &server, number, &kept)).await) });
            }
        });
        Ok(Self { url, asked, way })
    }

    fn asked(&self) -> String {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&asked).to_lowercase()
    }
}

async fn connection(mut client: TcpStream, server: &str, number: usize, kept: &Mutex<Vec<u8>>) -> anyhow::Result<()> {
    if number == 1 {
        let read = client.read(&mut [0; 16_384]).await?;
        ensure!(read > 0, "nothing was asked");
        let refusal =
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        return Ok(client.write_all(refusal.as_bytes()).await?);
    }
    let mut upstream = TcpStream::connect(server).await?;
    if number > 1 {
        copy_bidirectional(&mut client, &mut upstream).await?;
        return Ok(());
    }
    let (mut piece, mut answer) = ([0; 16_384], [0; 64]);
    loop {
        tokio::select! {
            read = client.read(&mut piece) => {
                let sent = piece.get(..read?).unwrap_or_default();
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(sent);
                upstream.write_all(sent).await?;
            }
            // It is done, and nobody hears of it.
            answered = upstream.read(&mut answer) => return Ok(answered.map(drop)?),
        }
    }
}

async fn dev() -> anyhow::Result<Dev> {
    let dev = Dev::start(&[]).await?;
    let manifest = tokio::fs::read_to_string(workspace().join("docs/examples/echo.toml")).await?;
    let manifest: Value = toml::from_str(&manifest)?;
    let wasm = workspace().join("plugins/target/jq/bin/jaq.wasm");
    dev.client()?.deploy_with(manifest, &wasm).await.context("run `cargo xtask plugins`")?;
    Ok(dev)
}

/// A client's program, with the two ways to the server.
async fn story(program: &str, script: PathBuf) -> anyhow::Result<()> {
    let dev = dev().await?;
    let flaky = Flaky::start(&dev.url()).await?;
    let mut command = tokio::process::Command::new(program);
    command.arg(script).args([&dev.url(), &flaky.url]).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(120), command.output()).await.context("it never ends")??;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success() && out.contains("the client does what it should"), "{out}\n{err}");
    ensure!(flaky.asked().contains("authorization: bearer s3cret"), "{}", flaky.asked());
    ensure!(flaky.asked().contains("idempotency_key"), "{}", flaky.asked());
    Ok(())
}

#[tokio::test]
async fn the_typescript_client_does_what_it_should() -> anyhow::Result<()> {
    story("node", workspace().join("sdk/client-ts/tests/story.mjs")).await
}

#[tokio::test]
async fn the_python_client_does_what_it_should() -> anyhow::Result<()> {
    story("python3", workspace().join("sdk/client-python/tests/story.py")).await
}

async fn results_and_refusals(tasklane: &Tasklane) -> anyhow::Result<()> {
    let echoed: Value = tasklane.run(task("echo", &json!({"text": "Grüße"}))?).await?;
    ensure!(echoed == json!({"text": "Grüße"}), "{echoed}");
    let failed = tasklane.run::<Value>(task_of_bytes("echo", b"{")?).await;
    ensure!(matches!(failed, Err(ClientError::Failed(_))), "{failed:?}");
    let keyed = || -> anyhow::Result<_> {
        Ok(SubmitRequest { idempotency_key: Some("rust-1".to_owned()), ..task("echo", &1)? })
    };
    let (first, second) = (tasklane.submit(keyed()?).await?, tasklane.submit(keyed()?).await?);
    ensure!(first.id == second.id, "{first:?} {second:?}");
    let refused = tasklane.submit(task("nobody", &1)?).await;
    ensure!(matches!(&refused, Err(ClientError::Refused { problem, .. }) if problem.status == 404), "{refused:?}");
    let late = SubmitRequest { delay: Some("1h".to_owned()), ..task("echo", &1)? };
    let late = tasklane.submit(late).await?;
    tasklane.cancel(&late.id).await?;
    ensure!(tasklane.wait(&late.id, Duration::from_secs(60)).await?.state.to_string() == "cancelled");
    let batch: BatchRequest =
        serde_json::from_str(r#"{"tasks": [{"module": "echo", "name": "a"}, {"module": "echo", "after": ["a"]}]}"#)?;
    let batch = tasklane.submit_batch(batch).await?;
    ensure!(batch.tasks.len() == 2, "{batch:?}");
    Ok(())
}

async fn feed(tasklane: &Tasklane) -> anyhow::Result<()> {
    let mut events = tasklane.events(None);
    ensure!(matches!(events.next().await?, Event::Hello { .. }));
    tasklane.submit(task("echo", &"news")?).await?;
    let cursor = loop {
        if let Event::Tasks { cursor, change } = events.next().await?
            && change.counts.get("succeeded").is_some_and(|count| *count > 0)
        {
            break cursor;
        }
    };
    let _: Value = tasklane.run(task("echo", &"behind the cursor")?).await?;
    let mut behind = tasklane.events(Some(cursor));
    while !matches!(behind.next().await?, Event::Tasks { .. }) {}
    Ok(())
}

#[tokio::test]
async fn the_rust_client_does_what_it_should() -> anyhow::Result<()> {
    let dev = dev().await?;
    let tasklane = Tasklane::new(&dev.url())?;
    results_and_refusals(&tasklane).await?;
    tokio::time::timeout(Duration::from_secs(60), feed(&tasklane)).await.context("the feed says nothing")??;
    let flaky = Flaky::start(&dev.url()).await?;
    let shaky = Tasklane::new(&flaky.url)?.with_token("s3cret");
    let labels = [("once".to_owned(), "rust".to_owned())].into();
    let once = shaky.submit(SubmitRequest { labels, ..task("echo", &"once")? }).await?;
    ensure!(tasklane.list(&[("label", "once:rust")]).await?.tasks.len() == 1);
    ensure!(shaky.wait(&once.id, Duration::from_secs(60)).await?.state.to_string() == "succeeded");
    ensure!(flaky.asked().contains("authorization: bearer s3cret"), "{}", flaky.asked());
    Ok(())
}
