//! Access over real processes: a server that nobody could use does not start, the first admin's token, what it makes, and what is
//! written down and told.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tasklane_testkit::nats::NatsServer;
use tasklane_tests::{Process, Role, free_address, taskctl, wait_for, workspace};
use tokio::io::AsyncWriteExt;

/// An API that asks for tokens, on a database of its own.
struct Guarded {
    api: Process,
    url: String,
    grpc: String,
    http: reqwest::Client,
    env: Vec<(String, String)>,
    dir: tempfile::TempDir,
    nats: NatsServer,
}

/// `taskctl ARGS`: its exit code, standard output and standard error.
async fn run(dir: &Path, env: &[(String, String)], args: &[&str]) -> anyhow::Result<(i32, String, String)> {
    let mut command = tokio::process::Command::new(taskctl()?);
    command.args(args).current_dir(dir).env_clear().envs(env.iter().cloned()).stdin(Stdio::null());
    let output = command.output().await?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok((output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr)))
}

impl Guarded {
    /// Starts one with the first admin's token out of a file, which is in the answer.
    async fn start() -> anyhow::Result<(Self, String)> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let (dir, nats, listen, grpc) =
            (tempfile::tempdir()?, NatsServer::start().await?, free_address()?, free_address()?);
        let (_, token, _) = run(dir.path(), &[], &["tokens", "generate"]).await?;
        let token = token.trim().to_owned();
        let file: PathBuf = dir.path().join("admin.token");
        std::fs::write(&file, &token)?;
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let env = vec![
            pair("TASKLANE_DATA_DIR", dir.path().join("data").display().to_string()),
            pair("TASKLANE_NATS_URL", nats.url()),
            pair("TASKLANE_LISTEN", listen.clone()),
            pair("TASKLANE_GRPC_LISTEN", grpc.clone()),
        ];
        let refused = run(dir.path(), &env, &["serve", "api"]).await?;
        ensure!(
            refused.0 == 2 && refused.2.contains("tokens bootstrap") && refused.2.contains("--insecure"),
            "{refused:?}"
        );
        let mut with_file = env.clone();
        with_file.push(pair("TASKLANE_BOOTSTRAP_TOKEN_FILE", file.display().to_string()));
        let api = Process::start(Role::GuardedApi, "api", dir.path(), listen.clone(), &with_file)?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let this = Self { api, url: format!("http://{listen}"), grpc, http, env, dir, nats };
        let ready = wait_for("the API to be ready", || async {
            Ok(this.http.get(format!("{}/readyz", this.url)).send().await?.status().is_success().then_some(()))
        });
        ready.await.map_err(|error| error.context(this.api.output()))?;
        Ok((this, token))
    }

    async fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let request = self.http.request(method.parse()?, format!("{}{path}", self.url)).bearer_auth(token).json(body);
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.json().await.unwrap_or_default()))
    }

    /// A new token of `acme`, or of another place.
    async fn token(&self, admin: &str, place: &str, role: &str) -> anyhow::Result<String> {
        let body = json!({"name": role, "grants": {place: role}});
        let (status, made) = self.ask(admin, "POST", "/api/v1/tokens", &body).await?;
        ensure!(status == 201, "{made}");
        Ok(made["token"].as_str().context("a token")?.to_owned())
    }

    async fn revoke(&self, admin: &str, token: &str) -> anyhow::Result<()> {
        let id = token.rsplit_once('_').context("an id")?.0;
        let (status, answer) = self.ask(admin, "DELETE", &format!("/api/v1/tokens/{id}"), &json!({})).await?;
        ensure!(status == 204, "{answer}");
        Ok(())
    }

    async fn cli(&self, token: &str, args: &[&str]) -> anyhow::Result<(i32, String, String)> {
        let env = [("TASKLANE_TOKEN".to_owned(), token.to_owned()), ("TASKLANE_SERVER".to_owned(), self.url.clone())];
        run(self.dir.path(), &env, args).await
    }
}

#[tokio::test]
async fn from_the_first_token_to_a_tenants_and_back() -> anyhow::Result<()> {
    let (server, admin) = Guarded::start().await?;
    let (code, _, err) = server.cli("", &["tasks", "list"]).await?;
    ensure!(code == 4 && err.contains("unauthenticated") && err.contains("TASKLANE_TOKEN"), "{code} {err}");
    let (code, tenant, err) = server.cli(&admin, &["tokens", "create", "ci", "--grant", "acme=operator"]).await?;
    ensure!(code == 0 && tenant.starts_with("tlk_") && tenant.trim().lines().count() == 1, "{code} {tenant} {err}");
    let tenant = tenant.trim();
    let (code, out, _) = server.cli(tenant, &["tokens", "whoami"]).await?;
    ensure!(code == 0 && out.contains("acme") && out.contains("operator"), "{out}");
    let (code, _, err) = server.cli(tenant, &["tokens", "create", "more", "--grant", "*=viewer"]).await?;
    ensure!(code == 4 && err.contains("permission_denied"), "{code} {err}");
    let (code, _, err) = server.cli(&admin, &["tokens", "create", "x", "--grant", "acme"]).await?;
    ensure!(code == 2 && err.contains("--grant acme=deployer"), "{code} {err}");
    let (status, body) = server.ask(tenant, "GET", "/api/v1/tasks?namespace=beta", &json!({})).await?;
    ensure!(status == 403 && body["code"] == "permission_denied", "{status} {body}");
    let (_, list, _) = server.cli(&admin, &["tokens", "list", "-o", "json"]).await?;
    ensure!(!list.contains(tenant) && !list.contains(&admin), "a token is shown once: {list}");
    let id = tenant.rsplit_once('_').context("an id")?.0;
    ensure!(server.cli(&admin, &["tokens", "revoke", id]).await?.0 == 0);
    ensure!(server.cli(tenant, &["tokens", "whoami"]).await?.0 == 4);
    let (code, audit, _) = server.cli(&admin, &["audit", "-o", "json"]).await?;
    let audit: Value = serde_json::from_str(&audit)?;
    let told: Vec<(&str, u64)> = audit["entries"]
        .as_array()
        .context("entries")?
        .iter()
        .map(|entry| (entry["action"].as_str().unwrap_or_default(), entry["status"].as_u64().unwrap_or(0)))
        .collect();
    ensure!(
        code == 0
            && told
                == [
                    ("DELETE /api/v1/tokens/{id}", 204),
                    ("POST /api/v1/tokens", 403),
                    ("POST /api/v1/tokens", 201),
                    ("bootstrap_token_file", 201),
                ],
        "{told:?}"
    );
    ensure!(audit["entries"][0]["source"] == "127.0.0.1", "{audit}");
    let secrets = [admin.as_str(), tenant].map(|token| token.rsplit('_').next().unwrap_or("?").to_owned());
    for secret in secrets {
        ensure!(
            !audit.to_string().contains(&secret) && !server.api.output().contains(&secret),
            "a token was written down"
        );
    }
    Ok(())
}

