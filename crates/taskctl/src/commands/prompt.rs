//! A line that is typed and not shown: a secret's value, a token.
//!
//! Guarantees: the terminal shows again what is typed afterwards, also after Ctrl-C, which here is a key like others.

use std::io::{Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::failure::{Failure, USAGE};
use crate::output;

/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// What a process that SIGINT ends leaves.
const INTERRUPTED: u8 = 130;

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const BACKSPACE: u8 = 8;
const CTRL_U: u8 = 21;
const DELETE: u8 = 127;

/// Shows again what is typed when it goes.
struct Unseen(Termios);

impl Drop for Unseen {
    fn drop(&mut self) {
        if tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0).is_err() {
            output::note("the terminal does not show what is typed: `stty echo` mends it");
        }
    }
}

/// Asks for it on standard error, and reads it from standard input, which is a terminal.
pub(crate) fn hidden(what: &str) -> anyhow::Result<Vec<u8>> {
    let before = tcgetattr(std::io::stdin())?;
    let mut unseen = before.clone();
    // Without signals and lines: keys come one by one, so that none can end this process while nothing is shown.
    unseen.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    tcsetattr(std::io::stdin(), OptionalActions::Flush, &unseen)?;
    let seen_again = Unseen(before);
    let mut terminal = std::io::stderr();
    write!(terminal, "{what} (not shown): ")?;
    terminal.flush()?;
    let line = line(std::io::stdin().lock());
    drop(seen_again);
    output::note("");
    let line = line?;
    if line.is_empty() {
        return Err(Failure::new(USAGE, format!("no {what} was typed")).hint("use a file, or standard input").into());
    }
    Ok(line)
}

fn line(keys: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut line = Vec::new();
    for key in keys.bytes() {
        match key? {
            CTRL_C => return Err(Failure::new(INTERRUPTED, "interrupted; nothing was changed").into()),
            b'\r' | b'\n' | CTRL_D => break,
            BACKSPACE | DELETE => rub_out(&mut line),
            CTRL_U => line.clear(),
            _ if line.len() >= LINE_BYTES_MAX => {
                return Err(Failure::new(USAGE, "the line is too long").hint("use a file, or standard input").into());
            }
            byte => line.push(byte),
        }
    }
    Ok(line)
}

/// The last character, which may be several bytes.
fn rub_out(line: &mut Vec<u8>) {
    while line.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_make_a_line() {
        assert_eq!(line(&b"abc\rd"[..]).unwrap(), b"abc");
        assert_eq!(line("a\u{fc}\u{7f}b\n".as_bytes()).unwrap(), b"ab", "a character of two bytes is one");
        assert_eq!(line(&b"wrong\x15right\n"[..]).unwrap(), b"right");
        assert_eq!(line(&b"\x7f\x08a\x04"[..]).unwrap(), b"a");
        assert!(line(&b"a\x03b\n"[..]).is_err());
    }
}
