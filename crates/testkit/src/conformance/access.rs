//! Tokens and the audit log: tokens read back and end, entries stay as they were written.

use anyhow::{Context, ensure};
use tasklane_domain::Timestamp;
use tasklane_domain::access::{AuditEntry, AuditFilter, Credential, Grants, NewToken, Role, Token, TokenStanding};
use tasklane_domain::retention::Leftover;

use super::World;
use super::world::{NOW, at};

fn token(credential: &Credential, name: &str, expires_at: Option<Timestamp>) -> anyhow::Result<Token> {
    let grants: Grants = serde_json::from_str(r#"{"acme": "deployer", "*": "viewer"}"#)?;
    let is = NewToken { name: name.parse()?, grants, rate: Some("10/1s burst 20".parse()?), expires_at };
    Ok(Token::new(credential, is, "operator".to_owned(), NOW))
}

/// With its roles, rate and times; a second one of the same id changes nothing.
pub async fn a_token_reads_back_and_is_revoked(world: World) -> anyhow::Result<()> {
    let tokens = &world.stores.tokens;
    let credential = Credential::generate();
    let made = token(&credential, "ci", Some(at(60)))?;
    ensure!(tokens.create(made.clone()).await?);
    ensure!(!tokens.create(token(&credential, "other", None)?).await?, "ids are unique");
    let read = tokens.token(credential.id()).await?.context("the token")?;
    ensure!(read == made, "{read:?}");
    ensure!(read.hash.fits(&credential) && read.standing(NOW) == TokenStanding::Active);
    ensure!(tokens.revoke(credential.id(), at(5)).await?);
    ensure!(tokens.revoke(credential.id(), at(9)).await?, "it is there, and stays revoked when it was");
    ensure!(tokens.token(credential.id()).await?.context("the token")?.revoked_at == Some(at(5)));
    ensure!(!tokens.revoke(Credential::generate().id(), NOW).await?);
    ensure!(tokens.token(Credential::generate().id()).await?.is_none());
    ensure!(tokens.tokens().await?.len() == 1);
    Ok(())
}

/// Never backwards.
pub async fn the_last_use_of_a_token_is_kept(world: World) -> anyhow::Result<()> {
    let tokens = &world.stores.tokens;
    let (one, other) = (Credential::generate(), Credential::generate());
    for credential in [&one, &other] {
        tokens.create(token(credential, "ci", None)?).await?;
    }
    tokens.used(vec![(one.id(), at(9)), (other.id(), at(3)), (Credential::generate().id(), at(3))]).await?;
    tokens.used(vec![(one.id(), at(4))]).await?;
    let used = async |of: &Credential| anyhow::Ok(tokens.token(of.id()).await?.context("it")?.last_used_at);
    ensure!(used(&one).await? == Some(at(9)) && used(&other).await? == Some(at(3)));
    Ok(())
}

fn entry(number: u16, namespace: Option<&str>, actor: &str) -> anyhow::Result<AuditEntry> {
    Ok(AuditEntry {
        at: at(u64::from(number)),
        actor: actor.to_owned(),
        name: "ci".to_owned(),
        source: number.is_multiple_of(2).then(|| "127.0.0.1".to_owned()),
        action: "PUT /api/v1/secrets/{name}".to_owned(),
        target: format!("/api/v1/secrets/{number}"),
        namespace: namespace.map(str::parse).transpose()?,
        status: 200 + number,
        request: format!("r-{number}"),
    })
}

/// In order, by namespace, by actor and since a time.
pub async fn audit_entries_are_found(world: World) -> anyhow::Result<()> {
    let audit = &world.stores.audit;
    let all = [
        entry(1, Some("acme"), "a")?,
        entry(2, None, "a")?,
        entry(3, Some("beta"), "b")?,
        entry(4, Some("acme"), "b")?,
    ];
    audit.append(all.get(..3).context("three")?.to_vec()).await?;
    audit.append(vec![all.get(3).context("a fourth")?.clone()]).await?;
    let found = async |filter: AuditFilter| anyhow::Ok(audit.page(&filter, None, 10).await?);
    let page = found(AuditFilter::default()).await?;
    let entries: Vec<AuditEntry> = page.iter().rev().map(|record| record.entry.clone()).collect();
    ensure!(entries == all, "{entries:?}");
    ensure!(page.is_sorted_by(|later, earlier| later.seq > earlier.seq));
    let second = page.get(1).context("a second")?.seq;
    ensure!(
        audit.page(&AuditFilter::default(), Some(second), 1).await?.first().context("one")?.entry
            == entry(2, None, "a")?
    );
    ensure!(audit.after(second, 10).await?.len() == 1 && audit.after(0, 2).await?.len() == 2);
    let of = |text: &str| anyhow::Ok(AuditFilter { namespace: Some(text.parse()?), ..AuditFilter::default() });
    ensure!(found(of("acme")?).await?.len() == 2 && found(of("nobody")?).await?.is_empty());
    ensure!(found(AuditFilter { actor: Some("b".to_owned()), ..of("acme")? }).await?.len() == 1);
    ensure!(found(AuditFilter { since: Some(at(3)), ..AuditFilter::default() }).await?.len() == 2);
    Ok(())
}

/// What has stayed long enough goes, and nothing else.
pub async fn audit_entries_go_when_they_are_old(world: World) -> anyhow::Result<()> {
    let (audit, term) = (&world.stores.audit, world.lead().await?);
    audit.append(vec![entry(1, None, "a")?, entry(2, None, "a")?, entry(3, None, "a")?]).await?;
    let purge = async |time| world.stores.retention.purge(term, Leftover::AuditEntry, time).await;
    ensure!(purge(at(0)).await? == 0);
    ensure!(purge(at(2)).await? == 2);
    // The floor does not sink again.
    ensure!(purge(at(1)).await? == 0);
    let left = audit.page(&AuditFilter::default(), None, 10).await?;
    ensure!(left.len() == 1 && left.first().context("one")?.entry == entry(3, None, "a")?, "{left:?}");
    Ok(())
}

/// One more role than is needed, in JSON as in rows.
pub async fn roles_of_a_token_hold_where_they_were_given(world: World) -> anyhow::Result<()> {
    let credential = Credential::generate();
    world.stores.tokens.create(token(&credential, "ci", None)?).await?;
    let read = world.stores.tokens.token(credential.id()).await?.context("the token")?;
    ensure!(read.is.grants.role_in(&"acme".parse()?) == Some(Role::Deployer));
    ensure!(read.is.grants.role_in(&"beta".parse()?) == Some(Role::Viewer));
    Ok(())
}
