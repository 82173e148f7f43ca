//! Admission: fair between shares, in order within a line, never over a gate, a meter or the window.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::flow::{Concurrency, Flow, KeyedRate, ModuleFlow, Rate};
use crate::name::Namespace;
use crate::task::NewTask;
use crate::{Priority, QueueName};

const NOW: Timestamp = Timestamp::from_micros(1_780_000_000_000_000);

fn lane() -> Lane {
    Lane { queue: QueueName::default(), priority: Priority::MEDIUM }
}

fn pass(slots: u32) -> Pass {
    Pass {
        now: NOW,
        slots,
        per_second: HashMap::new(),
        shares: Shares::new(NOW),
        limit: 1_000,
        cursor: None,
        sweep: false,
    }
}

fn task(flow: Flow, namespace: &str) -> NewTask {
    NewTask {
        id: TaskId::new(),
        module: crate::ModuleRef {
            name: "resize".parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
            digest: crate::ModuleDigest::from_bytes([0; 32]),
        },
        alias: None,
        queue: QueueName::default(),
        priority: Priority::MEDIUM,
        payload: crate::Payload::empty(),
        limits: crate::Limits::default(),
        retry: crate::RetryPolicy::default(),
        labels: crate::Labels::default(),
        created_at: NOW,
        run_at: None,
        deadline: None,
        traceparent: None,
        tracestate: None,
        idempotency: None,
        unique: None,
        namespace: namespace.parse::<Namespace>().unwrap(),
        lineage: crate::task::Lineage::default(),
        after: crate::dependence::After::default(),
        flow,
    }
}

fn line(flow: Flow) -> Line {
    Line::of(&task(flow, "default"), &FlowRules::default())
}

fn keyed(key: &str, max: u32) -> Line {
    line(Flow { concurrency: Some(Concurrency { key: key.parse().unwrap(), max }), ..Flow::default() })
}

fn shared(share: &str) -> Line {
    line(Flow { share: Some(share.parse().unwrap()), ..Flow::default() })
}

fn candidate(line: Line, count: usize) -> Candidate {
    Candidate { line, tasks: (0..count).map(|_| TaskId::new()).collect() }
}

fn counts(choice: &Choice) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for chosen in &choice.chosen {
        *counts.entry(chosen.share.clone()).or_default() += 1;
    }
    counts
}

fn run(candidates: Vec<Candidate>, pass: &Pass, board: &mut Board) -> Choice {
    choose(&lane(), candidates, pass, &FlowRules::default(), 1_000, board)
}

#[test]
fn plain_tasks_have_no_line_and_the_text_reads_back() {
    assert!(line(Flow::default()).is_plain());
    assert_eq!(line(Flow::default()).to_text(), "");
    assert!(!Line::of(&task(Flow::default(), "acme"), &FlowRules::default()).is_plain());
    let rate = Rate { limit: 3, per_ms: 1_000, burst: 3 };
    let all = line(Flow {
        share: Some("s\"1".parse().unwrap()),
        concurrency: Some(Concurrency { key: "k".parse().unwrap(), max: 3 }),
        rate: Some(KeyedRate { key: "api".parse().unwrap(), limit: rate }),
        module: ModuleFlow { max: Some(2), rate: None },
    });
    assert_eq!(Line::from_text(&all.to_text()).unwrap(), all);
    assert_eq!(Line::from_text("").unwrap(), Line::plain());
}

#[test]
fn a_rule_of_an_operator_replaces_the_manifest() {
    let mut rules = FlowRules::default();
    let manifest = Flow { module: ModuleFlow { max: Some(2), rate: None }, ..Flow::default() };
    let line = line(manifest);
    assert_eq!(line.gates(&rules), [Gate { id: "m:resize".to_owned(), max: 2 }]);
    rules.modules.insert("resize".parse().unwrap(), ModuleFlow { max: Some(7), rate: None });
    assert_eq!(line.gates(&rules), [Gate { id: "m:resize".to_owned(), max: 7 }]);
    assert!(
        !Line::of(&task(Flow::default(), "default"), &rules).is_plain(),
        "the rule holds for tasks that ask nothing"
    );
}

#[test]
fn a_key_gets_no_more_than_its_maximum() {
    let mut board = Board::default();
    let choice = run(vec![candidate(keyed("a", 3), 10)], &pass(8), &mut board);
    assert_eq!(choice.chosen.len(), 3);
    assert!(run(vec![candidate(keyed("a", 3), 10)], &pass(8), &mut board).chosen.is_empty());
}

#[test]
fn a_full_gate_does_not_stop_the_lines_behind() {
    let mut board = Board { held: HashMap::from([("c:default/a".to_owned(), 3)]), ..Board::default() };
    let choice = run(vec![candidate(keyed("a", 3), 10), candidate(keyed("b", 3), 2)], &pass(8), &mut board);
    assert_eq!(counts(&choice), BTreeMap::from([("default/b".to_owned(), 2)]));
}

#[test]
fn shares_take_turns_and_who_had_less_goes_first() {
    let both = || vec![candidate(shared("large"), 100), candidate(shared("small"), 100)];
    let choice = run(both(), &pass(8), &mut Board::default());
    assert_eq!(counts(&choice), BTreeMap::from([("default/large".to_owned(), 5), ("default/small".to_owned(), 5)]));
    let mut later = pass(8);
    later.shares.note(&HashMap::from([("default/large".to_owned(), 50)]), NOW);
    let choice = run(both(), &later, &mut Board::default());
    assert_eq!(counts(&choice), BTreeMap::from([("default/small".to_owned(), 10)]));
}

