//! TLS of the API and of gRPC: certificate and key out of files, read anew when they change.
//!
//! Called by the accept loops; that of HTTP watches the files. Guarantees: connections begun before a change go on with what they began with; a file that cannot be
//! read or does not fit changes nothing, is logged, and is tried again when it changes next. TLS 1.2 and 1.3.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, RwLock};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// The only protocol that the API speaks.
const HTTP: &[u8] = b"http/1.1";
/// That of gRPC.
const HTTP2: &[u8] = b"h2";

/// Where certificates and keys are, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those that lead to its root.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Who signs clients' certificates: then every client has to show one, besides its token.
    pub client_ca: Option<PathBuf>,
}

/// They cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("{}: {why}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why not.
        why: String,
    },
    /// They do not fit together.
    #[error("the certificate and its key cannot be used together: {0}")]
    Unfit(#[source] rustls::Error),
}

/// What a file was when it was read.
type Stamp = Vec<Option<(SystemTime, u64)>>;

/// Certificates in force.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    configs: RwLock<Configs>,
    seen: Mutex<Stamp>,
}

/// The same, for each door.
#[derive(Debug, Clone)]
struct Configs {
    http: Arc<ServerConfig>,
    grpc: Arc<ServerConfig>,
}

impl Configs {
    fn of(config: &ServerConfig) -> Self {
        let speaking = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            Arc::new(config)
        };
        Self { http: speaking(HTTP), grpc: speaking(HTTP2) }
    }
}

impl TlsFiles {
    fn stamp(&self) -> Stamp {
        let all = [Some(&self.cert), Some(&self.key), self.client_ca.as_ref()];
        let one = |path: &PathBuf| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        };
        all.into_iter().flatten().map(one).collect()
    }

    fn read(&self) -> Result<Configs, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unfit)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(file) => builder.with_client_cert_verifier(verifier(file)?),
        };
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|why| wrong(&self.key, &why))?;
        let config = builder.with_single_cert(certificates(&self.cert)?, key).map_err(TlsError::Unfit)?;
        Ok(Configs::of(&config))
    }
}

fn wrong(file: &Path, why: &impl std::fmt::Display) -> TlsError {
    TlsError::File { file: file.to_owned(), why: why.to_string() }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all = CertificateDer::pem_file_iter(file).map_err(|why| wrong(file, &why))?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(|why| wrong(file, &why))?;
    if all.is_empty() { Err(wrong(file, &"it holds no certificate")) } else { Ok(all) }
}

fn verifier(file: &Path) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|why| wrong(file, &why))?;
    }
    let provider = Arc::new(ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|why| wrong(file, &why))
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`], which names the file.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let seen = files.stamp();
        let configs = RwLock::new(files.read()?);
        Ok(Self { files, configs, seen: Mutex::new(seen) })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.configs.read().http.clone())
    }

    /// For the next connection of gRPC: the certificate that is in force now.
    #[must_use]
    pub fn grpc_acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.configs.read().grpc.clone())
    }

    /// Reads the files anew when they change, until it is dropped.
    pub(super) async fn watch(&self) {
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            self.look();
        }
    }

    fn look(&self) {
        let stamp = self.files.stamp();
        if *self.seen.lock() == stamp {
            return;
        }
        match self.files.read() {
            Ok(configs) => {
                *self.configs.write() = configs;
                tracing::info!(cert = %self.files.cert.display(), "the certificate was read anew");
            }
            Err(error) => tracing::error!(%error, "a changed certificate cannot be used; the former one stays"),
        }
        *self.seen.lock() = stamp;
    }
}
