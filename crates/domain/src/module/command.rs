//! `[command]` of a manifest: how a WASI command is started.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ManifestError, Permissions, check_texts};
use crate::name::SecretName;

/// How a WASI command is started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CommandSettings {
    /// Arguments after the program's name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment variables; nothing else is in the guest's environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
}

/// What an environment variable holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EnvValue {
    /// This.
    Text(String),
    /// A secret, as it is when the attempt starts. `[permissions] secrets` must name it too.
    Secret(SecretVariable),
}

/// `{ secret = "NAME" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretVariable {
    /// Which.
    pub secret: SecretName,
}

impl From<String> for EnvValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl CommandSettings {
    /// The variables that are secrets, with their names.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &SecretName)> {
        self.env.iter().filter_map(|(name, value)| match value {
            EnvValue::Text(_) => None,
            EnvValue::Secret(variable) => Some((name.as_str(), &variable.secret)),
        })
    }

    /// Checks the bounds that types do not.
    pub(super) fn check(&self, permissions: &Permissions) -> Result<(), ManifestError> {
        check_texts("command.args", self.args.iter().map(String::as_str))?;
        check_texts(
            "command.env",
            self.env.iter().flat_map(|(name, value)| [Some(name.as_str()), value.text()]).flatten(),
        )?;
        let field = "command.env";
        if self.env.keys().any(|name| name.is_empty() || name.contains('=')) {
            return Err(ManifestError { field, rule: "has a variable without a name, or with `=` in it".to_owned() });
        }
        if let Some((name, secret)) = self.secrets().find(|(_, secret)| !permissions.may_have(secret)) {
            let rule = format!("takes `{name}` from the secret `{secret}`: list it in [permissions] secrets too");
            return Err(ManifestError { field, rule });
        }
        Ok(())
    }
}

impl EnvValue {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Secret(_) => None,
        }
    }
}
