//! `POST /api/v1/tasks/batch` with dependences, and `/api/v1/batches`.

use http::StatusCode;
use serde_json::{Value, json};
use tasklane_domain::log::LogCapture;
use tasklane_domain::{Outcome, StateKind, TaskId};

use crate::support::{Answer, Room};

const STRANGER: &str = "0198c0de-7a5c-7000-8000-000000000000";

async fn batch(room: &Room, body: &Value) -> Answer {
    room.post("/api/v1/tasks/batch", body).await
}

fn ids(answer: &Value) -> Vec<TaskId> {
    let tasks = answer["tasks"].as_array().unwrap().iter();
    tasks.map(|task| task["id"].as_str().unwrap().parse().unwrap()).collect()
}

async fn fail(room: &Room, id: TaskId) {
    room.end(id, Outcome::OutOfFuel, b"", LogCapture::default(), true).await;
}

#[tokio::test]
async fn a_workflow_goes_on_as_its_tasks_end() {
    let room = Room::working().await;
    let body = json!({"tasks": [
        {"name": "load", "module": "noop"},
        {"name": "size", "module": "noop", "after": ["load"], "payload": {"width": {"$from": "load", "path": "$.w"}}},
    ], "on_complete": {"module": "noop"}});
    let answer = batch(&room, &body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let answer = answer.json();
    let states: Vec<&str> =
        answer["tasks"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["queued", "blocked", "blocked"]);
    let (ids, href) = (ids(&answer), format!("/api/v1/batches/{}", answer["batch"].as_str().unwrap()));
    let view = room.get(&href).await.json();
    assert_eq!(
        (&view["tasks"], &view["ended"], &view["states"]),
        (&json!(3), &json!(0), &json!({"blocked": 2, "queued": 1}))
    );
    room.succeed(ids[0], br#"{"w": 64}"#).await;
    assert_eq!(room.state(ids[1]).await, StateKind::Queued);
    let payload = room.store_tasks().payload(ids[1]).await.unwrap().unwrap();
    assert_eq!(payload.bytes, r#"{"width":64}"#);
    let waiting = room.get(&format!("/api/v1/tasks/{}", ids[2])).await.json();
    assert_eq!((&waiting["state"], &waiting["waits_for"]), (&json!("blocked"), &json!(1)));
    fail(&room, ids[1]).await;
    assert_eq!(room.state(ids[2]).await, StateKind::Queued, "a completion task runs whatever happened");
    let graph = room.get(&format!("{href}/graph")).await.json();
    let names: Vec<&Value> = graph["nodes"].as_array().unwrap().iter().map(|node| &node["name"]).collect();
    assert_eq!(names, [&json!("load"), &json!("size"), &Value::Null]);
    assert_eq!(graph["nodes"][1]["outcome"]["kind"], "out_of_fuel");
    assert_eq!(graph["edges"].as_array().unwrap().len(), 3);
    let listed = room.get(&format!("/api/v1/tasks?batch={}", answer["batch"].as_str().unwrap())).await.json();
    assert_eq!(listed["tasks"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_graph_that_makes_no_sense_is_refused_whole() {
    let room = Room::working().await;
    let refused = async |tasks: Value, code: &str, detail: &str| {
        let problem = batch(&room, &json!({"tasks": tasks})).await.problem(422, code);
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
        assert_eq!(room.stored_tasks().await, 0, "something was stored: {problem}");
    };
    let task = |name: &str, after: &[&str]| json!({"name": name, "module": "noop", "after": after});
    refused(
        json!([task("a", &["b"]), task("b", &["c"]), task("c", &["a"])]),
        "dependency_cycle",
        "`a` -> `b` -> `c` -> `a`",
    )
    .await;
    refused(json!([task("a", &["nobody"])]), "dependency_invalid", "`nobody`").await;
    refused(json!([task("a", &[]), task("a", &[])]), "dependency_invalid", "two tasks").await;
    refused(json!([task("a", &[STRANGER])]), "dependency_not_found", STRANGER).await;
    refused(json!([task("A b", &[])]), "invalid_request", "task name `A b`").await;
    let bound = |payload: Value| json!([task("a", &[]), {"module": "noop", "after": ["a"], "payload": payload}]);
    refused(bound(json!({"$from": "b"})), "binding_invalid", "`b`, which is not among").await;
    refused(bound(json!({"$from": "a", "path": "width"})), "binding_invalid", "not a JSONPath").await;
    refused(bound(json!({"$from": "a", "default": 1})), "binding_invalid", "nothing else").await;
}

#[tokio::test]
async fn a_task_waits_for_one_that_was_there_before() {
    let room = Room::working().await;
    let first = room.submitted(&json!({"module": "noop"})).await;
    let next = room.submitted(&json!({"module": "noop", "after": [first.to_string()], "on_failure": "skip"})).await;
    assert_eq!(room.state(next).await, StateKind::Blocked);
    fail(&room, first).await;
    assert_eq!(room.state(next).await, StateKind::Cancelled);
    let view = room.get(&format!("/api/v1/tasks/{next}")).await.json();
    assert_eq!((&view["outcome"]["kind"], &view["outcome"]["on"]), (&json!("skipped"), &json!(first.to_string())));
}

#[tokio::test]
async fn a_repeated_batch_is_the_first_one() {
    let room = Room::working().await;
    let body = json!({"tasks": [{"name": "a", "module": "noop"}, {"module": "noop", "after": ["a"]}]});
    let submit = async |body: &Value| room.post_with("/api/v1/tasks/batch", body, "idempotency-key", "once").await;
    let (one, two) = (submit(&body).await, submit(&body).await);
    assert_eq!(two.header("idempotency-replayed"), "true");
    assert_eq!(one.json()["batch"], two.json()["batch"]);
    assert_eq!(ids(&one.json()), ids(&two.json()));
    let other = json!({"tasks": [{"name": "a", "module": "noop"}, {"module": "noop"}]});
    submit(&other).await.problem(422, "idempotency_conflict");
    assert_eq!(room.stored_tasks().await, 2);
}

#[tokio::test]
async fn a_workflow_is_retried_from_where_it_failed() {
    let room = Room::working().await;
    let body = json!({"tasks": [
        {"name": "load", "module": "noop"},
        {"name": "size", "module": "noop", "after": ["load"]},
        {"name": "store", "module": "noop", "after": ["load", "size"], "payload": [{"$from": "size"}, {"$from": "load"}]},
    ]});
    let first = batch(&room, &body).await.json();
    let href = format!("/api/v1/batches/{}", first["batch"].as_str().unwrap());
    room.post(&format!("{href}/retry"), &json!({})).await.problem(409, "batch_not_replayable");
    let old = ids(&first);
    room.succeed(old[0], b"1").await;
    fail(&room, old[1]).await;
    assert_eq!(room.state(old[2]).await, StateKind::Failed);
    let answer = room.post(&format!("{href}/retry"), &json!({})).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let again = ids(&answer.json());
    assert_eq!(again.len(), 2, "what succeeded is not run again");
    assert_eq!((room.state(again[0]).await, room.state(again[1]).await), (StateKind::Queued, StateKind::Blocked));
    room.succeed(again[0], b"2").await;
    assert_eq!(room.state(again[1]).await, StateKind::Queued);
    let payload = room.store_tasks().payload(again[1]).await.unwrap().unwrap();
    assert_eq!(payload.bytes, "[2,1]", "the result of the first run is used");
    let view = room.get(&format!("/api/v1/tasks/{}", again[0])).await.json();
    assert_eq!((&view["origin"], &view["name"]), (&json!(old[1].to_string()), &json!("size")));
}

#[tokio::test]
async fn a_circle_through_the_completion_task_is_found() {
    let room = Room::working().await;
    let body = json!({"tasks": [{"name": "a", "module": "noop", "after": ["end"]}], "on_complete": {"name": "end", "module": "noop"}});
    let problem = batch(&room, &body).await.problem(422, "dependency_cycle");
    assert!(problem["detail"].as_str().unwrap().contains("`a` -> `end` -> `a`"), "{problem}");
    assert_eq!(room.stored_tasks().await, 0);
}

#[tokio::test]
async fn a_completion_task_may_bind_to_its_batch() {
    let room = Room::working().await;
    let body = json!({"tasks": [{"name": "a", "module": "noop"}, {"module": "noop"}],
                      "on_complete": {"module": "noop", "payload": {"a": {"$from": "a"}}}});
    let ids = ids(&batch(&room, &body).await.json());
    room.succeed(ids[0], b"7").await;
    fail(&room, ids[1]).await;
    assert_eq!(room.store_tasks().payload(ids[2]).await.unwrap().unwrap().bytes, r#"{"a":7}"#);
    let text = json!({"tasks": [{"name": "a", "module": "noop"},
                                {"module": "noop", "after": ["a"], "payload_text": "{\"$from\":\"nobody\"}"}]});
    assert_eq!(batch(&room, &text).await.status, StatusCode::ACCEPTED, "text has no bindings");
}

#[tokio::test]
async fn a_workflow_that_fails_again_keeps_its_bindings() {
    let room = Room::working().await;
    let body = json!({"tasks": [
        {"name": "load", "module": "noop"},
        {"name": "mid", "module": "noop", "after": ["load"]},
        {"name": "store", "module": "noop", "after": ["load", "mid"], "payload": [{"$from": "load"}, {"$from": "mid"}]},
    ]});
    let first = batch(&room, &body).await.json();
    let old = ids(&first);
    room.succeed(old[0], b"1").await;
    fail(&room, old[1]).await;
    let again = async |batch: &Value| {
        room.post(&format!("/api/v1/batches/{}/retry", batch.as_str().unwrap()), &json!({})).await.json()
    };
    let second = again(&first["batch"]).await;
    fail(&room, ids(&second)[0]).await;
    let third = again(&second["batch"]).await;
    let new = ids(&third);
    room.succeed(new[0], b"2").await;
    assert_eq!(room.store_tasks().payload(new[1]).await.unwrap().unwrap().bytes, "[1,2]");
}

#[tokio::test]
async fn a_task_that_was_never_released_is_not_run_with_raw_bindings() {
    let room = Room::working().await;
    let body = json!({"tasks": [{"name": "a", "module": "noop"}, {"name": "ok", "module": "noop"},
                                {"module": "noop", "after": ["a", "ok"], "payload": {"$from": "a"}},
                                {"module": "noop", "after": ["a", "ok"], "payload": {"$from": "ok"}}]});
    let ids = ids(&batch(&room, &body).await.json());
    room.succeed(ids[1], b"5").await;
    fail(&room, ids[0]).await;
    let retry = async |id: TaskId| {
        let answer = room.post(&format!("/api/v1/tasks/{id}/retry"), &json!({})).await.json();
        answer["id"].as_str().unwrap().parse::<TaskId>().unwrap()
    };
    let doomed = retry(ids[2]).await;
    let view = room.get(&format!("/api/v1/tasks/{doomed}")).await.json();
    assert_eq!((&view["state"], &view["outcome"]["kind"]), (&json!("failed"), &json!("dependency_failed")));
    let free = retry(ids[3]).await;
    assert_eq!(room.state(free).await, StateKind::Queued);
    assert_eq!(room.store_tasks().payload(free).await.unwrap().unwrap().bytes, "5");
}

#[tokio::test]
async fn keys_tell_other_arrows_apart() {
    let room = Room::working().await;
    let first = room.submitted(&json!({"module": "noop"})).await;
    let single = async |body: &Value| room.post_with("/api/v1/tasks", body, "idempotency-key", "one").await;
    assert_eq!(single(&json!({"module": "noop"})).await.status, StatusCode::ACCEPTED);
    single(&json!({"module": "noop", "after": [first.to_string()]})).await.problem(422, "idempotency_conflict");
    let many = async |body: &Value| room.post_with("/api/v1/tasks/batch", body, "idempotency-key", "many").await;
    let task = json!({"module": "noop"});
    assert_eq!(many(&json!({"tasks": [task, task]})).await.status, StatusCode::ACCEPTED);
    many(&json!({"tasks": [task], "on_complete": task})).await.problem(422, "idempotency_conflict");
}

#[tokio::test]
async fn answers_tell_where_known_tasks_stand() {
    let room = Room::working().await;
    let body = json!({"tasks": [{"module": "noop", "unique": {}}]});
    let first = batch(&room, &body).await.json();
    let again = batch(&room, &body).await.json();
    assert_eq!((&again["batch"], &again["tasks"][0]["duplicate"]), (&first["batch"], &json!(true)));
    let keyed = async || {
        room.post_with("/api/v1/tasks/batch", &json!({"tasks": [{"module": "noop"}]}), "idempotency-key", "k")
            .await
            .json()
    };
    let id = ids(&keyed().await)[0];
    room.succeed(id, b"1").await;
    assert_eq!(keyed().await["tasks"][0]["state"], "succeeded");
    let free = room.post("/api/v1/tasks", &json!({"module": "noop", "after": [id.to_string()]})).await.json();
    assert_eq!(free["state"], "queued", "there was nothing left to wait for");
}

#[tokio::test]
async fn unknown_batches_are_told() {
    let room = Room::working().await;
    for path in ["", "/graph"] {
        room.get(&format!("/api/v1/batches/{STRANGER}{path}")).await.problem(404, "batch_not_found");
    }
    room.get("/api/v1/batches/nonsense").await.problem(400, "invalid_id");
    room.post(&format!("/api/v1/batches/{STRANGER}/cancel"), &json!({})).await.problem(404, "batch_not_found");
}

#[tokio::test]
async fn batches_are_listed_the_newest_first_by_page_and_namespace() {
    let room = Room::working().await;
    crate::namespaces::deployed(&room, "acme", "noop").await;
    let mut made = Vec::new();
    for namespace in ["default", "acme", "default"] {
        let tasks = json!([{"module": "noop", "namespace": namespace}, {"module": "noop", "namespace": namespace}]);
        let answer = batch(&room, &json!({"tasks": tasks})).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        made.push(answer.json()["batch"].clone());
    }
    let listed =
        |page: &Value| page["batches"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    let all = room.get("/api/v1/batches").await.json();
    assert_eq!(listed(&all), [made[2].clone(), made[1].clone(), made[0].clone()]);
    assert_eq!((&all["batches"][0]["tasks"], &all["batches"][0]["states"]["queued"]), (&json!(2), &json!(2)));
    assert_eq!(all["next_cursor"], Value::Null);
    let acme = room.get("/api/v1/batches?namespace=acme").await.json();
    assert_eq!(listed(&acme), [made[1].clone()]);
    let first = room.get("/api/v1/batches?limit=2").await.json();
    let rest =
        room.get(&format!("/api/v1/batches?limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await.json();
    assert_eq!((listed(&first).len(), listed(&rest)), (2, vec![made[0].clone()]));
    for (wrong, code) in [("limit=0", "invalid_query"), ("limit=51", "invalid_query"), ("cursor=x", "invalid_cursor")] {
        room.get(&format!("/api/v1/batches?{wrong}")).await.problem(400, code);
    }
}
