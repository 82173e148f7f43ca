//! `kv` and `secrets`: each permission is needed and suffices, denial is an answer, units run out, and what was revealed is masked.

use std::sync::Arc;

use tasklane_domain::Outcome;
use tasklane_domain::module::Permissions;
use tasklane_host::local::{LocalModule, LocalRun};

use crate::guests::{fixture_wasm, limits, manifest, payload};
use crate::keeper::Keeper;

const SECRET: &str = "correct-horse-battery";

fn module(keeper: &Arc<Keeper>, kv: &[&str], secrets: &[&str]) -> LocalModule {
    let mut manifest = manifest("fixture");
    manifest.permissions = Permissions {
        kv: kv.iter().map(|text| text.parse().unwrap()).collect(),
        secrets: secrets.iter().map(|text| text.parse().unwrap()).collect(),
        ..Permissions::default()
    };
    LocalModule::load(&fixture_wasm(), manifest, 2).unwrap().with_caller(keeper.clone())
}

async fn run(module: &LocalModule, text: &str) -> LocalRun {
    module.run(payload(text), limits()).await.unwrap()
}

async fn answer(module: &LocalModule, text: &str) -> String {
    let ran = run(module, text).await;
    assert_eq!(ran.outcome, Outcome::Ok, "{text}");
    String::from_utf8(ran.result.to_vec()).unwrap()
}

