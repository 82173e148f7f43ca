//! The wasm side of [`crate::http`]: one request over `wasi:http`.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use wasip2::io::streams::{InputStream, StreamError};

use crate::http::{HttpError, Request, Response};

/// Bytes that are written or read at once.
const PIECE_BYTES: u64 = 4_096;
const READ_BYTES: u64 = 64 * 1024;

pub(crate) fn send(request: &Request) -> Result<Response, HttpError> {
    let outgoing = outgoing(request)?;
    let body = outgoing.body().map_err(|()| invalid("its body is taken"))?;
    let answered = outgoing_handler::handle(outgoing, options(request)).map_err(coded)?;
    write(body, &request.body)?;
    receive(wait(&answered)?)
}

fn invalid(what: &str) -> HttpError {
    HttpError::new("HTTP-request-URI-invalid", what)
}

fn outgoing(request: &Request) -> Result<OutgoingRequest, HttpError> {
    let mut headers: Vec<(String, Vec<u8>)> =
        request.headers.iter().map(|(name, value)| (name.clone(), value.as_bytes().to_vec())).collect();
    if !request.body.is_empty() {
        headers.push(("content-length".to_owned(), request.body.len().to_string().into_bytes()));
    }
    let headers = Fields::from_list(&headers).map_err(|error| HttpError::new("header-error", format!("{error:?}")))?;
    let outgoing = OutgoingRequest::new(headers);
    let (scheme, rest) = request.url.split_once("://").ok_or_else(|| invalid("it has no scheme"))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    outgoing.set_method(&method(&request.method)).map_err(|()| invalid("its method is none"))?;
    outgoing.set_scheme(Some(&self::scheme(scheme))).map_err(|()| invalid("its scheme is none"))?;
    outgoing.set_authority(Some(authority)).map_err(|()| invalid("its host is none"))?;
    outgoing.set_path_with_query(Some(&path)).map_err(|()| invalid("its path is none"))?;
    Ok(outgoing)
}

fn scheme(name: &str) -> Scheme {
    match name.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    }
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        other => Method::Other(other.to_owned()),
    }
}

fn options(request: &Request) -> Option<RequestOptions> {
    let nanos = u64::try_from(request.timeout?.as_nanos()).unwrap_or(u64::MAX);
    let options = RequestOptions::new();
    // A host that does not know one of them uses its own.
    options.set_connect_timeout(Some(nanos)).unwrap_or(());
    options.set_first_byte_timeout(Some(nanos)).unwrap_or(());
    options.set_between_bytes_timeout(Some(nanos)).unwrap_or(());
    Some(options)
}

/// A server may answer before it has read everything, or the host refuse: the answer then says why.
fn write(body: OutgoingBody, bytes: &[u8]) -> Result<(), HttpError> {
    let stream = body.write().map_err(|()| invalid("its body is taken"))?;
    let pieces = bytes.chunks(PIECE_BYTES as usize);
    let written = pieces.map(|piece| stream.blocking_write_and_flush(piece)).find(Result::is_err);
    drop(stream);
    match written {
        None => OutgoingBody::finish(body, None).map_err(coded),
        Some(_) => Ok(()),
    }
}

fn wait(answered: &FutureIncomingResponse) -> Result<IncomingResponse, HttpError> {
    loop {
        match answered.get() {
            Some(Ok(answer)) => return answer.map_err(coded),
            Some(Err(())) => return Err(HttpError::new("internal-error", "the answer was taken")),
            None => answered.subscribe().block(),
        }
    }
}

fn receive(answer: IncomingResponse) -> Result<Response, HttpError> {
    let (status, headers) = (answer.status(), answer.headers().entries());
    let taken = |()| HttpError::new("internal-error", "the body was taken");
    let incoming = answer.consume().map_err(taken)?;
    let stream = incoming.stream().map_err(taken)?;
    let body = read(&stream)?;
    drop(stream);
    drop(IncomingBody::finish(incoming));
    Ok(Response { status, headers, body })
}

fn read(stream: &InputStream) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(piece) => body.extend_from_slice(&piece),
            Err(StreamError::Closed) => return Ok(body),
            Err(StreamError::LastOperationFailed(error)) => {
                let message = error.to_debug_string();
                // Hosts tell the body's errors only in words.
                let is_size = message.contains("BodySize") || message.contains("body size");
                let code = if is_size { "HTTP-response-body-size" } else { "HTTP-response-incomplete" };
                return Err(HttpError::new(code, message));
            }
        }
    }
}

fn coded(error: ErrorCode) -> HttpError {
    HttpError::new(code(&error), format!("{error:?}").replace("ErrorCode::", ""))
}

fn code(error: &ErrorCode) -> &'static str {
    match error {
        ErrorCode::DnsTimeout => "DNS-timeout",
        ErrorCode::DnsError(_) => "DNS-error",
        ErrorCode::DestinationNotFound => "destination-not-found",
        ErrorCode::DestinationUnavailable => "destination-unavailable",
        ErrorCode::DestinationIpProhibited => "destination-IP-prohibited",
        ErrorCode::DestinationIpUnroutable => "destination-IP-unroutable",
        ErrorCode::ConnectionRefused => "connection-refused",
        ErrorCode::ConnectionTerminated => "connection-terminated",
        ErrorCode::ConnectionTimeout => "connection-timeout",
        ErrorCode::ConnectionReadTimeout => "connection-read-timeout",
        ErrorCode::ConnectionWriteTimeout => "connection-write-timeout",
        ErrorCode::ConnectionLimitReached => "connection-limit-reached",
        ErrorCode::TlsProtocolError => "TLS-protocol-error",
        ErrorCode::TlsCertificateError => "TLS-certificate-error",
        ErrorCode::TlsAlertReceived(_) => "TLS-alert-received",
        ErrorCode::HttpRequestDenied => "HTTP-request-denied",
        ErrorCode::HttpRequestBodySize(_) => "HTTP-request-body-size",
        ErrorCode::HttpRequestMethodInvalid => "HTTP-request-method-invalid",
        ErrorCode::HttpRequestUriInvalid => "HTTP-request-URI-invalid",
        ErrorCode::HttpRequestUriTooLong => "HTTP-request-URI-too-long",
        ErrorCode::HttpResponseIncomplete => "HTTP-response-incomplete",
        ErrorCode::HttpResponseHeaderSectionSize(_) => "HTTP-response-header-section-size",
        ErrorCode::HttpResponseBodySize(_) => "HTTP-response-body-size",
        ErrorCode::HttpResponseTimeout => "HTTP-response-timeout",
        ErrorCode::HttpProtocolError => "HTTP-protocol-error",
        ErrorCode::InternalError(_) => "internal-error",
        _ => "other",
    }
}
