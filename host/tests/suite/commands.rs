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
