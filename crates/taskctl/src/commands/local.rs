//! `taskctl run FILE.wasm --local`: one attempt in this process, with the sandbox, limits and outcomes of a host, and no server.
//!
//! Guarantees: the exit code is that of `taskctl run`. Stands in for the control plane: keys and values last as long as the attempt, secrets
//! come from `--secret`, children are shown and not run. A failed attempt is not repeated; whether a server would is said.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tasklane_domain::assets::Archive;
use tasklane_domain::outcome::Retryability;
use tasklane_domain::payload::PayloadKind;
use tasklane_domain::{Limits, LimitsPatch, LimitsPolicy, Manifest, Outcome, Payload, Usage};
use tasklane_host::local::{LocalModule, LocalRun};

use super::deploy::{self, Said};
use super::stand_in::StandIn;
use crate::cli::{Format, RunArgs};
use crate::client::read_file;
use crate::failure::{FAILED, Failure, USAGE};
use crate::output;
use crate::project::Project;

/// Runs it and tells what it came to.
pub(crate) async fn run(format: Format, args: RunArgs) -> anyhow::Result<ExitCode> {
    let ready = ready(&args)?;
    let payload = payload(args.task.input.as_deref())?;
    let stand_in = Arc::new(StandIn::new(&args.secrets)?);
    let module =
        load(&ready, stand_in.clone()).map_err(|why| Failure::new(USAGE, format!("the module cannot run: {why}")))?;
    let ran = module.run(payload, limits(&args, &ready.manifest)?).await?;
    if output::is_for_people(format) {
        tell(&ran, &stand_in)?;
    } else {
        let kind = ran.outcome.kind().to_string();
        output::told(format, &as_json(&ran, &stand_in), &kind, || {})?;
    }
    Ok(if ran.outcome == Outcome::Ok { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn ready(args: &RunArgs) -> anyhow::Result<deploy::Ready> {
    let named = Path::new(&args.task.module);
    if named.is_dir() {
        let project = Project::open(named)?;
        project.build(false)?;
        return deploy::ready(&Said { file: project.wasm(), manifest: Some(project.manifest()), ..Said::default() });
    }
    if !named.exists() {
        return Err(Failure::new(
            USAGE,
            format!("--local runs a file or a project, and there is no {}", named.display()),
        )
        .hint("name a .wasm file, or a directory with a tasklane.toml")
        .into());
    }
    deploy::ready(&Said { file: PathBuf::from(named), ..Said::default() })
}

fn load(ready: &deploy::Ready, stand_in: Arc<StandIn>) -> anyhow::Result<LocalModule> {
    let module = LocalModule::load(&ready.wasm, ready.manifest.clone(), 1)?;
    let module = module.with_caller(stand_in.clone()).with_enqueuer(stand_in);
    Ok(match &ready.assets {
        Some(bytes) => module.with_assets(&Archive::read(bytes)?)?,
        None => module,
    })
}

/// As a server with the usual settings would have it.
fn limits(args: &RunArgs, manifest: &Manifest) -> anyhow::Result<Limits> {
    let task = LimitsPatch {
        fuel: args.task.fuel,
        timeout_ms: args.task.timeout_ms,
        memory_bytes: args.task.memory_bytes,
        ..LimitsPatch::default()
    };
    let wrong = |error: tasklane_domain::limits::LimitError| Failure::new(USAGE, error.to_string());
    Ok(LimitsPolicy::default().resolve(&task, &manifest.limits).map_err(wrong)?)
}

/// A file, standard input, or JSON.
fn payload(input: Option<&str>) -> anyhow::Result<Payload> {
    let bytes = match input {
        None => return Ok(Payload::empty()),
        Some("-") => super::run::stdin()?,
        Some(name) if Path::new(name).is_file() => read_file(Path::new(name))?,
        Some(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => text.as_bytes().to_vec(),
        Some(text) => {
            return Err(Failure::new(USAGE, format!("--input `{text}` is neither an existing file, `-`, nor JSON"))
                .hint("text is JSON with quotes: --input '\"some text\"'")
                .into());
        }
    };
    Ok(Payload::inline(PayloadKind::detect(&bytes), bytes.into()))
}

fn tell(ran: &LocalRun, stand_in: &StandIn) -> anyhow::Result<()> {
    for line in ran.log.lines() {
        output::note(&format!("{:<5} {}", line.level, output::inert(&line.message)));
    }
    for child in stand_in.children() {
        output::note(&format!("would enqueue {} as `{}`", output::inert(&child.module), output::inert(&child.key)));
    }
    if ran.outcome == Outcome::Ok {
        output::foreign(&ran.result)?;
        output::note(&used(&ran.usage));
        return Ok(());
    }
    let detail = ran.outcome.message().map(|message| format!(": {}", output::inert(message))).unwrap_or_default();
    output::note(&format!("error: the attempt failed ({}){detail}", ran.outcome.kind()));
    output::note(match ran.outcome.retryability() {
        Retryability::Permanent => "hint: a server would not try again",
        Retryability::Retryable => "hint: a server would try again, by the retry policy",
    });
    output::note(&used(&ran.usage));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "times are shown with one decimal")]
fn used(usage: &Usage) -> String {
    let time = output::duration_ms(usage.wall_us as f64 / 1_000.0);
    format!("used {time}, {} fuel, {} of memory", usage.fuel, output::size(usage.peak_memory_bytes))
}

fn as_json(ran: &LocalRun, stand_in: &StandIn) -> Value {
    let mut fields = Map::new();
    fields.insert("outcome".to_owned(), json!(ran.outcome));
    match serde_json::from_slice::<Value>(&ran.result) {
        Ok(value) => drop(fields.insert("result".to_owned(), value)),
        Err(_) => drop(fields.insert("result_text".to_owned(), String::from_utf8_lossy(&ran.result).into())),
    }
    fields.insert("log".to_owned(), json!(ran.log));
    fields.insert("usage".to_owned(), json!(ran.usage));
    let child = |child: tasklane_domain::children::ChildRequest| json!({"key": child.key, "module": child.module});
    fields.insert("children".to_owned(), stand_in.children().into_iter().map(child).collect());
    Value::Object(fields)
}
