//! Checks of what the roles talk to: NATS and the database. What was not configured and is not there is only a warning, since
//! `taskctl dev` brings its own.

use std::path::Path;

use tasklane_nats::Nats;
use tasklane_nats::server::find_server;

use super::{Check, Checks};
use crate::config::{Settings, program_dirs, without_password};

/// The oldest NATS server that has what Tasklane uses (per-message time to live).
const NATS_VERSION_MIN: (u32, u32) = (2, 11);
/// What a message must carry at least: a task with its payload inline, in bytes.
const MAX_PAYLOAD_WANTED: usize = 1024 * 1024;

/// All of them.
pub(super) async fn checks(settings: &Settings) -> Vec<Check> {
    let mut checks = nats(settings).await;
    checks.push(database(settings).await);
    checks.push(nats_server(settings));
    checks.push(module_key(settings));
    checks
}

async fn nats(settings: &Settings) -> Vec<Check> {
    let options = match settings.nats() {
        Ok(options) => options,
        Err(error) => return vec![Check::fail("nats", format!("{error:#}"), "correct the setting that is named")],
    };
    let urls = options.urls.iter().map(|url| without_password(url)).collect::<Vec<_>>().join(", ");
    let nats = match Nats::connect(&options).await {
        Ok(nats) => nats,
        Err(error) if settings.nats_url.is_some() => {
            return vec![Check::fail("nats", format!("{urls}: {error}"), "start it, or correct --nats-url")];
        }
        Err(_) => {
            let advice = "set --nats-url for `taskctl serve`; `taskctl dev` starts its own";
            return vec![Check::warn("nats", format!("nobody answers at {urls}"), advice)];
        }
    };
    vec![version(&nats, &urls), max_payload(&nats), jetstream(&nats).await]
}

fn version(nats: &Nats, urls: &str) -> Check {
    let Some(version) = nats.server_version() else { return Check::ok("nats", format!("{urls} answers")) };
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    let known = numbers.next().zip(numbers.next());
    if known.is_some_and(|known| known < NATS_VERSION_MIN) {
        return Check::fail("nats", format!("{urls} is {version}"), "use nats-server 2.11 or newer");
    }
    Check::ok("nats", format!("{urls} is {version}"))
}

fn max_payload(nats: &Nats) -> Check {
    let bytes = nats.max_payload();
    let found = crate::output::size(bytes as u64);
    let advice = "set `max_payload: 8MB` in nats-server's configuration, as nats/server.conf has it";
    Check::good("nats_max_payload", bytes >= MAX_PAYLOAD_WANTED, found, advice)
}

async fn jetstream(nats: &Nats) -> Check {
    match nats.look().await {
        Ok(look) => {
            let bytes = crate::output::size(look.bytes);
            Check::ok("jetstream", format!("{} streams, {bytes} on disk", look.streams))
        }
        Err(error) => {
            let advice =
                "switch it on (`jetstream {}`), and let this account use it; a host's user may lack the right to ask";
            Check::warn("jetstream", error.to_string(), advice)
        }
    }
}

async fn database(settings: &Settings) -> Check {
    let url = settings.database_url();
    let shown = without_password(&url);
    match tasklane_store::look(&url).await {
        Ok(Some(look)) => {
            let schema = look.schema.map_or_else(|| "empty".to_owned(), |schema| format!("schema {schema}"));
            Check::ok("database", format!("{shown}: {}, {schema}", look.server))
        }
        Ok(None) => Check::ok("database", format!("{shown} will be made at the first start")),
        Err(error) => {
            let why = format!("{:#}", anyhow::Error::new(error));
            Check::fail("database", format!("{shown}: {why}"), "start it, or correct --database-url; hosts need none")
        }
    }
}

fn nats_server(settings: &Settings) -> Check {
    match find_server(settings.nats_server.as_deref(), &program_dirs()) {
        Ok(path) => Check::ok("nats_server", format!("`taskctl dev` starts {}", path.display())),
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().to_owned();
            Check::warn("nats_server", first, "only `taskctl dev` needs one: install it, or set --nats-server")
        }
    }
}

fn module_key(settings: &Settings) -> Check {
    let name = "module_key";
    match (settings.module_key(), &settings.module_key_file) {
        (Err(error), _) => Check::fail(name, format!("{error:#}"), "make one with `openssl rand -hex 32`"),
        (Ok(None), _) | (Ok(Some(_)), None) => {
            Check::ok(name, "each machine its own: hosts compile for themselves (`module_key_file` shares)")
        }
        (Ok(Some(_)), Some(path)) => private_file(name, path),
    }
}

fn private_file(name: &str, path: &Path) -> Check {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).map(|meta| meta.permissions().mode() & 0o777).unwrap_or_default();
    let (found, advice) = (format!("{}, mode {mode:o}", path.display()), format!("chmod go= {}", path.display()));
    Check::good(name, mode & 0o077 == 0, found, &advice)
}
