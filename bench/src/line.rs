//! What a benchmark comes to: lines of figures, each with what it stands beside and with its bar, for a table and for JSON.
//!
//! Written by every benchmark; read again by `all`, which makes one table and the chart of all of them. It states whether a bar is met
//! and judges nothing else: a missed bar is a result, not a failure.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One figure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    /// What was measured.
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    /// A floor, a peer or another state, measured in the same run.
    pub(crate) beside: Option<Beside>,
    pub(crate) bar: Option<Bar>,
    /// Whether the bar is met; nothing without one.
    pub(crate) met: Option<bool>,
}

/// What a figure is compared with, in the figure's unit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Beside {
    pub(crate) what: String,
    pub(crate) value: f64,
    /// The figure, divided by this one, unless that is nothing.
    pub(crate) ratio: Option<f64>,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bar {
    AtLeast(f64),
    AtMost(f64),
    RatioAtLeast(f64),
    RatioAtMost(f64),
}

impl Line {
    pub(crate) fn new(what: impl Into<String>, value: f64, unit: &str) -> Self {
        Self { what: what.into(), value, unit: unit.to_owned(), beside: None, bar: None, met: None }
    }

    pub(crate) fn beside(mut self, what: impl Into<String>, value: f64) -> Self {
        self.beside = Some(Beside { what: what.into(), value, ratio: (value != 0.0).then_some(self.value / value) });
        self
    }

    pub(crate) fn wanted(mut self, bar: Bar) -> Self {
        self.bar = Some(bar);
        self.met = Some(match bar {
            Bar::AtLeast(least) => self.value >= least,
            Bar::AtMost(most) => self.value <= most,
            Bar::RatioAtLeast(least) => self.ratio().is_some_and(|ratio| ratio >= least),
            Bar::RatioAtMost(most) => self.ratio().is_some_and(|ratio| ratio <= most),
        });
        self
    }

    pub(crate) fn ratio(&self) -> Option<f64> {
        self.beside.as_ref().and_then(|beside| beside.ratio)
    }

    /// The cells of its row after the benchmark's name.
    pub(crate) fn cells(&self) -> [String; 5] {
        let beside = self.beside.as_ref().map(|beside| format!("{}: {}", beside.what, number(beside.value)));
        let met = self.met.map_or("", |met| if met { "met" } else { "**not met**" });
        [
            self.what.clone(),
            format!("{} {}", number(self.value), self.unit),
            beside.unwrap_or_default(),
            self.ratio().map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            self.bar.map(|bar| format!("{} {met}", bar.text())).unwrap_or_default(),
        ]
    }
}

impl Bar {
    fn text(self) -> String {
        match self {
            Self::AtLeast(value) => format!("≥ {}:", number(value)),
            Self::AtMost(value) => format!("≤ {}:", number(value)),
            Self::RatioAtLeast(value) => format!("ratio ≥ {value}:"),
            Self::RatioAtMost(value) => format!("ratio ≤ {value}:"),
        }
    }
}

/// Three digits that count, and groups of thousands.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => grouped(value),
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What one benchmark came to.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) lines: Vec<Line>,
    /// Everything else that was measured, for programs.
    pub(crate) details: Value,
}

/// Markdown rows, in columns that can be read as they are.
pub(crate) fn table(rows: &[(String, Line)]) -> String {
    let head = ["bench", "figure", "measured", "beside it", "ratio", "wanted"].map(str::to_owned);
    let mut cells: Vec<[String; 6]> = vec![head];
    cells.extend(rows.iter().map(|(bench, line)| {
        let [what, value, beside, ratio, bar] = line.cells();
        [format!("`{bench}`"), what, value, beside, ratio, bar]
    }));
    let width = |column: usize| cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..6).map(|column| width(column).unwrap_or(0)).collect();
    let row = |row: &[String; 6]| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("| {} |", padded.collect::<Vec<_>>().join(" | "))
    };
    let rule = format!("|{}|", widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("|"));
    let mut lines: Vec<String> = cells.iter().map(row).collect();
    lines.insert(1, rule);
    lines.join("\n")
}

/// Shows a report, and writes it to `target/bench/NAME.json` or where `path` says.
pub(crate) fn publish(name: &str, path: &Path, report: &Report) -> anyhow::Result<()> {
    let rows: Vec<(String, Line)> = report.lines.iter().map(|line| (name.to_owned(), line.clone())).collect();
    println!("{}", table(&rows));
    let cores = std::thread::available_parallelism()?.get();
    let json = json!({"bench": name, "cores": cores, "lines": report.lines, "details": report.details});
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(path, serde_json::to_string_pretty(&json)?).with_context(|| path.display().to_string())?;
    println!("written to {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_thousands_are_grouped() {
        assert_eq!(number(1_234_567.8), "1,234,568");
        assert_eq!(number(999.6), "1000");
        assert_eq!(number(12.34), "12.3");
        assert_eq!(number(3.0), "3");
        assert_eq!(number(0.456), "0.46");
    }

    #[test]
    fn a_bar_is_on_the_figure_or_on_its_ratio() {
        let line = Line::new("rate", 30.0, "tasks/s").beside("floor", 40.0);
        assert_eq!(line.clone().wanted(Bar::RatioAtLeast(0.75)).met, Some(true));
        assert_eq!(line.clone().wanted(Bar::AtLeast(31.0)).met, Some(false));
        assert_eq!(line.clone().wanted(Bar::RatioAtMost(0.7)).met, Some(false));
        assert_eq!(Line::new("rate", 1.0, "ms").wanted(Bar::RatioAtLeast(0.1)).met, Some(false));
    }

    #[test]
    fn every_row_has_every_column() {
        let line = Line::new("rate", 30.0, "tasks/s").beside("floor", 40.0).wanted(Bar::RatioAtLeast(0.8));
        let text = table(&[("drain".to_owned(), line)]);
        assert!(text.contains("floor: 40") && text.contains("**not met**"), "{text}");
        assert!(text.lines().all(|line| line.matches('|').count() == 7), "{text}");
    }
}
