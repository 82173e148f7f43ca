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
