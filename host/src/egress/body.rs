//! Bodies on their way: what a guest sends is counted while it is sent, what comes back is handed over piece by piece.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use prometheus::IntCounter;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;
use wasmtime_wasi_http::{Error, WasiBody};

use super::Seat;

/// Pieces of an answer that wait for the guest, beside the one that is read.
const PIECES_WAITING_MAX: usize = 1;

/// A piece of an answer, or its end.
pub(super) type Piece = Result<Option<Frame<Bytes>>, Error>;

/// Where an answer's pieces go, and where the guest takes them.
pub(super) fn pieces() -> (mpsc::Sender<Piece>, mpsc::Receiver<Piece>) {
    mpsc::channel(PIECES_WAITING_MAX)
}

/// Whether a body went over its limit.
#[derive(Debug, Clone, Default)]
pub(super) struct Over(Arc<AtomicBool>);

impl Over {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What a guest sends, up to its limit.
pub(super) struct Capped {
    pub(super) body: WasiBody,
    pub(super) bytes_max: u64,
    pub(super) bytes: u64,
    pub(super) over: Over,
    pub(super) counter: IntCounter,
}

impl Body for Capped {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = ready!(Pin::new(&mut self.body).poll_frame(context));
        let Some(Ok(frame)) = &polled else { return Poll::Ready(polled) };
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.bytes_max {
            self.over.0.store(true, Ordering::Release);
            return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(self.bytes_max)))));
        }
        self.counter.inc_by(bytes);
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How long an answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// As long as is allowed.
    WithinLimit,
    /// It was given up.
    OverLimit,
}

/// What nothing comes after.
pub(super) struct Last {
    pub(super) piece: Piece,
    pub(super) length: Length,
}

/// How an answer's body is read.
pub(super) struct Reading {
    pub(super) bytes_max: u64,
    pub(super) between_bytes: Duration,
    pub(super) counter: IntCounter,
}

impl Reading {
    /// Hands over piece by piece, until the guest loses interest, or to the last piece, the end or an error, which is not handed over.
    pub(super) async fn hand_over(self, mut incoming: Incoming, pieces: &mpsc::Sender<Piece>) -> Option<Last> {
        let mut bytes = 0_u64;
        loop {
            let piece = match timeout(self.between_bytes, incoming.frame()).await {
                Err(_) => Err(Error::ConnectionReadTimeout),
                Ok(None) => Ok(None),
                Ok(Some(Err(error))) => Err(super::exchange::failure(&error)),
                Ok(Some(Ok(frame))) => {
                    let more = frame.data_ref().map_or(0, |data| data.len() as u64);
                    bytes = bytes.saturating_add(more);
                    self.counter.inc_by(more);
                    if bytes > self.bytes_max {
                        Err(Error::HttpResponseBodySize(Some(self.bytes_max)))
                    } else {
                        Ok(Some(frame))
                    }
                }
            };
            if !matches!(piece, Ok(Some(_))) {
                let length = if bytes > self.bytes_max { Length::OverLimit } else { Length::WithinLimit };
                return Some(Last { piece, length });
            }
            pieces.send(piece).await.ok()?;
        }
    }
}

/// An answer's body, as the guest has it. When it is dropped, its connection ends.
pub(super) struct Answer {
    pub(super) pieces: mpsc::Receiver<Piece>,
    pub(super) ended: bool,
    pub(super) _exchange: AbortOnDropJoinHandle<()>,
    /// Until the end.
    pub(super) seat: Option<Seat>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let piece = ready!(self.pieces.poll_recv(context));
        if !matches!(piece, Some(Ok(Some(_)))) {
            self.ended = true;
            self.seat = None;
        }
        Poll::Ready(match piece {
            Some(piece) => piece.transpose(),
            // The exchange ended without telling its end.
            None => Some(Err(Error::HttpResponseIncomplete)),
        })
    }
}
