//! Prometheus' text format, as far as the stories need it: names, types and labels.

use std::collections::{BTreeMap, BTreeSet};

/// What one process shows, by name.
pub type Families = BTreeMap<String, Family>;

/// All series of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// Names of labels, without `le`.
    pub labels: BTreeSet<String>,
    /// How many series there are.
    pub series: usize,
}

/// Reads what `/metrics` answers.
#[must_use]
pub fn families(text: &str) -> Families {
    let mut families = Families::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            families.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if !line.starts_with('#') {
            note(&mut families, line);
        }
    }
    families
}

fn note(families: &mut Families, line: &str) {
    let (name, labels) = match line.split_once('{') {
        Some((name, rest)) => (name, rest.rsplit_once('}').map_or("", |(labels, _)| labels)),
        None => (line.split(' ').next().unwrap_or_default(), ""),
    };
    let family = ["_bucket", "_sum", "_count"]
        .iter()
        .filter_map(|suffix| name.strip_suffix(suffix))
        .find(|base| families.contains_key(*base))
        .unwrap_or(name)
        .to_owned();
    let family = families.entry(family).or_default();
    family.series += 1;
    family.labels.extend(label_names(labels).filter(|label| label != "le"));
}

/// The names in `a="x",b="y"`; values may hold anything but an unescaped quote.
fn label_names(labels: &str) -> impl Iterator<Item = String> {
    let mut names = Vec::new();
    let mut rest = labels;
    while let Some((name, after)) = rest.split_once("=\"") {
        names.push(name.trim_start_matches(',').to_owned());
        let mut escaped = false;
        let end = after.char_indices().find(|(_, letter)| {
            let is_end = *letter == '"' && !escaped;
            escaped = *letter == '\\' && !escaped;
            is_end
        });
        rest = end.and_then(|(at, _)| after.get(at + 1..)).unwrap_or_default();
    }
    names.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_types_and_labels_are_read() {
        let text = "# HELP a_seconds A.\n# TYPE a_seconds histogram\na_seconds_bucket{q=\"x,\\\"y\",le=\"1\"} 2\n\
                    a_seconds_sum{q=\"x\"} 1\n# TYPE b gauge\nb 3\n";
        let all = families(text);
        assert_eq!(all["a_seconds"].kind, "histogram");
        assert_eq!(all["a_seconds"].labels, BTreeSet::from(["q".to_owned()]));
        assert_eq!((all["b"].kind.as_str(), all["b"].series, all.len()), ("gauge", 1, 2));
    }
}