/// The database alone is enough, and the server sees it.
#[tokio::test]
async fn a_token_is_made_at_the_database_itself() -> anyhow::Result<()> {
    let (server, _) = Guarded::start().await?;
    let (code, token, err) = run(server.dir.path(), &server.env, &["tokens", "bootstrap"]).await?;
    ensure!(code == 0, "{err}");
    let (status, who) = server.ask(token.trim(), "GET", "/api/v1/access/whoami", &json!({})).await?;
    ensure!(status == 200 && who["grants"] == json!({"*": "admin"}), "{status} {who}");
    Ok(())
}

/// Again and again, so that it happens after somebody has begun to listen.
async fn set_quotas(server: &Guarded, admin: &str) -> anyhow::Result<Infallible> {
    loop {
        let (status, body) = server.ask(admin, "PUT", "/api/v1/namespaces/acme", &json!({"modules_max": 5})).await?;
        ensure!(status == 200, "{body}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Each hears of its own; the admin also what was done; and a feed ends with its token.
#[tokio::test]
async fn a_feed_tells_what_its_reader_may_see_and_ends_with_the_token() -> anyhow::Result<()> {
    let (server, admin) = Guarded::start().await?;
    let viewer = server.token(&admin, "acme", "viewer").await?;
    let open = async |token: &str| {
        let request = server.http.get(format!("{}/api/v1/events", server.url)).bearer_auth(token);
        anyhow::Ok(request.send().await?.error_for_status()?)
    };
    let (mut all, mut own) = (open(&admin).await?, open(&viewer).await?);
    // The log is followed from when somebody listens on: what is done is repeated until it is told.
    let told = async {
        let mut text = String::new();
        while !text.contains("event: audit") {
            text.push_str(&String::from_utf8_lossy(&all.chunk().await?.context("the feed ended")?));
        }
        ensure!(text.contains("PUT /api/v1/namespaces/{name}"), "{text}");
        anyhow::Ok(())
    };
    let both = async {
        tokio::select! {
            told = told => told,
            never = set_quotas(&server, &admin) => never.map(|never| match never {}),
        }
    };
    tokio::time::timeout(tasklane_tests::PATIENCE, both).await??;
    server.revoke(&admin, &viewer).await?;
    let mut heard = String::new();
    let rest = async {
        while let Ok(Some(piece)) = own.chunk().await {
            heard.push_str(&String::from_utf8_lossy(&piece));
        }
    };
    tokio::time::timeout(tasklane_tests::PATIENCE, rest).await.context("the feed of a revoked token goes on")?;
    ensure!(heard.contains("event: hello") && !heard.contains("event: audit"), "{heard}");
    Ok(())
}

/// The other doors ask the same: clients of another language, over gRPC and NATS.
#[tokio::test]
async fn grpc_and_nats_let_in_whom_http_lets_in() -> anyhow::Result<()> {
    let (server, admin) = Guarded::start().await?;
    let revoked = server.token(&admin, "acme", "submitter").await?;
    server.revoke(&admin, &revoked).await?;
    let tokens = json!({
        "revoked": revoked,
        "viewer": server.token(&admin, "acme", "viewer").await?,
        "submitter": server.token(&admin, "acme", "submitter").await?,
        "other": server.token(&admin, "beta", "admin").await?,
    });
    let packages = workspace().join(".tools/clients");
    ensure!(packages.exists(), "{} is missing: run `cargo xtask test --only build`", packages.display());
    let mut command = tokio::process::Command::new("python3");
    command
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(workspace().join("tests/clients/with_tokens.py"))
        .args([server.grpc.as_str(), &workspace().join("proto").display().to_string(), &server.nats.url()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    child.stdin.take().context("its standard input")?.write_all(tokens.to_string().as_bytes()).await?;
    let output = tokio::time::timeout(tasklane_tests::PATIENCE, child.wait_with_output()).await??;
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success() && said.contains("all is well"), "{said}\n{errors}\n{}", server.api.output());
    Ok(())
}
