//! `wasi:http/outgoing-handler` for one attempt: judges each request before a byte leaves, and hands it to the gateway.
//!
//! Built by [`super::guest::Guest`] when a guest first uses HTTP. Guarantees: only what the manifest asks for and the operator lets
//! through is handed on, in the one form that was judged; a refusal is an error value with a line in the task's log, never a trap; the
//! attempt's requests are counted, refused ones too.

use std::future::ready;
use std::sync::Arc;
use std::time::Instant;

use http::header::{CONTENT_LENGTH, HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Uri};
use tasklane_domain::egress::{GuestRefusal, Method, Target, check_guest};
use tasklane_domain::{Limits, Manifest};
use tasklane_trace::Span;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::stdio::SharedVoice;
use crate::egress::{Answered, Exchange, Gateway, Open, Refused, Seat, refuse, too_long_a_request};
use crate::trace::AttemptTrace;

/// Longest path with its query, in bytes.
const PATH_BYTES_MAX: usize = 8 * 1024;
/// Bytes that a guest may write to a request's body at once, and pieces that wait for the network.
const CHUNK_BYTES: usize = 64 * 1024;
const CHUNKS_WAITING_MAX: usize = 1;

/// One attempt's way out.
pub(crate) struct Outgoing {
    gateway: Arc<Gateway>,
    manifest: Arc<Manifest>,
    limits: Limits,
    voice: SharedVoice,
    /// When the attempt ends.
    until: Instant,
    requests: u32,
    open: Open,
    trace: Option<AttemptTrace>,
}

/// Why a request is not made.
struct Denied {
    reason: Refused,
    why: String,
    error: Error,
}

impl Denied {
    fn new(reason: Refused, why: impl Into<String>, error: Error) -> Self {
        Self { reason, why: why.into(), error }
    }
}

/// What a request that may be made goes to, in the one form of it.
struct Judged {
    target: Target,
    path: PathAndQuery,
    seat: Seat,
}

type Ending = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sending = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Ending), Error>> + Send>;

impl Outgoing {
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        manifest: Arc<Manifest>,
        limits: Limits,
        voice: SharedVoice,
        until: Instant,
        trace: Option<AttemptTrace>,
    ) -> Self {
        Self { gateway, manifest, limits, voice, until, requests: 0, open: Open::default(), trace }
    }

    fn judge(&mut self, request: &Request<WasiBody>) -> Result<Judged, Denied> {
        self.count()?;
        let method = method(request)?;
        let (target, path) = place(request.uri())?;
        let asked = &self.manifest.permissions.http;
        check_guest(asked, &self.gateway.settings.policy, &target, method).map_err(not_allowed)?;
        self.check_length(request)?;
        let max = self.gateway.settings.concurrent_max;
        let seat = self.open.sit_down(max).ok_or_else(|| {
            let why = format!("{max} requests of this attempt are open; end one before the next");
            Denied::new(Refused::Concurrency, why, Error::ConnectionLimitReached)
        })?;
        Ok(Judged { target, path, seat })
    }

    fn count(&mut self) -> Result<(), Denied> {
        let max = self.limits.http_requests;
        if self.requests >= max {
            let why = format!("this attempt has made its {max} requests: raise `http_requests` under [limits]");
            return Err(Denied::new(Refused::Requests, why, Error::ConnectionLimitReached));
        }
        self.requests += 1;
        Ok(())
    }

    fn check_length(&self, request: &Request<WasiBody>) -> Result<(), Denied> {
        let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > self.limits.http_request_bytes) {
            let (why, error) = too_long_a_request(self.limits.http_request_bytes);
            return Err(Denied::new(Refused::Size, why, error));
        }
        Ok(())
    }

    fn exchange(
        &self,
        judged: Judged,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<(Exchange, Seat), Denied> {
        let Judged { target, path, seat } = judged;
        let exchange = Exchange {
            request: on_the_wire(request, &target, path)?,
            target,
            options,
            until: self.until,
            request_bytes_max: self.limits.http_request_bytes,
            response_bytes_max: self.limits.http_response_bytes,
            voice: self.voice.clone(),
        };
        Ok((exchange, seat))
    }
}

