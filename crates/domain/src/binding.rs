//! Bindings: places of a JSON payload that stand for a part of another task's result. Pure.
//!
//! `{"$from": "resize", "path": "$.width"}` anywhere in the payload of a task with dependences is replaced, when the last of them
//! has ended, by what the path (RFC 9535, one node) finds in the result of the dependence called `resize`; without `path` by the
//! whole result. Called by the API (to refuse what can never resolve) and by the store (when a task is unblocked). Guarantees: a
//! binding that does not resolve is an error, never a null, and what comes from a result is never searched for bindings. Does not
//! keep the order of keys, the white space, or integers beyond 64 bits of a payload that has bindings.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::{Map, Value};
use serde_json_path::JsonPath;

/// The key that makes an object a binding.
const FROM: &str = "$from";
/// The key of its path.
const PATH: &str = "path";
/// Most bindings in one payload.
pub const BINDINGS_MAX: usize = 1_000;

/// A binding that is wrong or does not resolve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// An object with `$from` and something else than `path`, or with a value that is no text.
    #[error("a binding is `{{\"$from\": \"name\", \"path\": \"$.field\"}}` with two texts and nothing else, not {0}")]
    Shape(String),
    /// The path is not RFC 9535.
    #[error("the path `{path}` of the binding to `{from}` is not a JSONPath: {why}")]
    Path {
        /// The dependence.
        from: String,
        /// As given.
        path: String,
        /// What the parser says.
        why: String,
    },
    /// The name is not among the dependences.
    #[error("the payload binds to `{0}`, which is not among the tasks that this one waits for")]
    NotWaitedFor(String),
    /// Over [`BINDINGS_MAX`].
    #[error("the payload has over {BINDINGS_MAX} bindings")]
    TooMany,
    /// The dependence has no result.
    #[error("`{0}` ended without a result to bind to")]
    NoResult(String),
    /// The dependence's result is kept by reference, and is more than a part of a payload can be.
    #[error(
        "the result of `{from}` has {bytes} bytes and is kept as a blob: bind it as the whole payload, `{{\"$from\": \"{from}\"}}`, \
         or let `{from}` return less"
    )]
    TooLarge {
        /// The dependence.
        from: String,
        /// How large its result is.
        bytes: u64,
    },
    /// The dependence's result was removed.
    #[error("the result of `{0}` was removed by the rules of retention before it could be bound")]
    ResultRemoved(String),
    /// The dependence's result is not JSON.
    #[error("the result of `{0}` is not JSON, so no path leads into it")]
    NotJson(String),
    /// The path finds nothing, or several things.
    #[error("the path `{path}` finds {found} values in the result of `{from}`, where exactly one is needed")]
    NotOne {
        /// The dependence.
        from: String,
        /// As given.
        path: String,
        /// How many.
        found: usize,
    },
}

struct Binding<'a> {
    from: &'a str,
    path: Option<&'a str>,
}

fn binding(map: &Map<String, Value>) -> Result<Option<Binding<'_>>, BindingError> {
    let Some(from) = map.get(FROM) else { return Ok(None) };
    let wrong = || BindingError::Shape(Value::Object(map.clone()).to_string().chars().take(200).collect());
    let known = map.keys().all(|key| key == FROM || key == PATH);
    let path = match map.get(PATH) {
        None => None,
        Some(Value::String(path)) => Some(path.as_str()),
        Some(_) => return Err(wrong()),
    };
    if let (Value::String(from), true) = (from, known) { Ok(Some(Binding { from, path })) } else { Err(wrong()) }
}

fn parse_path(binding: &Binding<'_>, path: &str) -> Result<JsonPath, BindingError> {
    let wrong = |why: serde_json_path::ParseError| BindingError::Path {
        from: binding.from.to_owned(),
        path: path.chars().take(200).collect(),
        why: why.to_string(),
    };
    JsonPath::parse(path).map_err(wrong)
}

/// The names that a payload binds to; empty for a payload that is not JSON.
///
/// # Errors
/// [`BindingError`] for a binding that can never resolve.
pub fn references(payload: &[u8]) -> Result<BTreeSet<String>, BindingError> {
    let mut names = BTreeSet::new();
    // Most payloads have no binding and need no parsing.
    if !payload.windows(FROM.len()).any(|window| window == FROM.as_bytes()) {
        return Ok(names);
    }
    let Ok(value) = serde_json::from_slice::<Value>(payload) else { return Ok(names) };
    let mut count = 0;
    walk(&value, &mut |found| {
        count += 1;
        if count > BINDINGS_MAX {
            return Err(BindingError::TooMany);
        }
        if let Some(path) = found.path {
            parse_path(found, path)?;
        }
        names.insert(found.from.to_owned());
        Ok(())
    })?;
    Ok(names)
}

/// The dependence whose whole result is all of this payload, if it is that.
#[must_use]
pub fn whole(payload: &[u8]) -> Option<String> {
    let Ok(Value::Object(map)) = serde_json::from_slice(payload) else { return None };
    let found = binding(&map).ok().flatten()?;
    found.path.is_none().then(|| found.from.to_owned())
}

