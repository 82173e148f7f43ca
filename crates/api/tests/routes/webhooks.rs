//! `/api/v1/webhooks`. What is sent, and when, is the scheduler's, the store's and `tasklane-webhook`'s.

use http::{Request, StatusCode};
use serde_json::{Value, json};
use tasklane_api::ApiSettings;
use tasklane_domain::egress::Policy;
use tasklane_domain::log::LogCapture;
use tasklane_domain::webhook::{Answer as Said, RetryPlan, judge};
use tasklane_domain::{Lease, Outcome, Timestamp};

use crate::support::{Answer, Room};

const PATH: &str = "/api/v1/webhooks";

fn body() -> Value {
    json!({"name": "billing", "url": "https://EXAMPLE.com./hooks?x=1", "events": ["task.failed", "batch.ended"],
        "queue": "night", "label": "team:a"})
}

async fn delete(room: &Room, path: &str) -> Answer {
    room.send(Request::delete(path).body(axum::body::Body::empty()).unwrap()).await
}

async fn post(room: &Room, path: &str) -> Answer {
    room.post(&format!("{PATH}{path}"), &json!({})).await
}

#[tokio::test]
async fn a_webhook_is_made_shown_rotated_and_deleted() {
    let room = Room::new().await;
    let answer = room.post(PATH, &body()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    assert_eq!(answer.header("location"), "/api/v1/webhooks/billing");
    let mut made = answer.json();
    let secret = made.as_object_mut().unwrap().remove("secret").unwrap();
    assert!(secret.as_str().unwrap().starts_with("whsec_"), "{secret}");
    assert_eq!((&made["url"], &made["state"]), (&json!("https://example.com/hooks?x=1"), &json!("active")));
    assert_eq!(made["events"], json!(["task.failed", "batch.ended"]));
    assert_eq!((&made["queue"], &made["label"]), (&json!("night"), &json!("team:a")));
    let shown = room.get(&format!("{PATH}/billing")).await;
    assert_eq!(shown.json(), made, "the secret is shown once");
    assert_eq!(room.get(PATH).await.json()["webhooks"], json!([made]));
    room.post(PATH, &body()).await.problem(409, "webhook_exists");

    let rotated = post(&room, "/billing/rotate").await.json();
    assert!(rotated["secret"].as_str().unwrap().starts_with("whsec_") && rotated["secret"] != secret);
    assert!(rotated["former_secret_until"].is_string(), "{rotated}");
    let paused = post(&room, "/billing/pause").await.json();
    assert_eq!((&paused["state"], paused.get("paused_because"), paused.get("secret")), (&json!("paused"), None, None));
    assert_eq!(post(&room, "/billing/resume").await.json()["state"], "active");
    assert_eq!(delete(&room, &format!("{PATH}/billing")).await.status, StatusCode::NO_CONTENT);
    delete(&room, &format!("{PATH}/billing")).await.problem(404, "webhook_not_found");
}

#[tokio::test]
async fn bad_webhooks_are_refused_and_not_stored() {
    let room = Room::new().await;
    let refuse = async |change: &dyn Fn(&mut Value), code: &str, detail: &str| {
        let mut body = body();
        change(&mut body);
        let problem = room.post(PATH, &body).await.problem(422, code);
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
        assert_eq!(room.get(PATH).await.json()["webhooks"], json!([]));
    };
    refuse(&|body| body["name"] = json!("No Name"), "webhook_invalid", "webhook name").await;
    refuse(&|body| body["url"] = json!("example.com"), "webhook_invalid", "cannot be read").await;
    refuse(&|body| body["url"] = json!("https://me:pw@example.com/"), "webhook_invalid", "password").await;
    refuse(&|body| body["url"] = json!("ftp://example.com/"), "webhook_invalid", "scheme").await;
    refuse(&|body| body["url"] = json!("http://example.com/"), "egress_refused", "http://example.com:80").await;
    refuse(&|body| body["url"] = json!("https://10.0.0.7/"), "egress_refused", "private").await;
    refuse(&|body| body["url"] = json!("https://0x7f.1/"), "egress_refused", "loopback").await;
    refuse(&|body| body["url"] = json!("https://169.254.169.254/"), "egress_refused", "metadata").await;
    refuse(&|body| body["url"] = json!("https://[::ffff:10.0.0.1]/"), "egress_refused", "mapped").await;
    refuse(&|body| body["events"] = json!(["task.done"]), "webhook_invalid", "task.succeeded").await;
    refuse(&|body| body["events"] = json!(["webhook.test"]), "webhook_invalid", "webhook.test").await;
    refuse(&|body| body["label"] = json!("team"), "webhook_invalid", "key:value").await;
    refuse(&|body| body["queue"] = json!("Night"), "webhook_invalid", "queue name").await;
    refuse(&|body| body["secret"] = json!("mine"), "invalid_request", "secret").await;
    for path in ["/nothing", "/No Name", "/nothing/deliveries", "/nothing/deliveries/x-test"] {
        room.get(&format!("{PATH}{}", path.replace(' ', "%20"))).await.problem(404, "webhook_not_found");
    }
    for path in ["/nothing/pause", "/nothing/resume", "/nothing/rotate", "/nothing/test", "/nothing/deliveries/x/retry"]
    {
        post(&room, path).await.problem(404, "webhook_not_found");
    }
}

#[tokio::test]
async fn the_policy_is_the_servers() {
    let rules = vec!["http://*.internal:*".parse().unwrap(), "http://10.0.0.7:8080".parse().unwrap()];
    let egress = Policy::new(rules, vec!["10.0.0.0/24".parse().unwrap()]);
    let room = Room::with(ApiSettings { egress, ..ApiSettings::default() }).await;
    let make = async |name: &str, url: &str| room.post(PATH, &json!({"name": name, "url": url})).await;
    assert_eq!(make("one", "http://a.b.internal:81/x").await.status, StatusCode::CREATED);
    let two = make("two", "http://10.0.0.7:8080/").await;
    assert_eq!(two.json()["events"], json!(["task.succeeded", "task.failed", "task.cancelled", "task.expired"]));
    make("three", "https://example.com/").await.problem(422, "egress_refused");
    make("three", "http://10.0.0.7:8081/").await.problem(422, "egress_refused");
}

#[tokio::test]
async fn deliveries_are_listed_and_dead_letters_sent_again() {
    let room = Room::working().await;
    room.post(PATH, &json!({"name": "hook", "url": "https://example.com/"})).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = room.submitted(&json!({"module": "noop", "payload": {"card": "4111"}})).await;
        room.end(id, Outcome::Ok, b"{}", LogCapture::default(), false).await;
        ids.push(format!("{id}-succeeded"));
    }
    ids.reverse();
    let path = format!("{PATH}/hook/deliveries");
    let all = room.get(&path).await;
    assert!(!all.text().contains("4111"), "a payload is shown");
    let listed = |answer: &Answer| -> Vec<String> {
        let list = answer.json();
        list["deliveries"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(&all), ids);
    let first = room.get(&format!("{path}?limit=2")).await;
    assert_eq!(listed(&first), ids[..2]);
    let next = first.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(listed(&room.get(&format!("{path}?limit=2&before={next}")).await), ids[2..]);
    room.get(&format!("{path}?limit=201")).await.problem(400, "invalid_query");
    room.get(&format!("{path}?state=lost")).await.problem(400, "invalid_query");
    room.get(&format!("{path}?before=A.B")).await.problem(400, "invalid_query");

    let record = async |id: &str, code: u16| {
        let store = &room.store.stores;
        let lease = Lease { generation: Timestamp::from_micros(1), revision: 1 };
        let term = match store.leader.open_term(lease).await {
            Ok(term) => term,
            Err(_) => tasklane_domain::Term::new(1),
        };
        let plan = RetryPlan { attempts_max: 1, ..RetryPlan::default() };
        let said = Said::Status { code, retry_after: None };
        let tried = judge("hook".parse().unwrap(), id.parse().unwrap(), 0, said, &plan, room.now(), 0.5);
        store.webhooks.record(term, vec![tried]).await.unwrap();
    };
    record(&ids[0], 500).await;
    record(&ids[1], 200).await;
    let dead = room.get(&format!("{path}?state=dead")).await;
    assert_eq!(listed(&dead), ids[..1]);
    let letter = &dead.json()["deliveries"][0];
    assert_eq!((&letter["last_status"], &letter["last_error"]), (&json!(500), &json!("HTTP 500")));
    let again = post(&room, &format!("/hook/deliveries/{}/retry", ids[0])).await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{}", again.text());
    assert_eq!((&again.json()["state"], &again.json()["attempts"]), (&json!("waiting"), &json!(0)));
    assert_eq!(room.get(&format!("{path}/{}", ids[0])).await.json(), again.json());
    post(&room, &format!("/hook/deliveries/{}/retry", ids[1])).await.problem(409, "delivery_done");
    for id in ["nothing", "A.B"] {
        post(&room, &format!("/hook/deliveries/{id}/retry")).await.problem(404, "delivery_not_found");
        room.get(&format!("{path}/{id}")).await.problem(404, "delivery_not_found");
    }
}

#[tokio::test]
async fn a_test_is_sent_whatever_is_asked_for() {
    let room = Room::new().await;
    room.post(PATH, &body()).await;
    let answer = post(&room, "/billing/test").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let delivery = answer.json();
    assert_eq!((&delivery["event"], &delivery["state"]), (&json!("webhook.test"), &json!("waiting")));
    assert_eq!(room.get(answer.header("location")).await.json(), delivery);
    post(&room, "/billing/pause").await;
    post(&room, "/billing/test").await.problem(409, "webhook_paused");
}
