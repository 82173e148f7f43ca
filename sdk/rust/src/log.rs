//! Lines for the task's log. What is over the log limit is counted by the host, not kept; logging never fails a task.

/// How serious a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
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

/// A line with keys and values beside the message.
pub fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
    #[cfg(target_family = "wasm")]
    crate::guest::log(level, message, fields);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::record_log(level, message, fields);
}

/// A line of level trace.
pub fn trace(message: &str) {
    write(Level::Trace, message, &[]);
}

/// A line of level debug.
pub fn debug(message: &str) {
    write(Level::Debug, message, &[]);
}

/// A line of level info.
pub fn info(message: &str) {
    write(Level::Info, message, &[]);
}

/// A line of level warn.
pub fn warn(message: &str) {
    write(Level::Warn, message, &[]);
}

/// A line of level error.
pub fn error(message: &str) {
    write(Level::Error, message, &[]);
}