#[test]
fn two_lines_of_one_share_get_one_share() {
    let two = |key| line(Flow { share: Some("a".parse().unwrap()), ..keyed_flow(key) });
    let lines = vec![candidate(two("x"), 50), candidate(two("y"), 50), candidate(shared("b"), 50)];
    let choice = run(lines, &pass(10), &mut Board::default());
    assert_eq!(counts(&choice), BTreeMap::from([("default/a".to_owned(), 6), ("default/b".to_owned(), 6)]));
}

fn keyed_flow(key: &str) -> Flow {
    Flow { concurrency: Some(Concurrency { key: key.parse().unwrap(), max: 100 }), ..Flow::default() }
}

#[test]
fn a_meter_lets_its_burst_go_and_tells_when_the_next_may() {
    let rate = Rate { limit: 10, per_ms: 1_000, burst: 4 };
    let metered = line(Flow { rate: Some(KeyedRate { key: "api".parse().unwrap(), limit: rate }), ..Flow::default() });
    let mut board = Board::default();
    let choice = run(vec![candidate(metered, 10)], &pass(20), &mut board);
    assert_eq!(choice.chosen.len(), 4);
    assert_eq!(choice.wake_at, Some(NOW.plus(Duration::from_millis(100))));
}

#[test]
fn the_window_grows_with_throughput_and_stays_small_for_slow_tasks() {
    assert_eq!(window(4, 0.0), 6);
    assert_eq!(window(4, 40.0), 6);
    assert_eq!(window(4, 10_000.0), 204);
    assert_eq!(window(0, 0.0), 3);
    assert_eq!(window(6_400, f64::MAX), 6_400 + AHEAD_MAX, "no slot stands idle in a large cluster");
}

proptest! {
    /// Whatever waits and whatever is taken already.
    #[test]
    fn nothing_goes_over_its_limit_and_lines_keep_their_order(
        lines in prop::collection::vec((0_usize..6, 1_u32..5, 0_usize..30), 1..12),
        taken in prop::collection::vec(0_u32..4, 6),
        slots in 0_u32..20,
        limit in 0_u32..40,
    ) {
        let held = taken.iter().enumerate().map(|(key, count)| (format!("c:default/k{key}"), *count)).collect();
        let mut board = Board { held, ..Board::default() };
        let mut maxima: HashMap<String, u32> = HashMap::new();
        let mut candidates = Vec::new();
        for (key, max, count) in lines {
            let largest = maxima.entry(format!("c:default/k{key}")).or_default();
            *largest = (*largest).max(max);
            candidates.push(candidate(keyed(&format!("k{key}"), max), count));
        }
        let before = board.clone();
        let orders: Vec<Vec<TaskId>> = candidates.iter().map(|one| one.tasks.iter().copied().collect()).collect();
        let choice = choose(&lane(), candidates, &pass(slots), &FlowRules::default(), limit, &mut board);
        prop_assert!(choice.chosen.len() <= limit as usize);
        prop_assert!(choice.chosen.len() <= window(slots, 0.0) as usize);
        for (gate, max) in maxima {
            let had = before.held.get(&gate).copied().unwrap_or(0);
            prop_assert!(board.held.get(&gate).copied().unwrap_or(0) <= max.max(had));
        }
        let chosen: Vec<TaskId> = choice.chosen.iter().map(|one| one.task).collect();
        for order in orders {
            let mine: Vec<TaskId> = chosen.iter().copied().filter(|id| order.contains(id)).collect();
            prop_assert_eq!(&mine[..], &order[..mine.len()]);
        }
    }
}

#[test]
fn a_namespace_has_a_gate_where_it_has_a_quota() {
    let acme: Namespace = "acme".parse().unwrap();
    let mut rules = FlowRules::default();
    let gates = |namespace: &str, rules: &FlowRules| Line::of(&task(Flow::default(), namespace), rules).gates(rules);
    assert!(gates("acme", &rules).is_empty());
    assert!(Line::of(&task(Flow::default(), "default"), &rules).is_plain());
    let quotas = crate::namespace::Quotas { tasks_running_max: Some(2), ..crate::namespace::Quotas::default() };
    rules.namespaces.insert(acme, quotas);
    rules.namespaces.insert(Namespace::default(), quotas);
    for name in ["acme", "default"] {
        let line = Line::of(&task(Flow::default(), name), &rules);
        assert_eq!(line.gates(&rules), [Gate { id: format!("n:{name}"), max: 2 }]);
        assert_eq!(Line::from_text(&line.to_text()).unwrap(), line);
        assert!(line.gates(&FlowRules::default()).is_empty(), "it goes when there is no quota any more");
    }
    assert!(gates("beta", &rules).is_empty());
    let old: Line = serde_json::from_str(r#"{"s": "acme", "m": "resize"}"#).unwrap();
    assert!(old.gates(&rules).is_empty(), "lines from before do not say whose they are");
}

#[test]
fn what_runs_of_a_namespace_is_bounded_over_its_lines() {
    let mut rules = FlowRules::default();
    let quotas = crate::namespace::Quotas { tasks_running_max: Some(3), ..crate::namespace::Quotas::default() };
    rules.namespaces.insert("acme".parse().unwrap(), quotas);
    let of = |share: &str, namespace: &str| {
        let flow = Flow { share: Some(share.parse().unwrap()), ..Flow::default() };
        candidate(Line::of(&task(flow, namespace), &rules), 10)
    };
    let candidates = vec![of("a", "acme"), of("b", "acme"), of("a", "beta")];
    let lane = Lane { queue: QueueName::default(), priority: Priority::MEDIUM };
    let choice = choose(&lane, candidates, &pass(100), &rules, 1_000, &mut Board::default());
    let hers = choice.chosen.iter().filter(|one| one.gates.iter().any(|gate| gate == "n:acme")).count();
    assert_eq!((hers, choice.chosen.len()), (3, 13));
}
