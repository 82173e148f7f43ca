//! Namespaces: what a request may name, what it is shown, and what a namespace may have at most.

use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tasklane_domain::{NewTask, StateKind, TaskId};

use crate::secrets::{keyed, line};
use crate::support::{Answer, COMMAND, MULTIPART, Room, form};

const STRANGER: &str = "0198c0de-7a5c-7000-8000-000000000000";

/// Deploys into a namespace.
pub(crate) async fn deploy(room: &Room, namespace: &str, manifest: &Value) -> Answer {
    let manifest = manifest.to_string();
    let body = form(&[("manifest", manifest.as_bytes()), ("module", COMMAND)]);
    let request = Request::post(format!("/api/v1/modules?namespace={namespace}"));
    room.send(request.header(header::CONTENT_TYPE, MULTIPART).body(body.into()).unwrap()).await
}

pub(crate) async fn deployed(room: &Room, namespace: &str, name: &str) {
    let answer = deploy(room, namespace, &json!({"name": name, "version": "1.0.0"})).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
}

/// With `noop` in `default`, and `own` in `acme` and in `beta`.
async fn tenants() -> Room {
    let room = Room::with(keyed(&[&line()])).await;
    room.run_background();
    room.deployed("noop", "1.0.0").await;
    deployed(&room, "acme", "own").await;
    deployed(&room, "beta", "own").await;
    room
}

fn of(namespace: &str) -> Value {
    json!({"module": "own", "namespace": namespace})
}

async fn submit(room: &Room, body: &Value) -> Answer {
    room.post("/api/v1/tasks", body).await
}

async fn put(room: &Room, path: &str, body: &Value) -> Answer {
    room.request("PUT", path, body).await
}

async fn delete(room: &Room, path: &str) -> Answer {
    room.send(Request::delete(path).body(axum::body::Body::empty()).unwrap()).await
}

