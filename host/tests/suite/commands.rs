//! WASI commands of both previews: the payload on standard input, the result from standard output, the exit status.

use tasklane_domain::outcome::Retryability;
use tasklane_domain::{Limits, Outcome};

use crate::guests::{command, limits, payload};

const P1: &str = "wasm32-wasip1";
const P2: &str = "wasm32-wasip2";

#[tokio::test]
async fn a_command_reads_its_payload_and_writes_its_result() {
    let text = "ä line\n".repeat(20_000);
    for target in [P1, P2] {
        let ran = command(target, &[], &[]).run(payload(&text), limits()).await.unwrap();
        assert_eq!(ran.outcome, Outcome::Ok, "{target}");
        assert!(ran.result == text.as_bytes(), "{target}");
        assert_eq!(ran.usage.output_bytes, text.len() as u64);
        assert!(ran.log.is_empty());
    }
}

#[tokio::test]
async fn the_exit_status_is_the_outcome_with_the_last_words() {
    let ran = command(P1, &["exit", "3"], &[]).run(payload(""), limits()).await.unwrap();
    let Outcome::ExitCode { code: 3, message } = &ran.outcome else { panic!("{:?}", ran.outcome) };
    assert!(message.contains("leaving with 3"), "{message}");
    assert_eq!(ran.outcome.retryability(), Retryability::Permanent);
    let ran = command(P1, &["exit", "75"], &[]).run(payload(""), limits()).await.unwrap();
    assert_eq!(ran.outcome.retryability(), Retryability::Retryable);
    let ran = command(P1, &["exit", "0"], &[]).run(payload(""), limits()).await.unwrap();
    assert_eq!(ran.outcome, Outcome::Ok);
    // Preview 2 tells only success or failure.
    let ran = command(P2, &["exit", "75"], &[]).run(payload(""), limits()).await.unwrap();
    assert!(matches!(ran.outcome, Outcome::ExitCode { code: 1, .. }), "{:?}", ran.outcome);
}

#[tokio::test]
async fn a_command_sees_its_manifest_and_nothing_else() {
    for target in [P1, P2] {
        let module = command(target, &["env"], &[("COLOUR", "green")]);
        let ran = module.run(payload(""), limits()).await.unwrap();
        assert_eq!(ran.outcome, Outcome::Ok, "{target}: {:?}", ran.log);
        let text = String::from_utf8(ran.result.to_vec()).unwrap();
        assert_eq!(text, "program=command\nCOLOUR=green\nroot=none\n", "{target}");
    }
}

#[tokio::test]
async fn output_over_the_limit_is_counted_and_not_kept() {
    for target in [P1, P2] {
        let module = command(target, &["output", "3000000"], &[]);
        let ran = module.run(payload(""), Limits { output_bytes: 1_000_000, ..limits() }).await.unwrap();
        assert_eq!(ran.outcome, Outcome::OutputTooLarge { bytes: 3_000_000 }, "{target}");
        assert!(ran.result.is_empty());
    }
}

#[tokio::test]
async fn a_crash_and_exhausted_fuel_are_told_apart() {
    for target in [P1, P2] {
        let ran = command(target, &["panic"], &[]).run(payload(""), limits()).await.unwrap();
        let Outcome::Trap { message } = &ran.outcome else { panic!("{target}: {:?}", ran.outcome) };
        assert!(message.contains("the command panicked"), "{message}");
        let short = Limits { fuel: 20_000_000, ..limits() };
        let ran = command(target, &["spin"], &[]).run(payload(""), short).await.unwrap();
        assert_eq!(ran.outcome, Outcome::OutOfFuel, "{target}");
    }
}

#[tokio::test]
async fn a_command_may_read_and_write_megabytes_in_one_call() {
    // Reads its input with one call and writes it back with one: the whole payload, the whole result.
    let text = r#"(module
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 400)
        (func $all (param $end i32)
            (i32.store (i32.const 0) (i32.add (i32.const 64) (local.get $end)))
            (i32.store (i32.const 4) (i32.sub (i32.const 8000000) (local.get $end))))
        (func (export "_start") (local $end i32)
            (loop $more
                (call $all (local.get $end))
                (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)) (then (call $exit (i32.const 2))))
                (local.set $end (i32.add (local.get $end) (i32.load (i32.const 16))))
                (br_if $more (i32.load (i32.const 16))))
            (i32.store (i32.const 0) (i32.const 64))
            (i32.store (i32.const 4) (local.get $end))
            (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)) (then (call $exit (i32.const 3))))))"#;
    let input = "0123456789".repeat(700_000);
    let ran = crate::guests::from_text(text).run(payload(&input), limits()).await.unwrap();
    assert_eq!(ran.outcome, Outcome::Ok, "{:?}", ran.log);
    assert!(ran.result == input.as_bytes(), "{} bytes came back", ran.result.len());
}

#[tokio::test]
async fn a_preview_2_command_may_exit_with_a_code_of_its_own() {
    // WASI 0.2.12 brought it; what older toolchains build says success or failure.
    let text = r#"(component
        (import "wasi:cli/exit@0.2.12" (instance $exit (export "exit-with-code" (func (param "status-code" u8)))))
        (core func $code (canon lower (func $exit "exit-with-code")))
        (core module $m
            (import "" "code" (func $code (param i32)))
            (func (export "run") (result i32) (call $code (i32.const 75)) (i32.const 0)))
        (core instance $i (instantiate $m (with "" (instance (export "code" (func $code))))))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $r (export "run" (func $run)))
        (export "wasi:cli/run@0.2.12" (instance $r)))"#;
    let ran = crate::guests::from_text(text).run(payload(""), limits()).await.unwrap();
    assert!(matches!(ran.outcome, Outcome::ExitCode { code: 75, .. }), "{:?}", ran.outcome);
    assert_eq!(ran.outcome.retryability(), Retryability::Retryable);
}
