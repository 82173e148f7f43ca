//! What an upload must be, and how it is refused.

use tasklane_domain::ModuleKind;
use tasklane_domain::ports::{InspectError, ModuleInspector};
use tasklane_host::inspect::Inspector;

use crate::guests::{fixture_wasm, wasm};

async fn inspect(wasm: Vec<u8>) -> Result<ModuleKind, InspectError> {
    Inspector.inspect(wasm.into()).await
}

async fn inspect_text(text: &str) -> Result<ModuleKind, InspectError> {
    inspect(wat::parse_str(text).unwrap()).await
}

#[tokio::test]
async fn each_kind_is_recognised() {
    assert_eq!(inspect(fixture_wasm()).await, Ok(ModuleKind::Component));
    let noop = wasm("wasm32-wasip2", "fixture_noop.wasm");
    assert_eq!(inspect(noop).await, Ok(ModuleKind::Component));
    assert_eq!(inspect(wasm("wasm32-wasip1", "fixture-command.wasm")).await, Ok(ModuleKind::CommandP1));
    assert_eq!(inspect(wasm("wasm32-wasip2", "fixture-command.wasm")).await, Ok(ModuleKind::CommandP2));
}

#[tokio::test]
async fn another_world_is_refused_with_what_it_exports() {
    let error = inspect(wasm("wasm32-wasip2", "fixture_wrong_world.wasm")).await.unwrap_err();
    let InspectError::WrongWorld(why) = error else { panic!("{error}") };
    assert!(why.contains("other:thing/greeter@1.0.0"), "{why}");
    let core = wasm("wasm32-unknown-unknown", "fixture_noop.wasm");
    assert!(matches!(inspect(core).await, Err(InspectError::WrongWorld(_))));
}

#[tokio::test]
async fn unlisted_imports_are_named() {
    let error = inspect(wasm("wasm32-wasip2", "fixture_unlisted.wasm")).await.unwrap_err();
    assert_eq!(error, InspectError::UnlistedImports(vec!["acme:backdoor/vault@1.0.0".to_owned()]));
    for import in
        [r#""env" "f""#, r#""wasi_snapshot_preview1" "launch_missiles""#, r#""wasi_snapshot_preview1x" "fd_read""#]
    {
        let text = format!(r#"(module (import {import} (func)) (func (export "_start")))"#);
        assert!(matches!(inspect_text(&text).await, Err(InspectError::UnlistedImports(_))), "{import}");
    }
}

#[tokio::test]
async fn features_that_are_off_and_broken_bytes_are_invalid() {
    for text in [
        r#"(module (memory i64 1) (func (export "_start")))"#,
        r#"(module (memory 1 1 shared) (func (export "_start")))"#,
        r#"(module (type (struct)) (func (export "_start")))"#,
        r#"(module (tag) (func (export "_start")))"#,
        r#"(module (memory 1) (memory 1) (func (export "_start")))"#,
    ] {
        assert!(matches!(inspect_text(text).await, Err(InspectError::Invalid(_))), "{text}");
    }
    let whole = fixture_wasm();
    for length in [0, 4, 7, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
        assert!(matches!(inspect(whole[..length].to_vec()).await, Err(InspectError::Invalid(_))), "{length} bytes");
    }
}

#[tokio::test]
async fn no_changed_byte_makes_it_panic() {
    let whole = wasm("wasm32-wasip2", "fixture_noop.wasm");
    for position in (0..whole.len()).step_by(37) {
        let mut changed = whole.clone();
        changed[position] ^= 0x55;
        // Some changes are harmless; none may do worse than be refused.
        let ended = tokio::spawn(inspect(changed)).await;
        assert!(ended.is_ok(), "byte {position}");
    }
}

#[tokio::test]
async fn what_is_too_large_for_a_host_is_refused() {
    let tower = r#"(component
        (component $a (core module $m) (core instance (instantiate $m)) (core instance (instantiate $m)))
        (component $b (alias outer 1 $a (component $x)) (instance (instantiate $x)) (instance (instantiate $x)))
        (export $again "c" (component $b))
        COPIES
        (core module $main (func (export "run") (result i32) (i32.const 0)))
        (core instance $main (instantiate $main))
        (func $run (result (result)) (canon lift (core func $main "run")))
        (instance $command (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $command)))"#;
    // Four core instances in each copy, and one beside them: 61, and 65.
    let of = |copies: usize| tower.replace("COPIES", &"(instance (instantiate $again))".repeat(copies));
    assert_eq!(inspect_text(&of(15)).await, Ok(ModuleKind::CommandP2));
    let error = inspect_text(&of(16)).await.unwrap_err();
    assert!(matches!(&error, InspectError::TooLarge(why) if why.contains("65 core instances")), "{error}");
    let many = format!("(module {} (func (export \"_start\")))", "(func)".repeat(200_001));
    assert!(matches!(inspect_text(&many).await, Err(InspectError::TooLarge(_))));
}
