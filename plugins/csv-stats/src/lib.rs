//! A CSV file in (the first line names the columns), JSON statistics of each column out.
//!
//! An example to copy: raw bytes as input, a serde type as output, a permanent error that names the line.

use std::collections::{BTreeMap, HashSet};

use tasklane_sdk::prelude::*;

/// Distinct values that are counted; beyond that a column just has many.
const DISTINCT_MAX: usize = 10_000;
/// Progress is told after this many rows.
const ROWS_PER_REPORT: u64 = 10_000;

/// The whole file.
#[derive(Debug, Serialize)]
pub struct Statistics {
    /// Rows below the heading.
    pub rows: u64,
    /// By column name.
    pub columns: BTreeMap<String, Column>,
}

/// One column.
#[derive(Debug, Default, Serialize)]
pub struct Column {
    /// Cells with nothing in them.
    pub empty: u64,
    /// Different values, up to 10,000.
    pub distinct: usize,
    /// Of the cells that are numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
}

/// The numbers of one column.
#[derive(Debug, Clone, Serialize)]
pub struct Numbers {
    /// How many.
    pub count: u64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub stddev: f64,
    /// Sum of squared differences, for Welford's method.
    #[serde(skip)]
    squares: f64,
}

impl Numbers {
    fn new(first: f64) -> Self {
        Self { count: 1, min: first, max: first, mean: first, stddev: 0.0, squares: 0.0 }
    }

    fn add(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (value - self.mean);
        self.stddev = (self.squares / self.count as f64).sqrt();
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }
}

/// The handler.
#[task]
pub fn csv_stats(_ctx: &Context, Bytes(csv): Bytes) -> Result<Statistics, TaskError> {
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    let names: Vec<String> = reader.headers().permanent("bad_csv")?.iter().map(str::to_owned).collect();
    let mut columns: Vec<(Column, HashSet<String>)> = names.iter().map(|_| Default::default()).collect();
    let mut rows = 0;
    for record in reader.records() {
        let record = record.permanent("bad_csv")?;
        for (cell, (column, seen)) in record.iter().zip(&mut columns) {
            take(column, seen, cell);
        }
        rows += 1;
        if rows % ROWS_PER_REPORT == 0 {
            progress(record.position().map_or(0.0, |at| at.byte() as f32 / csv.len() as f32), &format!("{rows} rows"));
        }
    }
    log::write(log::Level::Info, "read", &[("rows", &rows.to_string()), ("columns", &names.len().to_string())]);
    let columns = names.into_iter().zip(columns.into_iter().map(|(column, _)| column)).collect();
    Ok(Statistics { rows, columns })
}

fn take(column: &mut Column, seen: &mut HashSet<String>, cell: &str) {
    if cell.is_empty() {
        column.empty += 1;
        return;
    }
    if seen.len() < DISTINCT_MAX && !seen.contains(cell) {
        seen.insert(cell.to_owned());
        column.distinct = seen.len();
    }
    if let Ok(value) = cell.parse::<f64>() {
        match &mut column.numbers {
            Some(numbers) => numbers.add(value),
            none => *none = Some(Numbers::new(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(csv: &str) -> Result<Statistics, TaskError> {
        csv_stats(&testing::context(), Bytes(csv.as_bytes().to_vec()))
    }

    #[test]
    fn numbers_and_texts_are_told_apart() {
        let stats = stats("city,celsius\nOslo,2\nOslo,4\nRome,\n").unwrap();
        assert_eq!(stats.rows, 3);
        assert_eq!(stats.columns["city"].distinct, 2);
        let celsius = &stats.columns["celsius"];
        let numbers = celsius.numbers.as_ref().unwrap();
        assert_eq!((celsius.empty, numbers.count), (1, 2));
        assert_eq!((numbers.min, numbers.mean, numbers.max, numbers.stddev), (2.0, 3.0, 4.0, 1.0));
    }

    #[test]
    fn a_broken_row_is_permanent_and_named() {
        let error = stats("a,b\n1,2\n3\n").unwrap_err();
        assert!(error.is_permanent());
        assert!(error.message().contains("line: 3"), "{}", error.message());
    }
}
