//! Who is let in by a role with an API: decided before it listens.
//!
//! Guarantees: no role but `dev` serves without access control unless `--insecure` was said; `dev` serves this machine alone.

use std::net::SocketAddr;

use tasklane_api::AccessMode;
use tasklane_domain::access::{Asked, Role, Token, TokenStanding};
use tasklane_domain::{Clock, SystemClock};
use tasklane_store::Stores;

use crate::commands::token::{add_first, first_admin};
use crate::config::Settings;
use crate::failure::{Failure, USAGE};
use crate::output;

/// What `serve` does: it says loudly what it does without, and makes the first admin's token.
///
/// # Errors
/// When nobody could ever be let in.
pub(super) async fn prepare(settings: &Settings, stores: &Stores) -> anyhow::Result<()> {
    if settings.is_insecure() {
        let listen = settings.listen();
        if settings.log_format.as_deref() != Some("json") {
            // Whatever the log's filter is. Where lines are JSON, each is: the log itself says it then.
            output::note(&format!(
                "WARNING: --insecure: access control is off. Whoever reaches {listen} may do everything."
            ));
        }
        tracing::warn!(%listen, "access control is off (--insecure): whoever connects is an admin of everything");
        return Ok(());
    }
    if let Some(credential) = settings.bootstrap_token()? {
        let token = first_admin(&credential, "bootstrap")?;
        let id = token.id;
        if add_first(&*stores.tokens, &*stores.audit, token, "bootstrap_token_file").await? {
            tracing::warn!(%id, "the token of bootstrap_token_file is an admin of everything from now on");
        }
    }
    if settings.oidc_issuer.is_some() {
        return Ok(());
    }
    let now = SystemClock.now();
    let is_admin = |token: &Token| {
        token.standing(now) == TokenStanding::Active && token.is.grants.permit(Role::Admin, &Asked::Everywhere).is_ok()
    };
    if stores.tokens.tokens().await?.iter().any(is_admin) {
        return Ok(());
    }
    Err(Failure::new(USAGE, "nobody could use this server: no token of an admin is in its database")
        .hint(
            "make one with `taskctl tokens bootstrap` and the same settings, or set bootstrap_token_file; \
             --insecure serves everybody without asking",
        )
        .into())
}

/// How `serve` lets in.
pub(super) fn mode(settings: &Settings) -> AccessMode {
    if settings.is_insecure() { AccessMode::Open } else { AccessMode::Tokens }
}

/// `dev` asks nobody for a token, so nobody but this machine may ask it.
///
/// # Errors
/// When the address is another than this machine's own.
pub(super) fn check_local(listen: &str) -> anyhow::Result<()> {
    let is_elsewhere = listen.parse().is_ok_and(|address: SocketAddr| !address.ip().is_loopback());
    if !is_elsewhere {
        return Ok(());
    }
    Err(Failure::new(USAGE, format!("`taskctl dev` asks for no token, so it does not listen on {listen}"))
        .hint("listen on 127.0.0.1, or run `taskctl serve all`, which asks for tokens")
        .into())
}
