//! Settings from the module's manifest (`[config]` in `tasklane.toml`).

use std::str::FromStr;

use crate::TaskError;

/// The value of a key, if the manifest has it.
#[must_use]
pub fn get(key: &str) -> Option<String> {
    #[cfg(target_family = "wasm")]
    return crate::guest::config(key);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::config(key)
}

/// The value of a key as a type, if the manifest has it.
///
/// # Errors
/// A permanent error `bad_config` when the value does not parse.
pub fn parse<T: FromStr<Err: std::fmt::Display>>(key: &str) -> Result<Option<T>, TaskError> {
    let parse = |text: String| {
        text.parse().map_err(|why| TaskError::permanent("bad_config", format!("config `{key}` = `{text}`: {why}")))
    };
    get(key).map(parse).transpose()
}
