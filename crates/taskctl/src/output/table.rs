//! Aligned columns with a heading; widths count characters.

use super::paint::{self, Paint};
use super::{data, note};

/// Between two columns.
const COLUMN_GAP: &str = "  ";

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// Where something stands: painted.
    State,
    /// Shown by `-o wide` only.
    Wide,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    name: &'static str,
    kind: Kind,
}

/// A column.
pub(crate) const fn col(name: &'static str) -> Column {
    Column { name, kind: Kind::Plain }
}

/// A column of words that say where something stands.
pub(crate) const fn state(name: &'static str) -> Column {
    Column { name, kind: Kind::State }
}

/// A column that only `-o wide` shows.
pub(crate) const fn wide(name: &'static str) -> Column {
    Column { name, kind: Kind::Wide }
}

/// How wide a table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Normal,
    Wide,
}

/// Rows for people. The first cell of each is its name, unless [`Table::named`] says otherwise.
#[derive(Debug)]
pub(crate) struct Table {
    columns: &'static [Column],
    rows: Vec<Vec<String>>,
    names: Option<Vec<String>>,
    if_empty: Option<&'static str>,
}

impl Table {
    pub(crate) fn new(columns: &'static [Column], rows: Vec<Vec<String>>) -> Self {
        Self { columns, rows, names: None, if_empty: None }
    }

    /// What `-o name` prints, one for each row.
    pub(crate) fn named(mut self, names: Vec<String>) -> Self {
        self.names = Some(names);
        self
    }

    /// What is remarked where there are no rows.
    pub(crate) fn or(mut self, remark: &'static str) -> Self {
        self.if_empty = Some(remark);
        self
    }

    pub(super) fn names(&self) -> Vec<&str> {
        match &self.names {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => self.rows.iter().filter_map(|row| row.first()).map(String::as_str).collect(),
        }
    }

    pub(super) fn show(&self, width: Width) {
        if let Some(remark) = self.if_empty.filter(|_| self.rows.is_empty()) {
            note(remark);
        }
        for line in self.lines(width, paint::out_is_painted()) {
            data(&line);
        }
    }

    fn shown(&self, width: Width) -> Vec<(usize, Column)> {
        let columns = self.columns.iter().copied().enumerate();
        columns.filter(|(_, column)| width == Width::Wide || column.kind != Kind::Wide).collect()
    }

    fn lines(&self, width: Width, is_painted: bool) -> Vec<String> {
        let columns = self.shown(width);
        let heading: Vec<String> = columns.iter().map(|(_, column)| column.name.to_owned()).collect();
        let pick = |row: &Vec<String>| -> Vec<String> {
            columns.iter().map(|(at, _)| row.get(*at).cloned().unwrap_or_default()).collect()
        };
        let rows: Vec<Vec<String>> = self.rows.iter().map(pick).collect();
        let widths = widths(&heading, &rows);
        let mut lines = vec![line(&heading, &widths, |_, text| painted(is_painted, Some(Paint::Heading), text))];
        lines.extend(rows.iter().map(|row| {
            line(row, &widths, |at, text| {
                let is_state = columns.get(at).is_some_and(|(_, column)| column.kind == Kind::State);
                painted(is_painted, paint::of_state(text).filter(|_| is_state), text)
            })
        }));
        lines
    }
}

fn painted(is_painted: bool, paint: Option<Paint>, text: &str) -> String {
    match paint.filter(|_| is_painted) {
        // The padding behind the text has no colour, so that a line's end can be cut off.
        Some(paint) => {
            let bare = text.trim_end();
            paint::with(paint, bare) + text.get(bare.len()..).unwrap_or_default()
        }
        None => text.to_owned(),
    }
}

fn widths(heading: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|name| name.chars().count())).max().unwrap_or(0)
    };
    (0..heading.len()).map(width).collect()
}

fn line(cells: &[String], widths: &[usize], paint: impl Fn(usize, &str) -> String) -> String {
    let placed = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
        let cell = in_column(cell, column, widths);
        paint(column, &format!("{cell:<width$}"))
    });
    placed.collect::<Vec<_>>().join(COLUMN_GAP).trim_end().to_owned()
}

/// A cell whose further lines stand below its first, so that no text looks like a row of its own.
fn in_column(cell: &str, column: usize, widths: &[usize]) -> String {
    let left = widths.iter().take(column).map(|width| width + COLUMN_GAP.len()).sum();
    cell.replace('\n', &format!("\n{}", " ".repeat(left)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[col("ID"), state("STATE"), wide("DIGEST")];

    fn table() -> Table {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        Table::new(COLUMNS, vec![row(["a", "failed", "12ab"]), row(["bcd", "odd", ""])])
    }

    #[test]
    fn wide_columns_are_shown_when_they_are_asked_for() {
        assert_eq!(table().lines(Width::Normal, false), ["ID   STATE", "a    failed", "bcd  odd"]);
        assert_eq!(table().lines(Width::Wide, false), ["ID   STATE   DIGEST", "a    failed  12ab", "bcd  odd"]);
        assert_eq!(table().names(), ["a", "bcd"]);
    }

    #[test]
    fn colour_changes_no_width() {
        let lines = table().lines(Width::Wide, true);
        assert_eq!(lines[1], "a    \u{1b}[31mfailed\u{1b}[0m  12ab");
        assert_eq!(lines[2], "bcd  odd");
    }

    #[test]
    fn a_cell_of_several_lines_stays_in_its_column() {
        assert_eq!(in_column("one\ntwo", 1, &[3, 7]), "one\n     two");
    }
}
