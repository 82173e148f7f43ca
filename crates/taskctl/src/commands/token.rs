//! `taskctl tokens …` and `taskctl audit`.

use std::collections::BTreeMap;

use anyhow::Context;
use tasklane_api_types::{AuditList, AuditView, TokenList, TokenRequest, TokenView, WhoAmI};
use tasklane_domain::access::{AuditEntry, AuditStore, Credential, Grants, NewToken, Role, Scope, Token, TokenStore};
use tasklane_domain::{Clock, SystemClock, TokenName};

use crate::cli::{AuditArgs, BootstrapArgs, Format, TokenArgs, Tokens};
use crate::client::{Client, segment};
use crate::config::{Settings, without_password};
use crate::failure::{FAILED, Failure, UNREACHABLE, USAGE};
use crate::output::{self, Column, Table, col};

const TOKENS: &[Column] = &[col("ID"), col("NAME"), col("ROLES"), col("STATE"), col("EXPIRES"), col("LAST USED")];
const ROLES: &[Column] = &[col("NAMESPACE"), col("ROLE")];
const ENTRIES: &[Column] =
    &[col("TIME"), col("WHO"), col("FROM"), col("DID"), col("TO"), col("NAMESPACE"), col("STATUS")];
const PATH: &str = "/api/v1/tokens";
/// Entries of one request.
const PAGE: u32 = 500;

/// Carries one out that needs a server.
pub(crate) async fn run(client: &Client, format: Format, command: Tokens) -> anyhow::Result<()> {
    match command {
        Tokens::Create(args) => created(format, &client.post(PATH, &request(args)?).await?),
        Tokens::List => list(format, &client.get(PATH).await?),
        Tokens::Revoke { id } => {
            client.delete(&format!("{PATH}/{}", segment(&id))).await?;
            output::note(&format!("token {id} is revoked"));
            Ok(())
        }
        Tokens::Whoami => who(format, &client.get("/api/v1/access/whoami").await?),
        Tokens::Bootstrap(_) | Tokens::Generate => anyhow::bail!("this is asked of no server"),
    }
}

fn grants(texts: &[String]) -> anyhow::Result<Grants> {
    let mut grants = BTreeMap::new();
    for text in texts {
        let wrong =
            |why: String| Failure::new(USAGE, format!("--grant {text}: {why}")).hint("write --grant acme=deployer");
        let (scope, role) = text.split_once('=').ok_or_else(|| wrong("there is no `=`".to_owned()))?;
        let scope: Scope = scope.parse().map_err(|error: tasklane_domain::name::NameError| wrong(error.to_string()))?;
        let role: Role = role.parse().map_err(|error: tasklane_domain::access::RoleError| wrong(error.to_string()))?;
        if grants.insert(scope, role).is_some() {
            return Err(wrong("this namespace is named twice".to_owned()).into());
        }
    }
    Ok(Grants::try_from(grants)?)
}

fn request(args: TokenArgs) -> anyhow::Result<TokenRequest> {
    let TokenArgs { name, grants: texts, expires_in, rate } = args;
    Ok(TokenRequest { name, grants: grants(&texts)?, expires_in, rate })
}

/// The token alone on standard output, so that it can go into a file.
fn created(format: Format, made: &TokenView) -> anyhow::Result<()> {
    let text = made.token.as_deref().ok_or_else(|| Failure::new(FAILED, "the server's answer has no token"))?;
    output::told(format, made, &made.id.to_string(), || {
        output::data(text);
        output::note(&format!("token {} ({}) has {}; it is not shown again", made.id, made.name, made.grants));
    })
}

fn list(format: Format, list: &TokenList) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let row = |one: &TokenView| {
        vec![
            one.id.to_string(),
            one.name.clone(),
            one.grants.to_string(),
            one.state.clone(),
            one.expires_at.map_or_else(|| "-".to_owned(), |at| at.to_string()),
            one.last_used_at.map_or_else(|| "-".to_owned(), |at| output::ago(at, now)),
        ]
    };
    output::list(format, list, "tokens", &Table::new(TOKENS, list.tokens.iter().map(row).collect()))
}

