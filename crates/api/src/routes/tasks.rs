//! `/api/v1/tasks…`.

pub(super) mod change;
pub(super) mod get;
pub(super) mod list;
pub(super) mod live;
pub(super) mod submit;
