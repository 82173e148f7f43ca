//! Everything that is printed. Data to standard output, the rest to standard error; text of guests is made inert for terminals.
#![expect(clippy::print_stderr, reason = "a command's remarks are printed here and only here")]

use std::io::{IsTerminal, Write};

use serde::Serialize;
use tasklane_domain::Timestamp;
use tasklane_domain::log::is_steering;

/// Between two columns.
const COLUMN_GAP: &str = "  ";

/// A line of data. Where nobody reads any more (`taskctl … | head`), the rest is not wanted.
pub(crate) fn data(line: &str) {
    if let Err(error) = raw(format!("{line}\n").as_bytes()) {
        note(&format!("error: standard output cannot be written: {error}"));
    }
}

/// A line for the person at the terminal.
pub(crate) fn note(line: &str) {
    eprintln!("{line}");
}

/// Bytes as they are.
pub(crate) fn raw(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let line_end: &[u8] = if out.is_terminal() && !bytes.ends_with(b"\n") { b"\n" } else { b"" };
    match out.write_all(bytes).and_then(|()| out.write_all(line_end)).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// What a guest returned or said: as it is into a pipe, inert on a terminal.
pub(crate) fn foreign(bytes: &[u8]) -> std::io::Result<()> {
    if !stdout_is_terminal() {
        return raw(bytes);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => raw(inert(text).as_bytes()),
        Err(_) => {
            note(&format!("{} that are no text: send them into a file with >", size(bytes.len() as u64)));
            Ok(())
        }
    }
}

/// One JSON document.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    data(&serde_json::to_string_pretty(value)?);
    Ok(())
}

pub(crate) fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

pub(crate) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// A cell whose further lines stand below its first, so that no text looks like a row of its own.
fn in_column(cell: &str, column: usize, widths: &[usize]) -> String {
    let left = widths.iter().take(column).map(|width| width + COLUMN_GAP.len()).sum();
    cell.replace('\n', &format!("\n{}", " ".repeat(left)))
}

/// Aligned columns with a heading; widths count characters.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|name| name.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = String>| {
        let placed = cells.enumerate().map(|(column, cell)| in_column(&cell, column, &widths));
        let padded: Vec<String> = placed.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        data(padded.join(COLUMN_GAP).trim_end());
    };
    line(&mut heading.iter().map(|name| (*name).to_owned()));
    for row in rows {
        line(&mut row.iter().cloned());
    }
}

/// Text that cannot steer a terminal: characters that would (but tab and newline) are shown as their code.
pub(crate) fn inert(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_steering(c) && c != '\n' && c != '\t' {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// `12.3 ms`, `4.5 s`, `2 min`.
pub(crate) fn duration_ms(ms: f64) -> String {
    match ms {
        ms if ms < 1_000.0 => format!("{ms:.1} ms"),
        ms if ms < 120_000.0 => format!("{:.1} s", ms / 1_000.0),
        ms => format!("{:.0} min", ms / 60_000.0),
    }
}

/// `512 B`, `1.5 KiB`, `20.0 MiB`.
#[expect(clippy::cast_precision_loss, reason = "sizes are shown with one decimal")]
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

/// `12 s ago`.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(then).as_secs();
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_shown_not_obeyed() {
        assert_eq!(inert("a\u{1b}[2Jb\u{202e}c\n"), "a\\u{1b}[2Jb\\u{202e}c\n");
    }

    #[test]
    fn a_cell_of_several_lines_stays_in_its_column() {
        assert_eq!(in_column("one\ntwo", 1, &[3, 7]), "one\n     two");
    }

    #[test]
    fn sizes_and_times_are_for_people() {
        assert_eq!(size(1_536), "1.5 KiB");
        assert_eq!(duration_ms(12.34), "12.3 ms");
        let then = Timestamp::from_micros(0);
        assert_eq!(ago(then, Timestamp::from_micros(180_000_000)), "3 min ago");
    }
}
