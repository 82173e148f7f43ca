//! HTTP servers for tests, with TLS and without: they do what the path says, and count who comes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Longer than any test waits.
const FOR_EVER: Duration = Duration::from_secs(600);

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Who came.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) connections: AtomicUsize,
    pub(super) requests: AtomicUsize,
    pub(super) open: AtomicUsize,
}

pub(super) struct Server {
    pub(super) port: u16,
    pub(super) counts: Arc<Counts>,
}

impl Server {
    pub(super) fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }

    pub(super) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    pub(super) fn open(&self) -> usize {
        self.counts.open.load(Ordering::SeqCst)
    }

    pub(super) async fn start(address: SocketAddr, tls: Option<TlsAcceptor>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let port = listener.local_addr()?.port();
        let counts = Arc::new(Counts::default());
        tokio::spawn(accept(listener, tls, counts.clone()));
        Ok(Self { port, counts })
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, counts: Arc<Counts>) {
    while let Ok((stream, _)) = listener.accept().await {
        counts.connections.fetch_add(1, Ordering::SeqCst);
        let (tls, counts) = (tls.clone(), counts.clone());
        tokio::spawn(async move {
            counts.open.fetch_add(1, Ordering::SeqCst);
            match tls {
                None => serve(stream, "none".to_owned(), &counts).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        let name = stream.get_ref().1.server_name().unwrap_or("an address").to_owned();
                        serve(stream, name, &counts).await;
                    }
                }
            }
            counts.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, sni: String, counts: &Arc<Counts>) {
    let service = service_fn(|request| {
        counts.requests.fetch_add(1, Ordering::SeqCst);
        let sni = sni.clone();
        async move { Ok::<_, Infallible>(answer(request, &sni).await) }
    });
    // Clients that go away are part of the tests.
    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

fn whole(status: u16, text: String) -> Response<Body> {
    Response::builder().status(status).body(Full::from(text).boxed_unsync()).unwrap()
}

fn in_pieces(pieces: impl futures::Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    let frames = pieces.map(|piece| Ok(Frame::data(piece)));
    Response::new(StreamBody::new(frames).boxed_unsync())
}

async fn answer(request: Request<Incoming>, sni: &str) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let number = || query.parse::<usize>().unwrap();
    match path.as_str() {
        "/redirect" => {
            Response::builder().status(302).header("location", query).body(Full::default().boxed_unsync()).unwrap()
        }
        "/big" => whole(200, "x".repeat(number())),
        "/pieces" => in_pieces(stream::repeat(Bytes::from(vec![b'x'; 1_024])).take(number())),
        "/stall" => in_pieces(stream::once(async { Bytes::from_static(b"x") }).chain(stream::pending())),
        "/silent" => {
            tokio::time::sleep(FOR_EVER).await;
            whole(200, String::new())
        }
        "/headers" => {
            let many = (0..number()).map(|n| (format!("x-{n}"), "y".repeat(100)));
            many.fold(Response::builder(), |builder, (name, value)| builder.header(name, value))
                .body(Full::default().boxed_unsync())
                .unwrap()
        }
        _ => echo(request, sni).await,
    }
}

async fn echo(request: Request<Incoming>, sni: &str) -> Response<Body> {
    let header = |name: &str| request.headers().get(name).map_or("none", |value| value.to_str().unwrap()).to_owned();
    let (host, hosts) = (header("host"), request.headers().get_all("host").iter().count());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let encoding = header("transfer-encoding");
    let Ok(body) = request.into_body().collect().await else { return whole(400, "half a body".to_owned()) };
    let bytes = body.to_bytes().len();
    whole(200, format!("{method} {uri} host={host}x{hosts} sni={sni} body={bytes} encoding={encoding}"))
}

/// A certificate authority of our own.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// TLS for a server of these names.
    pub(super) fn acceptor(&self, names: &[&str]) -> TlsAcceptor {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}
