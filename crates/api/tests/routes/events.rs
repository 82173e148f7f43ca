//! The live feed over real connections, the history, and what the dashboard's files and pages are served with.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
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

async fn served() -> Served {
    let room = Box::pin(Room::new()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (api, stop) = (Arc::clone(&room.api), room.background.clone());
    let serving = tokio::spawn(async move { api.serve(listener, stop).await });
    room.deployed("noop", "1.0.0").await;
    Served { room, address, serving }
}

/// A connection whose text is read as it comes.
struct Line {
    stream: TcpStream,
    text: String,
}

impl Served {
    async fn ask(&self, path: &str, headers: &str) -> Line {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        Line { stream, text: String::new() }
    }
}

impl Line {
    /// Reads until `wanted` was said, and returns all that was said so far.
    async fn until(&mut self, wanted: &str) -> &str {
        let reading = async {
            while !self.text.contains(wanted) {
                let mut bytes = [0; 4096];
                let read = self.stream.read(&mut bytes).await.unwrap();
                assert!(read > 0, "it ended without {wanted}: {}", self.text);
                self.text.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("it was not said");
        &self.text
    }

    async fn ended(&mut self) {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        drop(read.expect("the connection was never closed"));
    }

    fn last_cursor(&self) -> String {
        let (_, cursor) = self.text.rsplit_once("id: ").unwrap();
        cursor.lines().next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn changes_are_told_and_what_was_missed_is_told_again() {
    let served = served().await;
    let mut feed = served.ask("/api/v1/events", "").await;
    let head = feed.until("event: hello").await.to_ascii_lowercase();
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    let id = served.room.submitted(&json!({"module": "noop"})).await;
    feed.until(r#""submitted":1"#).await;
    let seen = feed.last_cursor();
    served.room.succeed(id, b"1").await;
    feed.until(&format!(r#""id":"{id}","state":"succeeded","module":"noop","queue":"default""#)).await;
    drop(feed);

    let mut back = served.ask(&format!("/api/v1/events?cursor={seen}"), "").await;
    back.until(&id.to_string()).await;
    let mut by_header = served.ask("/api/v1/events", &format!("Last-Event-ID: {seen}\r\n")).await;
    by_header.until(&id.to_string()).await;
    let mut other = served.ask("/api/v1/events?cursor=abcdef-7", "").await;
    other.until("event: resync").await;
}

#[tokio::test]
async fn a_web_socket_tells_the_same() {
    let served = served().await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut feed = served.ask("/api/v1/events/ws", upgrade).await;
    assert!(feed.until(r#"{"event":"hello","cursor":""#).await.contains("101 Switching Protocols"));
    let id = served.room.submitted(&json!({"module": "noop"})).await;
    served.room.succeed(id, b"1").await;
    feed.until(&id.to_string()).await;

    let own = format!("{upgrade}Origin: http://{}\r\n", served.address);
    served.ask("/api/v1/events/ws", &own).await.until("101 Switching").await;
    for origin in ["https://elsewhere.example", "null"] {
        let foreign = format!("{upgrade}Origin: {origin}\r\n");
        served.ask("/api/v1/events/ws", &foreign).await.until("origin_refused").await;
    }
    served.room.background.cancel();
    feed.ended().await;
}

#[tokio::test]
async fn feeds_end_with_the_process() {
    let served = served().await;
    let mut feed = served.ask("/api/v1/events", "Connection: close\r\n").await;
    feed.until("event: hello").await;
    served.room.background.cancel();
    feed.ended().await;
    tokio::time::timeout(PATIENCE, served.serving).await.expect("it waits for a feed").unwrap();
}

#[tokio::test]
async fn cursors_and_parameters_of_another_making_are_refused() {
    let room = Room::new().await;
    room.get("/api/v1/events?cursor=nonsense").await.problem(400, "invalid_cursor");
    room.get("/api/v1/events?since=1").await.problem(400, "invalid_query");
    room.get("/api/v1/events/ws").await.problem(426, "upgrade_required");
    for seconds in ["0", "901", "x"] {
        room.get(&format!("/api/v1/history?seconds={seconds}")).await.problem(400, "invalid_query");
    }
}

#[tokio::test]
async fn history_counts_what_ended() {
    let room = Room::working().await;
    let id = room.submitted(&json!({"module": "noop"})).await;
    room.succeed(id, b"1").await;
    let counted = async {
        loop {
            let history = room.get("/api/v1/history?seconds=60").await.json();
            if history["seconds"][0]["ended"] == json!({"succeeded": 1}) {
                return;
            }
            assert_eq!(history["seconds"].as_array().map_or(0, Vec::len), 0, "{history}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("it was never counted");
}

#[tokio::test]
async fn people_get_the_dashboard_and_programs_a_problem() {
    let room = Room::new().await;
    room.get("/tasks/nothing").await.problem(404, "not_found");
    room.get_as("/api/v1/nothing", "text/html").await.problem(404, "not_found");
    room.get_as("/assets/nothing.js", "text/html").await.problem(404, "not_found");
    let home = room.get_as("/", "text/html").await;
    assert_eq!(home.status, StatusCode::OK);
    let page = room.get_as("/tasks/nothing", "text/html").await;
    if home.text().contains("/assets/") {
        assert_eq!((page.status, page.text()), (StatusCode::OK, home.text()));
        assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"));
        assert_eq!(page.header("cache-control"), "no-cache");
        let script = home.text().split('"').find(|part| part.starts_with("/assets/")).unwrap().to_owned();
        let script = room.get(&script).await;
        assert!(script.header("cache-control").contains("immutable") && !script.bytes.is_empty());
    } else {
        page.problem(404, "not_found");
    }
    let posted: Value = room.post("/tasks/nothing", &json!({})).await.problem(404, "not_found");
    assert_eq!(posted["detail"], "nothing is at /tasks/nothing");
}