fn walk(value: &Value, see: &mut impl FnMut(&Binding<'_>) -> Result<(), BindingError>) -> Result<(), BindingError> {
    match value {
        Value::Object(map) => match binding(map)? {
            Some(found) => see(&found),
            None => map.values().try_for_each(|inner| walk(inner, see)),
        },
        Value::Array(all) => all.iter().try_for_each(|inner| walk(inner, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// The payload with every binding replaced; `result` gives the result of a dependence by its name, if it has one.
///
/// # Errors
/// [`BindingError`] for the first binding that does not resolve.
pub fn resolve(payload: &[u8], result: impl Fn(&str) -> Option<Bytes>) -> Result<Bytes, BindingError> {
    let Ok(mut value) = serde_json::from_slice::<Value>(payload) else { return Ok(Bytes::copy_from_slice(payload)) };
    let mut parsed: std::collections::HashMap<String, Value> = std::collections::HashMap::new();
    for name in references(payload)? {
        let bytes = result(&name).ok_or_else(|| BindingError::NoResult(name.clone()))?;
        let json = serde_json::from_slice(&bytes).map_err(|_| BindingError::NotJson(name.clone()))?;
        parsed.insert(name, json);
    }
    replace(&mut value, &parsed)?;
    Ok(Bytes::from(value.to_string()))
}

fn replace(value: &mut Value, results: &std::collections::HashMap<String, Value>) -> Result<(), BindingError> {
    if let Value::Object(map) = value
        && let Some(found) = binding(map)?
    {
        *value = look_up(&found, results)?;
        return Ok(());
    }
    match value {
        Value::Object(map) => map.values_mut().try_for_each(|inner| replace(inner, results)),
        Value::Array(all) => all.iter_mut().try_for_each(|inner| replace(inner, results)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn look_up(binding: &Binding<'_>, results: &std::collections::HashMap<String, Value>) -> Result<Value, BindingError> {
    let whole = results.get(binding.from).ok_or_else(|| BindingError::NoResult(binding.from.to_owned()))?;
    let Some(path) = binding.path else { return Ok(whole.clone()) };
    let found = parse_path(binding, path)?.query(whole).all();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        other => Err(BindingError::NotOne { from: binding.from.to_owned(), path: path.to_owned(), found: other.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(name: &str) -> Option<Bytes> {
        match name {
            "resize" => Some(Bytes::from_static(br#"{"width":64,"files":["a","b"]}"#)),
            "text" => Some(Bytes::from_static(b"not json")),
            _ => None,
        }
    }

    fn resolved(payload: &str) -> Result<String, String> {
        let bytes = resolve(payload.as_bytes(), results).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn a_part_and_the_whole_of_a_result_are_bound() {
        let payload =
            r#"{"w":{"$from":"resize","path":"$.width"},"list":[{"$from":"resize","path":"$.files[1]"}],"x":1}"#;
        assert_eq!(resolved(payload).unwrap(), r#"{"list":["b"],"w":64,"x":1}"#);
        assert_eq!(resolved(r#"{"$from":"resize"}"#).unwrap(), r#"{"files":["a","b"],"width":64}"#);
    }

    #[test]
    fn a_bound_value_is_not_searched_for_bindings() {
        let tricky = |_: &str| Some(Bytes::from_static(br#"{"$from":"resize"}"#));
        assert_eq!(resolve(br#"[{"$from":"a"}]"#, tricky).unwrap(), r#"[{"$from":"resize"}]"#);
    }

    #[test]
    fn what_does_not_resolve_says_why() {
        let error = |payload| resolved(payload).unwrap_err();
        assert!(error(r#"{"$from":"resize","path":"$.height"}"#).contains("finds 0 values"));
        assert!(error(r#"{"$from":"resize","path":"$.files[*]"}"#).contains("finds 2 values"));
        assert!(error(r#"{"$from":"text","path":"$"}"#).contains("not JSON"));
        assert!(error(r#"{"$from":"nobody"}"#).contains("without a result"));
        assert!(error(r#"{"$from":"resize","path":"width"}"#).contains("not a JSONPath"));
        assert!(error(r#"{"$from":"resize","else":1}"#).contains("nothing else"));
        assert!(error(r#"{"$from":7}"#).contains("two texts"));
    }

    #[test]
    fn payloads_without_bindings_are_left_alone() {
        assert!(references(b"\xff $from").unwrap().is_empty());
        assert!(references(br#"{"a":"$from"}"#).unwrap().is_empty());
        assert_eq!(
            references(br#"[{"$from":"b"},{"$from":"a"}]"#).unwrap().into_iter().collect::<Vec<_>>(),
            ["a", "b"]
        );
    }

    #[test]
    fn only_a_lone_binding_without_a_path_is_the_whole_payload() {
        assert_eq!(whole(br#"{"$from":"a"}"#).as_deref(), Some("a"));
        for other in [r#"{"$from":"a","path":"$.x"}"#, r#"[{"$from":"a"}]"#, r#"{"x":{"$from":"a"}}"#, "{}", "no"] {
            assert_eq!(whole(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn bindings_are_counted() {
        let many = format!("[{}]", vec![r#"{"$from":"a"}"#; BINDINGS_MAX + 1].join(","));
        assert_eq!(references(many.as_bytes()), Err(BindingError::TooMany));
    }
}
