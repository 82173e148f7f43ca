//! Completion: of commands and options, and of the names and ids that the server knows right now.
//!
//! A shell's script calls `taskctl` with `COMPLETE` set, and gets candidates. Guarantees: it answers within two seconds, and says nothing
//! where the server does not; it changes nothing. It uses the context, the variables, and `--server`, `--context` and `--namespace` of
//! the line that is being completed.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, Command, CommandFactory};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};
use serde_json::Value;
use tasklane_domain::StateKind;

use crate::cli::{Cli, Color, Format, Global};
use crate::client::Client;
use crate::failure::{FAILED, Failure};
use crate::{connection, context, output};

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The variable by which a shell's script asks.
const VARIABLE: &str = "COMPLETE";
/// Candidates at most.
const CANDIDATES_MAX: usize = 200;

/// Answers a shell, if one asks.
pub(crate) fn answered() -> bool {
    let dir = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(command).var(VARIABLE).try_complete(std::env::args_os(), dir.as_deref());
    asked.unwrap_or_else(|error| error.exit())
}

/// Prints the script that makes a shell ask.
pub(crate) fn script(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let name = shell.to_string();
    let unknown = || Failure::new(FAILED, format!("there is no script for {name}"));
    let shells = Shells::builtins();
    let mut script = Vec::new();
    let completer = shells.completer(&name).ok_or_else(unknown)?;
    completer.write_registration(VARIABLE, "taskctl", "taskctl", "taskctl", &mut script)?;
    Ok(output::raw(&script)?)
}

/// What a value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Module,
    Queue,
    Task,
    Operation,
    Schedule,
    Webhook,
    Namespace,
    Host,
    Secret,
    Context,
    State,
    Priority,
}

impl Kind {
    /// Where the server tells them, in which field, under which name, and what is said beside each.
    const fn source(self) -> Option<(&'static str, &'static str, &'static str, &'static str)> {
        Some(match self {
            Self::Module => ("/api/v1/modules", "modules", "name", "version"),
            Self::Queue => ("/api/v1/queues", "queues", "name", "queued"),
            Self::Task => ("/api/v1/tasks?limit=100", "tasks", "id", "module"),
            Self::Operation => ("/api/v1/operations", "operations", "id", "action"),
            Self::Schedule => ("/api/v1/schedules", "schedules", "name", "description"),
            Self::Webhook => ("/api/v1/webhooks", "webhooks", "name", "url"),
            Self::Namespace => ("/api/v1/namespaces", "namespaces", "name", ""),
            Self::Host => ("/api/v1/hosts", "hosts", "name", "status"),
            Self::Secret => ("/api/v1/secrets", "secrets", "name", ""),
            Self::Context | Self::State | Self::Priority => return None,
        })
    }
}

/// What an argument of a command names.
fn kind_of(command: &str, arg: &str) -> Option<Kind> {
    Some(match (command, arg) {
        (_, "module" | "alias" | "from") => Kind::Module,
        (_, "queue") => Kind::Queue,
        (_, "status") => Kind::State,
        (_, "priority") => Kind::Priority,
        (_, "namespace") => Kind::Namespace,
        (_, "context") => Kind::Context,
        ("tasks" | "wait", "id" | "ids") | (_, "after" | "parent" | "task") => Kind::Task,
        ("hosts", "host") => Kind::Host,
        ("operations", "id") => Kind::Operation,
        ("schedules", "name" | "what") => Kind::Schedule,
        ("webhooks", "name") => Kind::Webhook,
        ("queues", "name") => Kind::Queue,
        ("namespaces", "name") => Kind::Namespace,
        ("secrets", "name") => Kind::Secret,
        ("context", "name") => Kind::Context,
        _ => return None,
    })
}

/// The command line, with completers where a value names something.
fn command() -> Command {
    with_completers(Cli::command(), "")
}

fn with_completers(command: Command, above: &str) -> Command {
    // `tasks get ID` is about tasks, `wait ID` by its own name.
    let about = if above.is_empty() || above == "taskctl" { command.get_name() } else { above }.to_owned();
    let command = command.mut_args(|arg| completed(arg, &about));
    let about = if about == "taskctl" { String::new() } else { about };
    command.mut_subcommands(|below| with_completers(below, &about))
}

