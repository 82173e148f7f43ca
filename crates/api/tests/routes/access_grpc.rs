//! Every method of `proto/` with every kind of credential, over real connections, against the tables in `docs/access.md`; and TLS there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use http::{Request, header};
use tasklane_api::Api;
use tasklane_grpc::{Acceptor, GrpcSettings};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::access::{Guarded, bearer};
use crate::access_matrix::{everybody, expected, table};
use crate::documents::docs;
use crate::tls::{PATIENCE, Secured, secured};

/// gRPC's codes.
const NOT_LET_IN: [&str; 2] = ["16", "7"];

/// Each method, and the operation that it stands for, as the document says.
fn doors() -> BTreeMap<String, (String, String)> {
    let text = std::fs::read_to_string(docs("access.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `tasklane.v1."));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let operation = cells[2].split('`').nth(1).unwrap();
        let (method, path) = operation.split_once(' ').unwrap();
        (format!("tasklane.v1.{}", cells[0].trim_matches('`')), (method.to_lowercase(), path.to_owned()))
    };
    rows.map(row).collect()
}

/// Each method of `proto/`.
fn methods() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in ["tasks", "modules", "cluster"] {
        let path = docs(&format!("../proto/tasklane/v1/{file}.proto"));
        let text = std::fs::read_to_string(path).unwrap();
        let service = text.lines().find_map(|line| line.strip_prefix("service ")).unwrap().trim_end_matches(" {");
        let named = text.lines().filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next());
        found.extend(named.map(|method| format!("tasklane.v1.{service}/{method}")));
    }
    found
}

/// Fields of a message: number and text, each short.
fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let field =
        |(number, value): &(u8, &[u8])| [&[(number << 3) | 2, u8::try_from(value.len()).unwrap()], *value].concat();
    fields.iter().flat_map(field).collect()
}

/// A request about namespace `acme`.
fn example(method: &str) -> Vec<u8> {
    let id = b"0198c0de-7a5c-7000-8000-000000000000".as_slice();
    let acme = b"acme".as_slice();
    match method {
        "tasklane.v1.Tasks/Submit" | "tasklane.v1.Tasks/SubmitBatch" => message(&[(1, b"own"), (8, acme)]),
        "tasklane.v1.Tasks/List" => message(&[(4, acme)]),
        "tasklane.v1.Modules/Deploy" => message(&[(1, &message(&[(1, b"name = \"own\""), (2, acme)]))]),
        "tasklane.v1.Modules/List" => message(&[(1, acme)]),
        "tasklane.v1.Modules/Get" => message(&[(1, b"own"), (2, b"1.0.0"), (3, acme)]),
        method if method.starts_with("tasklane.v1.Tasks/") => message(&[(1, id), (2, acme)]),
        _ => Vec::new(),
    }
}

/// Serves gRPC until the token is cancelled.
async fn serve(api: &Api, stop: CancellationToken) -> SocketAddr {
    serve_with(api, GrpcSettings::default(), stop).await
}

async fn serve_with(api: &Api, settings: GrpcSettings, stop: CancellationToken) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = api.tls().map(|tls| -> Acceptor { Arc::new(move || tls.grpc_acceptor()) });
    let router = api.in_process_router();
    tokio::spawn(async move { tasklane_grpc::serve(listener, router, settings, tls, stop).await });
    address
}

type Calls = h2::client::SendRequest<Bytes>;

