//! Names to addresses: by the system, or by one DNS server.
//!
//! Called by [`super::connect`] once for each request; nothing is kept. Guarantees: an answer that does not belong to its question is
//! not taken; nothing that a server sends makes this read beyond it or loop. It follows the aliases in an answer, but asks no further
//! question for them: the server must be one that resolves. It judges no address.

mod message;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wasmtime_wasi_http::Error;

use super::NameServer;
use message::{Answer, Kind, Query};

/// How long one question waits for its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(1_500);
/// How often a question is asked.
const TRIES_MAX: u32 = 3;
/// Longest answer over UDP, in bytes.
const DATAGRAM_BYTES_MAX: usize = 4_096;
/// Look-ups by the system at once: each keeps a thread of those that other work of the host needs too.
static SYSTEM_LOOKUPS: Semaphore = Semaphore::const_new(64);
/// The system's look-up wants a port, which is not used.
const NO_PORT: u16 = 0;

/// What a failed look-up is to the guest.
pub(super) fn failure(rcode: &str) -> Error {
    Error::DnsError { rcode: Some(rcode.to_owned()), info_code: None }
}

/// All addresses of a name.
pub(super) async fn resolve(server: NameServer, name: &str) -> Result<Vec<IpAddr>, Error> {
    match server {
        NameServer::System => by_system(name).await,
        NameServer::At(server) => {
            let (v4, v6) = tokio::join!(ask(server, name, Kind::A), ask(server, name, Kind::Aaaa));
            match (v4, v6) {
                (Ok(v4), Ok(v6)) => Ok(v4.into_iter().chain(v6).collect()),
                (Ok(found), Err(error)) | (Err(error), Ok(found)) if found.is_empty() => Err(error),
                (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
                (Err(error), Err(_)) => Err(error),
            }
        }
    }
}

/// The system's look-up cannot be ended: its place is taken until it returns, whether or not anybody waits for it.
async fn by_system(name: &str) -> Result<Vec<IpAddr>, Error> {
    let place = SYSTEM_LOOKUPS.acquire().await.map_err(|_| Error::DnsTimeout)?;
    let name = name.to_owned();
    let looked_up = tokio::task::spawn_blocking(move || {
        let found = (name.as_str(), NO_PORT).to_socket_addrs();
        drop(place);
        found
    });
    let found = looked_up.await.map_err(|_| Error::DnsTimeout)?.map_err(|_| failure("no address"))?;
    Ok(found.map(|address| address.ip()).collect())
}

async fn ask(server: SocketAddr, name: &str, kind: Kind) -> Result<Vec<IpAddr>, Error> {
    for _ in 0..TRIES_MAX {
        let query = Query::new(name, kind).ok_or_else(|| failure("not a name"))?;
        match timeout(ANSWER_TIMEOUT, over_udp(server, &query)).await {
            Ok(Ok(Answer::Truncated)) => return settled(over_tcp(server, &query).await),
            Ok(answer) => return settled(answer),
            Err(_) => {}
        }
    }
    Err(Error::DnsTimeout)
}

fn settled(answer: std::io::Result<Answer>) -> Result<Vec<IpAddr>, Error> {
    match answer {
        Ok(Answer::Addresses(addresses)) => Ok(addresses),
        Ok(Answer::Failed(rcode)) => Err(failure(rcode)),
        Ok(Answer::Truncated) => Err(failure("truncated")),
        Err(_) => Err(failure("no answer")),
    }
}

async fn over_udp(server: SocketAddr, query: &Query) -> std::io::Result<Answer> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, NO_PORT)).await?;
    // From here on only this server is heard.
    socket.connect(server).await?;
    socket.send(query.bytes()).await?;
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    loop {
        let count = socket.recv(&mut buffer).await?;
        if let Some(answer) = buffer.get(..count).and_then(|bytes| query.answer(bytes)) {
            return Ok(answer);
        }
    }
}

async fn over_tcp(server: SocketAddr, query: &Query) -> std::io::Result<Answer> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(query.bytes().len()).unwrap_or(u16::MAX);
        stream.write_u16(length).await?;
        stream.write_all(query.bytes()).await?;
        let mut bytes = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut bytes).await?;
        query.answer(&bytes).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
    };
    timeout(ANSWER_TIMEOUT, exchange).await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}
