//! The audit log: rows that are only added, and their port.

use async_trait::async_trait;
use tasklane_domain::Timestamp;
use tasklane_domain::access::{AUDIT_PAGE_MAX, AuditEntry, AuditFilter, AuditRecord, AuditStore};
use tasklane_domain::error::StoreError;

use super::Db;
use super::adapter::{Store, unexpected};
use super::row::{DbRow, get, parsed, required_time};
use crate::error::unavailable;
use crate::writer::{Answer, Op};

type Conn = <Db as sqlx::Database>::Connection;

const COLUMNS: &str = "seq, at, actor, name, source, action, target, namespace, status, request";

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn record(row: &DbRow) -> Result<AuditRecord, StoreError> {
    let of_namespace = given(get(row, "namespace")?).is_some();
    let entry = AuditEntry {
        at: required_time(row, "at")?,
        actor: get(row, "actor")?,
        name: get(row, "name")?,
        source: given(get(row, "source")?).map(str::to_owned),
        action: get(row, "action")?,
        target: get(row, "target")?,
        namespace: if of_namespace { Some(parsed(row, "namespace")?) } else { None },
        status: u16::try_from(get::<i32>(row, "status")?).unwrap_or(0),
        request: get(row, "request")?,
    };
    Ok(AuditRecord { seq: get(row, "seq")?, entry })
}

pub(super) async fn append(conn: &mut Conn, entries: &[AuditEntry]) -> Result<(), StoreError> {
    let sql = "INSERT INTO audit (at, actor, name, source, action, target, namespace, status, request) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    for entry in entries {
        sqlx::query::<Db>(sql)
            .bind(entry.at.as_micros())
            .bind(entry.actor.clone())
            .bind(entry.name.clone())
            .bind(entry.source.clone().unwrap_or_default())
            .bind(entry.action.clone())
            .bind(entry.target.clone())
            .bind(entry.namespace.as_ref().map(ToString::to_string).unwrap_or_default())
            .bind(i32::from(entry.status))
            .bind(entry.request.clone())
            .execute(&mut *conn)
            .await
            .map_err(unavailable)?;
    }
    Ok(())
}

/// Lets the database remove what is not younger than `before`; everything else it keeps.
pub(super) async fn let_go(conn: &mut Conn, before: Timestamp) -> Result<(), StoreError> {
    let query = sqlx::query::<Db>("UPDATE audit_floor SET before = $1 WHERE before < $2");
    query.bind(before.as_micros()).bind(before.as_micros()).execute(conn).await.map_err(unavailable)?;
    Ok(())
}

#[async_trait]
impl AuditStore for Store {
    async fn append(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        if let Answer::AuditAppended = self.writer.ask(Op::AppendAudit(entries.into())).await? {
            return Ok(());
        }
        unexpected()
    }

    async fn page(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM audit WHERE seq < $1 AND ($2 = '' OR namespace = $3) AND ($4 = '' OR actor = $5) \
             AND at >= $6 ORDER BY seq DESC LIMIT $7"
        );
        let namespace = filter.namespace.as_ref().map(ToString::to_string).unwrap_or_default();
        let actor = filter.actor.clone().unwrap_or_default();
        let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql))
            .bind(before.unwrap_or(i64::MAX))
            .bind(namespace.clone())
            .bind(namespace)
            .bind(actor.clone())
            .bind(actor)
            .bind(filter.since.map_or(0, Timestamp::as_micros))
            .bind(i64::from(limit.min(AUDIT_PAGE_MAX)));
        query.fetch_all(&self.readers).await.map_err(unavailable)?.iter().map(record).collect()
    }

    async fn after(&self, after: i64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2");
        let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql)).bind(after).bind(i64::from(limit.min(AUDIT_PAGE_MAX)));
        query.fetch_all(&self.readers).await.map_err(unavailable)?.iter().map(record).collect()
    }
}
