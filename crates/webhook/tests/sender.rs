//! The sender against a real receiver: what is sent, and what is never connected to.
#![expect(clippy::unwrap_used, reason = "a check that cannot begin fails, as it should")]

use std::time::{Duration, Instant};

use tasklane_domain::Timestamp;
use tasklane_domain::egress::Policy;
use tasklane_domain::webhook::{Answer, EventSender, Message, Secret};
use tasklane_tests::{Receiver, Reply};
use tasklane_webhook::{HttpSender, SenderSettings};

fn policy(rules: &[&str], granted: &[&str]) -> Policy {
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    Policy::new(rules, granted.iter().map(|network| network.parse().unwrap()).collect())
}

fn sender(policy: Policy, timeout: Duration) -> HttpSender {
    // A second installation in one process is refused, and that is fine.
    drop(rustls::crypto::ring::default_provider().install_default());
    HttpSender::new(SenderSettings { policy, timeout, connect_timeout: timeout }).unwrap()
}

fn loopback() -> HttpSender {
    sender(policy(&["http://*:*"], &["127.0.0.0/8"]), Duration::from_secs(20))
}

fn message(url: &str) -> Message {
    Message {
        url: url.to_owned(),
        id: "0198c0de-succeeded".parse().unwrap(),
        at: Timestamp::from_micros(1_780_000_000_900_000),
        body: "{\"ü\":1}".into(),
        secrets: vec![Secret::generate(), Secret::generate()],
    }
}

const OK: Answer = Answer::Status { code: 200, retry_after: None };

#[tokio::test]
async fn a_message_is_signed_with_every_secret_and_named_by_its_host() {
    let receiver = Receiver::start(|_, _| Reply::status(200)).await.unwrap();
    let url = format!("http://LOCALHOST.:{}/x?y=1", receiver.port());
    let sent = message(&url);
    assert_eq!(loopback().send(&sent).await, OK);
    let seen = receiver.seen("/x?y=1").pop().unwrap();
    assert_eq!(seen.header("host"), format!("localhost:{}", receiver.port()));
    assert_eq!((seen.header("webhook-id"), seen.header("webhook-timestamp")), ("0198c0de-succeeded", "1780000000"));
    assert_eq!(seen.body, sent.body);
    for secret in &sent.secrets {
        assert!(seen.is_signed_with(&secret.reveal()).unwrap());
    }
    assert!(!seen.is_signed_with(&Secret::generate().reveal()).unwrap());
}

#[tokio::test]
async fn what_the_policy_refuses_is_not_connected_to() {
    let receiver = Receiver::start(|_, _| Reply::status(200)).await.unwrap();
    let port = receiver.port();
    let public = || policy(&["http://*:*"], &[]);
    let table = [
        (public(), format!("http://127.0.0.1:{port}/"), "loopback"),
        (public(), format!("http://localhost:{port}/"), "loopback"),
        (public(), format!("http://2130706433:{port}/"), "loopback"),
        (public(), format!("http://[::ffff:127.0.0.1]:{port}/"), "mapped"),
        (policy(&["http://*:*"], &["127.0.0.0/8"]), format!("http://[::ffff:127.0.0.1]:{port}/"), "mapped"),
        (policy(&["https://*:*"], &["127.0.0.0/8"]), format!("http://127.0.0.1:{port}/"), "no rule"),
        (policy(&["GET http://*:*"], &["127.0.0.0/8"]), format!("http://127.0.0.1:{port}/"), "no rule"),
        (public(), format!("http://me@127.0.0.1:{port}/"), "user"),
        (public(), "http://nothing.invalid/".to_owned(), "no connection"),
    ];
    for (policy, url, reason) in table {
        let answer = sender(policy, Duration::from_secs(20)).send(&message(&url)).await;
        let Answer::Failed(why) = answer else { panic!("{url}: {answer:?}") };
        assert!(why.contains(reason), "{url}: {why}");
    }
    assert!(receiver.seen("/").is_empty());
}

#[tokio::test]
async fn redirects_are_answers() {
    let inner = Receiver::start(|_, _| Reply::status(200)).await.unwrap();
    let place = inner.url("/inside");
    let receiver = Receiver::start(move |_, _| Reply {
        headers: vec![("location", place.clone()), ("retry-after", "7".to_owned())],
        ..Reply::status(302)
    })
    .await
    .unwrap();
    let answer = loopback().send(&message(&receiver.url("/x"))).await;
    assert_eq!(answer, Answer::Status { code: 302, retry_after: Some(Duration::from_secs(7)) });
    assert!(inner.seen("/inside").is_empty());
}

#[tokio::test]
async fn a_silent_or_talkative_endpoint_is_left() {
    let receiver = Receiver::start(|request, _| match request.path.as_str() {
        "/silent" => Reply { wait: Duration::from_secs(600), ..Reply::status(200) },
        _ => Reply { body: vec![b'x'; 64 * 1024 * 1024].into(), ..Reply::status(200) },
    })
    .await
    .unwrap();
    let hasty = sender(policy(&["http://*:*"], &["127.0.0.0/8"]), Duration::from_millis(300));
    let begun = Instant::now();
    let Answer::Failed(why) = hasty.send(&message(&receiver.url("/silent"))).await else { panic!("it was silent") };
    assert!(why.contains("no answer in time"), "{why}");
    assert!(begun.elapsed() < Duration::from_secs(60), "it waits for ever");
    let patient = loopback();
    for _ in 0..20 {
        assert_eq!(patient.send(&message(&receiver.url("/long"))).await, OK);
    }
}

#[tokio::test]
async fn nobody_there_is_a_reason_without_the_url() {
    // The discard port: one that was free a moment ago may be another test's.
    let answer = loopback().send(&message("http://127.0.0.1:9/token-in-the-path")).await;
    let Answer::Failed(why) = answer else { panic!("{answer:?}") };
    assert!(why.contains("no connection") && !why.contains("token"), "{why}");
}
