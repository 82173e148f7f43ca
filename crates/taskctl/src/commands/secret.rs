//! `taskctl secrets …`.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;

use base64::Engine as _;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::json;
use tasklane_api_types::{ResealView, SecretList, SecretRequest, SecretView};
use tasklane_domain::secret::VALUE_BYTES_MAX;
use tasklane_seal::KeyRing;

use crate::cli::{Format, SecretArgs, Secrets};
use crate::client::{Client, read_file, segment};
use crate::failure::{FAILED, Failure, USAGE};
use crate::output;

const PATH: &str = "/api/v1/secrets";

fn path(client: &Client, secret: &SecretArgs) -> String {
    client.scoped(&format!("{PATH}/{}", segment(&secret.name)))
}

/// Carries one out.
pub(crate) async fn run(client: &Client, format: Format, command: Secrets) -> anyhow::Result<()> {
    match command {
        Secrets::Set { secret, from_file } => {
            let request = request(value(from_file.as_deref())?);
            set(format, &client.put(&path(client, &secret), &request).await?)
        }
        Secrets::List => list(format, &client.get(&client.scoped(PATH)).await?),
        Secrets::Delete { secret } => {
            client.delete(&path(client, &secret)).await?;
            output::note(&format!("secret {} is removed", secret.name));
            Ok(())
        }
        Secrets::Reseal => resealed(format, &client.post("/api/v1/cluster/secrets/reseal", &json!({})).await?),
        Secrets::Keygen => {
            output::data(&KeyRing::generate_line().map_err(|error| Failure::new(FAILED, error.to_string()))?);
            Ok(())
        }
    }
}

/// A file as it is; standard input without its last line end, which `echo` adds; a line that is typed and not shown.
fn value(file: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    if let Some(file) = file {
        return read_file(file);
    }
    if std::io::stdin().is_terminal() {
        return typed();
    }
    let most = u64::try_from(VALUE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(3);
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    let end = bytes.strip_suffix(b"\n").map(|rest| rest.strip_suffix(b"\r").unwrap_or(rest)).unwrap_or(&bytes).len();
    bytes.truncate(end);
    Ok(bytes)
}

/// Shows again what is typed when it goes.
struct Unseen(Termios);

impl Drop for Unseen {
    fn drop(&mut self) {
        if tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0).is_err() {
            output::note("the terminal does not show what is typed: `stty echo` mends it");
        }
    }
}

fn typed() -> anyhow::Result<Vec<u8>> {
    let before = tcgetattr(std::io::stdin())?;
    let mut unseen = before.clone();
    unseen.local_modes.remove(LocalModes::ECHO);
    tcsetattr(std::io::stdin(), OptionalActions::Now, &unseen)?;
    let _seen_again = Unseen(before);
    let mut terminal = std::io::stderr();
    write!(terminal, "value (not shown): ")?;
    terminal.flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    output::note("");
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        return Err(Failure::new(USAGE, "no value was typed").hint("use --from-file, or standard input").into());
    }
    Ok(line.as_bytes().to_vec())
}

fn request(bytes: Vec<u8>) -> SecretRequest {
    match String::from_utf8(bytes) {
        Ok(text) => SecretRequest { value: Some(text), value_base64: None },
        Err(error) => {
            let text = base64::engine::general_purpose::STANDARD.encode(error.into_bytes());
            SecretRequest { value: None, value_base64: Some(text) }
        }
    }
}

fn set(format: Format, one: &SecretView) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(one);
    }
    output::note(&format!("secret {} is set (version {})", one.name, one.version));
    Ok(())
}

fn resealed(format: Format, done: &ResealView) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(done);
    }
    let ResealView { key_id, resealed, unchanged } = done;
    output::note(&format!("{resealed} sealed anew with key {key_id}, {unchanged} were before"));
    Ok(())
}

fn list(format: Format, list: &SecretList) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(list);
    }
    let row = |one: &SecretView| {
        vec![one.name.clone(), one.version.to_string(), one.key_id.clone(), one.changed_at.to_string()]
    };
    let rows: Vec<Vec<String>> = list.secrets.iter().map(row).collect();
    output::table(&["NAME", "VERSION", "KEY", "CHANGED"], &rows);
    Ok(())
}
