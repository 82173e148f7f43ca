//! Every route. Files mirror the paths.

mod access;
mod batches;
mod blobs;
mod cluster;
mod events;
mod flow;
mod health;
mod hosts;
mod kv;
mod modules;
mod namespaces;
mod operations;
mod quarantine;
mod releases;
mod retention;
mod schedules;
mod secrets;
mod system;
mod tasks;
mod webhooks;

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State as AxumState};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tasklane_api_types::{ErrorCode, Problem};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::access::entry as audit_entry;
use crate::about::{About, about};
use crate::access::cors;
use crate::access::guard::guard;
use crate::conditional::{self, Conditions};
use crate::dashboard;
use crate::error::ApiError;
use crate::refusals;
use crate::state::State;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request id that is taken from a client, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// Bytes of a module upload beside the module: the manifest, the assets and the multipart frame.
const UPLOAD_OVERHEAD_BYTES: usize = 1024 * 1024 + tasklane_domain::assets::ARCHIVE_BYTES_MAX;

#[derive(OpenApi)]
#[openapi(
    info(title = "Tasklane", description = "Background tasks as WebAssembly modules: deploy, submit, look, cancel."),
    components(schemas(Problem))
)]
struct Document;

/// Whether versions get tasks.
fn switches() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new()
        .routes(routes!(releases::disable))
        .routes(routes!(releases::enable))
        .routes(routes!(quarantine::release))
}

/// What happens, as it happens.
fn live() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new()
        .routes(routes!(events::events))
        .routes(routes!(events::socket))
        .routes(routes!(events::history))
}

/// JSON bodies have their limit from [`crate::extract::JsonBody`].
fn api(upload_bytes_max: usize) -> OpenApiRouter<Arc<State>> {
    let uploads = OpenApiRouter::new()
        .routes(routes!(modules::deploy, modules::list))
        .layer(DefaultBodyLimit::max(upload_bytes_max));
    let rest = OpenApiRouter::new()
        .routes(routes!(modules::versions))
        .routes(routes!(modules::version, releases::delete))
        .merge(switches())
        .merge(live())
        .routes(routes!(releases::aliases))
        .routes(routes!(releases::alias, releases::set_alias, releases::remove_alias))
        .routes(routes!(releases::promote))
        .routes(routes!(releases::roll_back))
        .routes(routes!(releases::diff))
        .routes(routes!(releases::events))
        .routes(routes!(tasks::submit::submit, tasks::list::list))
        .routes(routes!(tasks::submit::submit_batch))
        .routes(routes!(tasks::list::by_status))
        .routes(routes!(tasks::get::task))
        .routes(routes!(tasks::get::result))
        .routes(routes!(tasks::get::payload))
        .routes(routes!(tasks::get::logs))
        .routes(routes!(tasks::live::live_log))
        .routes(routes!(tasks::get::attempts))
        .routes(routes!(tasks::change::cancel))
        .routes(routes!(tasks::change::reschedule))
        .routes(routes!(tasks::change::retry))
        .routes(routes!(operations::cancel))
        .routes(routes!(operations::retry))
        .routes(routes!(operations::list))
        .routes(routes!(operations::operation))
        .routes(routes!(schedules::create, schedules::list))
        .routes(routes!(schedules::preview))
        .routes(routes!(schedules::schedule, schedules::change, schedules::delete))
        .routes(routes!(schedules::payload))
        .routes(routes!(schedules::pause))
        .routes(routes!(schedules::resume))
        .routes(routes!(schedules::run_now))
        .routes(routes!(schedules::next))
        .routes(routes!(retention::list))
        .routes(routes!(retention::set_default, retention::unset_default))
        .routes(routes!(retention::set_queue, retention::unset_queue))
        .routes(routes!(retention::set_module, retention::unset_module))
        .routes(routes!(webhooks::create, webhooks::list))
        .routes(routes!(webhooks::webhook, webhooks::delete))
        .routes(routes!(webhooks::pause))
        .routes(routes!(webhooks::resume))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::delivery))
        .routes(routes!(webhooks::retry))
        .routes(routes!(batches::list))
        .routes(routes!(batches::batch))
        .routes(routes!(batches::graph))
        .routes(routes!(batches::cancel))
        .routes(routes!(batches::retry))
        .routes(routes!(flow::list))
        .routes(routes!(flow::queue, flow::set))
        .routes(routes!(flow::pause))
        .routes(routes!(flow::resume))
        .routes(routes!(flow::modules))
        .routes(routes!(flow::module, flow::set_module, flow::unset_module))
        .routes(routes!(blobs::create))
        .routes(routes!(blobs::put, blobs::get))
        .merge(cluster());
    uploads.merge(rest).merge(of_guests()).merge(access())
}

