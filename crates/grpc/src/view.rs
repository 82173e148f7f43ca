//! What REST answers, as messages.

use tasklane_api_types::{ModuleView, ResultView, TaskAccepted, TaskView};
use tasklane_domain::{StateKind, Timestamp};

use crate::proto;

/// Microseconds in a second.
const MICROS: i64 = 1_000_000;

pub(crate) fn time(at: Timestamp) -> prost_types::Timestamp {
    let micros = at.as_micros();
    let nanos = i32::try_from(micros.rem_euclid(MICROS) * 1_000).unwrap_or(0);
    prost_types::Timestamp { seconds: micros.div_euclid(MICROS), nanos }
}

/// None where it is out of range.
pub(crate) fn timestamp(at: &prost_types::Timestamp) -> Option<Timestamp> {
    let micros = at.seconds.checked_mul(MICROS)?.checked_add(i64::from(at.nanos / 1_000))?;
    Some(Timestamp::from_micros(micros))
}

pub(crate) const fn state(state: StateKind) -> proto::State {
    match state {
        StateKind::Scheduled => proto::State::Scheduled,
        StateKind::Blocked => proto::State::Blocked,
        StateKind::Queued => proto::State::Queued,
        StateKind::Running => proto::State::Running,
        StateKind::Retrying => proto::State::Retrying,
        StateKind::Succeeded => proto::State::Succeeded,
        StateKind::Failed => proto::State::Failed,
        StateKind::Cancelled => proto::State::Cancelled,
        StateKind::Expired => proto::State::Expired,
    }
}

pub(crate) fn accepted(task: TaskAccepted, replayed: bool) -> proto::SubmitResponse {
    let state = state(task.state).into();
    proto::SubmitResponse { id: task.id, state, duplicate: task.duplicate, replayed, task: None }
}

pub(crate) fn task(task: TaskView) -> proto::Task {
    let timings = task.timings;
    proto::Task {
        id: task.id,
        module: task.module,
        version: task.version,
        digest: task.digest,
        namespace: task.namespace,
        queue: task.queue,
        priority: task.priority.into(),
        state: state(task.state).into(),
        attempt: task.attempt.into(),
        max_attempts: task.max_attempts.into(),
        outcome: task.outcome.map(|outcome| proto::Outcome {
            kind: outcome.kind().as_str().to_owned(),
            json: serde_json::to_string(&outcome).unwrap_or_default(),
        }),
        usage: task.usage.map(usage),
        created_at: Some(time(timings.created_at)),
        queued_at: timings.queued_at.map(time),
        due_at: timings.due_at.map(time),
        started_at: timings.started_at.map(time),
        ended_at: timings.ended_at.map(time),
        deadline: timings.deadline.map(time),
        labels: task.labels.into_iter().collect(),
        name: task.name.unwrap_or_default(),
        batch: task.batch.unwrap_or_default(),
        parent: task.parent.unwrap_or_default(),
        origin: task.origin.unwrap_or_default(),
        host: task.host.unwrap_or_default(),
        progress: task
            .progress
            .map(|progress| proto::Progress { fraction: progress.fraction.into(), message: progress.message }),
        result: task.result.and_then(result),
    }
}

const fn usage(usage: tasklane_domain::Usage) -> proto::Usage {
    proto::Usage {
        fuel: usage.fuel,
        cpu_us: usage.cpu_us,
        wall_us: usage.wall_us,
        peak_memory_bytes: usage.peak_memory_bytes,
        input_bytes: usage.input_bytes,
        output_bytes: usage.output_bytes,
        log_bytes: usage.log_bytes,
    }
}

fn result(result: ResultView) -> Option<proto::Result> {
    use base64::Engine as _;
    use proto::result::Value;
    let data = |text: String| base64::engine::general_purpose::STANDARD.decode(text).ok();
    let json = result.json.map(|json| Value::Json(json.get().to_owned()));
    let value = json
        .or_else(|| result.text.map(Value::Text))
        .or_else(|| result.base64.and_then(data).map(|bytes| Value::Data(bytes.into())))
        .or_else(|| result.blob.map(|blob| Value::Blob(blob.digest)));
    Some(proto::Result { value: Some(value?) })
}

pub(crate) fn module(module: ModuleView) -> proto::Module {
    proto::Module {
        name: module.name,
        namespace: module.namespace,
        version: module.version,
        digest: module.digest,
        kind: module.kind.as_str().to_owned(),
        size_bytes: module.size_bytes,
        created_at: Some(time(module.created_at)),
        disabled_at: module.disabled_at.map(time),
        quarantined_at: module.quarantined_at.map(time),
        manifest_json: serde_json::to_string(&module.manifest).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive() {
        for micros in [0, 1, -1, 1_700_000_000_123_456, -62_000_000_000_000_001] {
            let at = Timestamp::from_micros(micros);
            assert_eq!(timestamp(&time(at)), Some(at));
            assert!((0..1_000_000_000).contains(&time(at).nanos));
        }
        assert_eq!(timestamp(&prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }), None);
    }

    #[test]
    fn each_state_has_its_own() {
        let all: std::collections::BTreeSet<i32> = StateKind::ALL.iter().map(|kind| state(*kind).into()).collect();
        assert_eq!(all.len(), StateKind::ALL.len());
    }
}
