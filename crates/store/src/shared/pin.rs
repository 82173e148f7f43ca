//! pin: the version of a task that has waited, chosen by its alias when it first becomes queued. Inside the writer's transaction.
//!
//! Called where due and unblocked tasks become queued, before their orders are published. Guarantees: what was queued before, and what
//! named its version, keeps it; so does a task whose alias leads nowhere any more. A task that is queued at once is pinned by its submit
//! and never comes here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use tasklane_domain::error::StoreError;
use tasklane_domain::release::{Alias, Selector, resolve};
use tasklane_domain::{AliasName, ModuleName, ModuleRecord, ModuleRef, StateKind, TaskId, WorkOrder};

use super::dependence::shifted;
use super::row::{DbRow, get, id_bytes, parsed, waits};
use super::spec::spec;
use super::values::pieces;
use super::{Db, modules, releases};
use crate::error::unavailable;

type Conn = <Db as sqlx::Database>::Connection;

/// One module as this transaction sees it.
struct Known {
    versions: Vec<ModuleRecord>,
    aliases: Vec<Alias>,
}

/// The choices of one transaction.
#[derive(Default)]
pub(super) struct Pins {
    known: HashMap<ModuleName, Known>,
    /// Tasks that get another version than the one they were submitted with.
    moved: HashMap<ModuleRef, Vec<TaskId>>,
}

/// Pins all of `rows`, with the order of each.
pub(super) async fn pin_all(conn: &mut Conn, rows: &[DbRow], orders: &mut [WorkOrder]) -> Result<(), StoreError> {
    let mut pins = Pins::default();
    for (row, order) in rows.iter().zip(orders) {
        pins.pin(conn, row, order).await?;
    }
    pins.write(conn).await
}

impl Pins {
    /// Chooses the version of one task that becomes queued; `row` is as it was before.
    pub(super) async fn pin(&mut self, conn: &mut Conn, row: &DbRow, order: &mut WorkOrder) -> Result<(), StoreError> {
        let Some(alias) = alias_of(row)? else { return Ok(()) };
        let known = self.known(conn, &order.module.name).await?;
        let chosen = resolve(&Selector::Alias(alias), &known.versions, &known.aliases, order.task);
        if let Ok(chosen) = chosen.map(ModuleRecord::reference)
            && chosen != order.module
        {
            self.moved.entry(chosen.clone()).or_default().push(order.task);
            order.module = chosen;
        }
        Ok(())
    }

    async fn known(&mut self, conn: &mut Conn, name: &ModuleName) -> Result<&Known, StoreError> {
        Ok(match self.known.entry(name.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let versions = modules::modules(&mut *conn, Some(name)).await?;
                unknown.insert(Known { versions, aliases: releases::aliases(&mut *conn, name).await? })
            }
        })
    }

    /// Writes down what was chosen.
    pub(super) async fn write(self, conn: &mut Conn) -> Result<(), StoreError> {
        for (module, tasks) in &self.moved {
            for piece in pieces(tasks) {
                let sql = format!(
                    "UPDATE tasks SET module_version = $1, module_digest = $2 WHERE id IN ({})",
                    shifted(3, piece.len())
                );
                let query = sqlx::query::<Db>(sqlx::AssertSqlSafe(sql))
                    .bind(module.version.to_string())
                    .bind(module.digest.as_bytes().to_vec());
                let query = piece.iter().fold(query, |query, id| query.bind(id_bytes(*id)));
                query.execute(&mut *conn).await.map_err(unavailable)?;
            }
        }
        Ok(())
    }
}

/// The alias of a row that was never queued, if it has one.
fn alias_of(row: &DbRow) -> Result<Option<AliasName>, StoreError> {
    let state: StateKind = parsed(row, "state")?;
    // Few have one, and what is due by the thousand is not read twice.
    let may_have = waits(state) && get::<&str>(row, "spec")?.contains("\"alias\"");
    if may_have { Ok(spec(row)?.alias) } else { Ok(None) }
}