fn who(format: Format, who: &WhoAmI) -> anyhow::Result<()> {
    let rows = who.grants.iter().map(|(scope, role)| vec![scope.to_string(), role.to_string()]).collect();
    output::told(format, who, &who.actor, || output::note(&format!("{} ({})", who.name, who.actor)))?;
    if output::is_for_people(format) { output::list(format, who, "", &Table::new(ROLES, rows)) } else { Ok(()) }
}

/// A token of an admin of everything.
pub(crate) fn first_admin(credential: &Credential, name: &str) -> anyhow::Result<Token> {
    let name: TokenName = name.parse()?;
    let is = NewToken { name, grants: Grants::everywhere(Role::Admin), rate: None, expires_at: None };
    Ok(Token::new(credential, is, "operator".to_owned(), SystemClock.now()))
}

/// Adds it, with its entry in the audit log. `false`: it is there already.
pub(crate) async fn add_first(
    tokens: &dyn TokenStore,
    audit: &dyn AuditStore,
    token: Token,
    action: &str,
) -> anyhow::Result<bool> {
    let entry = AuditEntry {
        at: token.created_at,
        actor: token.created_by.clone(),
        name: "operator".to_owned(),
        source: None,
        action: action.to_owned(),
        target: format!("{PATH}/{}", token.id),
        namespace: None,
        status: 201,
        request: String::new(),
    };
    let is_new = tokens.create(token).await.context("the token could not be stored")?;
    if is_new {
        audit.append(vec![entry]).await.context("the audit log could not be written")?;
    }
    Ok(is_new)
}

/// `taskctl tokens generate`.
pub(crate) fn generate() {
    output::data(&Credential::generate().reveal());
}

/// `taskctl tokens bootstrap`.
pub(crate) async fn bootstrap(args: BootstrapArgs) -> anyhow::Result<()> {
    let settings: Settings = args.settings.with_file()?;
    let url = settings.database_url();
    let stores = tasklane_store::open(&url).await.map_err(|error| {
        let error = anyhow::Error::new(error);
        Failure::new(UNREACHABLE, format!("the database {} cannot be used: {error:#}", without_password(&url)))
            .hint("set --database-url, or the --data-dir of the server")
    })?;
    let credential = Credential::generate();
    let token = first_admin(&credential, "bootstrap")?;
    let id = token.id;
    add_first(&*stores.tokens, &*stores.audit, token, "taskctl tokens bootstrap").await?;
    output::data(&credential.reveal());
    output::note(&format!("token {id} (bootstrap) is an admin of everything; it is not shown again"));
    Ok(())
}

/// `taskctl audit`: the newest first.
pub(crate) async fn audit(client: &Client, format: Format, args: AuditArgs) -> anyhow::Result<()> {
    let mut list = AuditList { entries: Vec::new(), next_cursor: None };
    let mut left = args.limit;
    while left > 0 {
        let mut path = format!("/api/v1/audit?limit={}", left.min(PAGE));
        for (name, value) in [("actor", &args.actor), ("since", &args.since), ("cursor", &list.next_cursor)] {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", segment(value)));
            }
        }
        let page: AuditList = client.get(&client.scoped(&path)).await?;
        left = left.saturating_sub(u32::try_from(page.entries.len()).unwrap_or(u32::MAX));
        list.entries.extend(page.entries);
        list.next_cursor = page.next_cursor;
        if list.next_cursor.is_none() {
            break;
        }
    }
    let row = |one: &AuditView| {
        vec![
            one.at.to_string(),
            one.name.clone(),
            one.source.clone().unwrap_or_else(|| "-".to_owned()),
            one.action.split(' ').next().unwrap_or_default().to_owned(),
            one.target.clone(),
            one.namespace.clone().unwrap_or_else(|| "-".to_owned()),
            one.status.to_string(),
        ]
    };
    output::list(format, &list, "entries", &Table::new(ENTRIES, list.entries.iter().map(row).collect()))
}
