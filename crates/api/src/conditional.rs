//! `ETag`, `If-Match` and `If-None-Match`: a change is made only to what its sender has seen.
//!
//! Between the access check, which calls it, and the handlers. The tag of a thing is a digest of what its GET shows, less what moves by itself, such as
//! a schedule's next runs. Before a conditional change the same GET is asked for, while other changes of the path wait in this process.
//! Guarantees: a condition is never ignored: it holds, or is answered 412, or, where a path has no tags, refused. It does not see a change that
//! another API process makes in the milliseconds between the look and the change (decision 031).

mod described;
mod tag;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use tasklane_api_types::ErrorCode;
use tokio::sync::{Mutex, MutexGuard};
use tower::ServiceExt as _;

use crate::access::Caller;
use crate::error::{ApiError, ApiResult};
use crate::namespaces;
use crate::state::State;
pub(crate) use described::describe;
use tag::{Condition, Tag};

/// Most bytes of a thing that gets a tag: more than the largest value of a key.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Locks that paths share: more paths than locks only wait a little more.
const LOCKS: usize = 64;

/// What has tags: the path, and the fields of its GET that move by themselves.
pub(crate) struct Tagged {
    pub(crate) path: &'static str,
    moving: &'static [&'static str],
}

/// Every path whose GET shows one thing that PUT, PATCH or DELETE change.
pub(crate) const TAGGED: [Tagged; 7] = [
    Tagged {
        path: "/api/v1/schedules/{name}",
        moving: &["next_runs", "last_task", "last_state", "fired", "skipped", "firings"],
    },
    Tagged { path: "/api/v1/webhooks/{name}", moving: &["secret"] },
    Tagged { path: "/api/v1/queues/{name}", moving: &["queued", "held", "running", "waiting", "oldest_queued_at"] },
    Tagged { path: "/api/v1/flow/modules/{name}", moving: &[] },
    Tagged { path: "/api/v1/namespaces/{name}", moving: &["usage"] },
    Tagged { path: "/api/v1/modules/{name}/aliases/{alias}", moving: &[] },
    Tagged { path: "/api/v1/kv/{store}/{key}", moving: &[] },
];

/// Changes of one path, one after the other.
pub(crate) struct Changes([Mutex<()>; LOCKS]);

impl Default for Changes {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}

impl Changes {
    async fn turn(&self, path: &str) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % LOCKS as u64).ok()?;
        Some(self.0.get(place)?.lock().await)
    }
}

/// What the layer works with.
#[derive(Clone)]
pub(crate) struct Conditions {
    pub(crate) state: Arc<State>,
    /// The routes without this layer and those around it: what it asks its own GETs.
    pub(crate) routes: Router,
}

/// Around every handler.
pub(crate) async fn conditional(own: Conditions, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match (tagged(&request), reads) {
        (Some(thing), true) => read(thing, request, next).await,
        (Some(thing), false) => change(own, thing, request, next).await.unwrap_or_else(|refused| *refused),
        (None, true) => next.run(request).await,
        (None, false) => match has_no_condition(request.headers()) {
            Ok(()) => next.run(request).await,
            Err(error) => error.into_response(),
        },
    }
}

fn tagged(request: &Request) -> Option<&'static Tagged> {
    let path = request.extensions().get::<MatchedPath>()?;
    TAGGED.iter().find(|one| one.path == path.as_str())
}

/// Whoever sends a condition relies on it.
fn has_no_condition(headers: &HeaderMap) -> ApiResult<()> {
    let given = [header::IF_MATCH, header::IF_NONE_MATCH].into_iter().find(|name| headers.contains_key(name));
    let Some(name) = given else { return Ok(()) };
    Err(ApiError::new(ErrorCode::InvalidRequest, format!("nothing here has an ETag, so `{name}` cannot hold"))
        .hint("Leave the header out; docs/api.md lists what has tags."))
}

async fn read(thing: &Tagged, mut request: Request, next: Next) -> Response {
    let condition = condition(request.headers(), &header::IF_NONE_MATCH);
    let is_head = request.method() == Method::HEAD;
    // The tag is that of the body, so there has to be one.
    *request.method_mut() = Method::GET;
    let (mut response, tag) = with_tag(thing, next.run(request).await).await;
    let condition = match condition {
        Ok(condition) => condition,
        Err(error) => return error.into_response(),
    };
    if let (Some(condition), Some(tag)) = (condition, tag)
        && condition.holds_weakly(&tag)
    {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::empty();
    }
    if is_head {
        *response.body_mut() = Body::empty();
    }
    response
}

/// An answer other than the one that was asked for.
type Refused = Box<Response>;

fn refused(error: ApiError) -> Refused {
    Box::new(error.into_response())
}

