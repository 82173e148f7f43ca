//! The domain's records as clients see them.

use base64::Engine as _;
use tasklane_api_types::{AttemptView, ClusterStats, LaneView, ModuleView, ResultView, TaskView, Timings};
use tasklane_domain::query::Stats;
use tasklane_domain::task::{AttemptRecord, Task, TaskResult};
use tasklane_domain::{ModuleRecord, PayloadKind, StateKind};

/// Lines of its log that are shown with an attempt.
const LOG_TAIL_LINES: usize = 20;

pub(crate) fn task(task: Task) -> TaskView {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a wait fit a float for people")]
    let queue_wait_ms = task.queue_wait_us().map(|us| us as f64 / 1_000.0);
    TaskView {
        id: task.id.to_string(),
        module: task.module.name.to_string(),
        version: task.module.version.to_string(),
        digest: task.module.digest.to_string(),
        alias: task.alias.map(|alias| alias.to_string()),
        queue: task.queue.to_string(),
        priority: task.priority.get(),
        state: task.state,
        attempt: task.attempt.get(),
        max_attempts: task.retry.max_attempts,
        outcome: task.outcome,
        usage: task.usage,
        timings: Timings {
            created_at: task.created_at,
            queued_at: task.queued_at,
            due_at: task.due_at,
            started_at: task.started_at,
            ended_at: task.ended_at,
            deadline: task.deadline,
        },
        queue_wait_ms,
        progress: task.progress,
        host: task.host.map(|host| host.to_string()),
        limits: task.limits,
        retry: task.retry,
        labels: task.labels.into(),
        namespace: task.namespace.to_string(),
        origin: task.lineage.origin.map(|id| id.to_string()),
        batch: task.lineage.batch.map(|id| id.to_string()),
        name: task.lineage.name.map(|name| name.to_string()),
        parent: task.lineage.parent.map(|parent| parent.task.to_string()),
        concurrency: task.flow.concurrency,
        rate: task.flow.rate,
        share: task.flow.share.map(|share| share.to_string()),
        held: task.held,
        waits_for: if task.state == StateKind::Blocked { task.waits_for } else { 0 },
        operation: None,
        result: None,
    }
}

pub(crate) fn attempt(record: AttemptRecord) -> AttemptView {
    let lines: Vec<_> = record.log.lines().cloned().collect();
    let kept = lines.len().saturating_sub(LOG_TAIL_LINES);
    AttemptView {
        attempt: record.attempt.get(),
        host: record.host.map(|host| host.to_string()),
        started_at: record.started_at,
        ended_at: record.ended_at,
        outcome: record.outcome,
        usage: record.usage,
        log_tail: lines.into_iter().skip(kept).collect(),
    }
}

pub(crate) fn result(result: &TaskResult) -> ResultView {
    if let Some(blob) = result.blob {
        return ResultView { blob: Some(blob.into()), ..ResultView::default() };
    }
    let bytes = &result.bytes;
    match PayloadKind::detect(bytes) {
        PayloadKind::Json => ResultView { json: serde_json::from_slice(bytes).ok(), ..ResultView::default() },
        PayloadKind::Text => {
            ResultView { text: Some(String::from_utf8_lossy(bytes).into_owned()), ..ResultView::default() }
        }
        PayloadKind::Bytes => {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            ResultView { base64: Some(text), ..ResultView::default() }
        }
    }
}

pub(crate) fn module(record: ModuleRecord) -> ModuleView {
    ModuleView {
        name: record.manifest.name.to_string(),
        namespace: record.manifest.name.namespace().to_string(),
        version: record.manifest.version.to_string(),
        digest: record.digest.to_string(),
        kind: record.kind,
        size_bytes: record.size_bytes,
        manifest: record.manifest,
        created_at: record.created_at,
        disabled_at: record.disabled_at,
        quarantined_at: record.quarantined_at,
    }
}

pub(crate) fn stats(stats: &Stats) -> ClusterStats {
    let lane = |depth: &tasklane_domain::query::LaneDepth| LaneView {
        queue: depth.lane.queue.to_string(),
        priority: depth.lane.priority.get(),
        queued: depth.queued,
        oldest_queued_at: depth.oldest_queued_at,
    };
    ClusterStats {
        states: stats.states.iter().map(|one| (one.state.to_string(), one.count)).collect(),
        lanes: stats.lanes.iter().map(lane).collect(),
    }
}