async fn open(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Calls {
    let (calls, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    calls.ready().await.unwrap()
}

/// One call: `grpc-status`, and `tasklane-code` beside it.
async fn call(calls: &mut Calls, method: &str, credential: Option<&str>, message: &[u8]) -> (String, String) {
    let mut request = Request::post(format!("http://localhost/{method}"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(())
        .unwrap();
    if let Some(credential) = credential {
        request.headers_mut().insert(header::AUTHORIZATION, bearer(credential));
    }
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put(message);
    let (answer, mut sending) = calls.send_request(request, false).unwrap();
    sending.send_data(frame.freeze(), true).unwrap();
    let (head, mut body) = answer.await.unwrap().into_parts();
    while let Some(piece) = body.data().await {
        let size = piece.unwrap().len();
        body.flow_control().release_capacity(size).unwrap();
    }
    // What is refused at once says so in its head.
    let trailers = body.trailers().await.unwrap().unwrap_or_default();
    let text = |name| head.headers.get(name).or(trailers.get(name)).map_or("", |value| value.to_str().unwrap());
    (text("grpc-status").to_owned(), text("tasklane-code").to_owned())
}

#[test]
fn every_method_has_a_row_and_each_row_leads_to_an_operation() {
    let (doors, table) = (doors(), table());
    assert_eq!(doors.keys().cloned().collect::<BTreeSet<_>>(), methods());
    for (method, operation) in doors {
        assert!(table.contains_key(&operation), "{method} stands for {operation:?}, which has no row");
    }
}

#[tokio::test]
async fn every_method_may_be_called_by_whom_the_table_says_and_nobody_else() {
    let room = Guarded::new().await;
    let address = serve(&room.api, room.background.clone()).await;
    let (table, people) = (table(), everybody(&room).await);
    let mut tried = 0;
    for (from, (method, operation)) in (2_u8..).zip(doors()) {
        let row = &table[&operation];
        // From an address of its own: one address may not guess wrong this often.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, from], 0).into()).unwrap();
        let mut calls = open(socket.connect(address).await.unwrap()).await;
        for who in &people {
            let example = example(&method);
            let told = call(&mut calls, &method, who.credential.as_deref(), &example);
            let (status, code) = tokio::time::timeout(PATIENCE, told).await.unwrap();
            let what = format!("{method} with {}: {status} {code}", who.what);
            match expected(row, who) {
                Some(401) => assert_eq!((status.as_str(), code.as_str()), ("16", "unauthenticated"), "{what}"),
                Some(_) => assert_eq!((status.as_str(), code.as_str()), ("7", "permission_denied"), "{what}"),
                None => assert!(!status.is_empty() && !NOT_LET_IN.contains(&status.as_str()), "{what}"),
            }
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried}");
}

/// The certificate that the server shows, and the status of a call.
async fn over_tls(server: &Secured, address: SocketAddr) -> (Vec<u8>, String) {
    let mut config = server.config(None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let mut calls = open(stream).await;
    (shown, call(&mut calls, "tasklane.v1.Tasks/List", None, &[]).await.0)
}

#[tokio::test]
async fn grpc_has_the_certificate_of_the_api_and_takes_a_new_one_without_a_restart() {
    let server = secured(false, tasklane_api::ServeSettings::default()).await;
    let address = serve(&server.room.api, server.room.background.clone()).await;
    let (first, status) = over_tls(&server, address).await;
    assert_eq!(status, "0", "an open room lists its tasks");
    server.renew();
    let begun = Instant::now();
    while over_tls(&server, address).await.0 == first {
        assert!(begun.elapsed() < PATIENCE, "the former certificate stays");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn where_clients_have_certificates_grpc_asks_for_one_too() {
    let server = secured(true, tasklane_api::ServeSettings::default()).await;
    let address = serve(&server.room.api, server.room.background.clone()).await;
    let asked = async |identity| {
        let mut config = server.config(identity);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(address).await?;
        let name = "localhost".try_into().unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let failed = |error: h2::Error| std::io::Error::other(error);
        let (calls, connection) = h2::client::handshake::<_>(stream).await.map_err(failed)?;
        tokio::spawn(async move { drop(connection.await) });
        let mut calls: Calls = calls.ready().await.map_err(failed)?;
        let request = Request::post("http://localhost/tasklane.v1.Tasks/List").body(()).unwrap();
        let (answer, _) = calls.send_request(request, true).map_err(failed)?;
        answer.await.map_err(failed).map(drop)
    };
    assert!(asked(Some(server.client())).await.is_ok());
    assert!(asked(None).await.is_err(), "it asks for none");
}

/// Over NATS, too, it is the same routes: what a message shows in its header is what counts.
#[tokio::test]
async fn those_who_ask_in_this_process_show_a_token_too() {
    let room = Guarded::new().await;
    let inside = room.api.inside();
    let submit = async |credential: Option<String>| {
        let headers = credential.map(|text| ("authorization", format!("Bearer {text}"))).into_iter().collect();
        inside
            .ask("POST", "/api/v1/tasks", headers, Bytes::from_static(br#"{"module":"own","namespace":"acme"}"#))
            .await
            .0
    };
    assert_eq!(submit(None).await, 401);
    let role = tasklane_domain::access::Role::Viewer;
    assert_eq!(submit(Some(room.token("acme", role).await)).await, 403);
    let role = tasklane_domain::access::Role::Submitter;
    assert_eq!(submit(Some(room.token("beta", role).await)).await, 403);
    assert_eq!(submit(Some(room.token("acme", role).await)).await, 202);
}

#[tokio::test]
async fn an_address_has_so_many_connections() {
    let room = crate::support::Room::new().await;
    let settings = GrpcSettings { connections_per_address_max: 2, ..GrpcSettings::default() };
    let address = serve_with(&room.api, settings, room.background.clone()).await;
    let connect = || async { open(TcpStream::connect(address).await.unwrap()).await };
    let (first, second) = (connect().await, connect().await);
    let third = TcpStream::connect(address).await.unwrap();
    // Whether it ends with a reset or in order is the kernel's affair: it answers nothing.
    let asked = async {
        let (calls, connection) = h2::client::handshake(third).await?;
        tokio::spawn(async move { drop(connection.await) });
        let mut calls: Calls = calls.ready().await?;
        let request = Request::post("http://localhost/tasklane.v1.Tasks/List").body(()).unwrap();
        let (answer, _) = calls.send_request(request, true)?;
        answer.await
    };
    let answered = tokio::time::timeout(PATIENCE, asked).await.expect("it was never closed");
    assert!(answered.is_err(), "a third connection was served");
    drop((first, second));
}
