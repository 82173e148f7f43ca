//! A deployed module and its manifest.
//!
//! Called by the API (deploy), the store (the record), the module cache and the host. A module is immutable: name, version
//! and digest never change; a new version is a new record.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::assets::AssetSettings;
use crate::blob::BlobDigest;
use crate::egress::Rule;
use crate::flow::ModuleFlow;
use crate::id::ModuleDigest;
use crate::kv::{Effect, KvName};
use crate::limits::LimitsPatch;
use crate::name::{ModuleName, ModuleVersion, QueueName, SecretName, bare};
use crate::permission::{BlobGrant, KvGrant};
use crate::priority::Priority;
use crate::retry::RetryPatch;
use crate::schema::Schema;
use crate::time::Timestamp;

mod command;

pub use command::{CommandSettings, EnvValue, SecretVariable};

/// Most arguments, environment variables or config keys in a manifest.
pub const MANIFEST_ENTRIES_MAX: usize = 128;
/// Longest description, argument, variable or config value, in bytes.
pub const MANIFEST_TEXT_BYTES_MAX: usize = 8 * 1024;

/// Custom section of a .wasm file that holds its manifest, as TOML or JSON.
pub const MANIFEST_SECTION: &str = "tasklane:manifest";

/// Which contract a module keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleKind {
    /// A component that exports `tasklane:task/handler`.
    Component,
    /// A WASI preview 1 command: a core module with `_start`.
    CommandP1,
    /// A WASI preview 2 command: a component that exports `wasi:cli/run`.
    CommandP2,
}

impl ModuleKind {
    /// The one name used in SQL, JSON and the terminal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::CommandP1 => "command_p1",
            Self::CommandP2 => "command_p2",
        }
    }
}

impl fmt::Display for ModuleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What the author says of a module: `tasklane.toml` beside it. Unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What the module is called: its bare name as the author writes it, its full name once it is deployed.
    pub name: ModuleName,
    /// Its semantic version.
    pub version: ModuleVersion,
    /// One line for people. Default: empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Queue of tasks that name none. Default: `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueName>,
    /// Priority of tasks that name none. Default: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Limits of tasks that name none. Default: the cluster's.
    #[serde(default)]
    pub limits: LimitsPatch,
    /// Retry settings of tasks that name none.
    #[serde(default)]
    pub retry: RetryPatch,
    /// What its payloads must be. Default: anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Schema>,
    /// What its results must be. Default: anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Schema>,
    /// How many of its tasks may run at once and how fast they may start, in the whole cluster. Default: as many as there are slots.
    #[serde(default, skip_serializing_if = "ModuleFlow::is_empty")]
    pub flow: ModuleFlow,
    /// What the `config` host function answers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    /// Arguments and environment of a WASI command.
    #[serde(default)]
    pub command: CommandSettings,
    /// How a component gets its payload. Default: whole, as the argument of its function.
    #[serde(default, skip_serializing_if = "PayloadBy::is_default")]
    pub payload: PayloadBy,
    /// Read-only files that are shipped with it. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assets: Option<AssetSettings>,
    /// What its guests may do beside computing. Default: nothing.
    #[serde(default, skip_serializing_if = "Permissions::is_empty")]
    pub permissions: Permissions,
}

/// How a component gets its payload. Commands read it from their standard input, which holds none of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadBy {
    /// Whole, as the argument of its function.
    #[default]
    Argument,
    /// Piece by piece, through the host's `blobs` functions; the argument is empty.
    Blob,
}

impl PayloadBy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a module's guests may do beside computing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Permissions {
    /// Names of modules that its guests may enqueue tasks of; `*` for all. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub enqueue: Vec<String>,
    /// What its guests may call over HTTP, at most [`crate::egress::MANIFEST_RULES_MAX`] rules. Default: nothing.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "crate::egress::rules")]
    pub http: Vec<Rule>,
    /// Stores of keys and values: `own`, `shared:NAME`, `shared:NAME:read`. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kv: Vec<KvGrant>,
    /// Names of secrets that its guests may have. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretName>,
    /// Whether they may open results of tasks that theirs waited for (`read`), and write their result piece by piece (`write`).
    /// Default: neither.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<BlobGrant>,
}

impl Permissions {
    /// Whether nothing is granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// Whether tasks of this module may be enqueued. Full names and bare ones are the same here: whether it is a module of the same
    /// namespace at all is asked by who resolves the name.
    #[must_use]
    pub fn may_enqueue(&self, module: &str) -> bool {
        self.enqueue.iter().any(|granted| granted == "*" || bare(granted) == bare(module))
    }

    /// Whether this may be done with a store.
    #[must_use]
    pub fn may_use(&self, store: &KvName, effect: Effect) -> bool {
        self.kv.iter().any(|grant| grant.covers(store, effect))
    }

    /// Each thing that is granted, as `kind: what`, for people and records.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let Ok(serde_json::Value::Object(kinds)) = serde_json::to_value(self) else { return Vec::new() };
        let mut lines = Vec::new();
        for (kind, granted) in &kinds {
            let all = granted.as_array().cloned().unwrap_or_else(|| vec![granted.clone()]);
            lines.extend(all.iter().map(|one| match one.as_str() {
                Some(text) => format!("{kind}: {text}"),
                None => format!("{kind}: {one}"),
            }));
        }
        lines
    }

    /// Whether this may be done with blobs.
    #[must_use]
    pub fn may(&self, grant: BlobGrant) -> bool {
        self.blobs.contains(&grant)
    }

    /// Whether this secret may be had.
    #[must_use]
    pub fn may_have(&self, secret: &SecretName) -> bool {
        self.secrets.contains(secret)
    }
}

