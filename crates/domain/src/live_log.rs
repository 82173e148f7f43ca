//! What a guest has said so far while it runs: asked of the hosts, since a row has the log of ended attempts only.
//!
//! API processes ask through [`crate::ports::Control::ask_log`]; the host that runs the task answers. Guarantees: an answer is
//! bounded, and a cursor counts lines that were said, so that who comes back gets what followed, whatever was dropped between.
//! Best effort: when nobody answers, the ended attempt's log in the row still has it.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::id::{Attempt, TaskId};
use crate::log::{LogCapture, LogLine};

/// Lines of one answer.
pub const LINES_MAX: usize = 1_000;
/// Bytes of text of one answer, but for its last line.
pub const BYTES_MAX: usize = 256 * 1024;

/// What an API process asks the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQuestion {
    /// Whose log.
    pub task: TaskId,
    /// Behind so many lines of this attempt.
    pub after: LogCursor,
}

/// A place in a task's log: behind so many lines that an attempt said. Written `ATTEMPT.LINES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogCursor {
    /// Which attempt.
    pub attempt: Attempt,
    /// Lines that were said before this place.
    pub lines: u64,
}

/// A cursor cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not of the form ATTEMPT.LINES, such as 1.20")]
pub struct LogCursorError;

impl LogCursor {
    /// Before the first line of an attempt.
    #[must_use]
    pub const fn start(attempt: Attempt) -> Self {
        Self { attempt, lines: 0 }
    }
}

impl fmt::Display for LogCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.attempt, self.lines)
    }
}

impl FromStr for LogCursor {
    type Err = LogCursorError;

    fn from_str(text: &str) -> Result<Self, LogCursorError> {
        let (attempt, lines) = text.split_once('.').ok_or(LogCursorError)?;
        let number: u16 = attempt.parse().map_err(|_| LogCursorError)?;
        let lines = lines.parse().map_err(|_| LogCursorError)?;
        if number == 0 { Err(LogCursorError) } else { Ok(Self { attempt: Attempt::new(number), lines }) }
    }
}

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPiece {
    /// The attempt that said it.
    pub attempt: Attempt,
    /// The lines.
    pub lines: Vec<LogLine>,
    /// Lines between the place that was asked for and the first of these that were not kept.
    pub dropped: u64,
    /// The place behind the last of these.
    pub cursor: LogCursor,
    /// Whether there is more already.
    pub more: bool,
}

impl LogPiece {
    /// What follows `after` lines of an attempt's log, within [`LINES_MAX`] and [`BYTES_MAX`].
    #[must_use]
    pub fn of(attempt: Attempt, log: &LogCapture, after: u64) -> Self {
        let (mut lines, mut bytes, mut dropped, mut more) = (Vec::new(), 0_usize, 0, false);
        let mut at = after.min(log.said());
        for (number, line) in log.numbered().filter(|(number, _)| *number >= after) {
            if lines.len() >= LINES_MAX || bytes >= BYTES_MAX {
                more = true;
                break;
            }
            // Lines are dropped at one place only, so that there is one gap at most.
            dropped += number.saturating_sub(at);
            at = number + 1;
            bytes += line.message.len();
            lines.push(line.clone());
        }
        Self { attempt, lines, dropped, cursor: LogCursor { attempt, lines: at }, more }
    }
}

/// Who waits for a host's answer.
#[async_trait]
pub trait LogReply: Send + 'static {
    /// Answers, best effort.
    async fn answer(self: Box<Self>, piece: LogPiece);
}

/// A question, and who asks it.
pub type Asked = (LogQuestion, Box<dyn LogReply>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{LogLevel, LogRecorder, LogSource};

    fn recorder(lines: usize, limit: u32) -> LogRecorder {
        let mut recorder = LogRecorder::new(limit);
        for number in 0..lines {
            let message = format!("line {number}");
            recorder.record(LogLine { offset_ms: 0, source: LogSource::Log, level: LogLevel::Info, message });
        }
        recorder
    }

    fn texts(piece: &LogPiece) -> Vec<&str> {
        piece.lines.iter().map(|line| line.message.as_str()).collect()
    }

    #[test]
    fn who_comes_back_gets_what_followed() {
        let log = recorder(5, 10_000).finish();
        let piece = LogPiece::of(Attempt::FIRST, &log, 3);
        assert_eq!((texts(&piece), piece.dropped, piece.more), (vec!["line 3", "line 4"], 0, false));
        assert_eq!(piece.cursor.to_string(), "1.5");
        let nothing = LogPiece::of(Attempt::FIRST, &log, piece.cursor.lines);
        assert!(nothing.lines.is_empty() && nothing.cursor == piece.cursor);
        assert_eq!(LogPiece::of(Attempt::FIRST, &log, 99).cursor.lines, 5, "a place behind the end is the end");
    }

    #[test]
    fn what_was_dropped_is_counted_once() {
        let recorder = recorder(1_000, 1_000);
        let log = recorder.so_far();
        let whole = LogPiece::of(Attempt::FIRST, log, 0);
        assert_eq!((whole.dropped, whole.cursor.lines), (log.dropped_lines, 1_000));
        let inside = LogPiece::of(Attempt::FIRST, log, 500);
        assert_eq!(inside.dropped + inside.lines.len() as u64, 500);
        assert_eq!(inside.lines.last().unwrap().message, "line 999");
    }

    #[test]
    fn a_long_log_comes_piece_by_piece() {
        let log = recorder(LINES_MAX * 2 + 7, u32::MAX).finish();
        let (mut at, mut seen, mut pieces) = (0, 0, 0);
        loop {
            let piece = LogPiece::of(Attempt::FIRST, &log, at);
            assert!(piece.lines.len() <= LINES_MAX && piece.cursor.lines == at + piece.lines.len() as u64);
            (at, seen, pieces) = (piece.cursor.lines, seen + piece.lines.len(), pieces + 1);
            if !piece.more {
                break;
            }
        }
        assert_eq!((seen, pieces), (LINES_MAX * 2 + 7, 3));
    }

    #[test]
    fn cursors_are_read_as_they_are_written() {
        let cursor = LogCursor { attempt: Attempt::FIRST, lines: 17 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "1", "1.", ".1", "0.1", "1.x", "-1.1", "1.-1", "1.1.1", "70000.1"] {
            assert_eq!(text.parse::<LogCursor>(), Err(LogCursorError), "{text}");
        }
    }
}
