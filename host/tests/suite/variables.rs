//! Environment variables that are secrets: revealed when an attempt starts, masked from then on, and never empty instead.

use std::sync::Arc;

use tasklane_domain::call::Call;
use tasklane_domain::module::{EnvValue, SecretVariable};
use tasklane_domain::outcome::Retryability;
use tasklane_domain::{Manifest, Outcome};
use tasklane_host::local::LocalModule;

use crate::guests::{limits, manifest, payload, wasm};
use crate::keeper::Keeper;

const SECRET: &str = "correct-horse-battery";
const TARGETS: [&str; 2] = ["wasm32-wasip1", "wasm32-wasip2"];

fn mapped(variable: &str) -> Manifest {
    let mut manifest = manifest("reader");
    manifest.command.args = vec!["variable".to_owned(), variable.to_owned()];
    manifest.permissions.secrets = vec!["api-token".parse().unwrap()];
    let secret = || EnvValue::Secret(SecretVariable { secret: "api-token".parse().unwrap() });
    manifest.command.env.insert("TOKEN".to_owned(), secret());
    manifest.command.env.insert("AGAIN".to_owned(), secret());
    manifest.command.env.insert("PLAIN".to_owned(), "text".to_owned().into());
    manifest.check().unwrap();
    manifest
}

fn reader(target: &str, variable: &str, keeper: &Arc<Keeper>) -> LocalModule {
    let module = LocalModule::load(&wasm(target, "fixture-reader.wasm"), mapped(variable), 1).unwrap();
    module.with_caller(keeper.clone())
}

#[tokio::test]
async fn a_command_has_its_secret_in_a_variable_and_its_log_has_not() {
    let keeper = Keeper::with_secret("api-token", SECRET.as_bytes());
    for target in TARGETS {
        for (variable, length) in [("TOKEN", SECRET.len()), ("AGAIN", SECRET.len()), ("PLAIN", 4), ("api-token", 5)] {
            let ran = reader(target, variable, &keeper).run(payload(""), limits()).await.unwrap();
            assert_eq!(ran.outcome, Outcome::Ok, "{target}: {:?}", ran.log);
            assert_eq!(String::from_utf8_lossy(&ran.result), format!("{length} bytes\n"), "{target} {variable}");
            let said: String = ran.log.lines().map(|line| line.message.as_str()).collect();
            assert!(!said.contains(SECRET), "{said}");
            assert!(said.contains("it says [secret]") == (length == SECRET.len()), "{said}");
        }
        let asked = std::mem::take(&mut *keeper.asked.lock());
        assert_eq!(asked.len(), 4, "once for each attempt");
        assert!(asked.iter().all(|one| matches!(&one.call, Call::Secret { name, .. } if name.as_str() == "api-token")));
    }
}

#[tokio::test]
async fn without_its_secret_a_command_does_not_start() {
    for value in [None, Some(b"\xff\xfe".as_slice()), Some(b"a\0b")] {
        let keeper = Arc::new(Keeper::default());
        if let Some(value) = value {
            keeper.secrets.lock().insert("api-token".to_owned(), value.to_vec());
        }
        for target in TARGETS {
            let ran = reader(target, "TOKEN", &keeper).run(payload(""), limits()).await.unwrap();
            let Outcome::TaskError { retryability, code, message, .. } = &ran.outcome else {
                panic!("{:?}", ran.outcome)
            };
            assert_eq!((retryability, code.as_str()), (&Retryability::Retryable, "secret_unavailable"));
            assert!(
                message.contains("`api-token`") && (message.contains("`TOKEN`") || message.contains("`AGAIN`")),
                "{message}"
            );
            assert!(ran.log.is_empty() && ran.usage.fuel == 0, "it never ran");
        }
    }
}

#[tokio::test]
async fn a_control_plane_that_is_away_is_an_error_of_the_host() {
    for target in TARGETS {
        let module = LocalModule::load(&wasm(target, "fixture-reader.wasm"), mapped("TOKEN"), 1).unwrap();
        let ran = module.run(payload(""), limits()).await.unwrap();
        let Outcome::HostError { message } = &ran.outcome else { panic!("{:?}", ran.outcome) };
        assert!(message.contains("api-token"), "{message}");
    }
}
