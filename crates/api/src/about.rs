//! Whom a failure on our side concerns: the request, or the task whose guest asks. Kept beside the work, for the one line about it.

use std::fmt::Display;

use http::HeaderValue;
use tasklane_domain::TaskId;

/// What is being answered.
#[derive(Debug, Clone)]
pub(crate) enum About {
    /// A request, by its id.
    Request(HeaderValue),
    /// A guest's question, by its task.
    Task(TaskId),
}

tokio::task_local! {
    static ABOUT: About;
}

/// Does the work as an answer to this.
pub(crate) async fn about<T>(what: About, work: impl Future<Output = T>) -> T {
    ABOUT.scope(what, work).await
}

/// Says once, where the cause becomes an answer, what went wrong on our side.
pub(crate) fn tell(error: &dyn Display, what: &'static str) {
    match ABOUT.try_with(About::clone) {
        Ok(About::Request(id)) => {
            let request_id = String::from_utf8_lossy(id.as_bytes());
            tracing::error!(%request_id, %error, "{what}");
        }
        Ok(About::Task(task)) => tracing::error!(%task, %error, "{what}"),
        Err(_) => tracing::error!(%error, "{what}"),
    }
}
