//! Tokens, whose a request is, and the audit log.

use std::ops::Deref;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderValue, Request, StatusCode, header};
use serde_json::{Value, json};
use tasklane_api::{AccessMode, ApiSettings};
use tasklane_domain::Timestamp;
use tasklane_domain::access::{Credential, Grants, NewToken, Role, Token};

use crate::secrets::{keyed, line};
use crate::support::{Answer, COMMAND, MULTIPART, Room, form};

pub(crate) fn bearer(credential: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("Bearer {credential}")).unwrap()
}

/// A room where a token is asked for, with a module `own` in `acme` and in `beta`, and `noop` in `default`.
pub(crate) struct Guarded(pub(crate) Room);

impl Deref for Guarded {
    type Target = Room;

    fn deref(&self) -> &Room {
        &self.0
    }
}

impl Guarded {
    pub(crate) async fn new() -> Self {
        Self::with(keyed(&[&line()])).await
    }

    pub(crate) async fn with(settings: ApiSettings) -> Self {
        let room = Self(Box::pin(Room::guarded(settings)).await);
        room.run_background();
        let admin = room.token("*", Role::Admin).await;
        for (namespace, name) in [("default", "noop"), ("acme", "own"), ("beta", "own")] {
            let manifest = json!({"name": name, "version": "1.0.0"}).to_string();
            let body = form(&[("manifest", manifest.as_bytes()), ("module", COMMAND)]);
            let request = Request::post(format!("/api/v1/modules?namespace={namespace}"));
            let request = request.header(header::CONTENT_TYPE, MULTIPART).header(header::AUTHORIZATION, bearer(&admin));
            let answer = room.send(request.body(body.into()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        }
        room
    }

    async fn made(&self, grants: Grants, expires_at: Option<Timestamp>) -> Credential {
        let credential = Credential::generate();
        let is = NewToken { name: "test".parse().unwrap(), grants, rate: None, expires_at };
        let token = Token::new(&credential, is, "test".to_owned(), self.now());
        assert!(self.store.stores.tokens.create(token).await.unwrap());
        credential
    }

    /// A token with one role.
    pub(crate) async fn token(&self, place: &str, role: Role) -> String {
        self.token_of(&json!({ place: role })).await
    }

    /// A token with several.
    pub(crate) async fn token_of(&self, grants: &Value) -> String {
        self.made(serde_json::from_value(grants.clone()).unwrap(), None).await.reveal().to_string()
    }

    pub(crate) async fn expired(&self, place: &str, role: Role) -> String {
        let grants = serde_json::from_value(json!({ place: role })).unwrap();
        self.made(grants, Some(self.now())).await.reveal().to_string()
    }

    pub(crate) async fn revoked(&self, place: &str, role: Role) -> String {
        let credential = self.made(serde_json::from_value(json!({ place: role })).unwrap(), None).await;
        assert!(self.store.stores.tokens.revoke(credential.id(), self.now()).await.unwrap());
        credential.reveal().to_string()
    }

    /// One request of somebody.
    pub(crate) async fn ask(&self, token: &str, method: &str, path: &str, body: Option<&str>) -> Answer {
        let request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, bearer(token));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body.map(str::to_owned).unwrap_or_default().into()).unwrap()).await
    }

    async fn read(&self, token: &str, path: &str) -> Answer {
        self.ask(token, "GET", path, None).await
    }

    async fn submit(&self, token: &str, body: &Value) -> Answer {
        self.ask(token, "POST", "/api/v1/tasks", Some(&body.to_string())).await
    }
}

