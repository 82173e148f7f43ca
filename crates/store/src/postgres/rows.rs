//! Rows as parameters, for PostgreSQL: an array for each column, so that one text serves every number of rows.
//!
//! SQLite's file of this name has the same functions.

use std::sync::{Arc, OnceLock};

use sqlx::AssertSqlSafe;

use super::Db;
use super::values::Column;

type Query<'q> = sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments>;

/// Rows in one statement.
const ROWS_MAX: usize = 4_000;

/// The text of one statement, made when it is first needed.
pub(super) struct Texts(OnceLock<Arc<str>>);

impl Texts {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The text for so many rows.
    pub(super) fn of(&self, rows: usize, make: impl Fn(usize) -> String) -> AssertSqlSafe<Arc<str>> {
        AssertSqlSafe(self.0.get_or_init(|| make(rows).into()).clone())
    }
}

/// Splits rows into pieces for one statement each.
pub(super) fn pieces<T>(rows: &[T]) -> Vec<&[T]> {
    rows.chunks(ROWS_MAX).collect()
}

/// A query of rows whose columns have these kinds (`bytes`, `text`, `int`). Its parameters are the statement's first.
pub(super) fn table(kinds: &[&str], _rows: usize) -> String {
    let arrays = kinds.iter().zip(1..).map(|(kind, number)| format!("${number}{}[]", super::cast(kind)));
    format!("SELECT * FROM unnest({})", arrays.collect::<Vec<_>>().join(", "))
}

/// A parameter that follows those of the rows: the `number`th of those, after as many as a row has columns.
pub(super) fn parameter(columns: usize, number: usize, kind: &str) -> String {
    format!("${}{}", columns + number, super::cast(kind))
}

/// Binds the rows, which all columns have equally many of.
pub(super) fn bind(query: Query<'_>, columns: Vec<Column>) -> Query<'_> {
    columns.into_iter().fold(query, |query, column| match column {
        Column::Bytes(all) => query.bind(all),
        Column::Text(all) => query.bind(all),
        Column::Int(all) => query.bind(all),
    })
}
