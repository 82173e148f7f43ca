//! The one table: each operation's least role, where its namespace is said, and whether it is written down.
//!
//! `docs/access.md` has the same table for people; the test `routes/access_matrix.rs` tries every operation with every kind of
//! credential and compares. What has no line here is refused.

use http::Method;
use tasklane_domain::access::Role;

/// Where a request says whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere: it is about what all share. The role is needed in any namespace.
    Anywhere,
    /// Nowhere: it is about the whole cluster. The role is needed in all namespaces.
    Cluster,
    /// `?namespace=`; without it, all.
    Listed,
    /// `?namespace=`; without it, `default`.
    Owned,
    /// As [`Place::Owned`], but a full name in the path's `name` speaks for itself.
    Module,
    /// The path's `name` is a namespace.
    Named,
    /// The body says it.
    Body(Said),
}

/// Where a body says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// `namespace`; without it, `default`.
    Task,
    /// `namespace` of each of `tasks` and of `on_complete`; without it, `default`.
    Batch,
    /// `namespace` of `task`; without it, `default`.
    Schedule,
    /// `namespace`; without it, all.
    Filter,
}

/// Whether it is written down in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audit {
    Written,
    Not,
}

/// A line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) need: Need,
    pub(crate) audit: Audit,
}

/// What an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: everybody may, unrecognised.
    Nothing,
    /// A role at a place.
    Role(Role, Place),
}

const fn open(path: &'static str) -> Rule {
    Rule { method: "GET", path, need: Need::Nothing, audit: Audit::Not }
}

const fn get(path: &'static str, least: Role, place: Place) -> Rule {
    Rule { method: "GET", path, need: Need::Role(least, place), audit: Audit::Not }
}

/// A change that is not written down: there are too many, and each leaves a row of its own.
const fn send(method: &'static str, path: &'static str, least: Role, place: Place) -> Rule {
    Rule { method, path, need: Need::Role(least, place), audit: Audit::Not }
}

const fn change(method: &'static str, path: &'static str, least: Role, place: Place) -> Rule {
    Rule { method, path, need: Need::Role(least, place), audit: Audit::Written }
}

use Place::{Anywhere, Body, Cluster, Listed, Module, Named, Owned};
use Role::{Admin, Deployer, Operator, Submitter, Viewer};

