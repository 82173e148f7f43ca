//! The modules that tasks name: looked up once, remembered, suggested when the name is nearly right.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tasklane_api_types::ErrorCode;
use tasklane_domain::ports::ModuleStore;
use tasklane_domain::{ModuleName, ModuleRecord, ModuleVersion};

use crate::error::{ApiError, ApiResult};

/// How long the newest version of a name is remembered; another API process may have deployed a newer one.
const NEWEST_TTL: Duration = Duration::from_secs(1);
/// Names and versions remembered.
const REMEMBERED_MAX: usize = 10_000;
/// How alike a suggestion must be, 0 to 1.
const ALIKE_MIN: f64 = 0.6;
/// Suggestions in one hint.
const SUGGESTIONS_MAX: usize = 3;

/// Remembered modules, by what tasks call them.
#[derive(Default)]
pub(crate) struct ModuleBook(Mutex<HashMap<String, (Arc<ModuleRecord>, Instant)>>);

impl ModuleBook {
    /// Forgets everything, after a deploy.
    pub(crate) fn forget(&self) {
        self.0.lock().clear();
    }

    fn remembered(&self, text: &str) -> Option<Arc<ModuleRecord>> {
        let book = self.0.lock();
        let (record, since) = book.get(text)?;
        let is_fresh = text.contains('@') || since.elapsed() < NEWEST_TTL;
        is_fresh.then(|| record.clone())
    }

    fn remember(&self, text: &str, record: &Arc<ModuleRecord>) {
        let mut book = self.0.lock();
        if book.len() >= REMEMBERED_MAX {
            book.clear();
        }
        book.insert(text.to_owned(), (record.clone(), Instant::now()));
    }

    /// The module that `name` or `name@version` names.
    pub(crate) async fn find(&self, modules: &dyn ModuleStore, text: &str) -> ApiResult<Arc<ModuleRecord>> {
        if let Some(record) = self.remembered(text) {
            return Ok(record);
        }
        let (name, version) = parse(text)?;
        let found = modules.module(&name, version.as_ref()).await?;
        match found {
            Some(record) => {
                let record = Arc::new(record);
                self.remember(text, &record);
                Ok(record)
            }
            None => Err(missing(modules, &name, version.as_ref()).await?),
        }
    }
}

fn parse(text: &str) -> ApiResult<(ModuleName, Option<ModuleVersion>)> {
    let wrong = |error: tasklane_domain::name::NameError| ApiError::new(ErrorCode::InvalidRequest, error.to_string());
    let (name, version) = text.split_once('@').map_or((text, None), |(name, version)| (name, Some(version)));
    Ok((name.parse().map_err(wrong)?, version.map(str::parse).transpose().map_err(wrong)?))
}

/// The error for a module that is not there, with what is.
pub(crate) async fn missing(
    modules: &dyn ModuleStore,
    name: &ModuleName,
    version: Option<&ModuleVersion>,
) -> ApiResult<ApiError> {
    let versions = modules.modules(Some(name)).await?;
    if let (false, Some(version)) = (versions.is_empty(), version) {
        let known: Vec<String> = versions.iter().take(5).map(|one| one.manifest.version.to_string()).collect();
        let error = ApiError::new(ErrorCode::ModuleVersionNotFound, format!("{name} has no version {version}"));
        return Ok(error.hint(format!("Its newest versions: {}.", known.join(", "))));
    }
    let mut names: Vec<String> = modules.modules(None).await?.iter().map(|one| one.manifest.name.to_string()).collect();
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
