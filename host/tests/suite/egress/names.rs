//! A name server for tests: answers by a table, counts its questions, and may change its mind from question to question.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// What is said of a name.
#[derive(Debug, Clone)]
pub(super) enum Says {
    /// These addresses; the next in the list for each next question of the same kind, and the last for ever.
    Turns(Vec<Vec<IpAddr>>),
    /// It is another name, with that name's addresses.
    Alias(&'static str, Vec<IpAddr>),
    /// Too long for a datagram.
    OverTcp(Vec<IpAddr>),
    /// There is none.
    Unknown,
    /// Nothing is ever answered.
    Silence,
}

type Asked = Arc<Mutex<HashMap<(String, u16), usize>>>;

pub(super) struct NameServer {
    pub(super) address: SocketAddr,
    asked: Asked,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Udp,
    Tcp,
}

const A: u16 = 1;
const AAAA: u16 = 28;
const CNAME: u16 = 5;

impl NameServer {
    pub(super) async fn start(table: HashMap<String, Says>) -> Self {
        let (udp, tcp) = both().await;
        let address = udp.local_addr().unwrap();
        let (table, asked) = (Arc::new(table), Asked::default());
        let (table_udp, asked_udp) = (table.clone(), asked.clone());
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((count, from)) = udp.recv_from(&mut buffer).await {
                if let Some(answer) = answer(&buffer[..count], &table_udp, &asked_udp, Way::Udp) {
                    udp.send_to(&answer, from).await.unwrap();
                }
            }
        });
        let asked_tcp = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
                stream.read_exact(&mut question).await.unwrap();
                let answer = answer(&question, &table, &asked_tcp, Way::Tcp).unwrap();
                stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        Self { address, asked }
    }

    /// How often the IPv4 addresses of a name were asked for.
    pub(super) fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().get(&(name.to_owned(), A)).copied().unwrap_or(0)
    }
}

/// The same port both ways.
async fn both() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

fn answer(question: &[u8], table: &HashMap<String, Says>, asked: &Asked, way: Way) -> Option<Vec<u8>> {
    let (name, kind, end) = read(question);
    let turn = {
        let mut asked = asked.lock().unwrap();
        let count = asked.entry((name.clone(), kind)).or_default();
        *count += 1;
        *count - 1
    };
    let addresses = |owner: &[u8], all: &[IpAddr]| -> Vec<Vec<u8>> {
        all.iter().filter_map(|address| record_of(owner, *address, kind)).collect()
    };
    const ASKED: [u8; 2] = [0xc0, 12];
    let (flags, records): (u16, Vec<Vec<u8>>) = match table.get(&name) {
        Some(Says::Silence) => return None,
        None | Some(Says::Unknown) => (0x8183, vec![]),
        Some(Says::OverTcp(_)) if way == Way::Udp => (0x8380, vec![]),
        Some(Says::OverTcp(all)) => (0x8180, addresses(&ASKED, all)),
        Some(Says::Turns(turns)) => (0x8180, addresses(&ASKED, &turns[turn.min(turns.len() - 1)])),
        Some(Says::Alias(alias, all)) => {
            let mut records = vec![record(&ASKED, CNAME, &encoded(alias))];
            records.extend(addresses(&encoded(alias), all));
            (0x8180, records)
        }
    };
    let mut bytes = question[..end].to_vec();
    bytes[2..4].copy_from_slice(&flags.to_be_bytes());
    bytes[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap().to_be_bytes());
    bytes[8..12].fill(0);
    records.iter().for_each(|record| bytes.extend_from_slice(record));
    Some(bytes)
}

/// Name, kind, and where the question ends.
fn read(question: &[u8]) -> (String, u16, usize) {
    let (mut at, mut labels) = (12, Vec::new());
    while question[at] != 0 {
        let end = at + 1 + usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..end]).to_lowercase());
        at = end;
    }
    (labels.join("."), u16::from_be_bytes([question[at + 1], question[at + 2]]), at + 5)
}

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn record_of(owner: &[u8], address: IpAddr, kind: u16) -> Option<Vec<u8>> {
    match (address, kind) {
        (IpAddr::V4(address), A) => Some(record(owner, A, &address.octets())),
        (IpAddr::V6(address), AAAA) => Some(record(owner, AAAA, &address.octets())),
        _ => None,
    }
}

fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = owner.to_vec();
    for part in [kind, 1, 0, 0, u16::try_from(data.len()).unwrap()] {
        bytes.extend_from_slice(&part.to_be_bytes());
    }
    bytes.extend_from_slice(data);
    bytes
}
