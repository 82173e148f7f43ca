//! Multi-row VALUES lists in a few fixed sizes, so that the database's prepared statements are found again.

use super::{NUMBERED, cast};

/// One column of the rows that a statement has as parameters ([`super::rows`]).
pub(super) enum Column {
    Bytes(Vec<Option<Vec<u8>>>),
    Text(Vec<Option<String>>),
    Int(Vec<Option<i64>>),
}

/// Rows in one statement; a rest is split over the smaller sizes.
pub(super) const SIZES: [usize; 6] = [250, 100, 50, 16, 4, 1];

/// Splits rows into pieces of the fixed sizes.
pub(super) fn pieces<T>(mut rows: &[T]) -> Vec<&[T]> {
    let mut all = Vec::new();
    for size in SIZES {
        while let Some((piece, rest)) = rows.split_at_checked(size) {
            all.push(piece);
            rows = rest;
        }
    }
    all
}

/// `($1, $2), ($3, $4)` for `rows` rows of the columns with these kinds (`bytes`, `text`, `int`), or `(?, ?), (?, ?)`: the
/// statement must have no other parameters.
pub(super) fn values(rows: usize, kinds: &[&str]) -> String {
    use std::fmt::Write as _;
    let mut sql = String::with_capacity(rows * kinds.len() * 6);
    let mut number = 0;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for (column, kind) in kinds.iter().enumerate() {
            number += 1;
            let comma = if column == 0 { "" } else { ", " };
            // The first row's types are those of the whole list.
            let cast = if row == 0 { cast(kind) } else { "" };
            let written = if NUMBERED { write!(sql, "{comma}${number}{cast}") } else { write!(sql, "{comma}?{cast}") };
            if written.is_err() {
                return sql;
            }
        }
        sql.push(')');
    }
    sql
}

/// `$1, $2, $3`.
pub(super) fn list(count: usize) -> String {
    let numbered: Vec<String> = (1..=count).map(|number| format!("${number}")).collect();
    numbered.join(", ")
}
