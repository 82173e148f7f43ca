//! Where the stretch of due tasks ends that is being queued.
//!
//! Kept by a store beside its writer, and handed to each batch of what is due. It is a hint: whatever it says, only what is due is queued. Another
//! process that leads has its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tasklane_domain::Timestamp;

/// No stretch is under way.
const NONE: i64 = i64::MIN;

/// What is due before this is in the stretch.
#[derive(Debug, Clone)]
pub(crate) struct Stretch(Arc<AtomicI64>);

impl Default for Stretch {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(NONE)))
    }
}

impl Stretch {
    /// None while none is under way.
    pub(crate) fn end(&self) -> Option<Timestamp> {
        Some(self.0.load(Ordering::Relaxed)).filter(|end| *end != NONE).map(Timestamp::from_micros)
    }

    /// Another one begins, or none.
    pub(crate) fn ends_at(&self, end: Option<Timestamp>) {
        self.0.store(end.map_or(NONE, Timestamp::as_micros), Ordering::Relaxed);
    }
}
