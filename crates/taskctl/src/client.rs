//! Talks to the API: problems become failures, and an unreachable server says how to start one.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tasklane_api_types::{BlobView, ErrorCode, Problem};

use crate::connection::Connection;
use crate::failure::{FAILED, Failure, UNREACHABLE, USAGE};
use crate::output;

mod feed;

pub(crate) use feed::{Feed, Told};

/// Longer than the longest `?wait`.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a blob may take, either way.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(600);
/// How often a request that reads is tried while no connection can be made.
const TRIES_MAX: u32 = 3;
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// What is shown while an answer takes its time.
const WAITING: &str = "waiting for the server";

/// A connection to one API. Every request goes out here, with the token where there is one.
pub(crate) struct Client {
    base: String,
    namespace: Option<String>,
    http: reqwest::Client,
}

impl Client {
    /// For a server, and perhaps for one namespace.
    pub(crate) fn new(connection: &Connection) -> anyhow::Result<Self> {
        let mut http = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).default_headers(headers(connection)?);
        if let Some(path) = &connection.ca_file {
            http = http.tls_certs_merge(roots(path)?);
        }
        Ok(Self { base: connection.server.clone(), namespace: connection.namespace.clone(), http: http.build()? })
    }

    /// Whose it all is, if the command line says so.
    pub(crate) fn namespace(&self) -> Option<String> {
        self.namespace.clone()
    }

    /// A path of something that belongs to a namespace.
    pub(crate) fn scoped(&self, path: &str) -> String {
        let Some(namespace) = &self.namespace else { return path.to_owned() };
        let sign = if path.contains('?') { '&' } else { '?' };
        format!("{path}{sign}namespace={}", segment(namespace))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let why = match error {
            error if error.is_timeout() => "did not answer in time",
            error if error.is_body() || error.is_decode() => "went away in the middle of an answer",
            _ => "cannot be reached",
        };
        Failure::new(UNREACHABLE, format!("the server at {} {why}", self.base))
            .hint("start one with `taskctl dev`, or point --server, TASKLANE_SERVER or a context at a running one")
    }

    /// GET, as bytes.
    pub(crate) async fn bytes(&self, path: &str, accept: &str) -> anyhow::Result<Vec<u8>> {
        output::lasting(WAITING, async {
            let mut tries = 1;
            let answer = loop {
                match self.http.get(self.url(path)).header("accept", accept).send().await {
                    Err(error) if error.is_connect() && tries < TRIES_MAX => tries += 1,
                    answer => break answer.map_err(|error| self.unreachable(&error))?,
                }
                tokio::time::sleep(RETRY_PAUSE).await;
            };
            self.read(answer).await
        })
        .await
    }

    /// GET, straight to standard output: piece by piece into a file or pipe, and inert on a terminal.
    pub(crate) async fn print(&self, path: &str) -> anyhow::Result<()> {
        if output::stdout_is_terminal() {
            return Ok(output::foreign(&self.bytes(path, "*/*").await?)?);
        }
        let request = self.http.get(self.url(path)).timeout(TRANSFER_TIMEOUT);
        let mut answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        if !answer.status().is_success() {
            return self.read(answer).await.map(drop);
        }
        output::lasting("downloading", async {
            while let Some(piece) = answer.chunk().await? {
                output::raw(&piece)?;
            }
            Ok(())
        })
        .await
    }

    /// POST of a blob, streamed.
    pub(crate) async fn upload_blob(&self, body: reqwest::Body) -> anyhow::Result<BlobView> {
        let request = self.http.post(self.url("/api/v1/blobs")).timeout(TRANSFER_TIMEOUT);
        let request = request.header("content-type", "application/octet-stream").body(body);
        parse(&output::lasting("uploading", self.answer(request)).await?)
    }

    /// GET, as a type.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        parse(&self.bytes(path, "application/json").await?)
    }

    /// GET, as a type; `None` where the server answers with this code.
    pub(crate) async fn get_unless<T: DeserializeOwned>(
        &self,
        path: &str,
        code: ErrorCode,
    ) -> anyhow::Result<Option<T>> {
        let (status, bytes) = output::lasting(WAITING, async {
            let answer = self.http.get(self.url(path)).send().await.map_err(|error| self.unreachable(&error))?;
            let status = answer.status();
            anyhow::Ok((status, answer.bytes().await.map_err(|error| self.unreachable(&error))?))
        })
        .await?;
        if status.is_success() {
            return parse(&bytes).map(Some);
        }
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) if problem.code == code => Ok(None),
            _ => Err(refused(status, &bytes)),
        }
    }

    /// POST of a JSON body.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        self.send(self.http.post(self.url(path)).json(body)).await
    }

    /// PUT of a JSON body.
    pub(crate) async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        self.send(self.http.put(self.url(path)).json(body)).await
    }

    /// PATCH with a JSON body.
    pub(crate) async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        self.send(self.http.patch(self.url(path)).json(body)).await
    }

    async fn send<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> anyhow::Result<T> {
        parse(&output::lasting(WAITING, self.answer(request)).await?)
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Vec<u8>> {
        self.read(request.send().await.map_err(|error| self.unreachable(&error))?).await
    }

    /// The whole of an answer; a server that goes away in the middle of it is not there.
    async fn read(&self, answer: reqwest::Response) -> anyhow::Result<Vec<u8>> {
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(|error| self.unreachable(&error))?.to_vec();
        if status.is_success() {
            return Ok(bytes);
        }
        Err(refused(status, &bytes))
    }

    /// DELETE, with no answer but success.
    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<()> {
        output::lasting(WAITING, self.answer(self.http.delete(self.url(path)))).await.map(drop)
    }

    /// POST of a form.
    pub(crate) async fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        form: reqwest::multipart::Form,
    ) -> anyhow::Result<T> {
        parse(&self.answer(self.http.post(self.url(path)).multipart(form)).await?)
    }
}

/// The certificates of a PEM file; a file without any is a mistake.
fn roots(path: &Path) -> anyhow::Result<Vec<reqwest::Certificate>> {
    let wrong = || Failure::new(USAGE, format!("{} holds no certificates in PEM", path.display()));
    let roots = reqwest::Certificate::from_pem_bundle(&read_file(path)?).map_err(|_| wrong())?;
    if roots.is_empty() { Err(wrong().into()) } else { Ok(roots) }
}

/// Who asks. The token is marked, so that no log of requests shows it.
fn headers(connection: &Connection) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(token) = &connection.token {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
            .map_err(|_| Failure::new(USAGE, "the token holds characters that no token has"))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// What an answer that is no success says.
fn refused(status: reqwest::StatusCode, bytes: &[u8]) -> anyhow::Error {
    match serde_json::from_slice::<Problem>(bytes) {
        Ok(problem) => Failure::from(problem).into(),
        Err(_) => Failure::new(FAILED, format!("the server answered {status}, which is no answer of Tasklane"))
            .hint("check --server: something else may be listening there")
            .into(),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> anyhow::Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        Failure::new(FAILED, format!("the server's answer cannot be read: {error}"))
            .hint("taskctl and server should be of the same version")
            .into()
    })
}

/// A segment of a path, with everything escaped that is not plain.
pub(crate) fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Reads a file, or says why not.
pub(crate) fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| Failure::new(crate::failure::USAGE, format!("cannot read {}: {error}", path.display())).into())
}
