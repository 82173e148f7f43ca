//! What is printed, kept instead of shown: for `--watch`, which draws it in one go.

use parking_lot::Mutex;

/// What a command would have printed: data, and remarks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Screenful {
    pub(crate) data: String,
    pub(crate) notes: String,
}

static KEPT: Mutex<Option<Screenful>> = Mutex::new(None);

/// From now on nothing is shown.
pub(crate) fn capture() {
    *KEPT.lock() = Some(Screenful::default());
}

/// What was printed since, which is shown again from now on.
pub(crate) fn captured() -> Screenful {
    KEPT.lock().take().unwrap_or_default()
}

/// Keeps data, if that is wanted.
pub(super) fn take_data(bytes: &[u8]) -> bool {
    let mut kept = KEPT.lock();
    let Some(screenful) = &mut *kept else { return false };
    screenful.data.push_str(&String::from_utf8_lossy(bytes));
    true
}

/// Keeps a remark, if that is wanted.
pub(super) fn take_note(line: &str) -> bool {
    let mut kept = KEPT.lock();
    let Some(screenful) = &mut *kept else { return false };
    screenful.notes.push_str(line);
    screenful.notes.push('\n');
    true
}
