//! One request and its answer, as a future on the host's own threads. The guest holds one end of it.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Instant;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use prometheus::IntGauge;
use tasklane_domain::egress::Target;
use tasklane_domain::log::{LogLevel, LogSource};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::timeout;
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{Answer, Capped, Length, Over, Piece, Reading, pieces};
use super::connect::NotConnected;
use super::{EgressTimeouts, Gateway, Refused, Seat};
use crate::sandbox::stdio::SharedVoice;

/// Headers of an answer, beyond which it is none.
const HEADERS_MAX: usize = 128;
/// Bytes of an answer that are read before the guest takes them; its head must fit.
const BUFFER_BYTES: usize = 64 * 1024;

/// What the guest gets: the head of the answer with its body, or why there is none.
pub(crate) type Answered = Result<Response<WasiBody>, Error>;
type Head = Result<(http::response::Parts, mpsc::Receiver<Piece>), Error>;

/// A request that may be made, and what bounds it.
pub(crate) struct Exchange {
    pub(crate) target: Target,
    /// In the form that goes over the wire.
    pub(crate) request: Request<WasiBody>,
    pub(crate) options: Option<RequestOptions>,
    /// When the attempt ends.
    pub(crate) until: Instant,
    pub(crate) request_bytes_max: u64,
    pub(crate) response_bytes_max: u64,
    pub(crate) voice: SharedVoice,
}

impl Gateway {
    /// Begins at once, on the host's own threads. Whoever drops what is returned, or the body in it, ends the exchange.
    pub(crate) fn begin(
        self: &Arc<Self>,
        exchange: Exchange,
        seat: Seat,
    ) -> impl Future<Output = Answered> + Send + use<> {
        let (head, answered) = oneshot::channel();
        let exchange = AbortOnDropJoinHandle::from(self.spawn(exchange.run(self.clone(), head)));
        async move {
            let (parts, pieces) = answered.await.unwrap_or(Err(Error::InternalError(None)))?;
            let answer = Answer { pieces, ended: false, _exchange: exchange, seat: Some(seat) };
            Ok(Response::from_parts(parts, answer.boxed_unsync()))
        }
    }
}

/// Counts a connection while it is open.
struct Counted(IntGauge);

