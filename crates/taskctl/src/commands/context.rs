//! `taskctl context …`: servers by name. No command shows a token.

use std::io::{IsTerminal, Read};

use serde::Serialize;

use crate::cli::{ContextArgs, Contexts as Command, Format, Global};
use crate::commands::prompt;
use crate::config::without_password;
use crate::connection::{as_token, read_token};
use crate::context::{self, Context, Contexts, Replace};
use crate::failure::{Failure, USAGE};
use crate::output::{self, Column, Table, col};
use crate::secret_text::SecretText;

const COLUMNS: &[Column] =
    &[col("NAME"), col("CURRENT"), col("SERVER"), col("NAMESPACE"), col("TOKEN"), col("CA FILE")];
/// Most bytes of a token on standard input.
const TOKEN_BYTES_MAX: u64 = 16 * 1024;

/// A context without its token.
#[derive(Debug, Serialize)]
struct View {
    name: String,
    current: bool,
    server: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_file: Option<String>,
    /// Whether there is one.
    token: bool,
}

#[derive(Debug, Serialize)]
struct List {
    contexts: Vec<View>,
}

/// Carries one out.
pub(crate) fn run(global: &Global, command: Command) -> anyhow::Result<()> {
    let format = global.output;
    match command {
        Command::Add(args) => add(global, &args),
        Command::Use { name } => {
            context::change(|all| all.switch(&name))?;
            output::note(&format!("context {name} is in use"));
            Ok(())
        }
        Command::Previous => {
            let name = context::change(Contexts::back)?;
            output::note(&format!("context {name} is in use"));
            Ok(())
        }
        Command::List => list(format, &context::load()?),
        Command::Show { name } => show(format, &context::load()?, name),
        Command::Remove { name } => {
            context::change(|all| all.remove(&name))?;
            output::note(&format!("context {name} is forgotten"));
            Ok(())
        }
    }
}

fn add(global: &Global, args: &ContextArgs) -> anyhow::Result<()> {
    let missing = || Failure::new(USAGE, "no server is given").hint("--server https://tasks.example.com");
    let server = global.server.clone().ok_or_else(missing)?;
    check(&server)?;
    let token = match (&global.token_file, args.ask_token) {
        (Some(path), _) => Some(read_token(path)?),
        (None, true) => Some(asked()?),
        (None, false) => None,
    };
    let ca_file = global.ca_file.as_ref().map(std::path::absolute).transpose()?;
    let added = Context { server, namespace: global.namespace.clone(), ca_file, token };
    let replace = if args.force { Replace::Yes } else { Replace::No };
    let is_current = context::change(|all| {
        all.add(&args.name, added, replace)?;
        Ok(all.current.as_deref() == Some(&args.name))
    })?;
    let next = if is_current { "is in use".to_owned() } else { format!("next: taskctl context use {}", args.name) };
    output::note(&format!("context {} is kept; {next}", args.name));
    Ok(())
}

fn check(server: &str) -> anyhow::Result<()> {
    let shown = without_password(server);
    let wrong = || Failure::new(USAGE, format!("`{shown}` is no server")).hint("write https://tasks.example.com");
    let url = reqwest::Url::parse(server).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || url.query().is_some() {
        return Err(wrong().into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong().hint("leave user and password out: a token says who asks").into());
    }
    Ok(())
}

/// A token from the terminal, unseen, or from standard input.
fn asked() -> anyhow::Result<SecretText> {
    let bytes = if std::io::stdin().is_terminal() {
        prompt::hidden("token")?
    } else {
        let mut bytes = Vec::new();
        std::io::stdin().lock().take(TOKEN_BYTES_MAX).read_to_end(&mut bytes)?;
        bytes
    };
    as_token(&String::from_utf8_lossy(&bytes)).map_err(|why| Failure::new(USAGE, format!("the token: {why}")).into())
}

fn view(all: &Contexts, name: &str, one: &Context) -> View {
    View {
        name: name.to_owned(),
        current: all.current.as_deref() == Some(name),
        server: one.server.clone(),
        namespace: one.namespace.clone(),
        ca_file: one.ca_file.as_ref().map(|path| path.display().to_string()),
        token: one.token.is_some(),
    }
}

fn list(format: Format, all: &Contexts) -> anyhow::Result<()> {
    let contexts: Vec<View> = all.contexts.iter().map(|(name, one)| view(all, name, one)).collect();
    let row = |view: &View| {
        vec![
            view.name.clone(),
            if view.current { "yes" } else { "" }.to_owned(),
            view.server.clone(),
            view.namespace.clone().unwrap_or_default(),
            if view.token { "kept" } else { "none" }.to_owned(),
            view.ca_file.clone().unwrap_or_default(),
        ]
    };
    let table = Table::new(COLUMNS, contexts.iter().map(row).collect());
    output::list(
        format,
        &List { contexts },
        "contexts",
        &table.or("no contexts; `taskctl context add NAME --server URL`"),
    )
}

fn show(format: Format, all: &Contexts, name: Option<String>) -> anyhow::Result<()> {
    let none = || Failure::new(USAGE, "no context is in use").hint("name one; `taskctl context list` shows all");
    let name = name.or_else(|| all.current.clone()).ok_or_else(none)?;
    let view = view(all, &name, all.get(&name)?);
    let pairs = vec![
        ("name", name.clone()),
        ("server", view.server.clone()),
        ("namespace", view.namespace.clone().unwrap_or_else(|| "none".to_owned())),
        ("token", if view.token { "kept" } else { "none" }.to_owned()),
        ("ca file", view.ca_file.clone().unwrap_or_else(|| "none".to_owned())),
    ];
    output::record(format, &view, &name, pairs)
}
