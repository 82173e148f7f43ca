//! TLS over real connections: certificates that are read anew, clients that have to show one, handshakes that never end.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tasklane_api::{ApiSettings, ServeSettings, Tls, TlsError, TlsFiles};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::support::Room;

/// Ends a test that would hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Who signs, and what was signed.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Tasklane's tests");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate and its key, PEM.
    fn sign(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages.push(purpose);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        roots
    }
}

pub(crate) struct Secured {
    pub(crate) room: Room,
    address: std::net::SocketAddr,
    authority: Authority,
    dir: TempDir,
}

impl Drop for Secured {
    fn drop(&mut self) {
        self.room.background.cancel();
    }
}

fn write_pair(dir: &Path, (cert, key): &(String, String)) {
    std::fs::write(dir.join("tls.crt"), cert).unwrap();
    std::fs::write(dir.join("tls.key"), key).unwrap();
}

fn files(dir: &Path, client_ca: bool) -> TlsFiles {
    let client_ca = client_ca.then(|| dir.join("clients.pem"));
    TlsFiles { cert: dir.join("tls.crt"), key: dir.join("tls.key"), client_ca }
}

pub(crate) async fn secured(client_ca: bool, serve: ServeSettings) -> Secured {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    write_pair(dir.path(), &authority.sign("localhost", ExtendedKeyUsagePurpose::ServerAuth));
    std::fs::write(dir.path().join("clients.pem"), &authority.pem).unwrap();
    let tls = Some(Arc::new(Tls::load(files(dir.path(), client_ca)).unwrap()));
    let room = Box::pin(Room::with(ApiSettings { tls, serve, ..ApiSettings::default() })).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (api, stop) = (room.api.clone(), room.background.clone());
    tokio::spawn(async move { api.serve(listener, stop).await });
    Secured { room, address, authority, dir }
}

impl Secured {
    /// Another certificate in the files.
    pub(crate) fn renew(&self) {
        write_pair(self.dir.path(), &self.authority.sign("localhost", ExtendedKeyUsagePurpose::ServerAuth));
    }

    /// A certificate that the server knows.
    pub(crate) fn client(&self) -> (String, String) {
        self.authority.sign("somebody", ExtendedKeyUsagePurpose::ClientAuth)
    }

    pub(crate) fn config(&self, identity: Option<(String, String)>) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.authority.roots());
        match identity {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let cert = CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![cert], key).unwrap()
            }
        }
    }

    /// The answer to `GET /livez`, and the certificate that the server showed.
    async fn ask(&self, config: ClientConfig) -> std::io::Result<(String, Vec<u8>)> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut bytes = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("no end")?;
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        Ok((String::from_utf8_lossy(&bytes).into_owned(), shown))
    }
}

#[tokio::test]
async fn a_certificate_is_read_anew_without_a_restart() {
    let server = secured(false, ServeSettings::default()).await;
    let (answer, first) = server.ask(server.config(None)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // What cannot be used changes nothing.
    std::fs::write(server.dir.path().join("tls.crt"), "nonsense").unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(server.ask(server.config(None)).await.unwrap().1, first);
    server.renew();
    let begun = Instant::now();
    while server.ask(server.config(None)).await.unwrap().1 == first {
        assert!(begun.elapsed() < PATIENCE, "the former certificate stays");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn where_clients_have_certificates_each_has_to_show_one() {
    let server = secured(true, ServeSettings::default()).await;
    let (answer, _) = server.ask(server.config(Some(server.client()))).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let stranger = Authority::new().sign("somebody", ExtendedKeyUsagePurpose::ClientAuth);
    for identity in [None, Some(stranger)] {
        let refused = server.ask(server.config(identity)).await;
        assert!(refused.is_err(), "{refused:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_cut_off_and_plain_http_gets_nothing() {
    let serve = ServeSettings { header_timeout: Duration::from_millis(200), ..ServeSettings::default() };
    let server = secured(false, serve).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut bytes = Vec::new();
    drop(tokio::time::timeout(PATIENCE, silent.read_to_end(&mut bytes)).await.expect("it was never closed"));
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    drop(tokio::time::timeout(PATIENCE, plain.read_to_end(&mut bytes)).await.expect("it was never closed"));
    assert!(!String::from_utf8_lossy(&bytes).contains("HTTP"), "{bytes:?}");
    let begun = Instant::now();
    // Who is not scheduled for so short a time is cut off, too.
    while server.ask(server.config(None)).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "others are served");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let missing = Tls::load(files(dir.path(), false)).unwrap_err();
    assert!(missing.to_string().contains("tls."), "{missing}");
    let (one, other) = (
        authority.sign("localhost", ExtendedKeyUsagePurpose::ServerAuth),
        authority.sign("localhost", ExtendedKeyUsagePurpose::ServerAuth),
    );
    write_pair(dir.path(), &(one.0.clone(), other.1));
    assert!(matches!(Tls::load(files(dir.path(), false)), Err(TlsError::Unfit(_))));
    write_pair(dir.path(), &(one.1.clone(), one.1));
    assert!(Tls::load(files(dir.path(), false)).unwrap_err().to_string().contains("tls.crt"));
}
