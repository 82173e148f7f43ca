//! Whose a request is: the one namespace that it speaks of, and what it may name from there.
//!
//! Used by every route that names a module or reads something by its id. Guarantees: a bare module name is one of the request's namespace;
//! a full name of another one is refused before anything is looked up, so that the answer tells nothing of what is there. It does not
//! say who may speak for a namespace.

use tasklane_api_types::ErrorCode;
use tasklane_domain::error::StoreError;
use tasklane_domain::name::{Crossed, PlaceError};
use tasklane_domain::query::{PageRequest, TaskFilter};
use tasklane_domain::release::ModuleSpec;
use tasklane_domain::{BatchId, ModuleName, Namespace, NewTask, TaskId};

use crate::error::{ApiError, ApiResult};
use crate::extract::Params;
use crate::state::State;

/// The query's parameter.
pub(crate) const PARAMETER: &str = "namespace";

/// The namespace that the query names, if it names one.
pub(crate) fn asked(params: &Params) -> ApiResult<Option<Namespace>> {
    params.parsed(PARAMETER)
}

/// A module of another namespace.
pub(crate) fn crossed(crossed: &Crossed) -> ApiError {
    ApiError::new(ErrorCode::NamespaceCrossed, crossed.to_string())
}

/// What a submit of `namespace` calls its module: `name`, `name@version` or `name@alias`.
pub(crate) fn spec(text: &str, namespace: &Namespace) -> ApiResult<ModuleSpec> {
    ModuleSpec::within(text, namespace).map_err(|error| match error {
        PlaceError::Name(error) => ApiError::new(ErrorCode::InvalidRequest, error.to_string()),
        PlaceError::Crossed(error) => crossed(&error),
    })
}

/// The full name of the module that a text stands for, where the namespace may be left out: then a full name speaks for itself, and a
/// bare one is `default`'s. What is no name at all is given back, for the caller to say so in its own words.
pub(crate) fn full(text: &str, namespace: Option<&Namespace>) -> ApiResult<String> {
    let Some(namespace) = namespace else {
        return Ok(text.parse().map_or_else(|_| text.to_owned(), |name: ModuleName| name.into()));
    };
    match ModuleName::within(text, namespace) {
        Ok(name) => Ok(name.into()),
        Err(PlaceError::Name(_)) => Ok(text.to_owned()),
        Err(PlaceError::Crossed(error)) => Err(crossed(&error)),
    }
}

/// [`full`] for a module in a path; refuses parameters but the namespace and those of `known`.
pub(crate) fn in_path(text: &str, params: &Params, known: &[&str]) -> ApiResult<String> {
    params.only(&[&[PARAMETER], known].concat())?;
    full(text, asked(params)?.as_ref())
}

/// Refuses parameters but the namespace and those of `known`, and a task of another namespace than the one that is named.
pub(crate) async fn own_task(state: &State, id: TaskId, params: &Params, known: &[&str]) -> ApiResult<()> {
    params.only(&[&[PARAMETER], known].concat())?;
    let Some(namespace) = asked(params)? else { return Ok(()) };
    let found = state.ports.tasks.task(id).await?;
    if found.is_some_and(|task| task.namespace == namespace) {
        return Ok(());
    }
    Err(StoreError::TaskNotFound(id).into())
}

/// As [`own_task`], for a batch: all tasks of one batch are of one namespace.
pub(crate) async fn own_batch(state: &State, id: BatchId, params: &Params) -> ApiResult<bool> {
    params.only(&[PARAMETER])?;
    let Some(namespace) = asked(params)? else { return Ok(true) };
    let filter = TaskFilter { batch: Some(id), namespace: Some(namespace), ..TaskFilter::default() };
    let page = state.ports.tasks.list(&filter, PageRequest { before: None, limit: 1 }).await?;
    Ok(!page.tasks.is_empty())
}

/// Whether something of `owner` is shown to a request that may name a namespace.
pub(crate) fn is_shown(asked: Option<&Namespace>, owner: &Namespace) -> bool {
    asked.is_none_or(|asked| asked == owner)
}

/// All tasks of one batch are of one namespace.
pub(crate) fn check_batch(tasks: &[NewTask]) -> ApiResult<()> {
    let Some(first) = tasks.first() else { return Ok(()) };
    let Some(other) = tasks.iter().position(|task| task.namespace != first.namespace) else { return Ok(()) };
    let detail =
        format!("the batch's first task is of namespace `{}`, but task {other} is of another", first.namespace);
    Err(ApiError::new(ErrorCode::NamespaceCrossed, detail).errors(vec![format!("/tasks/{other}")]))
}
