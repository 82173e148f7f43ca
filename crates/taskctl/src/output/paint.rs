//! Colour: whether there is any, and which word has which.
//!
//! `--color` decides; `auto` means on a terminal, unless `NO_COLOR` is set or the terminal is dumb. Without colour every text is the
//! same, so that nothing is told by colour alone.

use std::sync::atomic::{AtomicU8, Ordering};

use anstyle::{AnsiColor, Style};

use crate::cli::Color;
use crate::config::places;

/// What a text is painted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Heading,
    Good,
    Going,
    Waiting,
    Bad,
    Faint,
    Hint,
}

const UNDECIDED: u8 = 0;
const OFF: u8 = 1;
const OUT: u8 = 2;
const ERR: u8 = 4;
static CHOSEN: AtomicU8 = AtomicU8::new(UNDECIDED);

/// Decides for the whole process.
pub(crate) fn choose(color: Color) {
    let (out, err) = match color {
        Color::Always => (true, true),
        Color::Never => (false, false),
        Color::Auto => {
            let may = places::may_paint();
            (may && super::stdout_is_terminal(), may && super::stderr_is_terminal())
        }
    };
    CHOSEN.store(OFF | if out { OUT } else { 0 } | if err { ERR } else { 0 }, Ordering::Relaxed);
}

pub(super) fn out_is_painted() -> bool {
    CHOSEN.load(Ordering::Relaxed) & OUT != 0
}

pub(crate) fn err_is_painted() -> bool {
    CHOSEN.load(Ordering::Relaxed) & ERR != 0
}

const fn style(paint: Paint) -> Style {
    match paint {
        Paint::Heading => Style::new().bold(),
        Paint::Good => AnsiColor::Green.on_default(),
        Paint::Going => AnsiColor::Cyan.on_default(),
        Paint::Waiting => AnsiColor::Yellow.on_default(),
        Paint::Bad => AnsiColor::Red.on_default(),
        Paint::Faint => Style::new().dimmed(),
        Paint::Hint => AnsiColor::Cyan.on_default(),
    }
}

/// The text in its colour, whatever was chosen.
pub(super) fn with(paint: Paint, text: &str) -> String {
    let style = style(paint);
    format!("{style}{text}{style:#}")
}

/// A text for standard error.
pub(crate) fn painted(paint: Paint, text: &str) -> String {
    if err_is_painted() { with(paint, text) } else { text.to_owned() }
}

/// How a word that says where something stands is painted.
pub(super) fn of_state(word: &str) -> Option<Paint> {
    Some(match word.split_whitespace().next()? {
        "succeeded" | "ok" | "active" | "on" | "done" | "connected" | "delivered" => Paint::Good,
        "running" => Paint::Going,
        "queued" | "scheduled" | "retrying" | "blocked" | "paused" | "draining" | "warn" | "waiting" | "held" => {
            Paint::Waiting
        }
        "failed" | "fail" | "dead" | "quarantined" | "away" | "trap" | "timed_out" | "out_of_fuel"
        | "out_of_memory" | "task_error" | "host_error" | "host_lost" | "exit_code" | "output_too_large"
        | "expired" => Paint::Bad,
        "cancelled" | "skipped" | "off" => Paint::Faint,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_colours_and_other_words_have_none() {
        assert_eq!(of_state("succeeded"), Some(Paint::Good));
        assert_eq!(of_state("paused since 2026"), Some(Paint::Waiting));
        assert_eq!((of_state("thumbnail"), of_state("")), (None, None));
        assert_eq!(with(Paint::Bad, "failed"), "\u{1b}[31mfailed\u{1b}[0m");
    }
}
