//! A guest's standard streams: lines for its log, or a command's result. They always accept: a full pipe would crash the guest.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use tasklane_domain::Attempt;
use tasklane_domain::live_log::LogPiece;
use tasklane_domain::log::{LogCapture, LogLevel, LogLine, LogRecorder, LogSource};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::meter::PollClock;
use super::redact::Mask;

/// A line longer than this is cut into several.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// What a stream says it can take at once.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// Everything that one guest says.
pub(crate) struct Voice {
    clock: Arc<PollClock>,
    recorder: LogRecorder,
    stdout_line: Vec<u8>,
    stderr_line: Vec<u8>,
    /// A command's result, if standard output is that.
    result: Option<Vec<u8>>,
    result_max: usize,
    /// Bytes written to the result, kept or not.
    result_bytes: u64,
    mask: Mask,
}

/// A guest's voice, shared by its streams and host functions.
pub(crate) type SharedVoice = Arc<Mutex<Voice>>;

/// What standard output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stdout {
    /// Lines of the log.
    Log,
    /// The result, up to this many bytes.
    Result { bytes_max: u32 },
}

impl Voice {
    pub(crate) fn new(clock: Arc<PollClock>, log_bytes: u32, stdout: Stdout) -> SharedVoice {
        let (result, result_max) = match stdout {
            Stdout::Log => (None, 0),
            Stdout::Result { bytes_max } => (Some(Vec::new()), usize::try_from(bytes_max).unwrap_or(usize::MAX)),
        };
        Arc::new(Mutex::new(Self {
            clock,
            recorder: LogRecorder::new(log_bytes),
            stdout_line: Vec::new(),
            stderr_line: Vec::new(),
            result,
            result_max,
            result_bytes: 0,
            mask: Mask::default(),
        }))
    }

    pub(crate) fn say(&mut self, source: LogSource, level: LogLevel, message: String) {
        let message = self.mask.apply(message);
        let offset_ms = u32::try_from(self.clock.elapsed().as_millis()).unwrap_or(u32::MAX);
        self.recorder.record(LogLine { offset_ms, source, level, message });
    }

    /// Masks this value from now on.
    pub(crate) fn hide(&mut self, value: &[u8]) {
        self.mask.add(value);
    }

    /// Text without the values that are to be hidden.
    pub(crate) fn masked(&self, text: String) -> String {
        self.mask.apply(text)
    }

    fn write(&mut self, source: LogSource, bytes: &[u8]) {
        match (source, &mut self.result) {
            (LogSource::Stdout, Some(result)) => {
                self.result_bytes = self.result_bytes.saturating_add(bytes.len() as u64);
                let room = self.result_max.saturating_sub(result.len()).min(bytes.len());
                result.extend_from_slice(bytes.get(..room).unwrap_or_default());
            }
            (LogSource::Stdout | LogSource::Stderr | LogSource::Log, _) => self.write_lines(source, bytes),
        }
    }

    fn write_lines(&mut self, source: LogSource, bytes: &[u8]) {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        for piece in lines.flat_map(|line| line.chunks(LINE_BYTES_MAX)) {
            let line = if source == LogSource::Stdout { &mut self.stdout_line } else { &mut self.stderr_line };
            line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || line.len() >= LINE_BYTES_MAX {
                self.end_line(source);
            }
        }
    }

    fn end_line(&mut self, source: LogSource) {
        let line = if source == LogSource::Stdout { &mut self.stdout_line } else { &mut self.stderr_line };
        let bytes = std::mem::take(line);
        let text = String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(&bytes)).into_owned();
        let level = if source == LogSource::Stderr { LogLevel::Warn } else { LogLevel::Info };
        self.say(source, level, text);
    }

    /// What follows the first `after` lines, so far.
    pub(crate) fn said_since(&self, attempt: Attempt, after: u64) -> LogPiece {
        LogPiece::of(attempt, self.recorder.so_far(), after)
    }

    /// The end of what was said, for an error message.
    pub(crate) fn last_words(&mut self, lines: usize) -> String {
        self.flush();
        self.recorder.last_lines(lines)
    }

    fn flush(&mut self) {
        if !self.stdout_line.is_empty() {
            self.end_line(LogSource::Stdout);
        }
        if !self.stderr_line.is_empty() {
            self.end_line(LogSource::Stderr);
        }
    }

    /// The result of a command, and how many bytes it would have had.
    pub(crate) fn take_result(&mut self) -> (Bytes, u64) {
        (self.result.take().unwrap_or_default().into(), self.result_bytes)
    }

    /// What was kept, and how many bytes were said in all.
    pub(crate) fn take_log(&mut self) -> (LogCapture, u64) {
        self.flush();
        let recorder = std::mem::replace(&mut self.recorder, LogRecorder::new(0));
        let total = recorder.total_bytes();
        (recorder.finish(), total)
    }
}

/// One standard stream.
#[derive(Clone)]
pub(crate) struct Stream {
    pub(crate) voice: SharedVoice,
    pub(crate) source: LogSource,
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.voice.lock().write(self.source, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

#[async_trait::async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.voice.lock().write(self.source, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_and_the_last_one_needs_no_end() {
        let voice = Voice::new(PollClock::start(), 10_000, Stdout::Log);
        voice.lock().write(LogSource::Stdout, b"one\ntw");
        voice.lock().write(LogSource::Stdout, b"o\nthree");
        let (log, bytes) = voice.lock().take_log();
        let lines: Vec<&str> = log.lines().map(|line| line.message.as_str()).collect();
        assert_eq!(lines, ["one", "two", "three"]);
        assert_eq!(bytes, 11);
    }

    #[test]
    fn a_result_is_cut_and_counted() {
        let voice = Voice::new(PollClock::start(), 0, Stdout::Result { bytes_max: 4 });
        voice.lock().write(LogSource::Stdout, b"abcdef");
        let (result, bytes) = voice.lock().take_result();
        assert_eq!((result.as_ref(), bytes), (b"abcd".as_slice(), 6));
    }
}
