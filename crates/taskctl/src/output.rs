//! Everything that is printed. Data to standard output, the rest to standard error; text of guests is made inert for terminals.
//!
//! Called by every command; nothing else prints. One mechanism shows lists, records and answers in each [`crate::cli::Format`]
//! (`document`), one lays out columns (`table`), one paints (`paint`), one shows that something lasts (`lasting`).
#![expect(clippy::print_stderr, reason = "a command's remarks are printed here and only here")]

mod document;
mod lasting;
mod paint;
mod screenful;
mod table;

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use tasklane_domain::Timestamp;
use tasklane_domain::log::is_steering;

pub(crate) use document::{is_for_people, list, record, told};
pub(crate) use lasting::{lasting, line, silence};
pub(crate) use paint::{Paint, choose, painted};
pub(crate) use screenful::{capture, captured};
pub(crate) use table::{Column, Table, col, state, wide};

/// Whether whoever read standard output has gone.
static UNREAD: AtomicBool = AtomicBool::new(false);

/// A line of data. Where nobody reads any more (`taskctl … | head`), the rest is not wanted.
pub(crate) fn data(line: &str) {
    if let Err(error) = raw(format!("{line}\n").as_bytes()) {
        note(&format!("error: standard output cannot be written: {error}"));
    }
}

/// A line for the person at the terminal.
pub(crate) fn note(line: &str) {
    if !screenful::take_note(line) {
        eprintln!("{line}");
    }
}

/// Whether standard output is read by nobody any more: what would go on for ever ends then.
pub(crate) fn is_unread() -> bool {
    UNREAD.load(Ordering::Relaxed)
}

/// Bytes as they are.
pub(crate) fn raw(bytes: &[u8]) -> std::io::Result<()> {
    if screenful::take_data(bytes) {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    let line_end: &[u8] = if out.is_terminal() && !bytes.ends_with(b"\n") { b"\n" } else { b"" };
    match out.write_all(bytes).and_then(|()| out.write_all(line_end)).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            UNREAD.store(true, Ordering::Relaxed);
            Ok(())
        }
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

pub(crate) fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Lines of the terminal that is standard output; 24 where nobody knows.
pub(crate) fn rows() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    size.map(|size| usize::from(size.ws_row)).filter(|rows| *rows > 0).unwrap_or(24)
}

pub(crate) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
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
    fn sizes_and_times_are_for_people() {
        assert_eq!(size(1_536), "1.5 KiB");
        assert_eq!(duration_ms(12.34), "12.3 ms");
        let then = Timestamp::from_micros(0);
        assert_eq!(ago(then, Timestamp::from_micros(180_000_000)), "3 min ago");
    }
}
