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

    /// The text for so many rows: for the next of [`SIZES`], to which [`bind`] fills them up.
    pub(super) fn of(&self, rows: usize, make: impl Fn(usize) -> String) -> AssertSqlSafe<Arc<str>> {
        let size = size_for(rows);
        let kept = SIZES.iter().position(|one| *one == size).and_then(|index| self.0.get(index));
        AssertSqlSafe(kept.map_or_else(|| make(size).into(), |kept| kept.get_or_init(|| make(size).into()).clone()))
    }
}

/// Splits rows into pieces that fill at least half of a size. [`bind`] fills them up with NULLs, which have to mean nothing to the statement:
/// a few rows more are cheaper than a statement more, which goes to the database's thread and back.
pub(super) fn pieces<T>(mut rows: &[T]) -> Vec<&[T]> {
    let mut all = Vec::new();
    for size in SIZES {
        while let Some((piece, rest)) = rows.split_at_checked(size) {
            all.push(piece);
            rows = rest;
        }
        if 2 * rows.len() >= size {
            all.push(std::mem::take(&mut rows));
        }
    }
    all
}

/// The smallest size that so many rows fit into; their number, if none is large enough.
fn size_for(rows: usize) -> usize {
    SIZES.into_iter().rev().find(|size| *size >= rows).unwrap_or(rows)
}

/// A query of so many rows whose columns have these kinds (`bytes`, `text`, `int`). Its parameters are the statement's first.
pub(super) fn table(kinds: &[&str], rows: usize) -> String {
    format!("VALUES {}", values::values(rows, kinds))
}

/// A parameter that follows those of the rows. `_number` counts all parameters, `_columns` those of a row.
pub(super) fn parameter(_columns: usize, _number: usize, _kind: &str) -> String {
    "?".to_owned()
}

/// Binds the rows, which all columns have equally many of, and NULLs up to the size of the text.
pub(super) fn bind<'q>(mut query: Query<'q>, mut columns: Vec<Column>) -> Query<'q> {
    for row in 0..size_for(columns.first().map_or(0, rows_of)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_few_and_lose_nothing() {
        for count in 0..2 * SIZES[0] {
            let rows: Vec<usize> = (0..count).collect();
            let pieces = pieces(&rows);
            assert_eq!(pieces.concat(), rows);
            assert!(
                pieces.iter().all(|piece| size_for(piece.len()) <= 2 * piece.len()),
                "{count}: too much is filled up"
            );
            assert!(pieces.len() <= 5, "{count} rows in {} pieces", pieces.len());
        }
    }
}
