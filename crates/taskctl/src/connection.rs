//! Which server, as whom: flags before variables before the context before defaults.
//!
//! Guarantees: a token goes to the server that it is for. What a context says holds for its own server only: where another is
//! named, nothing of the context is used.

use std::path::PathBuf;

use crate::cli::Global;
use crate::client::read_file;
use crate::config::places;
use crate::context::{self, Context};
use crate::failure::{Failure, USAGE};
use crate::output;
use crate::secret_text::SecretText;

/// Where the API is unless told otherwise.
pub(crate) const SERVER: &str = "http://127.0.0.1:7070";

/// A server, and how it is spoken to.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// Without a slash at its end.
    pub(crate) server: String,
    pub(crate) namespace: Option<String>,
    pub(crate) token: Option<SecretText>,
    pub(crate) ca_file: Option<PathBuf>,
}

/// What was said on the command line and in the environment.
#[derive(Debug, Clone, Default)]
struct Given {
    server: Option<String>,
    namespace: Option<String>,
    token: Option<SecretText>,
    ca_file: Option<PathBuf>,
}

/// The connection that a command line asks for.
pub(crate) fn resolve(global: &Global) -> anyhow::Result<Connection> {
    let context = chosen(global.context.as_deref(), global.server.as_deref())?;
    let given = Given {
        server: global.server.clone(),
        namespace: global.namespace.clone(),
        token: token(global)?,
        ca_file: global.ca_file.clone(),
    };
    let connection = joined(given, context);
    if connection.token.is_some() && is_open(&connection.server) {
        output::note(&format!("warning: the token goes to {} unencrypted: use https", connection.server));
    }
    Ok(connection)
}

/// The context that is named, else the current one. A broken file stops nobody who names a server and no context.
fn chosen(name: Option<&str>, server: Option<&str>) -> anyhow::Result<Option<Context>> {
    let all = match context::load() {
        Ok(all) => all,
        Err(_) if name.is_none() && server.is_some() => return Ok(None),
        Err(error) => return Err(error),
    };
    let context = match (name, &all.current) {
        (Some(name), _) => Some(all.get(name)?.clone()),
        (None, Some(current)) => Some(all.get(current)?.clone()),
        (None, None) => None,
    };
    warn_if_open(context.as_ref());
    Ok(context)
}

fn warn_if_open(context: Option<&Context>) {
    let Some(path) = context.filter(|context| context.token.is_some()).and_then(|_| context::path()) else { return };
    if let Some(mode) = context::too_open(&path) {
        let path = path.display();
        output::note(&format!("warning: {path} holds tokens and others can read it (mode {mode:o}): chmod 600 {path}"));
    }
}

/// From the file that is named, else from the environment.
fn token(global: &Global) -> anyhow::Result<Option<SecretText>> {
    match &global.token_file {
        Some(path) => read_token(path).map(Some),
        None => Ok(places::token()),
    }
}

/// One line of a file.
pub(crate) fn read_token(path: &std::path::Path) -> anyhow::Result<SecretText> {
    let bytes = read_file(path)?;
    as_token(&String::from_utf8_lossy(&bytes))
        .map_err(|why| Failure::new(USAGE, format!("{}: {why}", path.display())).into())
}

/// What can go into a header.
pub(crate) fn as_token(text: &str) -> Result<SecretText, &'static str> {
    let text = text.trim();
    match text {
        "" => Err("it holds no token"),
        text if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(SecretText::new(text)),
        _ => Err("it holds more than a token, which is one word of ASCII characters"),
    }
}

fn bare(server: &str) -> String {
    server.trim_end_matches('/').to_owned()
}

fn joined(given: Given, context: Option<Context>) -> Connection {
    let server = given.server.as_deref().map(bare);
    let context = context.filter(|context| server.as_ref().is_none_or(|server| *server == bare(&context.server)));
    let context = context.unwrap_or_else(|| Context { server: SERVER.to_owned(), ..Context::default() });
    Connection {
        server: server.unwrap_or_else(|| bare(&context.server)),
        namespace: given.namespace.or(context.namespace),
        token: given.token.or(context.token),
        ca_file: given.ca_file.or(context.ca_file),
    }
}

/// Whether what is sent there can be read on the way.
fn is_open(server: &str) -> bool {
    let Some(rest) = server.strip_prefix("http://") else { return false };
    let host = rest.split('/').next().unwrap_or_default();
    let host = if host.starts_with('[') {
        host.split(']').next().unwrap_or_default()
    } else {
        host.split(':').next().unwrap_or_default()
    };
    !(host == "localhost" || host.starts_with("127.") || host == "[::1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Option<Context> {
        Some(Context {
            server: "https://prod/".to_owned(),
            namespace: Some("acme".to_owned()),
            ca_file: Some("ca.pem".into()),
            token: Some(SecretText::new("of-prod")),
        })
    }

    #[test]
    fn what_is_said_comes_before_the_context() {
        let given =
            Given { namespace: Some("beta".to_owned()), token: Some(SecretText::new("mine")), ..Given::default() };
        let joined = joined(given, context());
        assert_eq!((joined.server.as_str(), joined.namespace.as_deref()), ("https://prod", Some("beta")));
        assert_eq!((joined.token, joined.ca_file), (Some(SecretText::new("mine")), Some("ca.pem".into())));
    }

    #[test]
    fn a_contexts_token_goes_to_no_other_server() {
        let elsewhere = Given { server: Some("http://127.0.0.1:1/".to_owned()), ..Given::default() };
        let joined_elsewhere = joined(elsewhere, context());
        assert_eq!((joined_elsewhere.token, joined_elsewhere.namespace), (None, None));
        let same = Given { server: Some("https://prod".to_owned()), ..Given::default() };
        assert_eq!(joined(same, context()).token, Some(SecretText::new("of-prod")));
    }

    #[test]
    fn without_anything_it_is_this_machine() {
        let joined = joined(Given::default(), None);
        assert_eq!((joined.server.as_str(), joined.token), (SERVER, None));
    }

    #[test]
    fn what_can_be_read_on_the_way_is_known() {
        for open in ["http://tasks.example.com", "http://10.0.0.1:7070", "http://[2001:db8::1]:7070"] {
            assert!(is_open(open), "{open}");
        }
        for closed in ["https://tasks.example.com", "http://127.0.0.1:7070", "http://localhost", "http://[::1]:7070"] {
            assert!(!is_open(closed), "{closed}");
        }
    }

    #[test]
    fn a_token_is_one_word_and_is_not_shown() {
        let token = as_token(" tl_abc\n").unwrap();
        assert_eq!((token.reveal(), format!("{token:?}").as_str()), ("tl_abc", "[redacted]"));
        assert!(as_token("").is_err() && as_token("two words").is_err() && as_token("gr\u{fc}n").is_err());
    }
}
