//! How much, how many, how long: each bound is an error value, and nothing is left open.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tasklane_domain::outcome::TimeBound;
use tasklane_domain::{Limits, Outcome};
use tasklane_host::{EgressSettings, EgressTimeouts};

use super::world::{Caller, SHORT, World, short, until};

fn limited(caller: Caller, change: impl FnOnce(&mut Limits)) -> Caller {
    let mut caller = caller;
    change(&mut caller.limits);
    caller
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_has_so_many_requests_and_refused_ones_count() {
    let world = World::new().await;
    let caller = limited(world.free(), |limits| limits.http_requests = 3);
    let told = caller.told(&json!({ "url": world.url("api.test"), "times": 5 })).await;
    let allowed = told.iter().filter(|told| told.starts_with("200 ")).count();
    assert_eq!((allowed, told[3].as_str(), told[4].as_str()), (3, "ConnectionLimitReached", "ConnectionLimitReached"));
    let told = caller.told(&json!({ "url": world.url("127.0.0.2"), "times": 4 })).await;
    assert_eq!(told[2..], ["DestinationIpProhibited".to_owned(), "ConnectionLimitReached".to_owned()]);
    let run = caller.run(&json!({ "url": world.url("api.test"), "times": 4 })).await;
    assert!(run.log.head.iter().any(|line| line.message.contains("raise `http_requests`")), "{:?}", run.log);
    assert_eq!(world.outside.requests(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_has_so_many_open_at_once_and_gets_them_back() {
    let world = World::new().await;
    let settings = EgressSettings { concurrent_max: 2, ..world.settings() };
    let caller = World::caller_with(&["http://*:*"], settings);
    let told = caller.told(&json!({ "url": world.url("api.test"), "at_once": 5 })).await;
    let refused = told.iter().filter(|told| *told == "ConnectionLimitReached").count();
    assert_eq!((told.len(), refused), (5, 3), "{told:?}");
    let held =
        caller.told(&json!({ "url": format!("{}stall", world.url("api.test")), "times": 3, "hold": true })).await;
    assert_eq!(held, ["200", "200", "ConnectionLimitReached"]);
    let told = caller.told(&json!({ "url": world.url("api.test"), "times": 50 })).await;
    assert!(told.iter().all(|told| told.starts_with("200 ")), "{told:?}");
    until("connections stay open", || world.outside.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_has_so_many_connections_and_requests_wait_their_turn() {
    let world = World::new().await;
    let patient = EgressSettings { connections_max: 1, ..world.settings() };
    let told =
        World::caller_with(&["http://*:*"], patient).told(&json!({ "url": world.url("api.test"), "at_once": 6 })).await;
    assert!(told.iter().all(|told| told.starts_with("200 ")), "{told:?}");
    // The first has time to connect, and keeps its turn for far longer than the second waits.
    let timeouts = EgressTimeouts { connect: Duration::from_millis(1_500), ..short() };
    let hasty = EgressSettings { connections_max: 1, timeouts, ..world.settings() };
    let stalled = json!({ "url": format!("{}silent", world.url("api.test")), "at_once": 2, "first_byte_ms": 6_000 });
    let told = World::caller_with(&["http://*:*"], hasty).told(&stalled).await;
    assert!(told.contains(&"ConnectionLimitReached".to_owned()), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_over_their_limit_end_there() {
    let world = World::new().await;
    let caller = limited(world.free(), |limits| {
        limits.http_request_bytes = 100_000;
        limits.http_response_bytes = 100_000;
    });
    let url = world.url("api.test");
    for tell_length in [true, false] {
        let call = json!({ "url": url, "method": "POST", "body_bytes": 100_001, "tell_length": tell_length });
        assert_eq!(caller.one(&call).await, "HttpRequestBodySize(Some(100000))", "told: {tell_length}");
        let call = json!({ "url": url, "method": "POST", "body_bytes": 100_000, "tell_length": tell_length });
        assert!(caller.one(&call).await.starts_with("200 "), "told: {tell_length}");
    }
    assert!(caller.get(&format!("{url}big?100000")).await.starts_with("200 100000 "));
    assert_eq!(caller.get(&format!("{url}big?100001")).await, "HttpResponseBodySize(Some(100000))");
    let run = caller.run(&json!({ "url": format!("{url}pieces?1000000") })).await;
    let told = String::from_utf8(run.result.to_vec()).unwrap();
    assert!(told.contains("body:") && told.contains("ody"), "{told}");
    until("an endless answer is read on", || world.outside.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_too_many_headers_is_none() {
    let world = World::new().await;
    let caller = world.free();
    assert!(caller.get(&format!("{}headers?50", world.url("api.test"))).await.starts_with("200 "));
    for count in [200, 2_000] {
        let told = caller.get(&format!("{}headers?{count}", world.url("api.test"))).await;
        assert!(told.starts_with("Http"), "{count}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_servers_are_left_when_the_guest_or_the_operator_says_so() {
    let world = World::new().await;
    let (silent, stall) = (format!("{}silent", world.url("api.test")), format!("{}stall", world.url("api.test")));
    let caller = world.free();
    for ms in [0, 1, 200] {
        let told = caller.one(&json!({ "url": silent, "first_byte_ms": ms })).await;
        assert_eq!(told, "HttpResponseTimeout", "{ms} ms");
    }
    let told = caller.one(&json!({ "url": stall, "between_ms": 200 })).await;
    assert!(told.starts_with("body: ") && told.contains("imeout"), "{told}");
    assert_eq!(caller.one(&json!({ "url": world.url("silence.test"), "connect_ms": 200 })).await, "ConnectionTimeout");
    // One of them short each time: what comes before it may take its time.
    let operator = |timeouts| World::caller_with(&["http://*:*"], EgressSettings { timeouts, ..world.settings() });
    let long = EgressTimeouts::default();
    let told = operator(EgressTimeouts { first_byte: SHORT, ..long }).get(&silent).await;
    assert_eq!(told, "HttpResponseTimeout");
    let told = operator(EgressTimeouts { between_bytes: SHORT, ..long }).get(&stall).await;
    assert!(told.starts_with("body: "), "{told}");
    let told = operator(EgressTimeouts { connect: SHORT, ..long }).get(&world.url("silence.test")).await;
    assert_eq!(told, "ConnectionTimeout");
    until("connections stay open", || world.outside.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_wish_outlives_the_attempt() {
    let world = World::new().await;
    let caller = limited(world.free(), |limits| limits.timeout_ms = 500);
    let long = u64::MAX / 2_000_000;
    for path in ["silent", "stall"] {
        let url = format!("{}{path}", world.url("api.test"));
        let call = json!({ "url": url, "connect_ms": long, "first_byte_ms": long, "between_ms": long });
        let run = caller.run(&call).await;
        let ended_by_itself = run.outcome == Outcome::Ok;
        assert!(ended_by_itself || run.outcome == Outcome::TimedOut { bound: TimeBound::Timeout }, "{:?}", run.outcome);
    }
    until("a connection outlives its attempt", || world.outside.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_is_dropped_takes_its_connections_along() {
    let world = World::new().await;
    let caller = world.free();
    for path in ["silent", "stall"] {
        let url = format!("{}{path}", world.url("api.test"));
        let before = world.outside.counts.requests.load(Ordering::SeqCst);
        let call = json!({ "url": url, "at_once": 4 });
        let running = caller.run(&call);
        tokio::select! {
            run = running => panic!("it ended by itself: {:?}", run.outcome),
            () = until("nobody came", || world.outside.requests() == before + 4) => {}
        }
        until("a connection outlives its attempt", || world.outside.open() == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_an_error_value() {
    let world = World::new().await;
    // Bound, so that nobody else gets it, and not listened at.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let free = nobody.local_addr().unwrap().port();
    assert_eq!(world.free().get(&format!("http://127.0.0.1:{free}/")).await, "ConnectionRefused");
    let no_names = EgressSettings {
        name_server: tasklane_host::NameServer::At(([127, 0, 0, 1], free).into()),
        timeouts: EgressTimeouts { connect: Duration::from_secs(5), ..short() },
        ..world.settings()
    };
    let told = World::caller_with(&["http://*:*"], no_names).get(&world.url("api.test")).await;
    assert!(told.starts_with("DnsError") || told == "ConnectionTimeout", "{told}");
}