/// Every operation.
pub(crate) const TABLE: &[Rule] = &[
    open("/"),
    open("/livez"),
    open("/readyz"),
    open("/health"),
    get("/metrics", Viewer, Cluster),
    // Tasks.
    get("/api/v1/tasks", Viewer, Listed),
    send("POST", "/api/v1/tasks", Submitter, Body(Said::Task)),
    send("POST", "/api/v1/tasks/batch", Submitter, Body(Said::Batch)),
    get("/api/v1/tasks/status/{status}", Viewer, Listed),
    get("/api/v1/tasks/{id}", Viewer, Listed),
    get("/api/v1/tasks/{id}/result", Viewer, Listed),
    get("/api/v1/tasks/{id}/payload", Viewer, Listed),
    get("/api/v1/tasks/{id}/logs", Viewer, Listed),
    get("/api/v1/tasks/{id}/logs/live", Viewer, Listed),
    get("/api/v1/tasks/{id}/attempts", Viewer, Listed),
    change("POST", "/api/v1/tasks/{id}/cancel", Submitter, Listed),
    change("POST", "/api/v1/tasks/{id}/reschedule", Submitter, Listed),
    change("POST", "/api/v1/tasks/{id}/retry", Submitter, Listed),
    change("POST", "/api/v1/tasks/cancel", Operator, Body(Said::Filter)),
    change("POST", "/api/v1/tasks/retry", Operator, Body(Said::Filter)),
    get("/api/v1/operations", Operator, Cluster),
    get("/api/v1/operations/{id}", Operator, Anywhere),
    get("/api/v1/batches", Viewer, Listed),
    get("/api/v1/batches/{id}", Viewer, Listed),
    get("/api/v1/batches/{id}/graph", Viewer, Listed),
    change("POST", "/api/v1/batches/{id}/cancel", Submitter, Listed),
    change("POST", "/api/v1/batches/{id}/retry", Submitter, Listed),
    send("POST", "/api/v1/blobs", Submitter, Anywhere),
    get("/api/v1/blobs/{digest}", Viewer, Anywhere),
    send("PUT", "/api/v1/blobs/{digest}", Submitter, Anywhere),
    // Modules.
    get("/api/v1/modules", Viewer, Listed),
    change("POST", "/api/v1/modules", Deployer, Owned),
    get("/api/v1/modules/{name}", Viewer, Module),
    get("/api/v1/modules/{name}/{version}", Viewer, Module),
    change("DELETE", "/api/v1/modules/{name}/{version}", Deployer, Module),
    change("POST", "/api/v1/modules/{name}/{version}/disable", Operator, Module),
    change("POST", "/api/v1/modules/{name}/{version}/enable", Operator, Module),
    change("POST", "/api/v1/modules/{name}/{version}/release", Operator, Module),
    get("/api/v1/modules/{name}/aliases", Viewer, Module),
    get("/api/v1/modules/{name}/aliases/{alias}", Viewer, Module),
    change("PUT", "/api/v1/modules/{name}/aliases/{alias}", Deployer, Module),
    change("DELETE", "/api/v1/modules/{name}/aliases/{alias}", Deployer, Module),
    change("POST", "/api/v1/modules/{name}/aliases/{alias}/promote", Deployer, Module),
    change("POST", "/api/v1/modules/{name}/aliases/{alias}/rollback", Operator, Module),
    get("/api/v1/modules/{name}/diff", Viewer, Module),
    get("/api/v1/modules/{name}/events", Viewer, Module),
    // Schedules.
    get("/api/v1/schedules", Viewer, Listed),
    change("POST", "/api/v1/schedules", Operator, Body(Said::Schedule)),
    send("POST", "/api/v1/schedules/preview", Viewer, Anywhere),
    get("/api/v1/schedules/{name}", Viewer, Listed),
    change("PATCH", "/api/v1/schedules/{name}", Operator, Listed),
    change("DELETE", "/api/v1/schedules/{name}", Operator, Listed),
    get("/api/v1/schedules/{name}/payload", Viewer, Listed),
    get("/api/v1/schedules/{name}/next", Viewer, Listed),
    change("POST", "/api/v1/schedules/{name}/pause", Operator, Listed),
    change("POST", "/api/v1/schedules/{name}/resume", Operator, Listed),
    change("POST", "/api/v1/schedules/{name}/run-now", Operator, Listed),
    // Webhooks: their URLs and secrets are for who runs the place.
    get("/api/v1/webhooks", Operator, Listed),
    change("POST", "/api/v1/webhooks", Operator, Body(Said::Filter)),
    get("/api/v1/webhooks/{name}", Operator, Listed),
    change("DELETE", "/api/v1/webhooks/{name}", Operator, Listed),
    change("POST", "/api/v1/webhooks/{name}/pause", Operator, Listed),
    change("POST", "/api/v1/webhooks/{name}/resume", Operator, Listed),
    change("POST", "/api/v1/webhooks/{name}/rotate", Operator, Listed),
    change("POST", "/api/v1/webhooks/{name}/test", Operator, Listed),
    get("/api/v1/webhooks/{name}/deliveries", Operator, Listed),
    get("/api/v1/webhooks/{name}/deliveries/{id}", Operator, Listed),
    change("POST", "/api/v1/webhooks/{name}/deliveries/{id}/retry", Operator, Listed),
    // Limits and times.
    get("/api/v1/queues", Viewer, Anywhere),
    get("/api/v1/queues/{name}", Viewer, Anywhere),
    change("PATCH", "/api/v1/queues/{name}", Operator, Cluster),
    change("POST", "/api/v1/queues/{name}/pause", Operator, Cluster),
    change("POST", "/api/v1/queues/{name}/resume", Operator, Cluster),
    get("/api/v1/flow/modules", Viewer, Listed),
    get("/api/v1/flow/modules/{name}", Viewer, Module),
    change("PUT", "/api/v1/flow/modules/{name}", Operator, Module),
    change("DELETE", "/api/v1/flow/modules/{name}", Operator, Module),
    get("/api/v1/retention", Viewer, Listed),
    change("PUT", "/api/v1/retention/default", Admin, Cluster),
    change("DELETE", "/api/v1/retention/default", Admin, Cluster),
    change("PUT", "/api/v1/retention/queues/{name}", Admin, Cluster),
    change("DELETE", "/api/v1/retention/queues/{name}", Admin, Cluster),
    change("PUT", "/api/v1/retention/modules/{name}", Operator, Module),
    change("DELETE", "/api/v1/retention/modules/{name}", Operator, Module),
    get("/api/v1/namespaces", Viewer, Cluster),
    get("/api/v1/namespaces/{name}", Viewer, Named),
    change("PUT", "/api/v1/namespaces/{name}", Admin, Cluster),
    change("DELETE", "/api/v1/namespaces/{name}", Admin, Cluster),
    // Keys, values, secrets.
    get("/api/v1/kv", Viewer, Owned),
    get("/api/v1/kv/{store}", Viewer, Owned),
    get("/api/v1/kv/{store}/{key}", Viewer, Owned),
    change("PUT", "/api/v1/kv/{store}/{key}", Operator, Owned),
    change("DELETE", "/api/v1/kv/{store}/{key}", Operator, Owned),
    get("/api/v1/secrets", Operator, Owned),
    change("PUT", "/api/v1/secrets/{name}", Deployer, Owned),
    change("DELETE", "/api/v1/secrets/{name}", Deployer, Owned),
    change("POST", "/api/v1/cluster/secrets/reseal", Admin, Cluster),
    // The cluster.
    get("/api/v1/cluster/info", Viewer, Anywhere),
    get("/api/v1/cluster/stats", Viewer, Cluster),
    get("/api/v1/cluster/config", Operator, Cluster),
    get("/api/v1/cluster/doctor", Operator, Cluster),
    change("POST", "/api/v1/cluster/reset", Admin, Cluster),
    get("/api/v1/hosts", Viewer, Anywhere),
    change("PATCH", "/api/v1/hosts/{id}", Operator, Cluster),
    change("POST", "/api/v1/hosts/{id}/drain", Operator, Cluster),
    change("POST", "/api/v1/hosts/{id}/resume", Operator, Cluster),
    get("/api/v1/history", Viewer, Cluster),
    get("/api/v1/events", Viewer, Listed),
    get("/api/v1/events/ws", Viewer, Listed),
    // Access.
    get("/api/v1/access/whoami", Viewer, Anywhere),
    get("/api/v1/tokens", Admin, Anywhere),
    change("POST", "/api/v1/tokens", Admin, Anywhere),
    change("DELETE", "/api/v1/tokens/{id}", Admin, Anywhere),
    get("/api/v1/audit", Admin, Listed),
];

