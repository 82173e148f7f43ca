//! Rows as parameters, for SQLite: a VALUES list in one of a few fixed sizes, so that prepared statements are found again.
//!
//! PostgreSQL's file of this name has the same functions.

use std::sync::{Arc, OnceLock};

use sqlx::AssertSqlSafe;

use super::Db;
use super::values::{self, Column, SIZES};

type Query<'q> = sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments>;

/// The texts of one statement, one for each number of rows, each made when it is first needed.
pub(super) struct Texts([OnceLock<Arc<str>>; SIZES.len()]);

impl Texts {
    pub(super) const fn new() -> Self {
        Self([const { OnceLock::new() }; SIZES.len()])
    }

    /// The text for so many rows: one of the sizes of [`pieces`].
    pub(super) fn of(&self, rows: usize, make: impl Fn(usize) -> String) -> AssertSqlSafe<Arc<str>> {
        let kept = SIZES.iter().position(|size| *size == rows).and_then(|index| self.0.get(index));
        AssertSqlSafe(kept.map_or_else(|| make(rows).into(), |kept| kept.get_or_init(|| make(rows).into()).clone()))
    }
}

/// Splits rows into pieces that have a text.
pub(super) fn pieces<T>(rows: &[T]) -> Vec<&[T]> {
    values::pieces(rows)
}

/// A query of so many rows whose columns have these kinds (`bytes`, `text`, `int`). Its parameters are the statement's first.
pub(super) fn table(kinds: &[&str], rows: usize) -> String {
    format!("VALUES {}", values::values(rows, kinds))
}

/// A parameter that follows those of the rows. `_number` counts all parameters, `_columns` those of a row.
pub(super) fn parameter(_columns: usize, _number: usize, _kind: &str) -> String {
    "?".to_owned()
}

/// Binds the rows, which all columns have equally many of.
pub(super) fn bind<'q>(mut query: Query<'q>, mut columns: Vec<Column>) -> Query<'q> {
    for row in 0..columns.first().map_or(0, rows_of) {
        for column in &mut columns {
            query = match column {
                Column::Bytes(all) => query.bind(all.get_mut(row).and_then(Option::take)),
                Column::Text(all) => query.bind(all.get_mut(row).and_then(Option::take)),
                Column::Int(all) => query.bind(all.get(row).copied().flatten()),
            };
        }
    }
    query
}

fn rows_of(column: &Column) -> usize {
    match column {
        Column::Bytes(all) => all.len(),
        Column::Text(all) => all.len(),
        Column::Int(all) => all.len(),
    }
}
