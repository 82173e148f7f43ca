//! Rates of callers and namespaces.

use std::time::Duration;

use serde_json::json;
use tasklane_api::{AccessSettings, ApiSettings};
use tasklane_domain::access::Role;

use crate::access::Guarded;

async fn limited(token: Option<&str>, namespace: Option<&str>) -> Guarded {
    let rate = |text: Option<&str>| text.map(|text| text.parse().unwrap());
    let access =
        AccessSettings { token_rate: rate(token), namespace_rate: rate(namespace), ..AccessSettings::default() };
    Guarded::with(ApiSettings { access, ..ApiSettings::default() }).await
}

#[tokio::test]
async fn a_token_that_asks_too_often_is_told_when_to_come_again() {
    let room = limited(Some("4/1m"), None).await;
    let (one, other) = (room.token("*", Role::Viewer).await, room.token("*", Role::Viewer).await);
    for _ in 0..4 {
        assert_eq!(room.ask(&one, "GET", "/api/v1/tasks", None).await.status, 200);
    }
    let answer = room.ask(&one, "GET", "/api/v1/tasks", None).await;
    answer.problem(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), "15");
    assert_eq!(room.ask(&other, "GET", "/api/v1/tasks", None).await.status, 200, "each has its own");
    room.clock.advance(Duration::from_secs(15));
    assert_eq!(room.ask(&one, "GET", "/api/v1/tasks", None).await.status, 200);
}

#[tokio::test]
async fn a_tokens_own_rate_comes_first() {
    let room = limited(Some("100/1m"), None).await;
    let admin = room.token("*", Role::Admin).await;
    let body = json!({"name": "slow", "grants": {"*": "viewer"}, "rate": "1/1h"}).to_string();
    let made = room.ask(&admin, "POST", "/api/v1/tokens", Some(&body)).await.json();
    let slow = made["token"].as_str().unwrap();
    assert_eq!(room.ask(slow, "GET", "/api/v1/tasks", None).await.status, 200);
    let answer = room.ask(slow, "GET", "/api/v1/tasks", None).await;
    answer.problem(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), "3600");
}

#[tokio::test]
async fn a_namespace_has_a_rate_for_all_who_ask_about_it() {
    // Three deploys of the room's own come first, one of them to `acme`.
    let room = limited(None, Some("5/1h")).await;
    let tokens = [room.token("acme", Role::Submitter).await, room.token("*", Role::Admin).await];
    let body = json!({"module": "own", "namespace": "acme"}).to_string();
    for number in 0..4 {
        let answer = room.ask(&tokens[number % 2], "POST", "/api/v1/tasks", Some(&body)).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
    for token in &tokens {
        room.ask(token, "POST", "/api/v1/tasks", Some(&body)).await.problem(429, "rate_limited");
    }
    let beta = json!({"module": "own", "namespace": "beta"}).to_string();
    assert_eq!(room.ask(&tokens[1], "POST", "/api/v1/tasks", Some(&beta)).await.status, 202);
}
