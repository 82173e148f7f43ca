//! One test for each edge, and properties over random histories.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_000);
const LATER: Timestamp = Timestamp::from_micros(2_000);

fn queued() -> TaskState {
    TaskState::Queued { attempt: Attempt::FIRST }
}

fn ended(verdict: Verdict) -> TaskEvent {
    TaskEvent::Ended { attempt: Attempt::FIRST, verdict }
}

#[test]
fn the_end_may_be_told_without_a_start() {
    assert_eq!(queued().apply(ended(Verdict::Succeed), NOW), Ok(TaskState::Succeeded));
}

#[test]
fn a_retry_waits_and_then_queues_the_next_attempt() {
    let waiting = queued().apply(ended(Verdict::Retry { due: LATER }), NOW).unwrap();
    assert_eq!(waiting.apply(TaskEvent::Due, NOW), Err(TransitionError::NotAllowed(StateKind::Retrying)));
    assert_eq!(waiting.apply(TaskEvent::Due, LATER), Ok(TaskState::Queued { attempt: Attempt::new(2) }));
}

#[test]
fn a_stale_attempt_changes_nothing() {
    let second = TaskState::Queued { attempt: Attempt::new(2) };
    assert!(matches!(second.apply(ended(Verdict::Fail), NOW), Err(TransitionError::StaleAttempt { .. })));
}

#[test]
fn a_running_task_does_not_expire() {
    let running = TaskState::Running { attempt: Attempt::FIRST, host: HostId::new() };
    assert!(running.apply(TaskEvent::DeadlinePassed, NOW).is_err());
    assert_eq!(queued().apply(TaskEvent::DeadlinePassed, NOW), Ok(TaskState::Expired));
}

#[test]
fn names_survive_their_text_form() {
    for kind in StateKind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
}

/// One row for each edge and each refusal: the state, the event, and the kind that follows (`None`: not allowed).
#[test]
fn every_edge_is_in_the_table() {
    let host = HostId::from_uuid(uuid::Uuid::nil());
    let first = Attempt::FIRST;
    let states = [
        TaskState::Scheduled { due: NOW },
        TaskState::Blocked,
        queued(),
        TaskState::Running { attempt: first, host },
        TaskState::Retrying { attempt: Attempt::new(2), due: NOW },
        TaskState::Succeeded,
        TaskState::Failed,
        TaskState::Cancelled,
        TaskState::Expired,
    ];
    use StateKind::{Blocked, Cancelled, Expired, Failed, Queued, Retrying, Running, Scheduled, Succeeded};
    // One column for each state above.
    let table: [(TaskEvent, [Option<StateKind>; 5]); 15] = [
        (TaskEvent::Due, [Some(Queued), None, None, None, Some(Queued)]),
        (TaskEvent::Unblocked { not_before: None }, [None, Some(Queued), None, None, None]),
        (TaskEvent::Unblocked { not_before: Some(LATER) }, [None, Some(Scheduled), None, None, None]),
        (TaskEvent::DependencyFailed, [None, Some(Failed), None, None, None]),
        (TaskEvent::Skipped, [None, Some(Cancelled), None, None, None]),
        (TaskEvent::InputUnresolved, [None, Some(Failed), None, None, None]),
        (TaskEvent::Rescheduled { due: LATER }, [Some(Scheduled), None, None, None, Some(Retrying)]),
        (TaskEvent::Started { attempt: first, host }, [None, None, Some(Running), Some(Running), None]),
        (TaskEvent::HandedBack { attempt: first }, [None, None, Some(Queued), Some(Queued), None]),
        (ended(Verdict::Succeed), [None, None, Some(Succeeded), Some(Succeeded), None]),
        (ended(Verdict::Retry { due: LATER }), [None, None, Some(Retrying), Some(Retrying), None]),
        (ended(Verdict::Fail), [None, None, Some(Failed), Some(Failed), None]),
        (ended(Verdict::Expire), [None, None, Some(Expired), Some(Expired), None]),
        (TaskEvent::CancelAsked, [Some(Cancelled); 5]),
        (TaskEvent::DeadlinePassed, [Some(Expired), Some(Expired), Some(Expired), None, Some(Expired)]),
    ];
    let kinds = states.map(|state| state.kind());
    assert_eq!(kinds, [Scheduled, Blocked, Queued, Running, Retrying, Succeeded, Failed, Cancelled, Expired]);
    for (event, row) in table {
        for (state, wanted) in states.into_iter().zip(row.into_iter().chain([None; 4])) {
            let after = state.apply(event, NOW).map(|state| state.kind()).ok();
            assert_eq!(after, wanted, "{event:?} in {state:?}");
        }
    }
}

