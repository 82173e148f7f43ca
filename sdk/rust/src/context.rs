//! What a task may know of the attempt that it is.

use std::time::Duration;

/// The attempt. See each method.
#[derive(Debug, Clone)]
pub struct Context {
    pub(crate) task_id: String,
    pub(crate) attempt: u32,
    pub(crate) max_attempts: u32,
    pub(crate) module: String,
    pub(crate) version: String,
    pub(crate) queue: String,
    pub(crate) priority: u8,
    pub(crate) time_left: Duration,
}

impl Context {
    /// The task's UUID: the same for every attempt, and so a good idempotency key for side effects.
    #[must_use]
    pub fn task_id(&self) -> &str {
        &self.task_id
    }

    /// 1 for the first attempt.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// How many attempts there can be.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// Whether no attempt follows.
    #[must_use]
    pub fn is_last_attempt(&self) -> bool {
        self.attempt >= self.max_attempts
    }

    /// Name of the module.
    #[must_use]
    pub fn module(&self) -> &str {
        &self.module
    }

    /// Version of the module.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Queue that the task waited in.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// 1 to 10; 10 is the most urgent.
    #[must_use]
    pub fn priority(&self) -> u8 {
        self.priority
    }

    /// Time that the attempt had when it started.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.time_left
    }
}