fn completed(arg: Arg, about: &str) -> Arg {
    let has_values = !arg.get_possible_values().is_empty();
    match kind_of(about, arg.get_id().as_str()).filter(|_| !has_values) {
        Some(kind) => arg.add(ArgValueCompleter::new(move |current: &OsStr| candidates(kind, current))),
        None => arg,
    }
}

fn candidates(kind: Kind, current: &OsStr) -> Vec<CompletionCandidate> {
    let begun = current.to_string_lossy();
    let found = match kind {
        Kind::Context => context::load().map(|all| all.contexts.into_keys().map(|name| (name, None)).collect()),
        Kind::State => Ok(StateKind::ALL.map(|state| (state.as_str().to_owned(), None)).to_vec()),
        Kind::Priority => Ok(["high", "medium", "low"].map(|word| (word.to_owned(), None)).to_vec()),
        kind => ask(kind),
    };
    let found: Vec<(String, Option<String>)> = found.unwrap_or_default();
    let fitting = found.into_iter().filter(|(name, _)| name.starts_with(&*begun)).take(CANDIDATES_MAX);
    fitting.map(|(name, help)| CompletionCandidate::new(name).help(help.map(Into::into))).collect()
}

/// What the server knows; an error is silence.
fn ask(kind: Kind) -> anyhow::Result<Vec<(String, Option<String>)>> {
    let Some((path, field, name, help)) = kind.source() else { return Ok(Vec::new()) };
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    let client = Client::new(&connection::resolve(&line(std::env::args_os()))?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        let scoped = client.scoped(path);
        tokio::time::timeout(PATIENCE, client.get::<Value>(&scoped)).await
    })??;
    let things = answer.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    for thing in &things {
        let Some(name) = thing.get(name).and_then(Value::as_str) else { continue };
        let beside = thing.get(help).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        // Versions of one module follow each other.
        if found.last().is_none_or(|(last, _)| last != name) {
            found.push((name.to_owned(), beside.map(|text| output::inert(&text).replace('\n', " "))));
        }
    }
    Ok(found)
}

/// What the line that is being completed says of the server. clap has not read it: it is not whole.
fn line(args: impl Iterator<Item = OsString>) -> Global {
    let words: Vec<String> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    let after = |flag: &str| {
        let prefix = format!("{flag}=");
        let apart = words.windows(2).find(|pair| pair.first().is_some_and(|word| word == flag));
        let apart = apart.and_then(|pair| pair.get(1).cloned());
        apart.or_else(|| words.iter().find_map(|word| word.strip_prefix(&prefix).map(str::to_owned)))
    };
    let variable = |name: &str| crate::config::places::variable(name);
    Global {
        server: after("--server").or_else(|| variable("TASKLANE_SERVER")),
        context: after("--context").or_else(|| variable("TASKLANE_CONTEXT")),
        token_file: after("--token-file").or_else(|| variable("TASKLANE_TOKEN_FILE")).map(PathBuf::from),
        ca_file: after("--ca-file").or_else(|| variable("TASKLANE_CA_FILE")).map(PathBuf::from),
        namespace: after("--namespace").or_else(|| variable("TASKLANE_NAMESPACE")),
        output: Format::Json,
        color: Color::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_which_server() {
        let args = ["taskctl", "--server", "http://a", "tasks", "get", "--namespace=acme"].map(OsString::from);
        let global = line(args.into_iter());
        assert_eq!((global.server.as_deref(), global.namespace.as_deref()), (Some("http://a"), Some("acme")));
    }

    #[test]
    fn values_that_name_something_are_completed() {
        let command = command();
        let has = |path: &[&str], arg: &str| {
            let found = path.iter().try_fold(&command, |command, name| command.find_subcommand(name)).unwrap();
            let arg = found.get_arguments().find(|it| it.get_id() == arg).unwrap();
            arg.get::<ArgValueCompleter>().is_some()
        };
        let known = [
            (&["tasks", "get"][..], "id"),
            (&["tasks", "list"], "module"),
            (&["run"], "module"),
            (&["submit"], "queue"),
            (&["schedules", "pause"], "name"),
            (&["context", "use"], "name"),
            (&["queues", "pause"], "name"),
            (&["wait"], "ids"),
            (&["hosts", "drain"], "host"),
            (&["tasks", "cancel"], "status"),
        ];
        for (path, arg) in known {
            assert!(has(path, arg), "{path:?} {arg}");
        }
        assert!(!has(&["kv", "get"], "key"));
    }
}
