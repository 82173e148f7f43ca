//! What keys do, and what is selected. Without I/O.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::picture::Picture;

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    Quit,
    /// Ask the API at once.
    Refresh,
    Pause(String),
    Resume(String),
    Cancel(String),
}

/// Which list the arrows move in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    Lanes,
    Tasks,
}

/// What keys are for right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Look,
    /// A filter is typed.
    Filter,
    /// A second key is waited for.
    Confirm(Act),
    Help,
}

/// What the person has chosen.
#[derive(Debug)]
pub(super) struct Screen {
    pub(super) mode: Mode,
    pub(super) pane: Pane,
    pub(super) filter: String,
    /// The selected line of each list.
    pub(super) lane: usize,
    pub(super) task: usize,
    /// Nothing moves.
    pub(super) is_frozen: bool,
    /// What came of the last act, or what is away.
    pub(super) message: Option<String>,
}

/// The selected thing of a list that may have become shorter: its last one then.
fn selected<T>(things: &[T], at: usize) -> Option<&T> {
    things.get(at.min(things.len().saturating_sub(1)))
}

/// Longest filter, in characters.
const FILTER_MAX: usize = 64;

impl Screen {
    pub(super) fn new(filter: String) -> Self {
        Self { mode: Mode::Look, pane: Pane::Tasks, filter, lane: 0, task: 0, is_frozen: false, message: None }
    }