impl Outgoing {
    fn span(&self, method: &http::Method, target: &Target) -> Option<Span> {
        self.trace.as_ref()?.request(method, target.host().to_string(), target.port())
    }
}

impl WasiHttpHooks for Outgoing {
    fn set_host_header(&mut self) -> bool {
        // It is set in the form that was judged.
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _body_ended: Ending,
    ) -> Sending {
        let method = request.method().clone();
        let judged = self.judge(&request).and_then(|judged| self.exchange(judged, request, options));
        match judged {
            Ok((exchange, seat)) => {
                let span = self.span(&method, &exchange.target);
                Box::new(ended(self.gateway.begin(exchange, seat), span))
            }
            Err(Denied { reason, why, error }) => {
                refuse(&self.gateway, &self.voice, reason, &why);
                Box::new(ready(Err(error)))
            }
        }
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        CHUNKS_WAITING_MAX
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }
}

/// The exchange goes on by itself: nothing of it is left to the guest's thread.
async fn ended(
    answered: impl Future<Output = Answered>,
    span: Option<Span>,
) -> Result<(http::Response<WasiBody>, Ending), Error> {
    let nothing: Ending = Box::new(ready(Ok(())));
    let answer = answered.await;
    if let Some(mut span) = span {
        match &answer {
            Ok(response) => span.set("http.response.status_code", i64::from(response.status().as_u16())),
            Err(_) => span.fail("no_answer"),
        }
    }
    Ok((answer?, nothing))
}

fn method(request: &Request<WasiBody>) -> Result<Method, Denied> {
    Method::named(request.method().as_str()).ok_or_else(|| {
        let why = "its method is none of GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS";
        Denied::new(Refused::Method, why, Error::HttpRequestDenied)
    })
}

/// Where a request goes: host and port in one form, whatever way they are written; the path as it is.
fn place(uri: &Uri) -> Result<(Target, PathAndQuery), Denied> {
    let invalid = |why: String| Denied::new(Refused::Url, why, Error::HttpRequestUriInvalid);
    let scheme = uri.scheme_str().unwrap_or_default();
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let target = Target::parse(&format!("{scheme}://{authority}/")).map_err(|why| invalid(why.to_string()))?;
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    if path.as_str().len() > PATH_BYTES_MAX {
        let why = format!("its path and query have over {PATH_BYTES_MAX} bytes");
        return Err(Denied::new(Refused::Url, why, Error::HttpRequestUriTooLong));
    }
    Ok((target, path))
}

fn not_allowed(refusal: GuestRefusal) -> Denied {
    let (reason, error) = match &refusal {
        GuestRefusal::NotAsked { .. } => (Refused::Manifest, Error::HttpRequestDenied),
        GuestRefusal::NotLet { .. } => (Refused::Operator, Error::HttpRequestDenied),
        GuestRefusal::Address(_) => (Refused::Address, Error::DestinationIpProhibited),
    };
    Denied::new(reason, refusal.to_string(), error)
}

/// The request as a server gets it: only the path in its first line, and the host that was judged.
fn on_the_wire(
    mut request: Request<WasiBody>,
    target: &Target,
    path: PathAndQuery,
) -> Result<Request<WasiBody>, Denied> {
    let is_default = target.port() == target.scheme().default_port();
    let host = if is_default { target.host().to_string() } else { format!("{}:{}", target.host(), target.port()) };
    let odd = |_| Denied::new(Refused::Url, "its host cannot stand in a header", Error::HttpRequestUriInvalid);
    request.headers_mut().insert(HOST, HeaderValue::try_from(host).map_err(odd)?);
    *request.uri_mut() = Uri::from(path);
    Ok(request)
}
