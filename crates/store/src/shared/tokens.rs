//! API tokens: rows and their port.

use async_trait::async_trait;
use tasklane_domain::Timestamp;
use tasklane_domain::access::{Grants, NewToken, TOKENS_MAX, Token, TokenHash, TokenId, TokenStore};
use tasklane_domain::error::StoreError;

use super::Db;
use super::adapter::{Store, unexpected};
use super::row::{DbRow, get, json, parsed, required_time, time, to_json};
use crate::error::{corrupt, unavailable};
use crate::ops::TokenChange;
use crate::writer::{Answer, Op};

type Conn = <Db as sqlx::Database>::Connection;

const COLUMNS: &str = "id, name, hash, grants, rate, created_by, created_at, expires_at, revoked_at, last_used_at";

fn token(row: &DbRow) -> Result<Token, StoreError> {
    let hash: Vec<u8> = get(row, "hash")?;
    let grants: Option<Grants> = json(row, "grants")?;
    let rate: Option<&str> = get(row, "rate")?;
    Ok(Token {
        id: parsed(row, "id")?,
        hash: TokenHash::from_bytes(hash.try_into().map_err(|_| corrupt("hash", "has another length"))?),
        is: NewToken {
            name: parsed(row, "name")?,
            grants: grants.ok_or_else(|| corrupt("grants", "is missing"))?,
            rate: rate.map(str::parse).transpose().map_err(|why| corrupt("rate", why))?,
            expires_at: time(row, "expires_at")?,
        },
        created_by: get(row, "created_by")?,
        created_at: required_time(row, "created_at")?,
        revoked_at: time(row, "revoked_at")?,
        last_used_at: time(row, "last_used_at")?,
    })
}

/// Whether there was something to change.
pub(super) async fn change(conn: &mut Conn, change: &TokenChange) -> Result<Result<bool, StoreError>, StoreError> {
    match change {
        TokenChange::Create(token) => create(conn, token).await,
        TokenChange::Revoke(id, now) => revoke(conn, *id, *now).await.map(Ok),
        TokenChange::Used(uses) => used(conn, uses).await.map(|()| Ok(true)),
    }
}

async fn create(conn: &mut Conn, token: &Token) -> Result<Result<bool, StoreError>, StoreError> {
    let sql =
        "SELECT COUNT(*) AS count FROM tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)";
    let query = sqlx::query::<Db>(sql).bind(token.created_at.as_micros());
    let active: i64 = get(&query.fetch_one(&mut *conn).await.map_err(unavailable)?, "count")?;
    if active >= i64::from(TOKENS_MAX) {
        return Ok(Err(StoreError::TokensFull(TOKENS_MAX)));
    }
    let sql = "INSERT INTO tokens (id, name, hash, grants, rate, created_by, created_at, expires_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING";
    let done = sqlx::query::<Db>(sql)
        .bind(token.id.to_string())
        .bind(token.is.name.as_str().to_owned())
        .bind(token.hash.as_bytes().to_vec())
        .bind(to_json(&token.is.grants)?)
        .bind(token.is.rate.map(|rate| rate.to_string()))
        .bind(token.created_by.clone())
        .bind(token.created_at.as_micros())
        .bind(token.is.expires_at.map(Timestamp::as_micros))
        .execute(conn)
        .await
        .map_err(unavailable)?;
    Ok(Ok(done.rows_affected() == 1))
}

async fn revoke(conn: &mut Conn, id: TokenId, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "UPDATE tokens SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1";
    let query = sqlx::query::<Db>(sql).bind(id.to_string()).bind(now.as_micros());
    Ok(query.execute(conn).await.map_err(unavailable)?.rows_affected() == 1)
}

async fn used(conn: &mut Conn, uses: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
    let sql = "UPDATE tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)";
    for (id, at) in uses {
        let query = sqlx::query::<Db>(sql).bind(id.to_string()).bind(at.as_micros()).bind(at.as_micros());
        query.execute(&mut *conn).await.map_err(unavailable)?;
    }
    Ok(())
}

impl Store {
    async fn change_tokens(&self, change: TokenChange) -> Result<bool, StoreError> {
        if let Answer::TokenChanged(done) = self.writer.ask(Op::ChangeTokens(change.into())).await? {
            return Ok(done);
        }
        unexpected()
    }
}

#[async_trait]
impl TokenStore for Store {
    async fn create(&self, token: Token) -> Result<bool, StoreError> {
        self.change_tokens(TokenChange::Create(token)).await
    }

    async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM tokens ORDER BY created_at DESC, id LIMIT $1"));
        let query = sqlx::query::<Db>(sql).bind(i64::from(TOKENS_MAX));
        query.fetch_all(&self.readers).await.map_err(unavailable)?.iter().map(token).collect()
    }

    async fn token(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM tokens WHERE id = $1"));
        let row = sqlx::query::<Db>(sql).bind(id.to_string()).fetch_optional(&self.readers).await;
        row.map_err(unavailable)?.as_ref().map(token).transpose()
    }

    async fn revoke(&self, id: TokenId, now: Timestamp) -> Result<bool, StoreError> {
        self.change_tokens(TokenChange::Revoke(id, now)).await
    }

    async fn used(&self, uses: Vec<(TokenId, Timestamp)>) -> Result<(), StoreError> {
        self.change_tokens(TokenChange::Used(uses)).await.map(drop)
    }
}
