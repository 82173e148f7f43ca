//! Rules as people write them in a manifest: a string, or a table with `scheme`, `host`, `port` and `methods`.
//!
//! Called by [`crate::module::Permissions`]. Guarantees: a wrong rule is refused with its place, such as `permissions.http[1]`; what was
//! read is kept and shown as one string, whichever form it had.

use std::fmt;
use std::net::Ipv6Addr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Rule;

/// Most rules that one manifest may ask for.
pub const MANIFEST_RULES_MAX: usize = 64;
/// Where they stand in a manifest.
const PLACE: &str = "permissions.http";

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RuleVisitor)
    }
}

/// The rules of a manifest, at most [`MANIFEST_RULES_MAX`].
pub(crate) fn rules<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Rule>, D::Error> {
    deserializer.deserialize_seq(ListVisitor)
}

/// The long form. What is left out is https, the scheme's own port, every method.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    scheme: Option<String>,
    host: String,
    #[serde(default)]
    port: Option<Port>,
    #[serde(default)]
    methods: Vec<String>,
}

/// A number, or `*`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Port {
    Number(u16),
    Text(String),
}

impl Table {
    /// The same as one string.
    fn text(&self) -> Result<String, String> {
        let scheme = self.scheme.as_deref().unwrap_or("https");
        if !matches!(scheme, "http" | "https") {
            return Err(format!("`scheme` is `{scheme}`; write `http` or `https`"));
        }
        let is_bare_ipv6 = self.host.parse::<Ipv6Addr>().is_ok();
        let host = if is_bare_ipv6 { format!("[{}]", self.host) } else { self.host.clone() };
        if !is_bare_ipv6 && !host.starts_with('[') && host.contains(':') {
            return Err(format!("`host` is `{host}`; the port stands in `port`"));
        }
        let port = match &self.port {
            None => String::new(),
            Some(Port::Number(port)) => format!(":{port}"),
            Some(Port::Text(any)) if any == "*" => ":*".to_owned(),
            Some(Port::Text(other)) => return Err(format!("`port` is `{other}`; write a number, or \"*\" for any")),
        };
        let space = if self.methods.is_empty() { "" } else { " " };
        Ok(format!("{}{space}{scheme}://{host}{port}", self.methods.join("|")))
    }
}

struct RuleVisitor;

impl<'de> Visitor<'de> for RuleVisitor {
    type Value = Rule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rule such as \"https://api.example.com\", or a table with `host` and, if need be, `scheme`, `port` and `methods`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Rule, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
        let table = Table::deserialize(MapAccessDeserializer::new(map))?;
        let text = table.text().map_err(A::Error::custom)?;
        text.parse().map_err(A::Error::custom)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Vec<Rule>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{PLACE}` as a list of rules, such as [\"https://api.example.com\"]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Vec<Rule>, A::Error> {
        let mut rules = Vec::new();
        loop {
            let at = rules.len();
            let read = all.next_element().map_err(|why| A::Error::custom(format!("{PLACE}[{at}]: {why}")))?;
            let Some(rule) = read else { return Ok(rules) };
            if at == MANIFEST_RULES_MAX {
                return Err(A::Error::custom(format!("{PLACE}: at most {MANIFEST_RULES_MAX} rules are allowed")));
            }
            rules.push(rule);
        }
    }
}
