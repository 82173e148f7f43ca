//! The host functions of `tasklane:task`. They answer with error values, never with a trap.

use tasklane_domain::children::{ChildRequest, EnqueueError, EnqueueRequest};
use tasklane_domain::log::{LogLevel, LogSource};
use tasklane_domain::outcome::MESSAGE_BYTES_MAX;
use tasklane_domain::work::Progress;

use super::bindings::tasklane::task::types::{Failure, HostError};
use super::bindings::tasklane::task::{config, fault, log, progress, tasks, types};
use super::guest::{Fault, Guest};

/// Fields beside one log message.
const LOG_FIELDS_MAX: usize = 32;
/// Longest progress message, in bytes.
const PROGRESS_BYTES_MAX: usize = 256;

/// Text that is at most `max` bytes, cut at a character.
pub(crate) fn cut(mut text: String, max: usize) -> String {
    text.truncate(text.floor_char_boundary(max));
    text
}

impl types::Host for Guest {}

impl log::Host for Guest {
    fn write(&mut self, level: log::Level, message: String, fields: Vec<log::Field>) -> Result<(), HostError> {
        if fields.len() > LOG_FIELDS_MAX {
            return Err(HostError::LimitExceeded(format!("at most {LOG_FIELDS_MAX} fields beside a message")));
        }
        let mut line = message;
        for field in fields {
            line.push(' ');
            line.push_str(&field.key);
            line.push('=');
            line.push_str(&field.value);
        }
        let level = match level {
            log::Level::Trace => LogLevel::Trace,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        self.setup.voice.lock().say(LogSource::Log, level, line);
        Ok(())
    }
}

impl progress::Host for Guest {
    fn report(&mut self, fraction: f32, message: String) -> Result<(), HostError> {
        if !(0.0..=1.0).contains(&fraction) {
            return Err(HostError::Invalid(format!("the fraction must be from 0 to 1, not {fraction}")));
        }
        let message = cut(self.setup.voice.lock().masked(message), PROGRESS_BYTES_MAX);
        (self.setup.progress)(Progress { fraction, message });
        Ok(())
    }
}

impl config::Host for Guest {
    fn get(&mut self, key: String) -> Result<Option<String>, HostError> {
        Ok(self.setup.manifest.config.get(&key).cloned())
    }

    fn keys(&mut self) -> Result<Vec<String>, HostError> {
        Ok(self.setup.manifest.config.keys().cloned().collect())
    }
}

impl tasks::Host for Guest {
    async fn enqueue(&mut self, children: Vec<tasks::Child>) -> Result<Vec<String>, HostError> {
        let answer = self.enqueue_all(children).await;
        self.counted("tasks_enqueue", answer)
    }
}

impl Guest {
    async fn enqueue_all(&mut self, children: Vec<tasks::Child>) -> Result<Vec<String>, HostError> {
        let grants = &self.setup.manifest.permissions;
        let name = |child: &tasks::Child| child.module.split('@').next().unwrap_or_default().to_owned();
        if let Some(denied) = children.iter().map(name).find(|name| !grants.may_enqueue(name)) {
            let hint = "list it in the manifest under [permissions] enqueue";
            return Err(HostError::AccessDenied(format!("tasks of `{denied}` may not be enqueued: {hint}")));
        }
        let child = |child: tasks::Child| ChildRequest {
            key: child.key,
            module: child.module,
            input: child.input.into(),
            options: child.options,
        };
        let parent = self.setup.order.task;
        let request = EnqueueRequest { parent, children: children.into_iter().map(child).collect() };
        request.check().map_err(refused)?;
        let ids = self.setup.enqueuer.enqueue(request).await.map_err(refused)?;
        Ok(ids.iter().map(ToString::to_string).collect())
    }
}

fn refused(error: EnqueueError) -> HostError {
    match error {
        EnqueueError::Denied(why) => HostError::AccessDenied(why),
        EnqueueError::Invalid(why) => HostError::Invalid(why),
        EnqueueError::Quota(why) => HostError::LimitExceeded(why),
        EnqueueError::Unavailable(why) => HostError::Unavailable(why),
    }
}

impl fault::Host for Guest {
    fn declare(&mut self, failure: Failure) {
        self.fault = Some(Fault {
            code: cut(failure.code, PROGRESS_BYTES_MAX),
            message: cut(failure.message, MESSAGE_BYTES_MAX),
            details: failure.details.map(|details| cut(details, MESSAGE_BYTES_MAX)),
        });
    }
}