async fn change(own: Conditions, thing: &Tagged, request: Request, next: Next) -> Result<Response, Refused> {
    let wanted = condition(request.headers(), &header::IF_MATCH).map_err(refused)?;
    let unwanted = condition(request.headers(), &header::IF_NONE_MATCH).map_err(refused)?;
    let caller = request.extensions().get::<Caller>().cloned();
    let look = Look { thing, uri: uri_of_get(request.uri()).map_err(refused)?, caller, routes: own.routes };
    let _turn = own.state.changes.turn(request.uri().path()).await;
    if wanted.is_some() || unwanted.is_some() {
        check(wanted.as_ref(), unwanted.as_ref(), look.tag().await?.as_ref()).map_err(refused)?;
    }
    let mut response = next.run(request).await;
    // Where the thing is still there, so that the next change needs no look. That it was made is true whatever this look says.
    if response.status().is_success()
        && let Ok(Some(tag)) = look.tag().await
    {
        insert(&mut response, &tag);
    }
    Ok(response)
}

/// The GET of a path that is being changed.
struct Look<'a> {
    thing: &'a Tagged,
    uri: Uri,
    caller: Option<Caller>,
    routes: Router,
}

impl Look<'_> {
    /// What the path shows now; `None`: nothing is there. Why it cannot be shown, such as a name that is none, is the answer to the change too.
    async fn tag(&self) -> Result<Option<Tag>, Refused> {
        let mut get = Request::new(Body::empty());
        *get.uri_mut() = self.uri.clone();
        if let Some(caller) = self.caller.clone() {
            get.extensions_mut().insert(caller);
        }
        let Ok(response) = self.routes.clone().oneshot(get).await;
        let (response, tag) = with_tag(self.thing, response).await;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(tag),
            _ => Err(Box::new(response)),
        }
    }
}

/// Of a change's parameters, the GET knows the namespace.
fn uri_of_get(uri: &Uri) -> ApiResult<Uri> {
    let is_whose = |pair: &&str| pair.split('=').next() == Some(namespaces::PARAMETER);
    let query = uri.query().unwrap_or_default().split('&').filter(is_whose).collect::<Vec<_>>().join("&");
    let text = if query.is_empty() { uri.path().to_owned() } else { format!("{}?{query}", uri.path()) };
    text.parse().map_err(|_| ApiError::new(ErrorCode::InvalidQuery, "the request's path cannot be read"))
}

fn check(wanted: Option<&Condition>, unwanted: Option<&Condition>, now: Option<&Tag>) -> ApiResult<()> {
    let holds = wanted.is_none_or(|one| now.is_some_and(|tag| one.holds(tag)))
        && unwanted.is_none_or(|one| now.is_none_or(|tag| !one.holds_weakly(tag)));
    if holds {
        return Ok(());
    }
    let detail = match now {
        Some(tag) => format!("the condition does not hold: its ETag is now {tag}"),
        None => "the condition does not hold: nothing is there".to_owned(),
    };
    Err(ApiError::new(ErrorCode::PreconditionFailed, detail))
}

fn condition(headers: &HeaderMap, name: &HeaderName) -> ApiResult<Option<Condition>> {
    let mut texts = Vec::new();
    for value in headers.get_all(name) {
        texts.push(value.to_str().map_err(|_| wrong(name))?);
    }
    if texts.is_empty() {
        return Ok(None);
    }
    Condition::parse(&texts.join(",")).map(Some).ok_or_else(|| wrong(name))
}

fn wrong(name: &HeaderName) -> ApiError {
    let detail = format!("`{name}` is neither `*` nor a list of quoted tags, such as \"6f1c…\"");
    ApiError::new(ErrorCode::InvalidRequest, detail).hint("Send the ETag of the GET as it came, quotes included.")
}

/// The answer, and its tag where it shows the thing.
async fn with_tag(thing: &Tagged, response: Response) -> (Response, Option<Tag>) {
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !response.status().is_success() || !is_json {
        return (response, None);
    }
    let (parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, BODY_BYTES_MAX).await else {
        let error = ApiError::new(ErrorCode::Internal, "the answer is too large for a tag");
        return (error.into_response(), None);
    };
    let tag = tag_of(thing, &bytes);
    let mut response = Response::from_parts(parts, Body::from(bytes));
    if let Some(tag) = &tag {
        insert(&mut response, tag);
    }
    (response, tag)
}

fn insert(response: &mut Response, tag: &Tag) {
    if let Ok(value) = HeaderValue::from_str(&tag.to_string()) {
        response.headers_mut().insert(header::ETAG, value);
    }
}

fn tag_of(thing: &Tagged, bytes: &Bytes) -> Option<Tag> {
    let serde_json::Value::Object(mut shown) = serde_json::from_slice(bytes).ok()? else { return None };
    for field in thing.moving {
        shown.remove(*field);
    }
    Some(Tag::of(&serde_json::to_vec(&shown).ok()?))
}
