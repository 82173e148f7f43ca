//! Real connections over loopback: slow clients, the cap, an orderly end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tasklane_api::{ApiSettings, ServeSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::Room;

/// Ends a test that would hang; never a bound that a slow machine meets.
const PATIENCE: Duration = Duration::from_secs(30);

struct Served {
    room: Room,
    address: std::net::SocketAddr,
    serving: JoinHandle<()>,
}

async fn serve(settings: ServeSettings) -> Served {
    let room = Box::pin(Room::with(ApiSettings { serve: settings, ..ApiSettings::default() })).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (api, stop) = (Arc::clone(&room.api), room.background.clone());
    let serving = tokio::spawn(async move { api.serve(listener, stop).await });
    Served { room, address, serving }
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    // A reset is an end as well.
    drop(read.expect("the connection was never closed"));
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn read_some(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 4096];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await;
    String::from_utf8_lossy(&bytes[..read.expect("no answer came").unwrap()]).into_owned()
}

#[tokio::test]
async fn a_client_that_never_ends_its_headers_is_cut_off() {
    let served = serve(ServeSettings { header_timeout: Duration::from_millis(200), ..ServeSettings::default() }).await;
    let mut slow = served.connect().await;
    slow.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    let answer = read_all(&mut slow).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    let mut silent = served.connect().await;
    read_all(&mut silent).await;
}

#[tokio::test]
async fn a_client_that_never_ends_its_body_is_answered_and_cut_off() {
    let served = serve(ServeSettings { body_timeout: Duration::from_millis(200), ..ServeSettings::default() }).await;
    let mut slow = served.connect().await;
    let head =
        "POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    let answer = read_all(&mut slow).await;
    assert!(answer.contains("request_timeout"), "{answer:?}");
}

#[tokio::test]
async fn a_body_that_is_announced_as_too_large_is_refused_before_it_comes() {
    let served = serve(ServeSettings::default()).await;
    let mut large = served.connect().await;
    let head = "POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{";
    large.write_all(head.as_bytes()).await.unwrap();
    let answer = read_some(&mut large).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("body_too_large"), "{answer:?}");
}

#[tokio::test]
async fn beyond_the_cap_connections_wait_for_a_place() {
    let served = serve(ServeSettings { connections_max: 1, ..ServeSettings::default() }).await;
    let mut first = served.connect().await;
    first.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(read_some(&mut first).await.contains("200 OK"));
    let mut second = served.connect().await;
    second.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut byte = [0; 1];
    let early = tokio::time::timeout(Duration::from_millis(300), second.read(&mut byte)).await;
    assert!(early.is_err(), "a connection beyond the cap was served");
    drop(first);
    assert!(read_some(&mut second).await.contains("00 OK"));
}

#[tokio::test]
async fn one_address_does_not_take_every_place() {
    let served = serve(ServeSettings { connections_per_address_max: 2, ..ServeSettings::default() }).await;
    let held = [served.connect().await, served.connect().await];
    let mut third = served.connect().await;
    assert_eq!(read_all(&mut third).await, "", "it is closed at once");
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(served.address).await.unwrap();
    other.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(read_some(&mut other).await.contains("200 OK"), "others are served");
    drop(held);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_off() {
    let settings =
        ServeSettings { write_timeout: Duration::from_millis(300), connections_max: 1, ..ServeSettings::default() };
    let served = serve(settings).await;
    let mut deaf = served.connect().await;
    let request = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200);
    drop(tokio::time::timeout(Duration::from_secs(5), deaf.write_all(&request)).await);
    let mut next = served.connect().await;
    next.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(read_some(&mut next).await.contains("200 OK"), "its place is free again");
}

#[tokio::test]
async fn headers_are_bounded() {
    let served = serve(ServeSettings::default()).await;
    let mut many = served.connect().await;
    let headers: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    many.write_all(format!("GET /livez HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes()).await.unwrap();
    assert!(read_all(&mut many).await.starts_with("HTTP/1.1 431"));
    let mut long = served.connect().await;
    let value = "y".repeat(200_000);
    let request = format!("GET /livez HTTP/1.1\r\nHost: x\r\nX: {value}\r\n\r\n");
    // The server may close before it has read everything.
    drop(long.write_all(request.as_bytes()).await);
    assert!(!read_all(&mut long).await.contains("200 OK"));
}

#[tokio::test]
async fn a_request_under_way_is_finished_at_the_end() {
    let served = serve(ServeSettings::default()).await;
    served.room.deployed("noop", "1.0.0").await;
    let mut waiting = served.connect().await;
    let body = json!({"module": "noop"}).to_string();
    let head = format!(
        "POST /api/v1/tasks?wait=60s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    waiting.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let noted = served.room.nats.until(|noted| !noted.orders.is_empty()).await;
    served.room.background.cancel();
    let quiet = tasklane_domain::log::LogCapture::default();
    served.room.end(noted.orders[0].task, tasklane_domain::Outcome::Ok, b"1", quiet, false).await;
    assert!(read_all(&mut waiting).await.contains("\"succeeded\""));
    tokio::time::timeout(PATIENCE, served.serving).await.expect("serve never returned").unwrap();
    assert!(TcpStream::connect(served.address).await.is_err(), "the listener is still open");
}

#[tokio::test]
async fn what_was_committed_before_a_stop_is_handed_on() {
    let served = serve(ServeSettings::default()).await;
    served.room.deployed("noop", "1.0.0").await;
    served.room.submitted(&json!({"module": "noop"})).await;
    served.room.nats.until(|noted| noted.orders.len() == 1).await;
}

#[tokio::test]
async fn roles_without_an_api_tell_how_they_are() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ready, stop) = (Arc::new(AtomicBool::new(true)), tokio_util::sync::CancellationToken::new());
    let check = ready.clone();
    let check: tasklane_api::ops::ReadyCheck = Arc::new(move || check.load(Ordering::SeqCst));
    let facts = std::collections::BTreeMap::from([("wall_seccomp".to_owned(), "on".to_owned())]);
    let registry = prometheus::Registry::new();
    let serving = tokio::spawn(tasklane_api::ops::serve(listener, registry, check, facts, stop.clone()));
    let ask = async |path: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        read_all(&mut stream).await
    };
    assert!(ask("/livez").await.starts_with("HTTP/1.1 200"));
    assert!(ask("/readyz").await.starts_with("HTTP/1.1 200"));
    assert!(ask("/readyz?verbose").await.contains(r#""wall_seccomp":"on""#));
    assert!(ask("/health").await.contains(r#""wall_seccomp":"on""#));
    ready.store(false, Ordering::SeqCst);
    assert!(ask("/readyz").await.starts_with("HTTP/1.1 503"));
    assert!(ask("/metrics").await.starts_with("HTTP/1.1 200"));
    stop.cancel();
    tokio::time::timeout(PATIENCE, serving).await.expect("serve never returned").unwrap();
}