/// A manifest that is too large somewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("manifest: `{field}` {rule}")]
pub struct ManifestError {
    /// Which key.
    pub field: &'static str,
    /// What is allowed.
    pub rule: String,
}

impl Manifest {
    /// A manifest that says no more than its name and version.
    #[must_use]
    pub fn bare(name: ModuleName, version: ModuleVersion) -> Self {
        Self {
            name,
            version,
            description: String::new(),
            queue: None,
            priority: None,
            limits: LimitsPatch::default(),
            retry: RetryPatch::default(),
            input: None,
            output: None,
            flow: ModuleFlow::default(),
            config: BTreeMap::new(),
            command: CommandSettings::default(),
            payload: PayloadBy::default(),
            assets: None,
            permissions: Permissions::default(),
        }
    }

    /// Checks the bounds that types do not.
    ///
    /// # Errors
    /// [`ManifestError`] names the first key that breaks one.
    pub fn check(&self) -> Result<(), ManifestError> {
        self.flow.check().map_err(|error| ManifestError { field: "flow", rule: error.to_string() })?;
        check_schema("input", self.input.as_ref())?;
        check_schema("output", self.output.as_ref())?;
        check_texts("description", [self.description.as_str()])?;
        check_texts("config", self.config.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]))?;
        self.command.check(&self.permissions)?;
        check_assets(self.assets.as_ref())?;
        check_texts("permissions.enqueue", self.permissions.enqueue.iter().map(String::as_str))?;
        check_count("permissions.kv", self.permissions.kv.len())?;
        check_count("permissions.blobs", self.permissions.blobs.len())?;
        check_count("permissions.secrets", self.permissions.secrets.len())
    }

    /// Everything that its guests get beside computing, as `kind: what`, for people and records: permissions, and assets.
    #[must_use]
    pub fn grants(&self) -> Vec<String> {
        let mut lines = self.permissions.lines();
        lines.extend(self.assets.iter().map(|assets| format!("assets: {}", assets.line())));
        lines
    }

    /// The archive of its assets, once they are known.
    #[must_use]
    pub fn assets_digest(&self) -> Option<BlobDigest> {
        Some(self.assets.as_ref()?.stored?.digest)
    }
}

fn check_assets(assets: Option<&AssetSettings>) -> Result<(), ManifestError> {
    let Some(assets) = assets else { return Ok(()) };
    check_texts("assets.dir", assets.dir.as_deref())?;
    assets.check().map_err(|error| ManifestError { field: "assets.path", rule: format!("cannot be used: {error}") })
}

fn check_schema(field: &'static str, schema: Option<&Schema>) -> Result<(), ManifestError> {
    let Some(schema) = schema else { return Ok(()) };
    schema.compile().map(drop).map_err(|error| ManifestError { field, rule: format!("is no usable schema: {error}") })
}

fn check_texts<'a>(field: &'static str, texts: impl IntoIterator<Item = &'a str>) -> Result<(), ManifestError> {
    let mut count = 0_usize;
    for text in texts {
        count += 1;
        if text.len() > MANIFEST_TEXT_BYTES_MAX || text.contains('\0') {
            let rule = format!("holds a text over {MANIFEST_TEXT_BYTES_MAX} bytes or with a NUL");
            return Err(ManifestError { field, rule });
        }
    }
    if count > 2 * MANIFEST_ENTRIES_MAX {
        return Err(ManifestError { field, rule: format!("has over {MANIFEST_ENTRIES_MAX} entries") });
    }
    Ok(())
}

fn check_count(field: &'static str, count: usize) -> Result<(), ManifestError> {
    if count <= MANIFEST_ENTRIES_MAX {
        return Ok(());
    }
    Err(ManifestError { field, rule: format!("has over {MANIFEST_ENTRIES_MAX} entries") })
}

/// Names one immutable artefact.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModuleRef {
    /// The module.
    pub name: ModuleName,
    /// The version that a task was pinned to when it first became queued.
    pub version: ModuleVersion,
    /// SHA-256 of the wasm bytes.
    pub digest: ModuleDigest,
}

impl fmt::Display for ModuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// The record of a deployed version. The wasm bytes lie beside it in the database, by digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// SHA-256 of the wasm bytes.
    pub digest: ModuleDigest,
    /// Which contract it keeps.
    pub kind: ModuleKind,
    /// Size of the wasm, in bytes.
    pub size_bytes: u64,
    /// What its author said; name and version are in here.
    pub manifest: Manifest,
    /// When it was deployed.
    pub created_at: Timestamp,
    /// Since when no new tasks of it are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// Since when its bytes are kept from running, because hosts died of them.
    pub quarantined_at: Option<Timestamp>,
}

impl ModuleRecord {
    /// The name of this artefact.
    #[must_use]
    pub fn reference(&self) -> ModuleRef {
        ModuleRef { name: self.manifest.name.clone(), version: self.manifest.version.clone(), digest: self.digest }
    }
}

#[cfg(test)]
mod tests;
