//! Children: tasks that a guest enqueues. Their quotas, and the ports between a host and the control plane.
//!
//! Called by the host (the `tasks` interface of `wit/task.wit`), the API (which commits what hosts ask for) and the store (which
//! counts). Guarantees: a child is identified by (parent, key), so that a repeated attempt or delivery enqueues nothing twice.

/// Most children of one task.
pub const CHILDREN_MAX: u64 = 1_000;
/// Most tasks below one root.
pub const TREE_TASKS_MAX: u64 = 10_000;
/// Deepest child: the root's children have depth 1.
pub const DEPTH_MAX: u16 = 8;
/// Longest key of a child, in bytes.
pub const KEY_BYTES_MAX: usize = 128;
