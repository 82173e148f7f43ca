//! Host units: what an attempt may make the host and the control plane do for it, beside its fuel, and the way on which it asks.
//!
//! Fuel pays for the guest's own instructions; a call that leaves the host costs it hardly any. So each costs units of its own, of which
//! an attempt has a fixed number. They are counted here and never refunded: a call that is refused was work too.

use std::sync::Arc;

use prometheus::IntCounterVec;
use tasklane_domain::TaskId;
use tasklane_domain::call::{Call, CallAnswer, CallError, CallRequest, Caller};

use super::bindings::tasklane::task::types::HostError;
use super::guest::Guest;
use crate::trace::AttemptTrace;

/// Units of a call that leaves the host.
const CALL_UNITS: u64 = 10;
/// Bytes that cost one unit more, either way.
const BYTES_PER_UNIT: u64 = 1024;
/// Bytes of a piece of a blob that cost one unit more: they stay on this host, where a piece costs one unit.
const BLOB_BYTES_PER_UNIT: u64 = 64 * 1024;

/// The way to the control plane, for one attempt.
#[derive(Clone)]
pub(crate) struct Calls {
    pub(crate) caller: Arc<dyn Caller>,
    /// Calls, by function and by what came of them.
    pub(crate) counted: IntCounterVec,
    /// Units of one attempt.
    pub(crate) units_max: u64,
    /// Its spans, if its trace is sampled.
    pub(crate) trace: Option<AttemptTrace>,
}

/// What is left of an attempt's units.
#[derive(Debug)]
pub(crate) struct Units {
    left: u64,
    max: u64,
}

impl Units {
    pub(crate) const fn new(max: u64) -> Self {
        Self { left: max, max }
    }

    /// Takes the units of something that carries so many bytes.
    pub(crate) fn take(&mut self, calls: u64, bytes: usize) -> Result<(), HostError> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.pay(calls.saturating_mul(CALL_UNITS).saturating_add(bytes / BYTES_PER_UNIT))
    }

    /// Takes the units of one piece of a blob.
    pub(crate) fn take_piece(&mut self, bytes: usize) -> Result<(), HostError> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.pay(1 + bytes / BLOB_BYTES_PER_UNIT)
    }

    fn pay(&mut self, cost: u64) -> Result<(), HostError> {
        match self.left.checked_sub(cost) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(HostError::LimitExceeded(format!(
                "an attempt has {} host units; a call costs {CALL_UNITS} and 1 for each KiB, a piece of a blob 1 and 1 for each 64 KiB",
                self.max
            ))),
        }
    }
}

/// A refusal as the guest is told it.
pub(crate) fn refused(error: CallError) -> HostError {
    match error {
        CallError::Denied(why) => HostError::AccessDenied(why),
        CallError::Invalid(why) => HostError::Invalid(why),
        CallError::Limit(why) => HostError::LimitExceeded(why),
        CallError::Unavailable(why) => HostError::Unavailable(why),
    }
}

const fn word<T>(answer: &Result<T, HostError>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(HostError::AccessDenied(_)) => "access_denied",
        Err(HostError::LimitExceeded(_)) => "limit_exceeded",
        Err(HostError::Invalid(_)) => "invalid",
        Err(HostError::Unavailable(_)) => "unavailable",
    }
}

impl Calls {
    /// Asks the control plane for one task.
    pub(crate) async fn ask(&self, task: TaskId, call: Call) -> Result<CallAnswer, HostError> {
        self.caller.call(CallRequest { task, call }).await.map_err(refused)
    }
}

impl Guest {
    /// Counts what came of a host function, and passes it on.
    pub(crate) fn counted<T>(&self, function: &'static str, answer: Result<T, HostError>) -> Result<T, HostError> {
        let result = word(&answer);
        self.setup.calls.counted.with_label_values(&[function, result]).inc();
        if let Some(trace) = &self.setup.calls.trace {
            trace.host_function(function, result);
        }
        answer
    }

    /// Asks the control plane.
    pub(crate) async fn ask(&mut self, call: Call, bytes: usize) -> Result<CallAnswer, HostError> {
        self.units.take(1, bytes)?;
        self.setup.calls.ask(self.setup.order.task, call).await
    }
}

/// The control plane answered something else than was asked.
pub(crate) fn unexpected<T>() -> Result<T, HostError> {
    Err(HostError::Unavailable("the control plane is of another version than this host".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_run_out() {
        let mut units = Units::new(25);
        assert!(units.take(1, 0).is_ok());
        assert!(units.take(1, 6 * 1024).is_err(), "16 of 15");
        assert!(units.take(1, 5 * 1024).is_ok());
        assert!(matches!(units.take(1, 0), Err(HostError::LimitExceeded(why)) if why.contains("25")));
        let mut units = Units::new(17);
        assert!(units.take_piece(1024 * 1024).is_ok() && units.take_piece(0).is_err());
    }
}
