//! The terminal while `top` has it: taken, given back, and what comes from it.
//!
//! Guarantees: it is as it was after every end that a process can see: a key, an error, a panic, SIGINT, SIGTERM, SIGHUP, SIGQUIT. After
//! SIGKILL nothing can be done; `reset` mends it.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// How often the reading thread looks whether it shall end.
const POLL: Duration = Duration::from_millis(100);
/// Keys that may wait.
const WAITING_MAX: usize = 64;
/// What is added to a signal's number in the exit code.
const BY_SIGNAL: u8 = 128;

/// What comes from outside.
#[derive(Debug)]
pub(super) enum Input {
    Key(KeyEvent),
    Resized,
    /// The process shall end.
    Signal(u8),
}

/// Whether keys can be read.
pub(super) fn can_be_typed() -> bool {
    std::io::stdin().is_terminal()
}

/// The exit code after a signal.
pub(super) const fn ended_by(number: u8) -> u8 {
    BY_SIGNAL.saturating_add(number)
}

/// The screen, until it is dropped.
pub(super) struct Terminal {
    pub(super) screen: DefaultTerminal,
}

impl Terminal {
    /// Takes it: keys one by one, nothing echoed, another screen. A panic gives it back before it is told.
    pub(super) fn enter() -> anyhow::Result<Self> {
        Ok(Self { screen: ratatui::try_init()? })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// The reading thread ends when this is dropped.
pub(super) struct Inputs {
    inputs: mpsc::Receiver<Input>,
    over: Arc<AtomicBool>,
}

impl Drop for Inputs {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Inputs {
    /// The next one; nothing is lost when it is dropped while it waits.
    pub(super) async fn next(&mut self) -> Option<Input> {
        self.inputs.recv().await
    }
}

/// Begins to read keys, and to hear signals.
pub(super) fn inputs() -> anyhow::Result<Inputs> {
    let (sender, inputs) = mpsc::channel(WAITING_MAX);
    let over = Arc::new(AtomicBool::new(false));
    for (kind, number) in [
        (SignalKind::hangup(), 1),
        (SignalKind::interrupt(), 2),
        (SignalKind::quit(), 3),
        (SignalKind::terminate(), 15),
    ] {
        let (mut heard, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move {
            while heard.recv().await.is_some() && sender.send(Input::Signal(number)).await.is_ok() {}
        });
    }
    let ended = over.clone();
    std::thread::Builder::new().name("keys".to_owned()).spawn(move || read(&sender, &ended))?;
    Ok(Inputs { inputs, over })
}

/// Until it shall end, or the terminal is gone.
fn read(inputs: &mpsc::Sender<Input>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let input = match event::poll(POLL) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let input = match input {
            Ok(Event::Key(key)) if key.kind == KeyEventKind::Press => Input::Key(key),
            Ok(Event::Resize(..)) => Input::Resized,
            Ok(_) => continue,
            // As if it had hung up.
            Err(_) => Input::Signal(1),
        };
        if inputs.blocking_send(input).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsFd as _;

    use rustix::termios::tcgetattr;

    use super::*;

    const CHILD: &str = "top::terminal::tests::panics_while_it_has_the_terminal";
    /// What is written when the child has ended: whoever reads has then read everything. Shown by no terminal.
    const END: &[u8] = b"\x1b]0;end\x07";

    /// Run by the next test only, on a terminal of its own.
    #[test]
    #[ignore = "it panics: the next test runs it"]
    fn panics_while_it_has_the_terminal() {
        let mut terminal = Terminal::enter().unwrap();
        terminal.screen.draw(|frame| frame.render_widget("all is well", frame.area())).unwrap();
        panic!("as a test had asked for");
    }

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_seen() {
        let (mut pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(pty_process::Size::new(24, 80)).unwrap();
        let before = tcgetattr(&pty).unwrap().local_modes;
        let command = pty_process::blocking::Command::new(std::env::current_exe().unwrap());
        // Held open: where the last close meets a reader, Linux may say "closed" before it hands out what was written last.
        let mut tty = File::from(pts.as_fd().try_clone_to_owned().unwrap());
        let mut child = command.args(["--ignored", "--exact", CHILD, "--nocapture"]).spawn(pts).unwrap();
        let ended = std::thread::spawn(move || {
            let status = child.wait().unwrap();
            tty.write_all(END).unwrap();
            (status, tty)
        });
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        while !bytes.ends_with(END) {
            let count = pty.read(&mut piece).unwrap();
            bytes.extend_from_slice(&piece[..count]);
        }
        let (status, _tty) = ended.join().unwrap();
        assert!(!status.success());
        let mut parser = vt100::Parser::default();
        parser.process(&bytes);
        let shown = String::from_utf8_lossy(&bytes);
        // Blanks are skipped by moving the cursor.
        assert!(shown.contains("well") && shown.contains("\u{1b}[?1049h"), "it never had the screen: {shown}");
        assert_eq!(tcgetattr(&pty).unwrap().local_modes, before, "the modes were not given back");
        let screen = parser.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor(), "the screen was not given back");
        assert!(screen.contents().contains("as a test had asked for"), "the panic is not seen: {}", screen.contents());
    }
}
