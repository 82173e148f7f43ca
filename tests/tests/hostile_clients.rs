//! Clients that mean harm, all at once against one live API: connections that never say what they want, answers that nobody reads, bodies
//! that are not what they say, calls of gRPC that are reset at once. Canaries go on succeeding, and the process's memory stays flat.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use tasklane_tests::canary::{canaries, deploy, percentile, times};
use tasklane_tests::{Cluster, ClusterSettings, free_address};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections of each kind that only hold on.
const HELD: usize = 150;
/// Connections that open calls of gRPC and reset them.
const RESETTING: usize = 10;
/// Bad bodies of each kind.
const BAD: usize = 100;
/// How long they are at it.
const ATTACK: Duration = Duration::from_secs(15);
/// Resident memory may grow by this much, in bytes: buffers of the connections that are held, and what an allocator keeps.
const GROWTH_MAX: u64 = 96 * 1024 * 1024;
/// No canary takes longer on any machine that can run the tests; the figure itself is printed.
const CANARY_MAX: Duration = Duration::from_secs(10);

/// A connection from another loopback address than the canaries'.
async fn connect(to: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind("127.0.0.2:0".parse()?)?;
    Ok(socket.connect(to).await?)
}

fn head(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{more}\r\n")
}

/// A byte now and then, of headers that never end.
async fn slow_headers(to: SocketAddr, until: CancellationToken) {
    while !until.is_cancelled() {
        let Ok(mut stream) = connect(to).await else { continue };
        if stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n").await.is_err() {
            continue;
        }
        while !until.is_cancelled() && stream.write_all(b"X: y\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// A byte now and then, of a body that was said to be longer than any may be.
async fn slow_body(to: SocketAddr, until: CancellationToken) {
    let Ok(mut stream) = connect(to).await else { return };
    drop(stream.write_all(head("POST", "/api/v1/tasks", "Content-Length: 99999999999\r\n").as_bytes()).await);
    while !until.is_cancelled() && stream.write_all(b" ").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Asks for much, again and again, and reads nothing.
async fn no_reader(to: SocketAddr, path: &str, until: CancellationToken) {
    let Ok(mut stream) = connect(to).await else { return };
    let request = head("GET", path, "");
    for _ in 0..50 {
        let sent = tokio::time::timeout(Duration::from_millis(100), stream.write_all(request.as_bytes())).await;
        if !matches!(sent, Ok(Ok(()))) {
            break;
        }
    }
    until.cancelled().await;
}

/// What opens a connection of HTTP/2: the preface, and settings that say nothing.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// Calls that are opened and reset in one write.
const RESETS: u32 = 500;

/// `POST /` and its reset at once, on that stream.
fn call_and_reset(stream: u32) -> Vec<u8> {
    let id = stream.to_be_bytes();
    // The table of HPACK: POST, http, /, and an authority of one letter.
    let headers: &[u8] = b"\x83\x86\x84\x41\x01x";
    [b"\0\0\x06\x01\x05".as_slice(), &id, headers, b"\0\0\x04\x03\0", &id, b"\0\0\0\x08"].concat()
}

/// Calls of gRPC that are reset as soon as they are opened (rapid reset), on one connection after the other.
async fn rapid_reset(to: SocketAddr, until: CancellationToken) {
    while !until.is_cancelled() {
        let Ok(mut stream) = connect(to).await else { continue };
        let mut next = 1;
        let mut bytes = HTTP2.to_vec();
        while !until.is_cancelled() {
            bytes.extend((0..RESETS).flat_map(|number| call_and_reset(next + 2 * number)));
            // A server that reads no more is left, as one that has closed.
            let sent = tokio::time::timeout(Duration::from_secs(1), stream.write_all(&bytes)).await;
            if !matches!(sent, Ok(Ok(()))) {
                break;
            }
            // The test's own processor time is the canaries' too.
            tokio::time::sleep(Duration::from_millis(20)).await;
            next += 2 * RESETS;
            bytes.clear();
        }
    }
}

/// Sends one request, and answers the status line; nothing where the connection was closed.
async fn status(to: SocketAddr, bytes: &[u8]) -> anyhow::Result<String> {
    let mut stream = connect(to).await?;
    // A server that has seen enough may close before it has read everything.
    drop(stream.write_all(bytes).await);
    let mut answer = vec![0; 64];
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut answer)).await.context("no answer")?;
    answer.truncate(read.unwrap_or(0));
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}

fn with_body(more: &str, body: &[u8]) -> Vec<u8> {
    let length = format!("{more}Content-Length: {}\r\nConnection: close\r\n", body.len());
    [head("POST", "/api/v1/tasks", &length).as_bytes(), body].concat()
}

/// 64 MiB of spaces in some KiB.
fn bomb() -> anyhow::Result<Vec<u8>> {
    let packed = std::process::Command::new("bash")
        .args(["-c", "head -c 67108864 /dev/zero | tr '\\0' ' ' | gzip -9"])
        .output()?;
    ensure!(packed.status.success() && packed.stdout.len() < 1_000_000, "gzip is missing");
    Ok(packed.stdout)
}

/// What a client may send, and how it must be answered: with a 4xx, or not at all.
fn bad_requests() -> anyhow::Result<Vec<(&'static str, Vec<u8>)>> {
    let deep = |n: usize| {
        [b"{\"module\":\"canary\",\"labels\":".to_vec(), vec![b'['; n], vec![b']'; n], b"}".to_vec()].concat()
    };
    Ok(vec![
        ("a gzip bomb", with_body("Content-Encoding: gzip\r\n", &bomb()?)),
        ("deep JSON", with_body("", &deep(500_000))),
        ("deep JSON that never closes", with_body("", &vec![b'['; 1_000_000])),
        ("a field twice", with_body("", br#"{"module":"canary","module":"canary"}"#)),
        (
            "10,000 fields",
            with_body(
                "",
                format!("{{{}}}", (0..10_000).map(|n| format!("\"f{n}\":1")).collect::<Vec<_>>().join(",")).as_bytes(),
            ),
        ),
        (
            "a long number",
            with_body("", format!("{{\"module\":\"canary\",\"delay_ms\":{}}}", "9".repeat(500_000)).as_bytes()),
        ),
        ("two lengths", head("POST", "/api/v1/tasks", "Content-Length: 5\r\nContent-Length: 6\r\n").into_bytes()),
        (
            "length and chunks",
            [
                head("POST", "/api/v1/tasks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n").into_bytes(),
                b"0\r\n\r\n".to_vec(),
            ]
            .concat(),
        ),
        (
            "endless chunks' sizes",
            [head("POST", "/api/v1/tasks", "Transfer-Encoding: chunked\r\n").into_bytes(), vec![b'f'; 10_000]].concat(),
        ),
        ("a long header", head("GET", "/api/v1/tasks", &format!("X: {}\r\n", "y".repeat(1_000_000))).into_bytes()),
        ("many headers", head("GET", "/api/v1/tasks", &"X: y\r\n".repeat(10_000)).into_bytes()),
        ("a long path", head("GET", &format!("/{}", "y".repeat(1_000_000)), "").into_bytes()),
        ("HTTP/2 where there is none", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("no HTTP", vec![0xff; 10_000]),
    ])
}

/// Each bad request `BAD` times; every answer is the client's fault.
async fn bad(to: SocketAddr) -> anyhow::Result<()> {
    for (what, bytes) in bad_requests()? {
        for _ in 0..BAD {
            let line = status(to, &bytes).await?;
            let theirs = line.is_empty() || line.starts_with("HTTP/1.1 4") || line.starts_with("HTTP/1.0 4");
            ensure!(theirs, "{what} was answered with {line}");
        }
    }
    Ok(())
}

async fn bad_for_ever(to: SocketAddr) -> anyhow::Result<Infallible> {
    loop {
        bad(to).await?;
    }
}

/// Bytes of the process that are in memory.
fn resident(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
}

fn hold(attackers: &mut JoinSet<()>, to: SocketAddr, grpc: SocketAddr, until: &CancellationToken) {
    for _ in 0..RESETTING {
        attackers.spawn(rapid_reset(grpc, until.clone()));
    }
    for _ in 0..HELD {
        attackers.spawn(slow_headers(to, until.clone()));
        attackers.spawn(slow_body(to, until.clone()));
        attackers.spawn(no_reader(to, "/api/v1/openapi.json", until.clone()));
        attackers.spawn(no_reader(to, "/api/v1/events", until.clone()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn canaries_go_on_and_memory_stays_flat() -> anyhow::Result<()> {
    let grpc: SocketAddr = free_address()?.parse()?;
    let env = vec![("TASKLANE_GRPC_LISTEN".to_owned(), grpc.to_string())];
    let cluster = Cluster::start(ClusterSettings { env, ..ClusterSettings::default() }).await?;
    deploy(&cluster.client).await?;
    let to: SocketAddr = cluster.api.ops.parse()?;
    // Once, so that what is only made once is there before memory is looked at.
    bad(to).await?;
    let before = resident(cluster.api.pid())?;
    let (until, mut attackers) = (CancellationToken::new(), JoinSet::new());
    let watching = tokio::spawn(canaries(cluster.client.clone(), until.clone()));
    hold(&mut attackers, to, grpc, &until);
    if let Ok(ended) = tokio::time::timeout(ATTACK, bad_for_ever(to)).await {
        match ended? {}
    }
    let during = resident(cluster.api.pid())?;
    until.cancel();
    let took = times(&watching.await??);
    while attackers.join_next().await.is_some() {}
    let (count, p99) = (took.len(), percentile(took, 99));
    writeln!(
        std::io::stderr(),
        "{count} canaries, p99 {p99:?}; memory {} MiB before, {} MiB during",
        before >> 20,
        during >> 20
    )?;
    ensure!(count > 10, "only {count} canaries ended in {ATTACK:?}\n{}", cluster.outputs());
    ensure!(p99 < CANARY_MAX, "a canary took {p99:?}");
    ensure!(during < before + GROWTH_MAX, "memory grew from {before} to {during} bytes");
    Ok(())
}
