//! Who speaks right now: the voices of the guests that run here, for those who follow a log before its attempt has ended.
//!
//! Filled by [`crate::run`], read when an API process asks. Guarantees: a voice is here as long as its guest runs, and no longer;
//! an answer is bounded and holds what the log will hold, with secrets masked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tasklane_domain::live_log::{LogPiece, LogQuestion};
use tasklane_domain::{Attempt, TaskId};
use tokio_util::sync::CancellationToken;

use crate::host::Room;
use crate::sandbox::stdio::SharedVoice;

/// Wait before listening again after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(500);

/// The voices of a host's guests.
#[derive(Default)]
pub(crate) struct Voices(Mutex<HashMap<TaskId, (Attempt, SharedVoice)>>);

/// One voice is heard until this is dropped.
pub(crate) struct Heard {
    voices: Arc<Voices>,
    task: TaskId,
    voice: SharedVoice,
}

impl Drop for Heard {
    fn drop(&mut self) {
        let mut voices = self.voices.0.lock();
        // Another delivery of the same task may speak by now.
        if voices.get(&self.task).is_some_and(|(_, voice)| Arc::ptr_eq(voice, &self.voice)) {
            voices.remove(&self.task);
        }
    }
}

impl Voices {
    /// Lets a voice be heard.
    pub(crate) fn hear(self: &Arc<Self>, task: TaskId, attempt: Attempt, voice: SharedVoice) -> Heard {
        self.0.lock().insert(task, (attempt, voice.clone()));
        Heard { voices: self.clone(), task, voice }
    }

    /// What follows the place that is asked for; `None` if the task does not run here. Of an attempt that is not the one
    /// that runs, there is nothing here: then everything that the running one has said follows.
    fn answer(&self, question: &LogQuestion) -> Option<LogPiece> {
        let (attempt, voice) = self.0.lock().get(&question.task).cloned()?;
        let after = if question.after.attempt == attempt { question.after.lines } else { 0 };
        let piece = voice.lock().said_since(attempt, after);
        Some(piece)
    }
}

/// Answers until `over`.
pub(crate) async fn answer(room: Arc<Room>, over: CancellationToken) {
    loop {
        let listen = async {
            match room.ports.control.log_questions().await {
                Ok(mut questions) => {
                    while let Some((question, reply)) = questions.next().await {
                        if let Some(piece) = room.voices.answer(&question) {
                            reply.answer(piece).await;
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "questions about logs cannot be heard"),
            }
            tokio::time::sleep(ERROR_PAUSE).await;
        };
        tokio::select! {
            () = over.cancelled() => return,
            () = listen => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tasklane_domain::live_log::LogCursor;
    use tasklane_domain::log::{LogLevel, LogSource};

    use super::*;
    use crate::sandbox::meter::PollClock;
    use crate::sandbox::stdio::{Stdout, Voice};

    #[test]
    fn a_guest_is_heard_while_it_runs_and_no_longer() {
        let voices = Arc::new(Voices::default());
        let (task, attempt) = (TaskId::new(), Attempt::FIRST);
        let voice = Voice::new(PollClock::start(), 10_000, Stdout::Log);
        let question = |lines| LogQuestion { task, after: LogCursor { attempt, lines } };
        assert!(voices.answer(&question(0)).is_none());
        let first = voices.hear(task, attempt, voice.clone());
        voice.lock().hide(b"s3cret");
        voice.lock().say(LogSource::Log, LogLevel::Info, "a s3cret".to_owned());
        let piece = voices.answer(&question(0)).unwrap();
        assert!(!piece.lines[0].message.contains("s3cret"), "{piece:?}");
        assert!(voices.answer(&question(1)).unwrap().lines.is_empty());
        let second = voices.hear(task, attempt, Voice::new(PollClock::start(), 10_000, Stdout::Log));
        drop(first);
        assert!(voices.answer(&question(0)).is_some(), "the second delivery goes on");
        drop(second);
        assert!(voices.answer(&question(0)).is_none());
    }
}
