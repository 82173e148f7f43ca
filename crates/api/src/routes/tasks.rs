//! `/api/v1/tasks…`.

pub(super) mod cancel;
pub(super) mod get;
pub(super) mod list;
pub(super) mod submit;
