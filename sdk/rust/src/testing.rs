//! Tests of tasks: natively, with stand-ins of the host on this thread ([`run`]), and as the module that is deployed ([`sandbox`]).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

#[cfg(not(target_family = "wasm"))]
pub(crate) mod blobs;
#[cfg(not(target_family = "wasm"))]
pub(crate) mod kv;
#[cfg(not(target_family = "wasm"))]
mod run;
#[cfg(not(target_family = "wasm"))]
mod sandbox;

#[cfg(not(target_family = "wasm"))]
pub use run::{Ran, json, run, run_attempt};
#[cfg(not(target_family = "wasm"))]
pub use sandbox::{Sandbox, sandbox};

use crate::Context;
use crate::log::Level;

/// Everything that a task said on this thread.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recorded {
    /// Log lines: level, and message with its fields.
    pub log: Vec<(Level, String)>,
    /// Progress reports.
    pub progress: Vec<(f32, String)>,
    /// Enqueued tasks.
    pub children: Vec<crate::tasks::Child>,
    /// Outbound HTTP requests.
    pub requests: Vec<crate::http::Request>,
}

thread_local! {
    static RECORDED: RefCell<Recorded> = RefCell::default();
    static CONFIG: RefCell<BTreeMap<String, String>> = RefCell::default();
    static ANSWERS: RefCell<BTreeMap<String, crate::http::Response>> = RefCell::default();
    static SECRETS: RefCell<BTreeMap<String, Vec<u8>>> = RefCell::default();
}

/// The context of a first attempt of three, with a minute left.
#[must_use]
pub fn context() -> Context {
    Context {
        task_id: "01900000-0000-7000-8000-000000000000".to_owned(),
        attempt: 1,
        max_attempts: 3,
        module: "test".to_owned(),
        version: "0.0.0".to_owned(),
        queue: "default".to_owned(),
        priority: 5,
        time_left: Duration::from_secs(60),
    }
}

/// The context of another attempt.
#[must_use]
pub fn context_of_attempt(attempt: u32, max_attempts: u32) -> Context {
    Context { attempt, max_attempts, ..context() }
}

/// Sets a config key for this thread.
pub fn set_config(key: &str, value: &str) {
    CONFIG.with_borrow_mut(|config| config.insert(key.to_owned(), value.to_owned()));
}

/// Sets what a URL answers on this thread. Every other URL is refused, as one that the manifest does not name.
pub fn answer(url: &str, response: crate::http::Response) {
    ANSWERS.with_borrow_mut(|answers| answers.insert(url.to_owned(), response));
}

/// Sets a secret for this thread.
pub fn set_secret(name: &str, value: &[u8]) {
    SECRETS.with_borrow_mut(|secrets| secrets.insert(name.to_owned(), value.to_vec()));
}

/// Sets what `blobs::payload` reads on this thread.
#[cfg(not(target_family = "wasm"))]
pub fn set_payload(bytes: &[u8]) {
    blobs::set_payload(bytes);
}

/// Sets the result of a task that this one waited for, on this thread. Every other one is denied.
#[cfg(not(target_family = "wasm"))]
pub fn set_result(of: &str, bytes: &[u8]) {
    blobs::set_result(of, bytes);
}

/// The result that was written piece by piece on this thread, if one was finished since the last call.
#[cfg(not(target_family = "wasm"))]
#[must_use]
pub fn take_result() -> Option<Vec<u8>> {
    blobs::take_result()
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn secret(name: &str) -> Option<Vec<u8>> {
    SECRETS.with_borrow(|secrets| secrets.get(name).cloned())
}

/// What was said on this thread since the last call.
#[must_use]
pub fn take_recorded() -> Recorded {
    RECORDED.take()
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn config(key: &str) -> Option<String> {
    CONFIG.with_borrow(|config| config.get(key).cloned())
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn http(request: &crate::http::Request) -> Result<crate::http::Response, crate::http::HttpError> {
    RECORDED.with_borrow_mut(|recorded| recorded.requests.push(request.clone()));
    let refused =
        || crate::http::HttpError::new("HTTP-request-denied", format!("no answer is set for {}", request.url));
    ANSWERS.with_borrow(|answers| answers.get(&request.url).cloned()).ok_or_else(refused)
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn record_log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let mut line = message.to_owned();
    for (key, value) in fields {
        line.push_str(&format!(" {key}={value}"));
    }
    RECORDED.with_borrow_mut(|recorded| recorded.log.push((level, line)));
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn record_progress(fraction: f32, message: &str) {
    RECORDED.with_borrow_mut(|recorded| recorded.progress.push((fraction, message.to_owned())));
}

/// Records children and makes up their ids.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn record_children(children: &[crate::tasks::Child]) -> Vec<String> {
    RECORDED.with_borrow_mut(|recorded| {
        let before = recorded.children.len();
        recorded.children.extend_from_slice(children);
        (before..recorded.children.len()).map(|number| format!("01900000-0000-7000-8000-{number:012}")).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_recorded() {
        crate::log::write(Level::Warn, "odd", &[("n", "1")]);
        crate::progress(2.0, "far");
        let recorded = take_recorded();
        assert_eq!(recorded.log, [(Level::Warn, "odd n=1".to_owned())]);
        assert_eq!(recorded.progress, [(1.0, "far".to_owned())]);
        assert_eq!(take_recorded(), Recorded::default());
    }

    #[test]
    fn children_are_recorded_and_have_ids() {
        let child = crate::tasks::Child::json("a", "resize", &7).unwrap().with(&serde_json::json!({"priority": 8}));
        let ids = crate::tasks::enqueue(&[child.clone(), child]).unwrap();
        assert_eq!(ids.len(), 2);
        assert_ne!(ids[0], ids[1]);
        let recorded = take_recorded();
        assert_eq!(
            (recorded.children[0].input.as_slice(), recorded.children[0].options.as_str()),
            (&b"7"[..], "{\"priority\":8}")
        );
    }

    #[test]
    fn config_is_parsed_and_a_bad_value_named() {
        set_config("size", "12");
        assert_eq!(crate::config::parse::<u32>("size"), Ok(Some(12)));
        assert_eq!(crate::config::parse::<u32>("none"), Ok(None));
        set_config("size", "big");
        assert!(crate::config::parse::<u32>("size").unwrap_err().message().contains("`size` = `big`"));
    }
}