fn id(answer: &Answer) -> String {
    assert!(answer.status.is_success(), "{}", answer.text());
    answer.json()["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

#[tokio::test]
async fn a_token_is_made_used_listed_and_revoked() {
    let room = Guarded::new().await;
    let admin = room.token("*", Role::Admin).await;
    let body = json!({"name": "ci", "grants": {"acme": "submitter"}, "expires_in": "1h", "rate": "100/1s"});
    let answer = room.ask(&admin, "POST", "/api/v1/tokens", Some(&body.to_string())).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let made = answer.json();
    let (text, name) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert!(text.starts_with(name), "the id is how the token begins");
    let who = room.read(text, "/api/v1/access/whoami").await.json();
    assert_eq!(who, json!({"actor": format!("token:{name}"), "name": "ci", "grants": {"acme": "submitter"}}));
    let list = room.read(&admin, "/api/v1/tokens").await.json();
    let listed = list["tokens"].as_array().unwrap().iter().find(|one| one["id"] == name).unwrap().clone();
    assert_eq!((&listed["state"], &listed["token"]), (&json!("active"), &Value::Null), "{listed}");
    assert!(listed["last_used_at"].is_string(), "{listed}");
    assert!(!list.to_string().contains(text.rsplit('_').next().unwrap()), "its text is shown once");
    assert_eq!(room.ask(&admin, "DELETE", &format!("/api/v1/tokens/{name}"), None).await.status, 204);
    room.read(text, "/api/v1/access/whoami").await.problem(401, "unauthenticated");
    assert_eq!(room.ask(&admin, "DELETE", &format!("/api/v1/tokens/{name}"), None).await.status, 204, "again");
}

#[tokio::test]
async fn a_token_ends_by_time() {
    let room = Guarded::new().await;
    let admin = room.token("*", Role::Admin).await;
    let body = json!({"name": "ci", "grants": {"*": "viewer"}, "expires_in": "1h"}).to_string();
    let made = room.ask(&admin, "POST", "/api/v1/tokens", Some(&body)).await.json();
    let text = made["token"].as_str().unwrap();
    assert_eq!(room.read(text, "/api/v1/tasks").await.status, 200);
    room.clock.advance(Duration::from_secs(3_601));
    let problem = room.read(text, "/api/v1/tasks").await.problem(401, "unauthenticated");
    assert!(problem["detail"].as_str().unwrap().contains("expired"), "{problem}");
}

/// In a process that had it in its cache.
#[tokio::test]
async fn a_revoked_token_opens_nothing_in_another_process_within_seconds() {
    let room = Guarded::new().await;
    let (admin, token) = (room.token("*", Role::Admin).await, room.token("*", Role::Viewer).await);
    let other = Guarded(room.again(ApiSettings::default()));
    assert_eq!(other.read(&token, "/api/v1/tasks").await.status, 200);
    let name = token.rsplit_once('_').unwrap().0;
    assert_eq!(room.ask(&admin, "DELETE", &format!("/api/v1/tokens/{name}"), None).await.status, 204);
    let begun = std::time::Instant::now();
    loop {
        // When it was asked counts, not when the answer was looked at.
        let asked = begun.elapsed();
        if other.read(&token, "/api/v1/tasks").await.status != 200 {
            break;
        }
        assert!(asked < Duration::from_secs(10), "it still opens");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_admin_of_a_namespace_handles_tokens_of_it_alone() {
    let room = Guarded::new().await;
    let tenant = room.token("acme", Role::Admin).await;
    let make = async |grants: Value| {
        let body = json!({"name": "x", "grants": grants}).to_string();
        room.ask(&tenant, "POST", "/api/v1/tokens", Some(&body)).await
    };
    let own = make(json!({"acme": "deployer"})).await;
    assert_eq!(own.status, StatusCode::CREATED, "{}", own.text());
    for more in [json!({"*": "viewer"}), json!({"beta": "viewer"}), json!({"acme": "viewer", "beta": "viewer"})] {
        make(more).await.problem(403, "permission_denied");
    }
    let list = room.read(&tenant, "/api/v1/tokens").await.json();
    assert_eq!(list["tokens"].as_array().unwrap().len(), 2, "its own and the one that it made: {list}");
    let others = room.token("beta", Role::Viewer).await;
    let name = others.rsplit_once('_').unwrap().0;
    room.ask(&tenant, "DELETE", &format!("/api/v1/tokens/{name}"), None).await.problem(404, "token_not_found");
    assert_eq!(room.read(&others, "/api/v1/tasks").await.status, 200);
}

#[tokio::test]
async fn tokens_that_make_no_sense_are_refused() {
    let room = Guarded::new().await;
    let admin = room.token("*", Role::Admin).await;
    let make = async |body: Value| room.ask(&admin, "POST", "/api/v1/tokens", Some(&body.to_string())).await;
    make(json!({"name": "x", "grants": {}})).await.problem(422, "invalid_request");
    make(json!({"name": "x", "grants": {"acme": "king"}})).await.problem(422, "invalid_request");
    make(json!({"name": "No", "grants": {"acme": "viewer"}})).await.problem(422, "token_invalid");
    make(json!({"name": "x", "grants": {"acme": "viewer"}, "expires_in": "0s"})).await.problem(422, "token_invalid");
    make(json!({"name": "x", "grants": {"acme": "viewer"}, "rate": "fast"})).await.problem(422, "token_invalid");
    room.ask(&admin, "DELETE", "/api/v1/tokens/x", None).await.problem(400, "invalid_id");
    room.ask(&admin, "DELETE", "/api/v1/tokens/tlk_0000000000000000", None).await.problem(404, "token_not_found");
}

#[tokio::test]
async fn headers_that_show_no_token_are_refused() {
    let room = Guarded::new().await;
    let token = room.token("*", Role::Admin).await;
    let with = async |values: &[&str]| {
        let mut request = Request::get("/api/v1/tasks");
        for value in values {
            request = request.header(header::AUTHORIZATION, *value);
        }
        room.send(request.body(Body::empty()).unwrap()).await
    };
    let good = format!("Bearer {token}");
    assert_eq!(with(&[&good]).await.status, 200);
    assert_eq!(with(&[&good.replacen("Bearer", "bearer", 1)]).await.status, 200);
    let long = format!("Bearer {}", "x".repeat(9_000));
    for values in [
        &[][..],
        &[""],
        &["Bearer"],
        &["Bearer "],
        &[&token],
        &["Basic YTpi"],
        &[&good, &good],
        &[&long],
        &["B\u{e9}arer x"],
    ] {
        with(values).await.problem(401, "unauthenticated");
    }
    let another = format!("Bearer {}_{}", token.rsplit_once('_').unwrap().0, "0".repeat(64));
    with(&[&another]).await.problem(401, "unauthenticated");
    for path in ["/livez", "/readyz", "/health", "/", "/api/v1/openapi.json", "/api/v1/asyncapi.json"] {
        assert_eq!(room.get(path).await.status, 200, "{path} is for everybody");
    }
    room.get("/metrics").await.problem(401, "unauthenticated");
    room.request("DELETE", "/api/v1/tasks", &json!({})).await.problem(401, "unauthenticated");
    room.ask(&token, "DELETE", "/api/v1/tasks", None).await.problem(405, "method_not_allowed");
    room.get("/api/v1/nothing").await.problem(404, "not_found");
}

/// What a request says of its namespace is no proof any more.
#[tokio::test]
async fn a_principals_namespaces_decide() {
    let room = Guarded::new().await;
    let (acme, beta) = (room.token("acme", Role::Deployer).await, room.token("beta", Role::Deployer).await);
    let task = id(&room.submit(&acme, &json!({"module": "own", "namespace": "acme"})).await);
    room.submit(&beta, &json!({"module": "own", "namespace": "acme"})).await.problem(403, "permission_denied");
    for path in
        [format!("/api/v1/tasks/{task}"), format!("/api/v1/tasks/{task}/payload"), format!("/api/v1/tasks/{task}/logs")]
    {
        assert_eq!(room.read(&acme, &path).await.status, 200, "{path}: the token's own namespace is meant");
        room.read(&beta, &path).await.problem(404, "task_not_found");
        room.read(&beta, &format!("{path}?namespace=acme")).await.problem(403, "permission_denied");
    }
    room.ask(&beta, "POST", &format!("/api/v1/tasks/{task}/cancel"), None).await.problem(404, "task_not_found");
    room.read(&beta, "/api/v1/modules/acme%2Fown").await.problem(403, "permission_denied");
    assert_eq!(room.read(&acme, "/api/v1/modules/acme%2Fown").await.status, 200);
    assert_eq!(room.read(&acme, "/api/v1/modules/own").await.status, 200);
    let names = async |token: &str| {
        let list = room.read(token, "/api/v1/modules").await.json();
        list["modules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&acme).await, ["acme/own"]);
    assert_eq!(names(&room.token("*", Role::Viewer).await).await.len(), 3);
    let listed = room.read(&beta, "/api/v1/tasks").await.json();
    assert_eq!(listed["tasks"], json!([]), "{listed}");
}

/// One namespace is meant by who has one; others have to name it, or speak of `default`.
#[tokio::test]
async fn what_names_no_namespace_is_of_the_only_one() {
    let room = Guarded::new().await;
    let one = room.token("acme", Role::Operator).await;
    let several = room.token_of(&json!({"acme": "operator", "beta": "operator"})).await;
    // As text: the payload is to stay as it was written.
    let body = r#"{"module": "own", "payload": {"namespace":"beta","n":1.50}}"#;
    let task = id(&room.ask(&one, "POST", "/api/v1/tasks", Some(body)).await);
    let view = room.read(&one, &format!("/api/v1/tasks/{task}")).await.json();
    assert_eq!((&view["namespace"], &view["module"]), (&json!("acme"), &json!("acme/own")));
    assert_eq!(
        room.read(&one, &format!("/api/v1/tasks/{task}/payload")).await.text(),
        r#"{"namespace":"beta","n":1.50}"#
    );
    room.submit(&several, &json!({"module": "own"})).await.problem(403, "permission_denied");
    room.read(&several, "/api/v1/tasks").await.problem(403, "permission_denied");
    assert_eq!(room.read(&several, "/api/v1/tasks?namespace=beta").await.status, 200);
    let batch =
        json!({"tasks": [{"module": "own"}, {"module": "own", "namespace": "acme"}], "on_complete": {"module": "own"}});
    let answer = room.ask(&one, "POST", "/api/v1/tasks/batch", Some(&batch.to_string())).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let mixed = json!({"tasks": [{"module": "own", "namespace": "acme"}, {"module": "own", "namespace": "beta"}]});
    room.ask(&one, "POST", "/api/v1/tasks/batch", Some(&mixed.to_string())).await.problem(403, "permission_denied");
    let schedule = json!({"name": "nightly", "expression": "@daily", "task": {"module": "own"}});
    assert_eq!(room.ask(&one, "POST", "/api/v1/schedules", Some(&schedule.to_string())).await.status, 201);
    let bulk = room.ask(&one, "POST", "/api/v1/tasks/cancel", Some(r#"{"all":true}"#)).await;
    assert_eq!(bulk.status, 202, "{}", bulk.text());
    room.ask(&several, "POST", "/api/v1/tasks/cancel", Some(r#"{"all":true}"#)).await.problem(403, "permission_denied");
    let hook = json!({"name": "hook", "url": "https://example.com/"});
    let made = room.ask(&one, "POST", "/api/v1/webhooks", Some(&hook.to_string())).await;
    assert_eq!((made.status.as_u16(), made.json()["namespace"].clone()), (201, json!("acme")), "{}", made.text());
}

/// The check and the handler read one body in one way.
#[tokio::test]
async fn bodies_that_could_be_read_in_two_ways_open_nothing() {
    let room = Guarded::new().await;
    let acme = room.token("acme", Role::Submitter).await;
    let submit = async |body: &str| room.ask(&acme, "POST", "/api/v1/tasks", Some(body)).await;
    for body in [
        r#"{"module":"own","namespace":"acme","namespace":"beta"}"#,
        r#"["own",null,null,null,null,null,null,{},{},null,null,null,null,{},null,"beta"]"#,
        r#"[["namespace","beta"]]"#,
    ] {
        let answer = submit(body).await;
        assert!(answer.status.is_client_error() && answer.status != 403, "{body}: {}", answer.text());
    }
    submit(r#"{"module":"own","name\u0073pace":"beta"}"#).await.problem(403, "permission_denied");
    let request = Request::post("/api/v1/tasks").header(header::AUTHORIZATION, bearer(&acme));
    let request = request.body(r#"{"module":"own","namespace":"acme"}"#.into()).unwrap();
    room.send(request).await.problem(415, "unsupported_media_type");
    room.read(&acme, "/api/v1/tasks?namespace=acme&namespace=beta").await.problem(400, "invalid_query");
    assert_eq!(room.store_tasks().stats().await.unwrap().states.iter().map(|one| one.count).sum::<u64>(), 0);
}

async fn entries(room: &Guarded, token: &str, query: &str) -> Vec<Value> {
    let answer = room.read(token, &format!("/api/v1/audit{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn changes_are_written_down_with_who_did_them() {
    let room = Guarded::new().await;
    let (admin, operator) = (room.token("*", Role::Admin).await, room.token("acme", Role::Operator).await);
    let actor = format!("token:{}", operator.rsplit_once('_').unwrap().0);
    let task = id(&room.submit(&operator, &json!({"module": "own"})).await);
    let path = format!("/api/v1/tasks/{task}/cancel");
    assert_eq!(room.ask(&operator, "POST", &path, None).await.status, 200);
    room.ask(&operator, "PUT", "/api/v1/secrets/stripe", Some(r#"{"value":"x"}"#))
        .await
        .problem(403, "permission_denied");
    let schedule = json!({"name": "nightly", "expression": "@daily", "task": {"module": "own"}}).to_string();
    assert_eq!(room.ask(&operator, "POST", "/api/v1/schedules", Some(&schedule)).await.status, 201);
    let of = entries(&room, &admin, &format!("?actor={actor}")).await;
    let told = |entry: &Value| {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        (text("action"), text("target"), entry["status"].as_u64().unwrap(), text("namespace"))
    };
    let acme = || "acme".to_owned();
    assert_eq!(
        of.iter().map(told).collect::<Vec<_>>(),
        [
            ("POST /api/v1/schedules".to_owned(), "/api/v1/schedules/nightly".to_owned(), 201, acme()),
            ("PUT /api/v1/secrets/{name}".to_owned(), "/api/v1/secrets/stripe".to_owned(), 403, acme()),
            ("POST /api/v1/tasks/{id}/cancel".to_owned(), path, 200, acme()),
        ],
        "the newest first, submits and reads not at all"
    );
    assert!(of[0]["request_id"].as_str().is_some_and(|id| !id.is_empty()));
    let first = &entries(&room, &admin, "?limit=1").await[0];
    let cursor = first["seq"].as_i64().unwrap();
    assert_ne!(entries(&room, &admin, &format!("?limit=1&cursor={cursor}")).await[0]["seq"], first["seq"]);
    let tenant = room.token("acme", Role::Admin).await;
    assert!(entries(&room, &tenant, "").await.iter().all(|entry| entry["namespace"] == "acme"));
    room.read(&tenant, "/api/v1/audit?namespace=beta").await.problem(403, "permission_denied");
    room.read(&admin, "/api/v1/audit?limit=0").await.problem(400, "invalid_query");
}

#[tokio::test]
async fn secrets_are_never_in_the_audit_log() {
    let room = Guarded::new().await;
    let admin = room.token("*", Role::Admin).await;
    let secret = r#"{"value":"hunter2-of-the-secret"}"#;
    assert_eq!(room.ask(&admin, "PUT", "/api/v1/secrets/stripe", Some(secret)).await.status, 200);
    let kv = room.ask(&admin, "PUT", "/api/v1/kv/shared:carts/a", Some(r#"{"value":"hunter2-of-the-key"}"#)).await;
    assert_eq!(kv.status, 200, "{}", kv.text());
    let body = json!({"name": "ci", "grants": {"*": "viewer"}}).to_string();
    let made = room.ask(&admin, "POST", "/api/v1/tokens", Some(&body)).await.json();
    let hook = json!({"name": "hook", "url": "https://example.com/hunter2-of-the-url"}).to_string();
    let hook = room.ask(&admin, "POST", "/api/v1/webhooks", Some(&hook)).await.json();
    room.ask(&admin, "POST", "/api/v1/webhooks/hook/pause?namespace=hunter2&x=hunter2-of-the-query", None).await;
    let all = serde_json::to_string(&entries(&room, &admin, "?limit=500").await).unwrap();
    assert!(all.contains("/api/v1/secrets/stripe") && all.contains(made["id"].as_str().unwrap()), "{all}");
    let shown = [made["token"].as_str().unwrap().rsplit('_').next().unwrap(), hook["secret"].as_str().unwrap()];
    for secret in ["hunter2", admin.rsplit('_').next().unwrap()].iter().chain(&shown) {
        assert!(!all.contains(*secret), "`{secret}` is in the audit log");
    }
}

/// Nobody is asked for a token, but pages of others are refused.
#[tokio::test]
async fn dev_answers_this_machine_alone() {
    let mut settings = ApiSettings::default();
    settings.access.mode = AccessMode::Local;
    let room = Box::pin(Room::guarded(settings)).await;
    let with = async |host: &str, origin: Option<&str>, path: &str| {
        let mut request = Request::get(path).header(header::HOST, host);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        room.send(request.body(Body::empty()).unwrap()).await
    };
    let own = "http://localhost:7070";
    assert_eq!(with("localhost:7070", None, "/api/v1/tasks").await.status, 200);
    assert_eq!(with("localhost:7070", Some(own), "/api/v1/tasks").await.status, 200);
    for path in ["/api/v1/tasks", "/livez", "/"] {
        with("rebound.example", None, path).await.problem(403, "host_refused");
        with("localhost:7070", Some("http://evil.example"), path).await.problem(403, "origin_refused");
    }
    room.get("/api/v1/tasks").await.problem(403, "host_refused");
}
