//! `GET /api/v1/events` (server-sent events), `/api/v1/events/ws` (the same over a WebSocket), `/api/v1/history`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;
use tasklane_api_types::{AuditView, ErrorCode, FeedChange, HistoryView, Problem};
use tasklane_domain::access::{Asked, Role};

use crate::access::{Caller, Origin};
use crate::error::{ApiError, ApiResult};
use crate::extract::Params;
use crate::feed::{HISTORY_SECONDS_MAX, Place, Reader, Sight, Told};
use crate::namespaces;
use crate::state::State as Room;

/// Where a browser says which event it saw last.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// A quiet feed says something this often, so that a dead connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client may take to take one message.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest message of a client, in bytes: there is nothing to say.
const MESSAGE_BYTES_MAX: usize = 1024;
/// Seconds of history where nothing else is asked for.
const HISTORY_SECONDS: u32 = 300;

/// The reader that a request asks for: behind its `cursor`, or what the browser saw last.
fn reader(room: &Room, caller: &Caller, headers: &HeaderMap, params: &Params) -> ApiResult<Reader> {
    params.only(&["cursor", namespaces::PARAMETER])?;
    let seen = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    let wrong = |error: crate::feed::PlaceError| ApiError::new(ErrorCode::InvalidCursor, error.to_string());
    let after: Option<Place> = seen.or_else(|| params.get("cursor")).map(str::parse).transpose().map_err(wrong)?;
    room.feed
        .reader(after.as_ref(), sight(caller, params)?)
        .map_err(|full| ApiError::new(ErrorCode::FeedsFull, full.to_string()))
}

/// Of one namespace, or of all; and what was done there, to its admins.
fn sight(Caller(who): &Caller, params: &Params) -> ApiResult<Sight> {
    let namespace = namespaces::asked(params)?;
    let asked = namespace.clone().map_or(Asked::Everywhere, Asked::Namespace);
    Ok(Sight { namespace, audit: who.grants.permit(Role::Admin, &asked).is_ok() })
}

/// What changes, as it changes: `hello` first, `tasks` for changes, `resync` where some are gone, and for admins `audit` for each new
/// entry of the audit log. Each event's id is a cursor.
///
/// Best effort: whoever must know reads the rows again.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "cluster",
    params(
        ("cursor" = Option<String>, Query, description = "The id of the last event seen; the header `Last-Event-ID` comes first"),
        ("namespace" = Option<String>, Query, description = "Only what is of this one"),
    ),
    responses(
        (status = 200, description = "A stream that ends only with the process; the data of `tasks`", body = FeedChange,
         content_type = "text/event-stream"),
        (status = "4XX", description = "The cursor cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many feeds are open", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn events(
    State(room): State<Arc<Room>>,
    caller: Caller,
    headers: HeaderMap,
    params: Params,
) -> ApiResult<Response> {
    let reader = reader(&room, &caller, &headers, &params)?;
    let shut = async move { room.access.book.until_shut(&room, caller.0.pass).await };
    let sse = Sse::new(told(reader).take_until(Box::pin(shut))).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    let mut response = sse.into_response();
    // For proxies that would gather the stream before they pass it on.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

fn told(reader: Reader) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(reader, |mut reader| async move {
        let (cursor, told) = reader.next().await?;
        let event = Event::default().event(told.name()).id(cursor);
        let event = match &told {
            Told::Hello | Told::Resync => event.data("{}"),
            Told::Change(change) => event.data(serde_json::to_string(change.as_ref()).unwrap_or_default()),
            Told::Done(entry) => event.data(serde_json::to_string(entry.as_ref()).unwrap_or_default()),
        };
        Some((Ok(event), reader))
    })
}

/// One message of the WebSocket.
#[derive(Serialize)]
struct Said<'a> {
    event: &'static str,
    cursor: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Change(&'a FeedChange),
    Done(&'a AuditView),
}

/// The events of `/api/v1/events` over a WebSocket: one JSON message each, `{"event": …, "cursor": …, "data": …}`.
///
/// Browsers are refused from pages of other origins.
#[utoipa::path(
    get, path = "/api/v1/events/ws", tag = "cluster",
    params(
        ("cursor" = Option<String>, Query, description = "The cursor of the last message seen"),
        ("namespace" = Option<String>, Query, description = "Only what is of this one"),
    ),
    responses(
        (status = 101, description = "The connection is a WebSocket from now on"),
        (status = "4XX", description = "No upgrade was asked for, the page is another's, or the cursor cannot be read",
         body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many feeds are open", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn socket(
    State(room): State<Arc<Room>>,
    caller: Caller,
    headers: HeaderMap,
    params: Params,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<Response> {
    check_origin(&room.settings.access.cors_origins, &headers)?;
    let upgrade = upgrade.map_err(|error| ApiError::new(ErrorCode::UpgradeRequired, error.body_text()))?;
    let reader = reader(&room, &caller, &headers, &params)?;
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let shut = room.access.book.until_shut(&room, caller.0.pass);
        tokio::select! {
            () = relay(socket, reader) => {}
            () = shut => {}
        }
    }))
}

/// A WebSocket is not held back by the browser's rules for pages of other origins, so it is checked here. Other clients send none.
fn check_origin(allowed: &[Origin], headers: &HeaderMap) -> ApiResult<()> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let host = origin.split_once("://").map(|(_, host)| host);
    if host.is_some() && host == text(header::HOST) || allowed.iter().any(|one| one.as_str() == origin) {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::OriginRefused, format!("a page of {origin} may not read this feed")))
}

/// Passes events on until either side ends.
async fn relay(socket: WebSocket, mut reader: Reader) {
    let (mut out, mut inward) = socket.split();
    let mut quiet = tokio::time::interval(KEEP_ALIVE);
    loop {
        let message = tokio::select! {
            next = reader.next() => match next {
                Some((cursor, told)) => message(&cursor, &told),
                None => break,
            },
            heard = inward.next() => match heard {
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => continue,
            },
            _ = quiet.tick() => Message::Ping(bytes::Bytes::new()),
        };
        if !matches!(tokio::time::timeout(SEND_TIMEOUT, out.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
    if let Ok(Err(error)) = tokio::time::timeout(SEND_TIMEOUT, out.close()).await {
        tracing::debug!(%error, "a feed's client went away at the end");
    }
}

fn message(cursor: &str, told: &Told) -> Message {
    let data = match told {
        Told::Hello | Told::Resync => None,
        Told::Change(change) => Some(Data::Change(change.as_ref())),
        Told::Done(entry) => Some(Data::Done(entry.as_ref())),
    };
    let text = serde_json::to_string(&Said { event: told.name(), cursor, data }).unwrap_or_default();
    Message::Text(text.into())
}

/// How many tasks ended in each second of late, as this process has heard.
#[utoipa::path(
    get, path = "/api/v1/history", tag = "cluster",
    params(("seconds" = Option<u32>, Query, description = "1 to 900, default 300")),
    responses(
        (status = 200, description = "The seconds in which tasks ended", body = HistoryView),
        (status = "4XX", description = "The parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn history(State(room): State<Arc<Room>>, params: Params) -> ApiResult<Json<HistoryView>> {
    params.only(&["seconds"])?;
    let seconds: u32 = params.parsed("seconds")?.unwrap_or(HISTORY_SECONDS);
    if !(1..=HISTORY_SECONDS_MAX).contains(&seconds) {
        return Err(ApiError::new(
            ErrorCode::InvalidQuery,
            format!("seconds: must be from 1 to {HISTORY_SECONDS_MAX}"),
        ));
    }
    Ok(Json(room.feed.history(seconds, room.clock.now())))
}
