//! Writing the audit log, and following it for the live feed.
//!
//! Called by [`super::guard`] after a change was answered, or refused to somebody who is known. Guarantees: the entry is committed before the
//! answer leaves; if it cannot be, the whole entry goes to the process's log as an error and is counted. Holds names, a path and
//! a status: never a body, a query or a credential.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::header;
use tasklane_domain::access::{AuditEntry, AuditFilter, AuditRecord};
use tasklane_domain::{Namespace, Timestamp};

use super::{Principal, table::Rule};
use crate::state::State;

/// How often the log is looked at while somebody follows it.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Entries of one look.
const ENTRIES_PER_LOOK_MAX: u32 = 200;
/// Longest path that is kept, in bytes.
const TARGET_BYTES_MAX: usize = 512;

/// What is known of a change before it is answered.
pub(super) struct Visit {
    pub(super) principal: Arc<Principal>,
    pub(super) source: Option<std::net::IpAddr>,
    pub(super) rule: &'static Rule,
    pub(super) path: String,
    pub(super) namespace: Option<Namespace>,
    pub(super) request: String,
}

/// At most so many bytes, at a boundary of characters.
fn cut(mut text: String) -> String {
    let mut end = TARGET_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// What was made, as the answer says; else what was asked about.
fn target(visit: &Visit, response: &Response) -> String {
    let made = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let made = made.map(|path| path.split('?').next().unwrap_or_default().to_owned());
    cut(made.unwrap_or_else(|| visit.path.clone()))
}

/// What is written down.
pub(super) fn entry(visit: Visit, response: &Response, now: Timestamp) -> AuditEntry {
    AuditEntry {
        at: now,
        target: target(&visit, response),
        actor: visit.principal.actor.clone(),
        name: visit.principal.name.clone(),
        source: visit.source.map(|address| address.to_string()),
        action: format!("{} {}", visit.rule.method, visit.rule.path),
        namespace: visit.namespace,
        status: response.status().as_u16(),
        request: visit.request,
    }
}

/// Writes it down.
pub(super) async fn write(state: &State, entry: AuditEntry) {
    if let Err(error) = state.ports.audit.append(vec![entry.clone()]).await {
        state.metrics.audit_lost.inc();
        tracing::error!(%error, ?entry, "an entry of the audit log could not be written");
    }
}

/// Tells the feed what was added, by whichever process, while somebody follows it. Runs until it is dropped.
pub(crate) async fn follow(state: &State) {
    let mut last = None;
    loop {
        if !state.feed.has_auditors() {
            last = None;
            state.feed.until_auditors().await;
        }
        match look(state, last).await {
            Ok((seen, records)) => {
                last = Some(seen);
                state.feed.note_audit(&records);
            }
            Err(error) => tracing::warn!(%error, "the audit log cannot be followed"),
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// What came after `last`, and where that ends; without a place, only where the log ends now.
async fn look(state: &State, last: Option<i64>) -> Result<(i64, Vec<AuditRecord>), tasklane_domain::error::StoreError> {
    let Some(last) = last else {
        let newest = state.ports.audit.page(&AuditFilter::default(), None, 1).await?;
        return Ok((newest.first().map_or(0, |record| record.seq), Vec::new()));
    };
    let records = state.ports.audit.after(last, ENTRIES_PER_LOOK_MAX).await?;
    Ok((records.last().map_or(last, |record| record.seq), records))
}
