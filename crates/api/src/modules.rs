//! The modules that tasks name: looked up once a second, resolved to a version, suggested when the name is nearly right.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tasklane_api_types::ErrorCode;
use tasklane_domain::name::NameError;
use tasklane_domain::ports::ModuleStore;
use tasklane_domain::release::{Alias, ModuleSpec, Selector, Unresolved, resolve};
use tasklane_domain::{ModuleName, ModuleRecord, ModuleRef, ModuleVersion, TaskId};

use crate::error::{ApiError, ApiResult};
use crate::state::ApiPorts;

/// How long a module's versions and aliases are remembered; another API process may have changed them.
pub(crate) const KNOWN_TTL: Duration = Duration::from_secs(1);
/// Modules remembered.
const REMEMBERED_MAX: usize = 10_000;
/// How alike a suggestion must be, 0 to 1.
const ALIKE_MIN: f64 = 0.6;
/// Suggestions in one hint.
const SUGGESTIONS_MAX: usize = 3;
/// Versions named in one hint.
const VERSIONS_NAMED_MAX: usize = 5;

/// One module as it was a moment ago.
struct Known {
    versions: Vec<Arc<ModuleRecord>>,
    aliases: Vec<Alias>,
    since: Instant,
}

/// Remembered modules.
#[derive(Default)]
pub(crate) struct ModuleBook(Mutex<HashMap<ModuleName, Arc<Known>>>);

impl ModuleBook {
    /// Forgets everything, after a change.
    pub(crate) fn forget(&self) {
        self.0.lock().clear();
    }

    fn remembered(&self, name: &ModuleName) -> Option<Arc<Known>> {
        let book = self.0.lock();
        book.get(name).filter(|known| known.since.elapsed() < KNOWN_TTL).cloned()
    }

    async fn read(&self, ports: &ApiPorts, name: &ModuleName) -> ApiResult<Arc<Known>> {
        let since = Instant::now();
        let versions = ports.modules.modules(Some(name)).await?.into_iter().map(Arc::new).collect();
        let aliases = ports.releases.aliases(name).await?;
        let known = Arc::new(Known { versions, aliases, since });
        let mut book = self.0.lock();
        if book.len() >= REMEMBERED_MAX {
            book.clear();
        }
        book.insert(name.clone(), known.clone());
        Ok(known)
    }

    /// What `name`, `name@version` or `name@alias` is for this task.
    pub(crate) async fn find(&self, ports: &ApiPorts, text: &str, task: TaskId) -> ApiResult<Arc<ModuleRecord>> {
        self.resolve(ports, &spec(text)?, task).await
    }

    /// The version that this task gets.
    pub(crate) async fn resolve(
        &self,
        ports: &ApiPorts,
        spec: &ModuleSpec,
        task: TaskId,
    ) -> ApiResult<Arc<ModuleRecord>> {
        let look = |known: &Known| resolve(&spec.selector, &known.versions, &known.aliases, task).cloned();
        if let Some(known) = self.remembered(&spec.name)
            && let Ok(record) = look(&known)
        {
            return Ok(record);
        }
        let known = self.read(ports, &spec.name).await?;
        match look(&known) {
            Ok(record) => Ok(record),
            Err(why) => Err(unresolved(ports.modules.as_ref(), spec, &known, why).await?),
        }
    }

    /// Exactly this one, also when it is switched off: a task of it may still run.
    pub(crate) async fn exact(&self, ports: &ApiPorts, module: &ModuleRef) -> ApiResult<Arc<ModuleRecord>> {
        let look = |known: &Known| known.versions.iter().find(|one| one.manifest.version == module.version).cloned();
        if let Some(record) = self.remembered(&module.name).and_then(|known| look(&known)) {
            return Ok(record);
        }
        match look(self.read(ports, &module.name).await?.as_ref()) {
            Some(record) => Ok(record),
            None => Err(missing(ports.modules.as_ref(), &module.name, Some(&module.version)).await?),
        }
    }
}

/// `name`, `name@version` or `name@alias`.
pub(crate) fn spec(text: &str) -> ApiResult<ModuleSpec> {
    text.parse().map_err(|error: NameError| ApiError::new(ErrorCode::InvalidRequest, error.to_string()))
}

async fn unresolved(
    modules: &dyn ModuleStore,
    spec: &ModuleSpec,
    known: &Known,
    why: Unresolved,
) -> ApiResult<ApiError> {
    let name = &spec.name;
    match why {
        Unresolved::NoModule => missing(modules, name, None).await,
        Unresolved::NoVersion(version) => missing(modules, name, Some(&version)).await,
        Unresolved::NoAlias(alias) => {
            let error = ApiError::new(ErrorCode::AliasNotFound, format!("module {name} has no alias `{alias}`"));
            let names: Vec<&str> = known.aliases.iter().map(|one| one.name.as_str()).collect();
            Ok(if names.is_empty() { error } else { error.hint(format!("Its aliases: {}.", names.join(", "))) })
        }
        Unresolved::Disabled => Ok(ApiError::new(ErrorCode::ModuleDisabled, switched_off(spec))),
        Unresolved::Quarantined => Ok(ApiError::new(
            ErrorCode::ModuleQuarantined,
            format!("{name}: hosts died while it ran, and nothing else can be had under this name"),
        )),
    }
}

fn switched_off(spec: &ModuleSpec) -> String {
    let name = &spec.name;
    match &spec.selector {
        Selector::Version(version) => format!("{name}@{version} is switched off"),
        Selector::Alias(alias) => format!("every version that {name}@{alias} leads to is switched off or removed"),
    }
}

/// The error for a module that is not there, with what is.
pub(crate) async fn missing(
    modules: &dyn ModuleStore,
    name: &ModuleName,
    version: Option<&ModuleVersion>,
) -> ApiResult<ApiError> {
    let versions = modules.modules(Some(name)).await?;
    if let (false, Some(version)) = (versions.is_empty(), version) {
        let newest = versions.iter().take(VERSIONS_NAMED_MAX);
        let known: Vec<String> = newest.map(|one| one.manifest.version.to_string()).collect();
        let error = ApiError::new(ErrorCode::ModuleVersionNotFound, format!("{name} has no version {version}"));
        return Ok(error.hint(format!("Its newest versions: {}.", known.join(", "))));
    }
    // Of the same namespace only: what others have is theirs to know.
    let (known, namespace) = (modules.modules(None).await?, name.namespace());
    let own = known.iter().map(|one| &one.manifest.name).filter(|one| one.is_in(&namespace));
    let mut names: Vec<String> = own.map(ToString::to_string).collect();
    names.dedup();
    let error = ApiError::new(ErrorCode::ModuleNotFound, format!("there is no module `{name}`"));
    let near = near(name.as_str(), &names);
    Ok(if near.is_empty() { error } else { error.hint(format!("Did you mean {}?", near.join(" or "))) })
}

/// The names most like `wanted`, the best first.
pub(crate) fn near(wanted: &str, names: &[String]) -> Vec<String> {
    let mut scored: Vec<(f64, &String)> = names
        .iter()
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .filter(|(score, _)| *score >= ALIKE_MIN)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(SUGGESTIONS_MAX).map(|(_, name)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word() {
        let names = ["thumbnail", "csv-stats", "jq"].map(str::to_owned);
        assert_eq!(near("thumbnial", &names), ["thumbnail"]);
        assert!(near("zzz", &names).is_empty());
    }
}
