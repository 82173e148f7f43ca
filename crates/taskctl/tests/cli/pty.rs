//! A command on a terminal of its own: a pseudo-terminal, and a screen that shows what a person would see.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::fd::AsFd as _;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use pty_process::Size;
use pty_process::blocking::Pty;
use rustix::process::Signal;
use rustix::termios::{LocalModes, tcgetattr};

use crate::dev::send;
use crate::support::wait_for;

/// Lines and columns.
pub(crate) const SMALL: (u16, u16) = (24, 80);
/// So wide that no line of a table is broken.
pub(crate) const LARGE: (u16, u16) = (100, 300);
/// What is written to the terminal when the command has ended: whoever reads has then read everything. Shown by no terminal.
const END: &[u8] = b"\x1b]0;end\x07";

/// What the screen shows, and every byte that came.
struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

/// A command that runs on a terminal; killed when dropped.
pub(crate) struct OnTerminal {
    child: Child,
    pty: Arc<Pty>,
    /// The command's own side, held open: where its last close meets a reader, Linux may say "closed" before it hands out what was
    /// written last.
    tty: File,
    seen: Arc<Mutex<Seen>>,
    reading: Option<JoinHandle<()>>,
    modes: LocalModes,
}

fn number(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

/// The command as a shell on a terminal starts it: whoever runs the tests in the background has their signals ignored.
fn with_signals(command: &Command) -> Command {
    let mut whole = Command::new("env");
    whole.arg("--default-signal=INT,QUIT").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => whole.env(name, value),
            None => whole.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        whole.current_dir(dir);
    }
    whole
}

impl OnTerminal {
    pub(crate) fn start(command: Command, (rows, columns): (u16, u16)) -> Self {
        let (pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let pty = Arc::new(pty);
        let modes = tcgetattr(&*pty).unwrap().local_modes;
        let tty = File::from(pts.as_fd().try_clone_to_owned().unwrap());
        let child = pty_process::blocking::Command::from(with_signals(&command))
            .env("TERM", "xterm-256color")
            .spawn(pts)
            .unwrap();
        let parser = vt100::Parser::new(number(rows), number(columns), 0);
        let seen = Arc::new(Mutex::new(Seen { parser, bytes: Vec::new() }));
        let reading = std::thread::spawn({
            let (pty, seen) = (pty.clone(), seen.clone());
            move || {
                let mut buffer = [0; 4096];
                // Until the end is read; where nobody waits for it, until nobody has the terminal open: then reading fails.
                while let Ok(count @ 1..) = (&*pty).read(&mut buffer) {
                    let mut seen = seen.lock().unwrap();
                    seen.parser.process(&buffer[..count]);
                    seen.bytes.extend_from_slice(&buffer[..count]);
                    if let Some(rest) = seen.bytes.strip_suffix(END) {
                        let whole = rest.len();
                        seen.bytes.truncate(whole);
                        break;
                    }
                }
            }
        });
        Self { child, pty, tty, seen, reading: Some(reading), modes }
    }

    /// Types.
    pub(crate) fn keys(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn resize(&self, (rows, columns): (u16, u16)) {
        self.seen.lock().unwrap().parser.set_size(number(rows), number(columns));
        self.pty.resize(Size::new(rows, columns)).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.child.id(), signal);
    }

    /// What a person sees.
    pub(crate) fn screen(&self) -> String {
        self.seen.lock().unwrap().parser.screen().contents()
    }

    /// Everything that came.
    pub(crate) fn bytes(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().bytes).into_owned()
    }

    /// Waits until the screen shows all of these.
    #[track_caller]
    pub(crate) fn shows(&self, words: &[&str]) -> String {
        let mut last = String::new();
        wait_for(&format!("{words:?} on the screen"), || {
            last = self.screen();
            words.iter().all(|word| last.contains(word)).then(|| last.clone())
        })
    }

    /// Waits until the screen shows none of these.
    #[track_caller]
    pub(crate) fn hides(&self, word: &str) {
        wait_for(&format!("{word:?} to go from the screen"), || (!self.screen().contains(word)).then_some(()));
    }

    /// Whether keys are shown as they are typed.
    pub(crate) fn echoes(&self) -> bool {
        tcgetattr(&*self.pty).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// Waits for its end, and that all that it wrote was read.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> i32 {
        let status = wait_for("the command to end", || self.child.try_wait().unwrap());
        if let Some(reading) = self.reading.take() {
            self.tty.write_all(END).unwrap();
            reading.join().unwrap();
        }
        use std::os::unix::process::ExitStatusExt as _;
        status.code().unwrap_or_else(|| -status.signal().unwrap())
    }

    /// The terminal is as it was: its modes, its screen, its cursor.
    #[track_caller]
    pub(crate) fn is_as_before(&self) {
        assert_eq!(tcgetattr(&*self.pty).unwrap().local_modes, self.modes, "the modes were not given back");
        let seen = self.seen.lock().unwrap();
        let screen = seen.parser.screen();
        assert!(!screen.alternate_screen(), "the screen was not given back");
        assert!(!screen.hide_cursor(), "the cursor was not given back");
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
