//! The difference of two versions of a module, for people who decide whether to trust the newer one.

use std::collections::BTreeSet;

use serde_json::Value;
use tasklane_api_types::{Changes, ModuleDiff};
use tasklane_domain::ModuleRecord;
use tasklane_domain::ports::Surface;

/// Changes of one kind and direction that are named in one answer.
const NAMED_MAX: usize = 1_000;

/// What `to` has that `from` has not, and the other way round.
pub(crate) fn diff(from: &ModuleRecord, from_has: Surface, to: &ModuleRecord, to_has: Surface) -> ModuleDiff {
    let (from_lines, to_lines) = (Lines::of(from), Lines::of(to));
    ModuleDiff {
        name: to.manifest.name.to_string(),
        from: from.manifest.version.to_string(),
        to: to.manifest.version.to_string(),
        same_bytes: from.digest == to.digest,
        from_size_bytes: from.size_bytes,
        to_size_bytes: to.size_bytes,
        imports: changes(from_has.imports, to_has.imports),
        exports: changes(from_has.exports, to_has.exports),
        permissions: changes(from_lines.permissions, to_lines.permissions),
        manifest: changes(from_lines.rest, to_lines.rest),
    }
}

fn changes(from: Vec<String>, to: Vec<String>) -> Changes {
    let (from, to): (BTreeSet<String>, BTreeSet<String>) = (from.into_iter().collect(), to.into_iter().collect());
    let (added, removed) = (to.difference(&from), from.difference(&to));
    let all = added.clone().count() + removed.clone().count();
    let (added, removed): (Vec<_>, Vec<_>) =
        (added.take(NAMED_MAX).cloned().collect(), removed.take(NAMED_MAX).cloned().collect());
    let left_out = all.saturating_sub(added.len() + removed.len());
    Changes { added, removed, left_out }
}

/// A manifest as `key = value`, what it asks for apart.
struct Lines {
    permissions: Vec<String>,
    rest: Vec<String>,
}

impl Lines {
    fn of(record: &ModuleRecord) -> Self {
        let mut manifest = serde_json::to_value(&record.manifest).unwrap_or_default();
        let permissions = manifest.as_object_mut().and_then(|fields| {
            fields.remove("version");
            fields.remove("permissions")
        });
        let lines = |value: &Value| {
            let mut lines = Vec::new();
            flatten("", value, &mut lines);
            lines
        };
        Self { permissions: permissions.as_ref().map(lines).unwrap_or_default(), rest: lines(&manifest) }
    }
}

fn flatten(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, lines);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| flatten(path, item, lines)),
        plain => lines.push(format!("{path} = {plain}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tasklane_domain::{Manifest, ModuleDigest, ModuleKind, Timestamp};

    use super::*;

    fn record(manifest: Value) -> ModuleRecord {
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        let (digest, created_at) = (ModuleDigest::from_bytes([1; 32]), Timestamp::from_micros(1));
        let kind = ModuleKind::Component;
        ModuleRecord { digest, kind, size_bytes: 8, manifest, created_at, disabled_at: None }
    }

    fn surface(imports: &[&str]) -> Surface {
        Surface { imports: imports.iter().map(|one| (*one).to_owned()).collect(), exports: Vec::new() }
    }

    #[test]
    fn only_what_differs_is_named() {
        let old = record(json!({"name": "thumb", "version": "1.0.0", "config": {"quality": "80"}}));
        let new = record(json!({
            "name": "thumb", "version": "1.1.0", "config": {"quality": "90"}, "permissions": {"enqueue": ["csv"]},
        }));
        let found = diff(&old, surface(&["a", "b"]), &new, surface(&["b", "c"]));
        let changes = |added: &[&str], removed: &[&str]| Changes {
            added: added.iter().map(|one| (*one).to_owned()).collect(),
            removed: removed.iter().map(|one| (*one).to_owned()).collect(),
            left_out: 0,
        };
        assert_eq!(found.imports, changes(&["c"], &["a"]));
        assert_eq!(found.permissions, changes(&["enqueue = \"csv\""], &[]));
        assert_eq!(found.manifest, changes(&["config.quality = \"90\""], &["config.quality = \"80\""]));
        assert!(found.same_bytes);
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let many: Vec<String> = (0..NAMED_MAX + 5).map(|number| number.to_string()).collect();
        let found = changes(Vec::new(), many);
        assert_eq!((found.added.len(), found.left_out), (NAMED_MAX, 5));
    }
}