fn names(answer: &Answer, list: &str, field: &str) -> Vec<String> {
    let list = answer.json()[list].as_array().unwrap_or_else(|| panic!("{}", answer.text())).clone();
    list.iter().map(|one| one[field].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_module_belongs_to_the_namespace_that_it_is_deployed_to() {
    let room = tenants().await;
    let manifest = |name: &str| json!({"name": name, "version": "2.0.0"});
    let answer = deploy(&room, "acme", &manifest("own")).await;
    assert_eq!(answer.header("location"), "/api/v1/modules/own/2.0.0?namespace=acme");
    let made = answer.json();
    assert_eq!((&made["name"], &made["namespace"]), (&json!("acme/own"), &json!("acme")), "{made}");
    assert_eq!(room.get(answer.header("location")).await.json(), made);
    assert_eq!(deploy(&room, "acme", &manifest("own")).await.status, StatusCode::OK, "the same again");
    assert_eq!(deploy(&room, "acme", &manifest("acme/own")).await.status, StatusCode::OK, "its full name");
    for (namespace, name) in [("acme", "beta/own"), ("default", "acme/own")] {
        deploy(&room, namespace, &manifest(name)).await.problem(403, "namespace_crossed");
    }
    deploy(&room, "No-Name", &manifest("own")).await.problem(400, "invalid_query");
    assert_eq!(room.get("/api/v1/modules").await.json()["modules"].as_array().unwrap().len(), 4);
    assert_eq!(names(&room.get("/api/v1/modules?namespace=beta").await, "modules", "name"), ["beta/own"]);
    assert_eq!(names(&room.get("/api/v1/modules?namespace=default").await, "modules", "name"), ["noop"]);
    assert_eq!(room.get("/api/v1/modules?namespace=nobody").await.json(), json!({"modules": []}));
}

#[tokio::test]
async fn routes_of_modules_speak_of_one_namespace() {
    let room = tenants().await;
    let route = json!({"routes": [{"version": "1.0.0", "weight": 100}]});
    let with = |rest: &str, query: &str| format!("/api/v1/modules/own{rest}?{query}");
    assert_eq!(put(&room, &with("/aliases/stable", "namespace=acme"), &route).await.status, StatusCode::OK);
    assert_eq!(room.post(&with("/1.0.0/disable", "namespace=acme"), &json!({})).await.json()["name"], "acme/own");
    for (namespace, aliases, off) in [("acme", 1, true), ("beta", 0, false)] {
        let query = format!("namespace={namespace}");
        let list = room.get(&with("/aliases", &query)).await.json();
        assert_eq!(list["aliases"].as_array().unwrap().len(), aliases, "{namespace}");
        assert_eq!(room.get(&with("/1.0.0", &query)).await.json()["disabled_at"].is_string(), off, "{namespace}");
        let events = room.get(&with("/events", &query)).await.json();
        assert_eq!(events["events"].as_array().unwrap().len(), if off { 3 } else { 1 }, "{namespace}");
    }
    // Without a namespace a bare name is that of `default`, a full one speaks for itself.
    assert_eq!(room.get("/api/v1/modules/acme%2Fown/1.0.0").await.json()["namespace"], "acme");
    assert_eq!(room.get("/api/v1/modules/acme%2Fown?namespace=acme").await.status, StatusCode::OK);
    for path in ["", "/1.0.0", "/aliases", "/diff?from=1.0.0&to=1.0.0"] {
        room.get(&format!("/api/v1/modules/own{path}")).await.problem(404, "module_not_found");
    }
    for (method, path) in [
        ("GET", ""),
        ("GET", "/1.0.0"),
        ("GET", "/aliases"),
        ("GET", "/events"),
        ("GET", "/diff"),
        ("POST", "/1.0.0/disable"),
        ("POST", "/1.0.0/enable"),
        ("POST", "/1.0.0/release"),
        ("POST", "/aliases/stable/rollback"),
        ("DELETE", "/1.0.0"),
        ("DELETE", "/aliases/stable"),
    ] {
        let crossing = format!("/api/v1/modules/beta%2Fown{path}?namespace=acme");
        room.request(method, &crossing, &json!({})).await.problem(403, "namespace_crossed");
    }
    put(&room, "/api/v1/modules/beta%2Fown/aliases/a?namespace=acme", &route).await.problem(403, "namespace_crossed");
    assert_eq!(
        delete(&room, "/api/v1/modules/own/1.0.0?namespace=beta&force=true").await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(room.get(&with("/1.0.0", "namespace=acme")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_hint_names_nothing_of_others() {
    let room = tenants().await;
    deployed(&room, "acme", "thumbnail").await;
    let own = room.get("/api/v1/modules/thumbnial?namespace=acme").await.problem(404, "module_not_found");
    assert!(own["hint"].as_str().unwrap().contains("acme/thumbnail"), "{own}");
    for path in ["thumbnial?namespace=beta", "thumbnial"] {
        let other = room.get(&format!("/api/v1/modules/{path}")).await.problem(404, "module_not_found");
        assert!(!other.to_string().contains("acme"), "{other}");
    }
}

#[tokio::test]
async fn a_task_runs_a_module_of_its_own_namespace() {
    let room = tenants().await;
    for module in ["own", "own@1.0.0", "own@latest", "acme/own", "acme/own@1.0.0"] {
        let id = room.submitted(&json!({"module": module, "namespace": "acme"})).await;
        let task = room.get(&format!("/api/v1/tasks/{id}")).await.json();
        assert_eq!((&task["module"], &task["namespace"]), (&json!("acme/own"), &json!("acme")), "{task}");
        // What is shown can be sent back.
        room.submitted(&json!({"module": task["module"], "namespace": task["namespace"]})).await;
    }
    let before = room.stored_tasks().await;
    for (module, namespace) in [("beta/own", "acme"), ("default/noop", "acme"), ("acme/own", "default")] {
        let body = json!({"module": module, "namespace": namespace});
        let problem = submit(&room, &body).await.problem(403, "namespace_crossed");
        assert!(problem["detail"].as_str().unwrap().contains(namespace), "{problem}");
        // Whether it is there or not makes no difference.
        let gone = json!({"module": module.replace("own", "gone").replace("noop", "gone"), "namespace": namespace});
        submit(&room, &gone).await.problem(403, "namespace_crossed");
    }
    submit(&room, &json!({"module": "acme/own"})).await.problem(403, "namespace_crossed");
    submit(&room, &json!({"module": "noop", "namespace": "acme"})).await.problem(404, "module_not_found");
    submit(&room, &json!({"module": "own"})).await.problem(404, "module_not_found");
    assert_eq!(room.stored_tasks().await, before);
}

#[tokio::test]
async fn a_batch_is_of_one_namespace() {
    let room = tenants().await;
    let batch = async |tasks: Value, last: Option<Value>| {
        let body = match last {
            Some(last) => json!({"tasks": tasks, "on_complete": last}),
            None => json!({"tasks": tasks}),
        };
        room.post("/api/v1/tasks/batch", &body).await
    };
    for (tasks, last) in [
        (json!([of("acme"), of("beta")]), None),
        (json!([of("acme"), {"module": "noop"}]), None),
        (json!([of("acme")]), Some(of("beta"))),
    ] {
        let problem = batch(tasks, last).await.problem(403, "namespace_crossed");
        assert_eq!(problem["errors"], json!(["/tasks/1"]));
    }
    assert_eq!(room.stored_tasks().await, 0);
    let fine = batch(json!([of("acme"), of("acme")]), Some(of("acme"))).await.json();
    let id = fine["batch"].as_str().unwrap();
    for (rest, method) in [("", "GET"), ("/graph", "GET"), ("/cancel", "POST"), ("/retry", "POST")] {
        let path = format!("/api/v1/batches/{id}{rest}?namespace=beta");
        room.request(method, &path, &json!({})).await.problem(404, "batch_not_found");
    }
    assert_eq!(room.get(&format!("/api/v1/batches/{id}?namespace=acme")).await.json()["tasks"], 3);
    assert_eq!(room.get(&format!("/api/v1/batches/{id}")).await.json()["tasks"], 3, "an operator sees all");
}

#[tokio::test]
async fn a_task_of_another_namespace_cannot_be_waited_for() {
    let room = tenants().await;
    let other = room.submitted(&of("beta")).await;
    let waiting = |on: &str| json!({"module": "own", "namespace": "acme", "after": [on]});
    let told = submit(&room, &waiting(&other.to_string())).await.problem(422, "dependency_not_found");
    let unknown = submit(&room, &waiting(STRANGER)).await.problem(422, "dependency_not_found");
    let same = |problem: &Value, id: &str| problem["detail"].as_str().unwrap().replace(id, "ID");
    assert_eq!(same(&told, &other.to_string()), same(&unknown, STRANGER), "it tells that the task is there");
    let bound = json!({"module": "own", "namespace": "acme", "after": [other.to_string()],
        "payload": {"$from": other.to_string(), "path": "$"}});
    submit(&room, &bound).await.problem(422, "dependency_not_found");
    let own = room.submitted(&of("acme")).await;
    room.submitted(&waiting(&own.to_string())).await;
    assert_eq!(room.stored_tasks().await, 3);
}

#[tokio::test]
async fn keys_and_kinds_count_within_a_namespace() {
    let room = tenants().await;
    let with = |namespace: &str, key: &str, value: Value| {
        let mut body = of(namespace);
        body[key] = value;
        body
    };
    for (key, value) in [("idempotency_key", json!("k")), ("unique", json!({"by": ["queue"]}))] {
        let ids: Vec<Value> = [
            submit(&room, &with("acme", key, value.clone())).await.json()["id"].clone(),
            submit(&room, &with("beta", key, value.clone())).await.json()["id"].clone(),
            submit(&room, &with("acme", key, value)).await.json()["id"].clone(),
        ]
        .into();
        assert!(ids[0] != ids[1] && ids[0] == ids[2], "{key}: {ids:?}");
    }
    // Keys of flow control are compared by what holds them back: a line names its namespace.
    for key in ["concurrency", "rate", "share"] {
        let value = match key {
            "concurrency" => json!({"key": "k", "max": 1}),
            "rate" => json!({"key": "k", "limit": "1/1h"}),
            _ => json!("k"),
        };
        room.submitted(&with("acme", key, value.clone())).await;
        room.submitted(&with("beta", key, value)).await;
    }
    let lease = tasklane_domain::Lease { generation: room.now(), revision: 1 };
    let term = room.store.stores.leader.open_term(lease).await.unwrap();
    let pass = tasklane_domain::flow::Pass {
        now: room.now(),
        slots: 50,
        per_second: std::collections::HashMap::new(),
        shares: tasklane_domain::flow::Shares::new(room.now()),
        limit: 1_000,
        cursor: None,
        sweep: false,
    };
    let admitted = room.store.stores.flow.admit(term, pass).await.unwrap();
    assert_eq!(admitted.ready.len() as u64, room.stored_tasks().await, "the key of one holds back another's task");
    assert!(admitted.shares.contains_key("acme/k") && admitted.shares.contains_key("beta/k"), "{:?}", admitted.shares);
}

#[tokio::test]
async fn by_its_id_a_task_is_shown_to_its_namespace() {
    let room = tenants().await;
    let id = room.submitted(&of("acme")).await;
    for (method, rest) in [
        ("GET", ""),
        ("GET", "/result"),
        ("GET", "/payload"),
        ("GET", "/logs"),
        ("GET", "/logs/live"),
        ("GET", "/attempts"),
        ("POST", "/cancel"),
        ("POST", "/reschedule"),
        ("POST", "/retry"),
    ] {
        let path = format!("/api/v1/tasks/{id}{rest}?namespace=beta");
        let answer = room.request(method, &path, &json!({})).await.problem(404, "task_not_found");
        let unknown = format!("/api/v1/tasks/{STRANGER}{rest}?namespace=beta");
        let unknown = room.request(method, &unknown, &json!({})).await.problem(404, "task_not_found");
        assert_eq!(answer["detail"].as_str().unwrap().replace(&id.to_string(), STRANGER), unknown["detail"]);
    }
    assert_eq!(room.state(id).await, StateKind::Queued, "it was touched from another namespace");
    assert_eq!(room.get(&format!("/api/v1/tasks/{id}?namespace=acme")).await.status, StatusCode::OK);
    assert_eq!(room.get(&format!("/api/v1/tasks/{id}")).await.status, StatusCode::OK);
    let cancelled = room.post(&format!("/api/v1/tasks/{id}/cancel?namespace=acme"), &json!({})).await.json();
    assert_eq!(cancelled["state"], "cancelled");
    let again = room.post(&format!("/api/v1/tasks/{id}/retry?namespace=acme"), &json!({"version": "1.0.0"})).await;
    let new: TaskId = again.json()["id"].as_str().unwrap().parse().unwrap();
    let task = room.store_tasks().task(new).await.unwrap().unwrap();
    assert_eq!((task.namespace.as_str(), task.module.name.as_str()), ("acme", "acme/own"));
    let list = |query: &str| format!("/api/v1/tasks?{query}");
    room.submitted(&of("beta")).await;
    assert_eq!(names(&room.get(&list("namespace=beta&module=own")).await, "tasks", "module"), ["beta/own"]);
    assert_eq!(names(&room.get(&list("module=acme%2Fown")).await, "tasks", "module").len(), 2);
    assert!(names(&room.get(&list("module=own")).await, "tasks", "module").is_empty(), "`default` has no such module");
    room.get(&list("namespace=beta&module=acme%2Fown")).await.problem(403, "namespace_crossed");
}

#[tokio::test]
async fn bulk_operations_stay_in_their_namespace() {
    let room = tenants().await;
    for namespace in ["acme", "beta"] {
        room.submitted(&of(namespace)).await;
    }
    let bulk = async |body: Value| room.post("/api/v1/tasks/cancel", &body).await;
    assert_eq!(bulk(json!({"namespace": "acme", "module": "own"})).await.json()["total"], 1);
    assert_eq!(bulk(json!({"namespace": "acme", "all": true})).await.json()["total"], 1);
    assert_eq!(bulk(json!({"module": "own"})).await.json()["total"], 0);
    bulk(json!({"namespace": "acme", "module": "beta/own"})).await.problem(403, "namespace_crossed");
    let retry = json!({"namespace": "acme", "module": "beta/own", "changes": {"version": "1.0.0"}});
    room.post("/api/v1/tasks/retry", &retry).await.problem(403, "namespace_crossed");
}

#[tokio::test]
async fn a_schedule_belongs_to_its_tasks_namespace() {
    let room = tenants().await;
    let body = |name: &str, task: Value| json!({"name": name, "expression": "@hourly", "task": task});
    let make = async |name: &str, task: Value| room.post("/api/v1/schedules", &body(name, task)).await;
    make("crossing", json!({"module": "beta/own", "namespace": "acme"})).await.problem(403, "namespace_crossed");
    make("crossing", json!({"module": "noop", "namespace": "acme"})).await.problem(404, "module_not_found");
    let made = make("hers", of("acme")).await.json();
    assert_eq!(made["task"]["module"], "acme/own", "{made}");
    make("plain", json!({"module": "noop"})).await;
    assert_eq!(names(&room.get("/api/v1/schedules?namespace=acme").await, "schedules", "name"), ["hers"]);
    assert_eq!(names(&room.get("/api/v1/schedules").await, "schedules", "name"), ["hers", "plain"]);
    for (method, rest) in
        [("GET", ""), ("GET", "/next"), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/run-now"), ("DELETE", "")]
    {
        let path = format!("/api/v1/schedules/hers{rest}?namespace=beta");
        room.request(method, &path, &json!({})).await.problem(404, "schedule_not_found");
    }
    assert_eq!(room.get("/api/v1/schedules/hers?namespace=acme").await.json()["state"], "active");
    let run = room.post("/api/v1/schedules/hers/run-now?namespace=acme", &json!({})).await;
    assert_eq!(run.status, StatusCode::ACCEPTED, "{}", run.text());
}

#[tokio::test]
async fn stores_and_secrets_are_named_within_a_namespace() {
    let room = tenants().await;
    let (one, two) = (json!({"value": "1"}), json!({"value": "2"}));
    for store in ["module:own", "shared:a"] {
        put(&room, &format!("/api/v1/kv/{store}/k?namespace=acme"), &one).await;
        put(&room, &format!("/api/v1/kv/{store}/k?namespace=beta"), &two).await;
        assert_eq!(room.get(&format!("/api/v1/kv/{store}/k?namespace=acme")).await.json()["value"], "1");
        room.get(&format!("/api/v1/kv/{store}/k")).await.problem(404, "kv_key_not_found");
    }
    let full = room.get("/api/v1/kv/module:acme%2Fown/k?namespace=acme").await;
    assert_eq!(full.json()["value"], "1", "a full name is that of the same store");
    room.get("/api/v1/kv/module:beta%2Fown/k?namespace=acme").await.problem(403, "namespace_crossed");
    let stores = room.get("/api/v1/kv?namespace=acme").await;
    assert_eq!(names(&stores, "stores", "store"), ["module:own", "shared:a"]);
    put(&room, "/api/v1/secrets/s?namespace=acme", &json!({"value": "hunter22"})).await;
    delete(&room, "/api/v1/secrets/s?namespace=beta").await.problem(404, "secret_not_found");
}

#[tokio::test]
async fn rules_of_modules_are_of_one_namespace() {
    let room = tenants().await;
    let (flow, keep) = (json!({"max": 1}), json!({"tasks": "1h"}));
    for (base, body) in [("/api/v1/flow/modules", flow), ("/api/v1/retention/modules", keep)] {
        let at = |name: &str, namespace: &str| format!("{base}/{name}?namespace={namespace}");
        assert_eq!(put(&room, &at("own", "acme"), &body).await.status, StatusCode::OK);
        put(&room, &at("beta%2Fown", "acme"), &body).await.problem(403, "namespace_crossed");
        let code = if base.contains("flow") { "flow_rule_not_found" } else { "retention_rule_not_found" };
        delete(&room, &at("own", "beta")).await.problem(404, code);
    }
    assert_eq!(names(&room.get("/api/v1/flow/modules?namespace=acme").await, "modules", "module"), ["acme/own"]);
    assert!(names(&room.get("/api/v1/flow/modules?namespace=beta").await, "modules", "module").is_empty());
    let rules = |answer: Answer| answer.json()["modules"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(rules(room.get("/api/v1/retention").await), ["acme/own"]);
    assert!(rules(room.get("/api/v1/retention?namespace=beta").await).is_empty());
    assert_eq!(delete(&room, "/api/v1/flow/modules/own?namespace=acme").await.status, StatusCode::NO_CONTENT);
    assert_eq!(delete(&room, "/api/v1/retention/modules/own?namespace=acme").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_webhook_of_a_namespace_is_shown_to_it() {
    let room = tenants().await;
    let body = |name: &str, namespace: Option<&str>, module: &str| json!({"name": name, "url": "https://example.com", "namespace": namespace, "module": module});
    let make = async |body: Value| room.post("/api/v1/webhooks", &body).await;
    assert_eq!(make(body("hers", Some("acme"), "own")).await.json()["module"], "acme/own");
    make(body("crossing", Some("acme"), "beta/own")).await.problem(403, "namespace_crossed");
    assert_eq!(make(body("all", None, "beta/own")).await.json()["module"], "beta/own", "an operator's");
    assert_eq!(names(&room.get("/api/v1/webhooks?namespace=acme").await, "webhooks", "name"), ["hers"]);
    for (method, rest) in [
        ("GET", ""),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/rotate"),
        ("POST", "/test"),
        ("GET", "/deliveries"),
        ("DELETE", ""),
    ] {
        for name in ["hers", "all"] {
            let path = format!("/api/v1/webhooks/{name}{rest}?namespace=beta");
            room.request(method, &path, &json!({})).await.problem(404, "webhook_not_found");
        }
    }
    assert_eq!(room.get("/api/v1/webhooks/hers?namespace=acme").await.status, StatusCode::OK);
}

#[tokio::test]
async fn quotas_are_set_shown_and_unset() {
    let room = tenants().await;
    let path = "/api/v1/namespaces/acme";
    assert_eq!(names(&room.get("/api/v1/namespaces").await, "namespaces", "name"), ["acme", "beta", "default"]);
    let shown = room.get(path).await.json();
    assert_eq!((&shown["quotas"], &shown["usage"]["modules"]), (&json!({}), &json!(1)), "{shown}");
    let set = put(&room, path, &json!({"tasks_waiting_max": 2, "kv_bytes_max": 0})).await;
    assert_eq!(set.json()["quotas"], json!({"tasks_waiting_max": 2, "kv_bytes_max": 0}));
    assert_eq!(put(&room, path, &json!({"secrets_max": 1})).await.json()["quotas"], json!({"secrets_max": 1}));
    assert_eq!(delete(&room, path).await.status, StatusCode::NO_CONTENT);
    delete(&room, path).await.problem(404, "namespace_not_found");
    room.get("/api/v1/namespaces/nobody").await.problem(404, "namespace_not_found");
    room.get("/api/v1/namespaces/No%20Body").await.problem(422, "namespace_invalid");
    put(&room, path, &json!({})).await.problem(422, "namespace_invalid");
    put(&room, path, &json!({"secrets_max": u64::MAX})).await.problem(422, "namespace_invalid");
    put(&room, path, &json!({"secrets_max": -1})).await.problem(422, "invalid_request");
    put(&room, path, &json!({"cakes_max": 1})).await.problem(422, "invalid_request");
}

#[tokio::test]
async fn an_excess_is_answered_with_all_that_one_needs_to_know() {
    let room = tenants().await;
    let all =
        json!({"tasks_waiting_max": 1, "kv_bytes_max": 3, "secrets_max": 0, "schedules_max": 0, "modules_max": 1});
    put(&room, "/api/v1/namespaces/acme", &all).await;
    room.submitted(&of("acme")).await;
    let full = |answer: Answer, quota: &str| {
        let problem = answer.problem(429, "quota_exceeded");
        let detail = problem["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("`acme`") && detail.contains(quota), "{detail}");
        assert!(problem["hint"].as_str().unwrap().contains("/api/v1/namespaces"), "{problem}");
    };
    full(submit(&room, &of("acme")).await, "tasks_waiting_max = 1; it has 1, and 1 more");
    let batch = json!({"tasks": [of("acme"), of("acme")]});
    full(room.post("/api/v1/tasks/batch", &batch).await, "tasks_waiting_max = 1; it has 1, and 2 more");
    full(put(&room, "/api/v1/kv/shared:a/key?namespace=acme", &json!({"value": "x"})).await, "kv_bytes_max = 3");
    full(put(&room, "/api/v1/secrets/s?namespace=acme", &json!({"value": "x"})).await, "secrets_max = 0");
    let schedule = json!({"name": "s", "expression": "@hourly", "task": of("acme")});
    full(room.post("/api/v1/schedules", &schedule).await, "schedules_max = 0");
    full(deploy(&room, "acme", &json!({"name": "more", "version": "1.0.0"})).await, "modules_max = 1");
    // Others have what they had.
    room.submitted(&of("beta")).await;
    room.submitted(&json!({"module": "noop"})).await;
    let usage = room.get("/api/v1/namespaces/acme").await.json()["usage"].clone();
    assert_eq!((&usage["tasks_waiting"], &usage["modules"], &usage["kv_bytes"]), (&json!(1), &json!(1), &json!(0)));
}

/// A task that was stored before modules had namespaces.
#[tokio::test]
async fn a_task_from_before_is_not_run_again_with_a_module_of_another_namespace() {
    let room = tenants().await;
    let id = room.submitted(&json!({"module": "noop"})).await;
    let old = room.store_tasks().task(id).await.unwrap().unwrap();
    let payload = room.store_tasks().payload(id).await.unwrap().unwrap();
    let changes = tasklane_domain::replay::Changes::default();
    let again = tasklane_domain::replay::replay(&old, payload, &changes, TaskId::new(), room.now());
    let crossing = NewTask { namespace: "acme".parse().unwrap(), ..again };
    let refused = room.store_tasks().submit(vec![crossing]).await;
    assert!(matches!(refused, Err(tasklane_domain::error::StoreError::NamespaceCrossed(_))), "{refused:?}");
}