#[tokio::test]
async fn values_are_kept_compared_counted_and_listed() {
    let module = module(&Arc::default(), &["own", "shared:a"], &[]);
    let kv = async |rest: &str| answer(&module, &format!("{{\"do\":\"kv\",{rest}}}")).await;
    assert_eq!(kv(r#""op":"get""#).await, "none");
    assert_eq!(kv(r#""op":"set","value":"one""#).await, "1");
    assert_eq!(kv(r#""op":"get""#).await, "one at 1");
    assert_eq!(kv(r#""op":"swap","revision":"1","value":"two""#).await, "done 2");
    assert_eq!(kv(r#""op":"swap","revision":"1","value":"three""#).await, "conflict two at 2");
    assert_eq!(kv(r#""op":"swap","value":"three""#).await, "conflict two at 2", "it is not absent");
    assert_eq!(kv(r#""op":"increment","key":"n","by":41,"times":2"#).await, "82");
    assert_eq!(kv(r#""op":"keys","prefix":"""#).await, "k,n next none");
    assert_eq!(kv(r#""op":"get","store":"shared:a""#).await, "none", "stores are apart");
    assert_eq!(kv(r#""op":"delete""#).await, "true");
    assert_eq!(kv(r#""op":"delete""#).await, "false");
}

#[tokio::test]
async fn what_makes_no_sense_is_an_answer_and_asks_nobody() {
    let keeper = Arc::new(Keeper::default());
    let module = module(&keeper, &["own"], &["a"]);
    for text in [
        r#"{"do":"kv","op":"get","key":""}"#,
        r#"{"do":"kv","op":"get","store":"carts"}"#,
        r#"{"do":"kv","op":"get","store":"shared:../x"}"#,
        r#"{"do":"kv","op":"swap","revision":"newest","value":"x"}"#,
        r#"{"do":"secret","name":"Not A Name"}"#,
    ] {
        let said = answer(&module, text).await;
        assert!(said.starts_with("invalid: "), "{text}: {said}");
    }
    assert!(keeper.asked.lock().is_empty());
}

#[tokio::test]
async fn a_store_needs_its_permission_and_it_suffices() {
    let keeper = Arc::new(Keeper::default());
    let calls = [
        (r#"{"do":"kv","op":"get","store":"own"}"#, "own:read"),
        (r#"{"do":"kv","op":"keys","store":"own"}"#, "own:read"),
        (r#"{"do":"kv","op":"set","store":"own"}"#, "own"),
        (r#"{"do":"kv","op":"get","store":"shared:a"}"#, "shared:a:read"),
        (r#"{"do":"kv","op":"set","store":"shared:a"}"#, "shared:a"),
        (r#"{"do":"kv","op":"swap","store":"shared:b","value":"x"}"#, "shared:b"),
        (r#"{"do":"kv","op":"increment","store":"shared:c"}"#, "shared:c"),
        (r#"{"do":"kv","op":"delete","store":"shared:a"}"#, "shared:a"),
    ];
    let all = ["own", "own:read", "shared:a:read", "shared:a", "shared:b", "shared:c"];
    for (text, needed) in calls {
        let store = needed.trim_end_matches(":read");
        let others: Vec<&str> = all.into_iter().filter(|grant| grant.trim_end_matches(":read") != store).collect();
        let denied = answer(&module(&keeper, &others, &[]), text).await;
        assert!(denied.starts_with("access-denied: ") && denied.contains("[permissions] kv"), "{text}: {denied}");
        let said = answer(&module(&keeper, &[needed], &[]), text).await;
        assert!(!said.contains(": "), "{text} with {needed}: {said}");
        if store == needed {
            let read = answer(&module(&keeper, &[&format!("{store}:read")], &[]), text).await;
            assert!(read.starts_with("access-denied: "), "{text}: reading is not writing: {read}");
        }
    }
}

#[tokio::test]
async fn a_secret_needs_its_permission_and_it_suffices() {
    let keeper = Keeper::with_secret("stripe-key", SECRET.as_bytes());
    let text = r#"{"do":"secret","name":"stripe-key"}"#;
    let denied = answer(&module(&keeper, &[], &["other-key"]), text).await;
    assert!(denied.starts_with("access-denied: ") && denied.contains("[permissions] secrets"), "{denied}");
    assert!(keeper.asked.lock().is_empty(), "what is not granted asks nobody");
    let granted = module(&keeper, &[], &["stripe-key", "unset"]);
    assert_eq!(answer(&granted, text).await, format!("{} bytes", SECRET.len()));
    assert_eq!(answer(&granted, r#"{"do":"secret","name":"unset"}"#).await, "none");
    keeper.secrets.lock().insert("stripe-key".to_owned(), b"new".to_vec());
    assert_eq!(answer(&granted, text).await, "3 bytes", "another value holds from the next attempt on");
}

#[tokio::test]
async fn what_was_revealed_is_masked_wherever_it_is_said() {
    let keeper = Keeper::with_secret("stripe-key", SECRET.as_bytes());
    let module = module(&keeper, &[], &["stripe-key"]);
    for how in ["error", "panic"] {
        let ran = run(&module, &format!("{{\"do\":\"secret\",\"name\":\"stripe-key\",\"spill\":\"{how}\"}}")).await;
        let said: Vec<String> = ran.log.lines().map(|line| line.message.clone()).collect();
        let all = format!("{:?} {said:?}", ran.outcome);
        assert!(!all.contains(SECRET), "{all}");
        for word in ["logged [secret] as-field=[secret]", "printed [secret]", "whispered [secret]", "with [secret]"] {
            assert!(all.contains(word), "`{word}` is missing: {all}");
        }
        assert!(ran.outcome != Outcome::Ok);
    }
}

#[tokio::test]
async fn host_units_run_out_and_that_is_an_answer() {
    let keeper = Arc::new(Keeper::default());
    let few = module(&keeper, &["own"], &["a"]).with_host_units(100);
    assert_eq!(answer(&few, r#"{"do":"kv","op":"set","times":10}"#).await, "10");
    let said = answer(&few, r#"{"do":"kv","op":"set","times":11}"#).await;
    assert!(said.starts_with("limit-exceeded: ") && said.contains("100 host units"), "{said}");
    assert_eq!(keeper.asked.lock().len(), 20, "the eleventh asked nobody");
    let said = answer(&few, r#"{"do":"kv","op":"set","bytes":200000}"#).await;
    assert!(said.starts_with("limit-exceeded: "), "200 KiB cost 195 units: {said}");
    let big = r#"{"do":"kv","op":"set","key":"big","bytes":60000}"#;
    assert_eq!(answer(&few, big).await.parse::<u32>().unwrap(), 21);
    let said = answer(&few, r#"{"do":"kv","op":"get","key":"big","times":2}"#).await;
    assert!(said.starts_with("limit-exceeded: "), "what is read costs too: {}", said.len());
}

#[tokio::test]
async fn a_module_that_runs_by_itself_is_told_so() {
    let mut manifest = manifest("fixture");
    manifest.permissions.kv = vec!["own".parse().unwrap()];
    let module = LocalModule::load(&fixture_wasm(), manifest, 1).unwrap();
    let said = answer(&module, r#"{"do":"kv","op":"get"}"#).await;
    assert!(said.starts_with("unavailable: "), "{said}");
}
