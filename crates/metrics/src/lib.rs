//! What the roles share about metrics: one registry for each process, bounded labels, and counters that more than one role feeds.
//!
//! Used by the API, the scheduler, the host and the store. Guarantees: no label takes more values than a named limit allows
//! ([`MODULES_MAX`], [`SERIES_MAX`]); what is counted for each task costs two look-ups in a table and no allocation. Every metric is
//! described in `docs/metrics.md`; `tests/tests/metrics.rs` holds that page against running processes. No HTTP here: `tasklane-api`
//! answers `/metrics`.

mod lanes;
pub mod make;
mod outcomes;
mod reading;
mod registry;
mod tasks;

pub use lanes::{LaneLabels, Lanes, MODULES_MAX, OTHER, SERIES_MAX, priority_label};
pub use outcomes::Outcomes;
pub use reading::{Kind, read};
pub use registry::Registry;
pub use tasks::{TaskMetrics, TaskSeries};
