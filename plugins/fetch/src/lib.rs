//! `{"url": "https://…", "pointer": "/a/0/b"}` → that part of the JSON which the URL answers.
//!
//! Shows outbound HTTP: the manifest's permission, an answer that is no success, what is worth another attempt and what is not.

use std::time::Duration;

use serde_json::Value;
use tasklane_sdk::http::{HttpError, Request, Response};
use tasklane_sdk::prelude::*;

/// How long the server may take until it begins to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What to fetch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// From where.
    pub url: String,
    /// Which part, as a JSON pointer (RFC 6901). Default: all of it.
    #[serde(default)]
    pub pointer: String,
}

/// Fetches and picks.
#[task]
pub fn fetch(_ctx: &Context, input: Input) -> Result<Value, TaskError> {
    let request = Request::get(&input.url).header("accept", "application/json").timeout(PATIENCE);
    let answer = request.send().map_err(HttpError::into_task_error)?;
    log::info(&format!("{} bytes with status {}", answer.body.len(), answer.status));
    check(&answer)?;
    let whole: Value = serde_json::from_slice(&answer.body).permanent("not-json")?;
    let missing = || TaskError::permanent("nothing-there", format!("the answer has no `{}`", input.pointer));
    whole.pointer(&input.pointer).cloned().ok_or_else(missing)
}

/// A busy or broken server may do better later; a request that it does not want stays unwanted.
fn check(answer: &Response) -> Result<(), TaskError> {
    let why = || format!("the server answered with status {}", answer.status);
    match answer.status {
        200..=299 => Ok(()),
        429 | 500..=599 => Err(TaskError::retryable("server-busy", why())),
        _ => Err(TaskError::permanent("refused-by-server", why())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(status: u16, body: &str, pointer: &str) -> Result<Value, TaskError> {
        testing::answer("https://api.test/x", Response { status, headers: vec![], body: body.into() });
        fetch(&testing::context(), Input { url: "https://api.test/x".to_owned(), pointer: pointer.to_owned() })
    }

    #[test]
    fn a_part_is_picked() {
        assert_eq!(fetched(200, r#"{"a":[{"b":7}]}"#, "/a/0/b").unwrap(), 7);
        assert_eq!(fetched(200, "[1]", "").unwrap(), serde_json::json!([1]));
    }

    #[test]
    fn what_later_attempts_cannot_change_is_permanent() {
        let code = |answer: Result<Value, TaskError>| {
            let error = answer.unwrap_err();
            (error.code().to_owned(), error.is_permanent())
        };
        assert_eq!(code(fetched(200, "{}", "/a")), ("nothing-there".to_owned(), true));
        assert_eq!(code(fetched(200, "<html>", "")), ("not-json".to_owned(), true));
        assert_eq!(code(fetched(404, "", "")), ("refused-by-server".to_owned(), true));
        assert_eq!(code(fetched(503, "", "")), ("server-busy".to_owned(), false));
        let nowhere = Input { url: "https://other.test/".to_owned(), pointer: String::new() };
        assert_eq!(fetch(&testing::context(), nowhere).unwrap_err().code(), "http");
    }
}
