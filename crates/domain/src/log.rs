//! What a guest said: lines with their source, bounded, the head and the tail kept.
//!
//! Written by the host, stored with the task, read by API and CLI. Guarantees: a capture never grows beyond its limit and
//! counts what it dropped. It does not interpret the text; readers must treat it as hostile.

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes charged for a line beyond its text, so that empty lines are bounded too.
const LINE_OVERHEAD_BYTES: usize = 16;

/// Whether a character steers the one who shows it: controls, tab and line end among them, and what changes the direction of
/// writing, breaks lines or cannot be seen. Whoever shows a guest's text shows the code of such a character instead.
#[must_use]
pub fn is_steering(c: char) -> bool {
    let is_invisible = matches!(c,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}');
    c.is_control() || is_invisible
}

/// How serious a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Finest.
    Trace,
    /// For developers.
    Debug,
    /// Normal news.
    Info,
    /// Odd but survivable.
    Warn,
    /// Something failed.
    Error,
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        })
    }
}

/// Which way a line came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// The `log` host function.
    Log,
    /// Standard output (of a component; a WASI command's is its result).
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Milliseconds since the attempt started.
    pub offset_ms: u32,
    /// Where it came from.
    pub source: LogSource,
    /// `info` for standard output, `warn` for standard error.
    pub level: LogLevel,
    /// The text, without its line end; invalid UTF-8 is replaced.
    pub message: String,
}

impl LogLine {
    fn cost(&self) -> usize {
        self.message.len() + LINE_OVERHEAD_BYTES
    }
}

/// The head and the tail of what was said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogCapture {
    /// The first lines.
    pub head: Vec<LogLine>,
    /// The last lines, after a gap of `dropped_lines`.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub tail: VecDeque<LogLine>,
    /// Lines between head and tail that were not kept.
    #[serde(default)]
    pub dropped_lines: u64,
    /// Their bytes, and those cut from lines too long to keep whole.
    #[serde(default)]
    pub dropped_bytes: u64,
}

impl LogCapture {
    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty() && self.dropped_bytes == 0
    }

    /// Head and tail in order.
    pub fn lines(&self) -> impl Iterator<Item = &LogLine> {
        self.head.iter().chain(self.tail.iter())
    }

    /// Lines that were said, kept or not.
    #[must_use]
    pub fn said(&self) -> u64 {
        (self.head.len() as u64).saturating_add(self.dropped_lines).saturating_add(self.tail.len() as u64)
    }

    /// Head and tail in order, each line with how many were said before it.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &LogLine)> {
        let behind_gap = (self.head.len() as u64).saturating_add(self.dropped_lines);
        (0..).zip(&self.head).chain((behind_gap..).zip(&self.tail))
    }
}

/// Fills a [`LogCapture`] within a number of bytes: the first half for the head, the second for the newest lines.
#[derive(Debug)]
pub struct LogRecorder {
    capture: LogCapture,
    head_left: usize,
    tail_max: usize,
    tail_bytes: usize,
    total_bytes: u64,
}

impl LogRecorder {
    /// Keeps at most `limit_bytes`, line overhead included.
    #[must_use]
    pub fn new(limit_bytes: u32) -> Self {
        let half = usize::try_from(limit_bytes / 2).unwrap_or(usize::MAX);
        Self { capture: LogCapture::default(), head_left: half, tail_max: half, tail_bytes: 0, total_bytes: 0 }
    }

    /// Takes one line; one longer than a quarter of the limit is cut.
    pub fn record(&mut self, mut line: LogLine) {
        self.total_bytes = self.total_bytes.saturating_add(line.message.len() as u64);
        self.cut(&mut line);
        let cost = line.cost();
        if self.capture.tail.is_empty() && self.capture.dropped_lines == 0 && cost <= self.head_left {
            self.head_left -= cost;
            self.capture.head.push(line);
            return;
        }
        self.head_left = 0;
        self.tail_bytes += cost;
        self.capture.tail.push_back(line);
        self.shrink_tail();
    }

    /// All bytes of text that the guest wrote, kept or not.
    #[must_use]
    pub const fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// The newest `count` lines as one text: what stands beside a crash.
    #[must_use]
    pub fn last_lines(&self, count: usize) -> String {
        let lines: Vec<&str> = self.capture.lines().map(|line| line.message.as_str()).collect();
        lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
    }

    /// What is kept so far.
    #[must_use]
    pub const fn so_far(&self) -> &LogCapture {
        &self.capture
    }

    /// What was kept.
    #[must_use]
    pub fn finish(self) -> LogCapture {
        self.capture
    }

    fn cut(&mut self, line: &mut LogLine) {
        let longest = (self.tail_max / 2).saturating_sub(LINE_OVERHEAD_BYTES);
        if line.message.len() <= longest {
            return;
        }
        let keep = line.message.floor_char_boundary(longest);
        self.capture.dropped_bytes += (line.message.len() - keep) as u64;
        line.message.truncate(keep);
    }

    fn shrink_tail(&mut self) {
        while self.tail_bytes > self.tail_max {
            let Some(oldest) = self.capture.tail.pop_front() else {
                return;
            };
            self.tail_bytes -= oldest.cost();
            self.capture.dropped_lines += 1;
            self.capture.dropped_bytes += oldest.message.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine { offset_ms: 0, source: LogSource::Log, level: LogLevel::Info, message: text.to_owned() }
    }

    #[test]
    fn a_flood_keeps_its_head_and_tail_within_the_limit() {
        let mut recorder = LogRecorder::new(1_000);
        for n in 0..10_000 {
            recorder.record(line(&format!("line {n}")));
        }
        let capture = recorder.finish();
        assert_eq!(capture.head.first().unwrap().message, "line 0");
        assert_eq!(capture.tail.back().unwrap().message, "line 9999");
        let kept: usize = capture.lines().map(LogLine::cost).sum();
        assert!(kept <= 1_000, "{kept} bytes were kept");
        assert_eq!(capture.dropped_lines + capture.lines().count() as u64, 10_000);
    }

    #[test]
    fn what_steers_a_reader_is_known() {
        for c in
            ['\u{1b}', '\0', '\n', '\u{9b}', '\u{202e}', '\u{2066}', '\u{2028}', '\u{200b}', '\u{feff}', '\u{e0041}']
        {
            assert!(is_steering(c), "{c:?}");
        }
        assert!(!"plain text, ümläut, 漢字, עברית, 🙂".chars().any(is_steering));
    }

    #[test]
    fn one_enormous_line_is_cut_at_a_character() {
        let mut recorder = LogRecorder::new(400);
        recorder.record(line(&"ü".repeat(100_000)));
        let capture = recorder.finish();
        assert_eq!(capture.lines().count(), 1);
        assert!(capture.dropped_bytes > 199_000);
    }
}