/// What the table says of a request.
pub(crate) enum Found {
    Rule(&'static Rule),
    /// The path has lines, but none for the method.
    OtherMethod,
    /// The path has none.
    Missing,
}

/// Looks an operation up. HEAD asks what GET asks.
pub(crate) fn find(method: &Method, path: &str) -> Found {
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    let mut of_path = TABLE.iter().filter(|rule| rule.path == path).peekable();
    if of_path.peek().is_none() {
        return Found::Missing;
    }
    of_path.find(|rule| rule.method == method).map_or(Found::OtherMethod, Found::Rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_has_one_line() {
        let mut seen: Vec<_> = TABLE.iter().map(|rule| (rule.path, rule.method)).collect();
        seen.sort_unstable();
        assert!(seen.is_sorted_by(|a, b| a < b), "a line is there twice");
    }

    #[test]
    fn what_changes_something_is_written_down_but_what_is_said_not_to_be() {
        let silent = [
            "/api/v1/tasks",
            "/api/v1/tasks/batch",
            "/api/v1/blobs",
            "/api/v1/blobs/{digest}",
            "/api/v1/schedules/preview",
        ];
        for rule in TABLE.iter().filter(|rule| rule.method != "GET") {
            let expected = if silent.contains(&rule.path) { Audit::Not } else { Audit::Written };
            assert_eq!(rule.audit, expected, "{} {}", rule.method, rule.path);
        }
    }

    #[test]
    fn other_methods_and_paths_are_told_apart() {
        assert!(matches!(find(&Method::HEAD, "/api/v1/tasks"), Found::Rule(rule) if rule.method == "GET"));
        assert!(matches!(find(&Method::DELETE, "/api/v1/tasks"), Found::OtherMethod));
        assert!(matches!(find(&Method::GET, "/api/v1/new"), Found::Missing));
    }
}