    /// Takes a key.
    pub(super) fn key(&mut self, key: KeyEvent, picture: &Picture) -> Act {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Act::Quit;
        }
        self.message = None;
        match self.mode.clone() {
            Mode::Look => self.look(key.code, picture),
            Mode::Filter => self.type_filter(key.code),
            Mode::Confirm(act) => {
                self.mode = Mode::Look;
                if matches!(key.code, KeyCode::Char('y' | 'Y')) { act } else { Act::Nothing }
            }
            Mode::Help => {
                self.mode = Mode::Look;
                Act::Nothing
            }
        }
    }

    fn look(&mut self, code: KeyCode, picture: &Picture) -> Act {
        match code {
            KeyCode::Char('q') | KeyCode::Esc => return Act::Quit,
            KeyCode::Char('?' | 'h') => self.mode = Mode::Help,
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Char('r') => return Act::Refresh,
            KeyCode::Char(' ') => self.is_frozen = !self.is_frozen,
            KeyCode::Char('p') => self.confirm_pause(picture),
            KeyCode::Char('c') => self.confirm_cancel(picture),
            KeyCode::Tab | KeyCode::BackTab => {
                self.pane = if self.pane == Pane::Lanes { Pane::Tasks } else { Pane::Lanes };
            }
            KeyCode::Up | KeyCode::Char('k') => self.move_by(-1, picture),
            KeyCode::Down | KeyCode::Char('j') => self.move_by(1, picture),
            KeyCode::PageUp => self.move_by(-10, picture),
            KeyCode::PageDown => self.move_by(10, picture),
            KeyCode::Home => self.move_by(isize::MIN, picture),
            KeyCode::End => self.move_by(isize::MAX, picture),
            _ => {}
        }
        Act::Nothing
    }

    fn type_filter(&mut self, code: KeyCode) -> Act {
        match code {
            KeyCode::Enter => self.mode = Mode::Look,
            KeyCode::Esc => {
                self.filter.clear();
                self.mode = Mode::Look;
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(c) if self.filter.chars().count() < FILTER_MAX => self.filter.push(c),
            _ => {}
        }
        (self.lane, self.task) = (0, 0);
        Act::Nothing
    }

    fn move_by(&mut self, lines: isize, picture: &Picture) {
        let (at, count) = match self.pane {
            Pane::Lanes => (&mut self.lane, picture.lanes(&self.filter).len()),
            Pane::Tasks => (&mut self.task, picture.tasks(&self.filter).len()),
        };
        *at = at.saturating_add_signed(lines).min(count.saturating_sub(1));
    }

    /// The queue that is selected, or that of the selected task.
    fn queue(&self, picture: &Picture) -> Option<String> {
        match self.pane {
            Pane::Lanes => selected(&picture.lanes(&self.filter), self.lane).map(|lane| lane.queue.clone()),
            Pane::Tasks => selected(&picture.tasks(&self.filter), self.task).map(|task| task.queue.clone()),
        }
    }

    fn confirm_pause(&mut self, picture: &Picture) {
        let Some(queue) = self.queue(picture) else {
            self.message = Some("no queue is selected".to_owned());
            return;
        };
        let act = if picture.is_paused(&queue) { Act::Resume(queue) } else { Act::Pause(queue) };
        self.mode = Mode::Confirm(act);
    }

    fn confirm_cancel(&mut self, picture: &Picture) {
        let task = selected(&picture.tasks(&self.filter), self.task).map(|task| task.id.clone());
        match task.filter(|_| self.pane == Pane::Tasks) {
            Some(id) => self.mode = Mode::Confirm(Act::Cancel(id)),
            None => self.message = Some("select a task first: Tab, then the arrows".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::draw::tests::picture;

    fn press(screen: &mut Screen, keys: &[KeyCode]) -> Act {
        let picture = picture();
        let act = |act, code: &KeyCode| match screen.key(KeyEvent::new(*code, KeyModifiers::NONE), &picture) {
            Act::Nothing => act,
            other => other,
        };
        keys.iter().fold(Act::Nothing, act)
    }

    const C: KeyCode = KeyCode::Char('c');
    const P: KeyCode = KeyCode::Char('p');
    const Y: KeyCode = KeyCode::Char('y');

    #[test]
    fn nothing_is_done_without_a_second_key() {
        let mut screen = Screen::new(String::new());
        assert_eq!(press(&mut screen, &[C]), Act::Nothing);
        assert_eq!(screen.mode, Mode::Confirm(Act::Cancel("task-1".to_owned())));
        assert_eq!(press(&mut screen, &[KeyCode::Char('n')]), Act::Nothing);
        assert_eq!(screen.mode, Mode::Look);
        assert_eq!(press(&mut screen, &[KeyCode::Down, C, Y]), Act::Cancel("task-2".to_owned()));
    }

    #[test]
    fn queues_are_paused_where_they_are_selected_and_resumed_where_they_are_paused() {
        let mut screen = Screen::new(String::new());
        assert_eq!(press(&mut screen, &[KeyCode::Tab, P, Y]), Act::Pause("default".to_owned()));
        assert_eq!(press(&mut screen, &[KeyCode::End, P, Y]), Act::Resume("held".to_owned()));
        assert_eq!(press(&mut screen, &[C]), Act::Nothing, "a queue cannot be cancelled");
        assert!(screen.message.is_some());
    }

    #[test]
    fn a_filter_is_typed_and_taken_away() {
        let mut screen = Screen::new(String::new());
        press(&mut screen, &[KeyCode::Char('/'), KeyCode::Char('q'), KeyCode::Char('x'), KeyCode::Backspace]);
        assert_eq!((screen.filter.as_str(), &screen.mode), ("q", &Mode::Filter), "q is a letter here");
        press(&mut screen, &[KeyCode::Enter]);
        assert_eq!((screen.filter.as_str(), &screen.mode), ("q", &Mode::Look));
        press(&mut screen, &[KeyCode::Char('/'), KeyCode::Esc]);
        assert_eq!(screen.filter, "");
        assert_eq!(press(&mut screen, &[KeyCode::Char('q')]), Act::Quit);
        assert_eq!(screen.key(KeyEvent::new(C, KeyModifiers::CONTROL), &picture()), Act::Quit);
    }

    #[test]
    fn a_selection_stays_within_its_list() {
        let mut screen = Screen::new(String::new());
        press(&mut screen, &[KeyCode::PageDown, KeyCode::PageDown]);
        assert_eq!(screen.task, 1);
        press(&mut screen, &[KeyCode::Home, KeyCode::Up]);
        assert_eq!(screen.task, 0);
        press(&mut screen, &[KeyCode::Char('?')]);
        assert_eq!(screen.mode, Mode::Help);
    }
}