/// What concerns the whole.
fn cluster() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new()
        .routes(routes!(cluster::hosts))
        .routes(routes!(hosts::scale))
        .routes(routes!(hosts::drain))
        .routes(routes!(hosts::resume))
        .routes(routes!(system::config))
        .routes(routes!(system::doctor))
        .routes(routes!(system::reset))
        .routes(routes!(cluster::info))
        .routes(routes!(cluster::stats))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(health::health))
        .routes(routes!(health::metrics))
}

/// What guests keep and use.
fn of_guests() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new()
        .routes(routes!(kv::stores))
        .routes(routes!(kv::keys))
        .routes(routes!(kv::get, kv::put, kv::delete))
        .routes(routes!(namespaces::list))
        .routes(routes!(namespaces::namespace, namespaces::set, namespaces::unset))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::reseal))
        .routes(routes!(secrets::put, secrets::delete))
}

/// Who may do what, and who did.
fn access() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new()
        .routes(routes!(access::who_am_i))
        .routes(routes!(access::tokens, access::create_token))
        .routes(routes!(access::revoke_token))
        .routes(routes!(access::audit))
}

/// With what all operations have in common.
fn whole(document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    refusals::describe(conditional::describe(document))
}

/// The OpenAPI document.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    whole(OpenApiRouter::with_openapi(Document::openapi()).merge(api(0)).to_openapi())
}

pub(crate) fn router(state: Arc<State>) -> Router {
    let settings = &state.settings;
    let api = api(settings.module_bytes_max + UPLOAD_OVERHEAD_BYTES);
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi()).merge(api).split_for_parts();
    let router: Router = router
        .route("/", get(home))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(state.clone());
    let conditions = Conditions { state: state.clone(), routes: router.clone() };
    // Around everything that has a handler; the API's own description is for everybody.
    let router = router.layer(middleware::from_fn_with_state(conditions, guard));
    let cors = cors::layer(&state.settings.access.cors_origins);
    let docs = utoipa_swagger_ui::SwaggerUi::new("/docs").url("/api/v1/openapi.json", whole(document));
    let router = router.merge(docs).route("/api/v1/asyncapi.json", get(asyncapi));
    // Outside the guard: a browser's question before a request has no token.
    let router = match cors {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(middleware::from_fn_with_state(state, identify))
}

/// The description of what is told and asked without HTTP's requests and answers.
async fn asyncapi() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| crate::asyncapi::document().to_string());
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

async fn home(headers: HeaderMap) -> Response {
    dashboard::home(&headers)
}

/// The dashboard's files and pages, or that nothing is there.
async fn not_found(request: Request) -> Response {
    let path = request.uri().path();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let found = if reads { dashboard::find(path, request.headers()) } else { None };
    found.unwrap_or_else(|| ApiError::new(ErrorCode::NotFound, format!("nothing is at {path}")).into_response())
}

async fn method_not_allowed(request: Request) -> ApiError {
    ApiError::new(ErrorCode::MethodNotAllowed, format!("{} does not take {}", request.uri().path(), request.method()))
}

/// The client's id, if it is short and plain, or one of ours.
fn request_id(request: &Request) -> HeaderValue {
    let given = request
        .headers()
        .get(&REQUEST_ID)
        .filter(|id| (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic));
    let made = || HeaderValue::from_str(&uuid::Uuid::now_v7().to_string()).ok();
    given.cloned().or_else(made).unwrap_or(HeaderValue::from_static("unknown"))
}

/// Gives each request an id, counts it, and puts the id into problems.
async fn identify(AxumState(state): AxumState<Arc<State>>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request_id(&request);
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let mut response = about(About::Request(id.clone()), next.run(request)).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = with_id(problem, &id, response);
    }
    response.headers_mut().insert(REQUEST_ID, id);
    let status = response.status();
    state.metrics.requests.with_label_values(&[route.as_str(), method.as_str(), status.as_str()]).inc();
    state.metrics.request_seconds.with_label_values(&[route.as_str()]).observe(begun.elapsed().as_secs_f64());
    response
}

fn with_id(mut problem: Problem, id: &HeaderValue, response: Response) -> Response {
    problem.request_id = String::from_utf8_lossy(id.as_bytes()).into_owned();
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    match serde_json::to_vec(&problem) {
        Ok(body) => Response::from_parts(parts, body.into()),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