impl Counted {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Why there is no answer.
enum Stopped {
    /// It is not allowed, which the task's log is told.
    Refused { reason: Refused, why: String, error: Error },
    /// It did not work.
    Failed(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// An answer whose head has come, with all that its body needs.
struct Opened {
    response: Response<Incoming>,
    turn: OwnedSemaphorePermit,
    counted: Counted,
    connection: AbortOnDropJoinHandle<()>,
}

impl Exchange {
    async fn run(self, gateway: Arc<Gateway>, head: oneshot::Sender<Head>) {
        let times = gateway.settings.timeouts.of_request(self.options, self.until);
        let (voice, bytes_max) = (self.voice.clone(), self.response_bytes_max);
        let opened = match self.open(&gateway, times).await {
            Ok(opened) => opened,
            Err(stopped) => return drop(head.send(Err(stopped.told(&gateway, &voice)))),
        };
        if opened.response.body().size_hint().lower() > bytes_max {
            return drop(head.send(Err(answer_too_long(bytes_max).told(&gateway, &voice))));
        }
        gateway.metrics.answered();
        let (sender, receiver) = pieces();
        let Opened { response, turn, counted, connection } = opened;
        let (parts, incoming) = response.into_parts();
        if head.send(Ok((parts, receiver))).is_err() {
            return;
        }
        let counter = gateway.metrics.received();
        let reading = Reading { bytes_max, between_bytes: times.between_bytes, counter };
        let Some(last) = reading.hand_over(incoming, &sender).await else { return };
        // The network is done with, whenever the guest reads the rest.
        drop((turn, counted, connection));
        if last.length == Length::OverLimit {
            answer_too_long(bytes_max).told(&gateway, &voice);
        }
        drop(sender.send(last.piece).await);
    }

    /// Connects, sends, and waits for the head of the answer.
    async fn open(self, gateway: &Gateway, times: EgressTimeouts) -> Result<Opened, Stopped> {
        let deadline = Instant::now() + times.connect;
        let turn = gateway.turn(deadline).await?;
        let connected = gateway.connect(&self.target, deadline).await;
        let stream = connected.map_err(|why| not_connected(why, &self.target))?;
        let counted = Counted::new(&gateway.metrics.connections);
        let (over, bytes_max) = (Over::default(), self.request_bytes_max);
        let capped = |body| Capped { body, bytes_max, bytes: 0, over: over.clone(), counter: gateway.metrics.sent() };
        let request = self.request.map(capped);
        let mut builder = http1::Builder::new();
        let handshake = builder.max_headers(HEADERS_MAX).max_buf_size(BUFFER_BYTES).handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(|error| failure(&error))?;
        // Its own error comes by the sender or the body.
        let connection = AbortOnDropJoinHandle::from(tokio::spawn(async move { drop(connection.await) }));
        let sent = timeout(times.first_byte, sender.send_request(request)).await;
        if over.is_set() {
            return Err(request_too_long(bytes_max));
        }
        let response = sent.map_err(|_| Error::HttpResponseTimeout)?.map_err(|error| failure(&error))?;
        Ok(Opened { response, turn, counted, connection })
    }
}

impl Stopped {
    /// Tells everybody else; the error is for the guest.
    fn told(self, gateway: &Gateway, voice: &SharedVoice) -> Error {
        match self {
            Self::Refused { reason, why, error } => {
                refuse(gateway, voice, reason, &why);
                error
            }
            Self::Failed(error) => {
                gateway.metrics.failed();
                error
            }
        }
    }
}

fn not_connected(why: NotConnected, target: &Target) -> Stopped {
    match why {
        NotConnected::Failed(error) => Stopped::Failed(error),
        NotConnected::Refused(refusal) => Stopped::Refused {
            reason: Refused::Address,
            why: format!("{}: {refusal}", target.origin()),
            error: Error::DestinationIpProhibited,
        },
    }
}

/// The request's body is over its limit.
pub(crate) fn too_long_a_request(bytes_max: u64) -> (String, Error) {
    let why = format!("the request's body is over {bytes_max} bytes: raise `http_request_bytes` under [limits]");
    (why, Error::HttpRequestBodySize(Some(bytes_max)))
}

fn request_too_long(bytes_max: u64) -> Stopped {
    let (why, error) = too_long_a_request(bytes_max);
    Stopped::Refused { reason: Refused::Size, why, error }
}

fn answer_too_long(bytes_max: u64) -> Stopped {
    let why = format!("the answer's body is over {bytes_max} bytes: raise `http_response_bytes` under [limits]");
    Stopped::Refused { reason: Refused::Size, why, error: Error::HttpResponseBodySize(Some(bytes_max)) }
}

/// Says in the task's log why a request was refused, and counts it.
pub(crate) fn refuse(gateway: &Gateway, voice: &SharedVoice, reason: Refused, why: &str) {
    gateway.metrics.refused(reason);
    voice.lock().say(LogSource::Log, LogLevel::Warn, format!("outbound HTTP refused: {why}"));
}

/// What an error of the exchange is to the guest.
pub(super) fn failure(error: &hyper::Error) -> Error {
    let io = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
    if error.is_timeout() {
        Error::HttpResponseTimeout
    } else if error.is_incomplete_message() {
        Error::HttpResponseIncomplete
    } else if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(None)
    } else if error.is_parse() || error.is_user() {
        Error::HttpProtocolError
    } else if io.is_some() || error.is_canceled() || error.is_closed() {
        Error::ConnectionTerminated
    } else {
        Error::HttpProtocolError
    }
}
