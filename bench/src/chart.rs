//! The chart for the README: Tasklane beside peers and floors, as an SVG that is readable in light and in dark.
//!
//! Made from the lines of `all`: for each of a few figures the bars of what it stands beside. No fonts, scripts or links: a page that
//! shows it as a picture loads nothing else.

use std::fmt::Write as _;

use crate::line::{Line, number};

/// What is shown: a title, the benchmark, and the beginning of its lines' names.
const GROUPS: [(&str, &str, &str); 4] = [
    ("Drain a backlog, tasks/s", "drain", "drain of 2"),
    ("Submit to committed outcome, tasks/s", "throughput", "submit to"),
    ("On PostgreSQL, tasks/s", "postgres", "submit to"),
    ("One task in each request, tasks/s", "submit", "requests of"),
];

const WIDTH: f64 = 760.0;
const LABEL: f64 = 220.0;
const BAR: f64 = 18.0;
const GAP: f64 = 6.0;
const TITLE: f64 = 34.0;
/// Room for the number behind the longest bar.
const NUMBER: f64 = 90.0;

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.ours{fill:#2f6f4f}\
.other{fill:#9aa4ae}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ours{fill:#56b889}.other{fill:#6b7681}}";

/// One bar.
struct Bar {
    label: String,
    value: f64,
    is_ours: bool,
}

fn bars(rows: &[(String, Line)], bench: &str, prefix: &str) -> Vec<Bar> {
    let lines = rows.iter().filter(|(name, line)| name == bench && line.what.starts_with(prefix)).map(|(_, line)| line);
    let mut bars: Vec<Bar> = Vec::new();
    for line in lines {
        if bars.is_empty() {
            bars.push(Bar { label: "Tasklane".to_owned(), value: line.value, is_ours: true });
        }
        if let Some(beside) = &line.beside
            && bars.iter().all(|bar| bar.label != beside.what)
            && !beside.what.starts_with(prefix)
        {
            bars.push(Bar { label: beside.what.clone(), value: beside.value, is_ours: false });
        }
    }
    bars
}

/// The picture.
pub(crate) fn svg(rows: &[(String, Line)]) -> anyhow::Result<String> {
    let (mut body, mut y) = (String::new(), 8.0);
    for (title, bench, prefix) in GROUPS {
        let bars = bars(rows, bench, prefix);
        if bars.is_empty() {
            continue;
        }
        let most = bars.iter().map(|bar| bar.value).fold(1.0, f64::max);
        writeln!(body, r#"<text class="title" x="8" y="{:.0}">{title}</text>"#, y + 18.0)?;
        y += TITLE;
        for bar in &bars {
            let width = (WIDTH - LABEL - NUMBER) * bar.value / most;
            let (class, middle) = (if bar.is_ours { "ours" } else { "other" }, y + BAR - 4.0);
            writeln!(body, r#"<text x="{:.0}" y="{middle:.0}" text-anchor="end">{}</text>"#, LABEL - 10.0, bar.label)?;
            writeln!(
                body,
                r#"<rect class="{class}" x="{LABEL:.0}" y="{y:.0}" width="{width:.1}" height="{BAR:.0}" rx="2"/>"#
            )?;
            writeln!(body, r#"<text x="{:.0}" y="{middle:.0}">{}</text>"#, LABEL + width + 8.0, number(bar.value))?;
            y += BAR + GAP;
        }
        y += 8.0;
    }
    let head = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0}" height="{y:.0}" viewBox="0 0 {WIDTH:.0} {y:.0}" role="img" aria-label="Tasklane beside peers and floors">"#
    );
    Ok(format!("{head}\n<style>{STYLE}</style>\n{body}</svg>\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_has_one_bar_and_missing_figures_none() {
        let line = |value, peer: &str, theirs| Line::new("drain of 200000", value, "tasks/s").beside(peer, theirs);
        let rows = [
            ("drain".to_owned(), line(30_000.0, "graphile-worker", 20_000.0)),
            ("drain".to_owned(), line(30_000.0, "BullMQ", 15_000.0)),
        ];
        let picture = svg(&rows).unwrap();
        assert_eq!(picture.matches("<rect").count(), 3, "{picture}");
        assert!(picture.contains("30,000") && picture.contains("prefers-color-scheme"), "{picture}");
        assert!(!picture.contains("PostgreSQL"), "{picture}");
    }
}
