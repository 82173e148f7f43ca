//! `taskctl secrets …`.

use std::io::{IsTerminal, Read};
use std::path::Path;

use base64::Engine as _;
use serde_json::json;
use tasklane_api_types::{ResealView, SecretList, SecretRequest, SecretView};
use tasklane_domain::secret::VALUE_BYTES_MAX;
use tasklane_seal::KeyRing;

use crate::cli::{Format, SecretArgs, Secrets};
use crate::client::{Client, read_file, segment};
use crate::commands::prompt;
use crate::failure::{FAILED, Failure};
use crate::output::{self, Column, Table, col};

const COLUMNS: &[Column] = &[col("NAME"), col("VERSION"), col("KEY"), col("CHANGED")];
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
        Secrets::List { watch: _ } => list(format, &client.get(&client.scoped(PATH)).await?),
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
        return prompt::hidden("value");
    }
    let most = u64::try_from(VALUE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(3);
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    let end = bytes.strip_suffix(b"\n").map(|rest| rest.strip_suffix(b"\r").unwrap_or(rest)).unwrap_or(&bytes).len();
    bytes.truncate(end);
    Ok(bytes)
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
    output::told(format, one, &one.name, || {
        output::note(&format!("secret {} is set (version {})", one.name, one.version));
    })
}

fn resealed(format: Format, done: &ResealView) -> anyhow::Result<()> {
    let ResealView { key_id, resealed, unchanged } = done;
    output::told(format, done, key_id, || {
        output::note(&format!("{resealed} sealed anew with key {key_id}, {unchanged} were before"));
    })
}

fn list(format: Format, list: &SecretList) -> anyhow::Result<()> {
    let row = |one: &SecretView| {
        vec![one.name.clone(), one.version.to_string(), one.key_id.clone(), one.changed_at.to_string()]
    };
    output::list(format, list, "secrets", &Table::new(COLUMNS, list.secrets.iter().map(row).collect()))
}