fn any_event() -> impl Strategy<Value = TaskEvent> {
    let attempt = (1_u16..4).prop_map(Attempt::new);
    let verdict = prop_oneof![
        Just(Verdict::Succeed),
        Just(Verdict::Fail),
        Just(Verdict::Cancel),
        (0_i64..3_000).prop_map(|at| Verdict::Retry { due: Timestamp::from_micros(at) }),
    ];
    prop_oneof![
        Just(TaskEvent::Due),
        Just(TaskEvent::Unblocked { not_before: None }),
        Just(TaskEvent::DependencyFailed),
        Just(TaskEvent::Skipped),
        Just(TaskEvent::InputUnresolved),
        (0_i64..3_000).prop_map(|at| TaskEvent::Rescheduled { due: Timestamp::from_micros(at) }),
        Just(TaskEvent::CancelAsked),
        Just(TaskEvent::DeadlinePassed),
        attempt.clone().prop_map(|attempt| TaskEvent::Started { attempt, host: HostId::from_uuid(uuid::Uuid::nil()) }),
        attempt.clone().prop_map(|attempt| TaskEvent::HandedBack { attempt }),
        (attempt, verdict).prop_map(|(attempt, verdict)| TaskEvent::Ended { attempt, verdict }),
    ]
}

proptest! {
    #[test]
    fn no_terminal_state_is_ever_left(events in prop::collection::vec(any_event(), 0..40)) {
        let mut state = TaskState::Scheduled { due: NOW };
        for event in events {
            let before = state;
            if let Ok(after) = state.apply(event, LATER) {
                prop_assert!(!before.kind().is_terminal());
                state = after;
            }
        }
    }

    #[test]
    fn at_most_one_result_is_taken_and_attempts_stay_within_the_budget(
        ends in prop::collection::vec((1_u16..6, any::<bool>()), 0..40),
        budget in 1_u16..5,
    ) {
        // Settle's rule, with ends told in any order and number: retry while the budget lasts.
        let mut state = queued();
        let (mut taken, mut results) = (0, 0);
        for (attempt, good) in ends {
            if let Some(due) = state.due_at() {
                state = state.apply(TaskEvent::Due, due).unwrap();
            }
            let retry = attempt < budget;
            let verdict = match (good, retry) {
                (true, _) => Verdict::Succeed,
                (false, true) => Verdict::Retry { due: NOW },
                (false, false) => Verdict::Fail,
            };
            if let Ok(after) = state.apply(TaskEvent::Ended { attempt: Attempt::new(attempt), verdict }, NOW) {
                taken += 1;
                results += u32::from(after == TaskState::Succeeded);
                state = after;
            }
        }
        prop_assert!(taken <= budget && results <= 1);
    }

    #[test]
    fn a_blocked_task_starts_only_after_it_was_unblocked(events in prop::collection::vec(any_event(), 0..40)) {
        let mut state = TaskState::Blocked;
        let mut unblocked = false;
        for event in events {
            if let Ok(after) = state.apply(event, LATER) {
                unblocked |= matches!(event, TaskEvent::Unblocked { .. });
                let starts = matches!(after.kind(), StateKind::Queued | StateKind::Running);
                prop_assert!(unblocked || !starts);
                state = after;
            }
        }
    }

    #[test]
    fn an_attempt_number_never_falls(events in prop::collection::vec(any_event(), 0..40)) {
        let number = |state: &TaskState| state.attempt().map_or(0, Attempt::get);
        let mut state = TaskState::Queued { attempt: Attempt::FIRST };
        let mut highest = 1;
        for event in events {
            if let Ok(after) = state.apply(event, LATER) {
                state = after;
                if !state.kind().is_terminal() {
                    prop_assert!(number(&state) >= highest);
                    highest = number(&state);
                }
            }
        }
    }
}
