//! The port of aliases, switches and removal, over the writer loop and the readers.

use async_trait::async_trait;
use tasklane_domain::error::StoreError;
use tasklane_domain::release::{Alias, AliasChange, Availability, ModuleEvent, References, ReleaseStore};
use tasklane_domain::{AliasName, ModuleName, ModuleVersion, Timestamp};

use super::adapter::{Store, unexpected};
use super::{Db, releases};
use crate::writer::{Answer, Answered, Op};

type Conn = <Db as sqlx::Database>::Connection;

/// One change, inside the writer's transaction.
pub(super) async fn apply(conn: &mut Conn, op: &Op) -> Result<Answered, StoreError> {
    Ok(match op {
        Op::ChangeAlias(module, alias, change, now) => {
            releases::change_alias(conn, module, alias, change, *now).await?.map(Answer::AliasChanged)
        }
        Op::Switch(module, version, to, now) => {
            releases::switch(conn, module, version, *to, *now).await?.map(|()| Answer::ModuleChanged)
        }
        Op::DeleteModule(module, version, in_spite_of, now) => {
            let deleted = releases::delete(conn, module, version, in_spite_of.as_deref(), *now).await?;
            deleted.map(|()| Answer::ModuleChanged)
        }
        _ => unexpected(),
    })
}

#[async_trait]
impl ReleaseStore for Store {
    async fn aliases(&self, name: &ModuleName) -> Result<Vec<Alias>, StoreError> {
        releases::aliases(&self.readers, name).await
    }

    async fn change_alias(
        &self,
        module: ModuleName,
        alias: AliasName,
        change: AliasChange,
        now: Timestamp,
    ) -> Result<Option<Alias>, StoreError> {
        if let Answer::AliasChanged(alias) = self.writer.ask(Op::ChangeAlias(module, alias, change, now)).await? {
            return Ok(alias);
        }
        unexpected()
    }

    async fn switch(
        &self,
        module: ModuleName,
        version: ModuleVersion,
        to: Availability,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer.ask(Op::Switch(module, version, to, now)).await.map(drop)
    }

    async fn references(&self, module: &ModuleName, version: &ModuleVersion) -> Result<References, StoreError> {
        releases::references(&self.readers, module, version).await
    }

    async fn delete(
        &self,
        module: ModuleName,
        version: ModuleVersion,
        in_spite_of: Option<String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer.ask(Op::DeleteModule(module, version, in_spite_of, now)).await.map(drop)
    }

    async fn events(&self, name: &ModuleName) -> Result<Vec<ModuleEvent>, StoreError> {
        releases::events(&self.readers, name).await
    }
}
