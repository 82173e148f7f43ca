//! The port of deaths and quarantine, over the writer loop and the readers.

use std::sync::Arc;

use async_trait::async_trait;
use tasklane_domain::error::StoreError;
use tasklane_domain::quarantine::{Death, QuarantineStore};
use tasklane_domain::{ModuleDigest, ModuleName, ModuleRef, ModuleVersion, Timestamp};

use super::adapter::{Store, unexpected};
use super::{Db, quarantine};
use crate::writer::{Answer, Answered, Op};

type Conn = <Db as sqlx::Database>::Connection;

/// One change, inside the writer's transaction.
pub(super) async fn apply(conn: &mut Conn, op: &Op) -> Result<Answered, StoreError> {
    Ok(match op {
        Op::Died(deaths, now) => Ok(Answer::Quarantined(quarantine::died(conn, deaths, *now).await?)),
        Op::ReleaseModule(name, version, now) => {
            quarantine::release(conn, name, version, *now).await?.map(Answer::ModuleReleased)
        }
        _ => unexpected(),
    })
}

#[async_trait]
impl QuarantineStore for Store {
    async fn died(&self, deaths: Vec<Death>, now: Timestamp) -> Result<Vec<ModuleRef>, StoreError> {
        if let Answer::Quarantined(modules) = self.writer.ask(Op::Died(Arc::new(deaths), now)).await? {
            return Ok(modules);
        }
        unexpected()
    }

    async fn quarantined(&self) -> Result<Vec<ModuleDigest>, StoreError> {
        quarantine::quarantined(&self.readers).await
    }

    async fn release(&self, name: ModuleName, version: ModuleVersion, now: Timestamp) -> Result<bool, StoreError> {
        if let Answer::ModuleReleased(was) = self.writer.ask(Op::ReleaseModule(name, version, now)).await? {
            return Ok(was);
        }
        unexpected()
    }
}
