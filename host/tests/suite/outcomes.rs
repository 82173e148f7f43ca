//! Every outcome of a component, by a guest that earns it; and what is told beside the outcome.

use tasklane_domain::limits::MIB;
use tasklane_domain::log::{LogLevel, LogSource};
use tasklane_domain::outcome::{Retryability, TimeBound};
use tasklane_domain::{Limits, Outcome};

use crate::guests::{answer, from_text, limits, payload, run};

#[tokio::test]
async fn a_result_comes_back_with_its_usage() {
    let text = r#"{"do":"echo","value":{"a":[1,2]}}"#;
    let ran = run(text, limits()).await;
    assert_eq!(ran.outcome, Outcome::Ok);
    assert_eq!(ran.result.as_ref(), br#"{"a":[1,2]}"#);
    assert!(ran.usage.fuel > 1_000 && ran.usage.fuel < 10_000_000, "{:?}", ran.usage);
    assert!(ran.usage.wall_us >= ran.usage.cpu_us && ran.usage.cpu_us > 0, "{:?}", ran.usage);
    assert!(ran.usage.peak_memory_bytes >= 64 * 1024, "{:?}", ran.usage);
    assert_eq!((ran.usage.input_bytes, ran.usage.output_bytes), (text.len() as u64, 11));
}

#[tokio::test]
async fn the_context_tells_the_attempt() {
    let told = answer(r#"{"do":"context"}"#).await;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((told["attempt"].as_u64(), told["max_attempts"].as_u64()), (Some(1), Some(1)));
    assert_eq!((told["module"].as_str(), told["version"].as_str()), (Some("fixture"), Some("1.2.3")));
    assert_eq!((told["queue"].as_str(), told["priority"].as_u64()), (Some("default"), Some(5)));
    assert_eq!(told["time_left_ms"].as_u64(), Some(20_000));
    assert!(told["task"].as_str().unwrap().parse::<tasklane_domain::TaskId>().is_ok());
}

#[tokio::test]
async fn the_config_is_the_manifests() {
    assert_eq!(answer(r#"{"do":"config","key":"colour"}"#).await, "green of colour,size");
    assert_eq!(answer(r#"{"do":"config","key":"absent"}"#).await, "none of colour,size");
}

#[tokio::test]
async fn progress_that_makes_no_sense_is_an_error_value() {
    assert_eq!(answer(r#"{"do":"progress","count":3}"#).await, "1");
}

#[tokio::test]
async fn the_guests_own_errors_keep_their_words() {
    let ran = run(r#"{"do":"fail"}"#, limits()).await;
    let expected = Outcome::TaskError {
        retryability: Retryability::Permanent,
        code: "asked-to".to_owned(),
        message: "it was asked to fail".to_owned(),
        details: Some(r#"{"by":"fixture"}"#.to_owned()),
        retry_after_ms: None,
    };
    assert_eq!(ran.outcome, expected);
    let ran = run(r#"{"do":"flaky","until":3,"after_ms":1500}"#, limits()).await;
    assert_eq!(ran.outcome.retryability(), Retryability::Retryable);
    assert_eq!(ran.outcome.retry_after_ms(), Some(1_500));
}

#[tokio::test]
async fn a_declared_fault_is_a_permanent_error_and_not_a_trap() {
    let ran = run(r#"{"do":"fault"}"#, limits()).await;
    let Outcome::TaskError { retryability: Retryability::Permanent, code, message, .. } = ran.outcome else {
        panic!("{:?}", ran.outcome);
    };
    assert_eq!((code.as_str(), message.as_str()), ("declared", "it declared why it crashes"));
}

#[tokio::test]
async fn a_crash_is_a_trap_with_the_guests_last_words() {
    let Outcome::Trap { message } = run(r#"{"do":"panic"}"#, limits()).await.outcome else { panic!("no trap") };
    assert!(message.contains("unreachable") && message.contains("the guest panicked"), "{message}");
    let Outcome::Trap { message } = run(r#"{"do":"trap"}"#, limits()).await.outcome else { panic!("no trap") };
    assert!(message.contains("unreachable"), "{message}");
}

#[tokio::test]
async fn fuel_runs_out() {
    let ran = run(r#"{"do":"spin"}"#, Limits { fuel: 10_000_000, ..limits() }).await;
    assert_eq!(ran.outcome, Outcome::OutOfFuel);
    assert_eq!(ran.usage.fuel, 10_000_000);
}

#[tokio::test]
async fn a_loop_in_a_start_function_burns_fuel_too() {
    let module = from_text(r#"(module (func $s (loop br 0)) (start $s) (func (export "_start")))"#);
    let ran = module.run(payload(""), Limits { fuel: 10_000_000, ..limits() }).await.unwrap();
    assert_eq!(ran.outcome, Outcome::OutOfFuel);
}

#[tokio::test]
async fn time_runs_out_while_computing_and_while_waiting() {
    for text in [r#"{"do":"spin"}"#, r#"{"do":"sleep","ms":60000}"#] {
        let ran = run(text, Limits { timeout_ms: 200, ..limits() }).await;
        assert_eq!(ran.outcome, Outcome::TimedOut { bound: TimeBound::Timeout }, "{text}");
        assert!((200_000..5_000_000).contains(&ran.usage.wall_us), "{text}: {:?}", ran.usage);
    }
}

#[tokio::test]
async fn sleeping_costs_no_cpu_time() {
    let ran = run(r#"{"do":"sleep","ms":300}"#, limits()).await;
    assert_eq!(ran.outcome, Outcome::Ok);
    assert!(ran.usage.wall_us >= 300_000 && ran.usage.cpu_us < 150_000, "{:?}", ran.usage);
}

#[tokio::test]
async fn memory_runs_out() {
    let ran = run(r#"{"do":"memory-hog"}"#, Limits { memory_bytes: 32 * MIB, ..limits() }).await;
    assert_eq!(ran.outcome, Outcome::OutOfMemory);
    assert!((16 * MIB..=32 * MIB).contains(&ran.usage.peak_memory_bytes), "{:?}", ran.usage);
}

/// A component of two modules with a memory of 1 MiB each; the first grows to 3 MiB, then the second, or it crashes.
const TWO_MEMORIES: &str = r#"(component
    (core module $part (memory 16) (func (export "grow") (result i32) (memory.grow (i32.const 32))))
    (core instance $a (instantiate $part))
    (core instance $b (instantiate $part))
    (core module $main
        (import "a" "grow" (func $a (result i32)))
        (import "b" "grow" (func $b (result i32)))
        (func (export "run") (result i32)
            (if (i32.eq (call $a) (i32.const -1)) (then unreachable))
            (if (i32.eq (call $b) (i32.const -1)) (then unreachable))
            (i32.const 0)))
    (core instance $m (instantiate $main (with "a" (instance $a)) (with "b" (instance $b))))
    (func $run (result (result)) (canon lift (core func $m "run")))
    (instance $command (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $command)))"#;

#[tokio::test]
async fn two_memories_share_one_limit() {
    let module = from_text(TWO_MEMORIES);
    let enough = module.run(payload(""), Limits { memory_bytes: 6 * MIB, ..limits() }).await.unwrap();
    assert_eq!((enough.outcome, enough.usage.peak_memory_bytes), (Outcome::Ok, 6 * MIB));
    let short = module.run(payload(""), Limits { memory_bytes: 5 * MIB, ..limits() }).await.unwrap();
    assert_eq!((short.outcome, short.usage.peak_memory_bytes), (Outcome::OutOfMemory, 4 * MIB));
    let refused = module.run(payload(""), Limits { memory_bytes: MIB, ..limits() }).await.unwrap();
    assert_eq!(refused.outcome, Outcome::OutOfMemory);
}

#[tokio::test]
async fn the_stack_overflows() {
    assert_eq!(run(r#"{"do":"recurse"}"#, limits()).await.outcome, Outcome::StackOverflow);
    // Rust's own stack lies in linear memory and ends first where frames are large.
    assert!(matches!(run(r#"{"do":"recurse-shadow"}"#, limits()).await.outcome, Outcome::Trap { .. }));
}

#[tokio::test]
async fn a_result_over_the_limit_is_told_with_its_size() {
    let limits = Limits { output_bytes: 1_000, ..limits() };
    let ran = run(r#"{"do":"big-output","bytes":1001}"#, limits).await;
    assert_eq!(ran.outcome, Outcome::OutputTooLarge { bytes: 1_001 });
    assert!(ran.result.is_empty());
    assert_eq!(run(r#"{"do":"big-output","bytes":1000}"#, limits).await.outcome, Outcome::Ok);
}

#[tokio::test]
async fn an_enormous_result_is_not_even_copied() {
    let ran = run(r#"{"do":"big-output","bytes":50000000}"#, Limits { output_bytes: 1_000, ..limits() }).await;
    assert!(matches!(ran.outcome, Outcome::OutputTooLarge { .. }), "{:?}", ran.outcome);
}

#[tokio::test]
async fn a_log_flood_keeps_head_and_tail_and_the_guest_goes_on() {
    let ran = run(r#"{"do":"log","count":5000,"bytes":100}"#, Limits { log_bytes: 10_000, ..limits() }).await;
    assert_eq!((ran.outcome, ran.result.as_ref()), (Outcome::Ok, b"5000".as_slice()));
    let lines: Vec<_> = ran.log.lines().collect();
    assert!(lines[0].message.ends_with(" n=0") && lines[lines.len() - 1].message.ends_with(" n=4999"));
    assert_eq!((lines[0].source, lines[0].level), (LogSource::Log, LogLevel::Info));
    assert_eq!(ran.log.dropped_lines + lines.len() as u64, 5_000);
    assert!(lines.iter().map(|line| line.message.len()).sum::<usize>() <= 10_000);
    assert!(ran.usage.log_bytes > 500_000, "{:?}", ran.usage);
}

#[tokio::test]
async fn a_flood_on_the_standard_streams_is_bounded_too() {
    let ran = run(r#"{"do":"print","count":3000,"bytes":100}"#, Limits { log_bytes: 10_000, ..limits() }).await;
    assert_eq!(ran.outcome, Outcome::Ok);
    let lines: Vec<_> = ran.log.lines().collect();
    assert_eq!((lines[0].source, lines[0].level), (LogSource::Stdout, LogLevel::Info));
    assert_eq!((lines[1].source, lines[1].level), (LogSource::Stderr, LogLevel::Warn));
    assert!(lines[lines.len() - 1].message.starts_with("2999 "));
    assert_eq!(ran.log.dropped_lines + lines.len() as u64, 6_000);
}

#[tokio::test]
async fn every_byte_of_a_long_line_is_kept_or_counted() {
    let ran = run(r#"{"do":"print","count":1,"bytes":50000}"#, Limits { log_bytes: 1_000_000, ..limits() }).await;
    assert_eq!(ran.outcome, Outcome::Ok);
    assert_eq!(ran.usage.log_bytes, 2 * 50_002);
    let kept: usize = ran.log.lines().map(|line| line.message.len()).sum();
    assert_eq!(kept as u64 + ran.log.dropped_bytes, 2 * 50_002);
}

#[tokio::test]
async fn a_host_call_with_too_much_data_harms_only_its_guest() {
    let ran = run(r#"{"do":"log","count":1,"bytes":60000000}"#, limits()).await;
    assert!(!matches!(ran.outcome, Outcome::Ok | Outcome::HostError { .. }), "{:?}", ran.outcome);
    assert_eq!(answer(r#"{"do":"echo","value":1}"#).await, "1");
}

#[tokio::test]
async fn nothing_of_the_machine_can_be_reached() {
    assert_eq!(answer(r#"{"do":"probe"}"#).await, "stdin");
}
