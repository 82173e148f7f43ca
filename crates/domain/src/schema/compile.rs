//! From what was written to what is checked: every keyword understood or refused, every reference resolved.

use std::collections::HashMap;

use regex::Regex;
use serde_json::{Map, Value};

use super::{DEPTH_MAX, NODES_MAX, SCHEMA_BYTES_MAX};

/// Memory of one compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 256 * 1024;
/// Keywords that say nothing about what fits.
const REMARKS: [&str; 14] = [
    "$schema",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
    "contentEncoding",
    "contentMediaType",
];

/// A place in a schema that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at `{path}`: {why}")]
pub struct SchemaError {
    /// Where, as a JSON pointer.
    pub path: String,
    /// Why not.
    pub why: String,
}

/// A place in [`Compiled`].
pub(super) type Id = usize;

/// One schema.
#[derive(Debug)]
pub(super) enum Node {
    /// Everything fits, or nothing.
    Whether(bool),
    /// What these say.
    Rules(Box<Rules>),
}

/// The keywords of one schema.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) reference: Option<Id>,
    pub(super) types: Option<Vec<Kind>>,
    pub(super) options: Option<Vec<Value>>,
    pub(super) least: Option<f64>,
    pub(super) most: Option<f64>,
    pub(super) above: Option<f64>,
    pub(super) below: Option<f64>,
    pub(super) multiple_of: Option<f64>,
    pub(super) min_length: Option<u64>,
    pub(super) max_length: Option<u64>,
    pub(super) pattern: Option<Regex>,
    pub(super) prefix_items: Vec<Id>,
    pub(super) items: Option<Id>,
    pub(super) contains: Option<Id>,
    pub(super) min_items: Option<u64>,
    pub(super) max_items: Option<u64>,
    pub(super) unique_items: bool,
    pub(super) properties: Vec<(String, Id)>,
    pub(super) pattern_properties: Vec<(Regex, Id)>,
    pub(super) additional: Option<Id>,
    pub(super) names: Option<Id>,
    pub(super) required: Vec<String>,
    pub(super) dependent_required: Vec<(String, Vec<String>)>,
    pub(super) min_properties: Option<u64>,
    pub(super) max_properties: Option<u64>,
    pub(super) all_of: Vec<Id>,
    pub(super) any_of: Vec<Id>,
    pub(super) one_of: Vec<Id>,
    pub(super) not: Option<Id>,
    pub(super) condition: Option<Id>,
    pub(super) then: Option<Id>,
    pub(super) otherwise: Option<Id>,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    fn named(text: &str) -> Option<Self> {
        Some(match text {
            "null" => Self::Null,
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "string" => Self::String,
            "array" => Self::Array,
            "object" => Self::Object,
            _ => return None,
        })
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// A schema, ready to check.
#[derive(Debug)]
pub struct Compiled {
    pub(super) nodes: Vec<Node>,
    pub(super) root: Id,
}

/// What is known while a schema is compiled.
struct Work<'a> {
    whole: &'a Value,
    nodes: Vec<Node>,
    /// Nodes by JSON pointer, so that a reference to a place under way ends.
    known: HashMap<String, Id>,
}

fn wrong(path: &str, why: impl Into<String>) -> SchemaError {
    SchemaError { path: if path.is_empty() { "/".to_owned() } else { path.to_owned() }, why: why.into() }
}

/// One segment further, escaped as RFC 6901 has it.
fn below(path: &str, segment: &str) -> String {
    format!("{path}/{}", segment.replace('~', "~0").replace('/', "~1"))
}

fn number(path: &str, value: &Value) -> Result<f64, SchemaError> {
    value.as_f64().ok_or_else(|| wrong(path, "must be a number"))
}

fn count(path: &str, value: &Value) -> Result<u64, SchemaError> {
    value.as_u64().ok_or_else(|| wrong(path, "must be a whole number, not negative"))
}

fn list<'a>(path: &str, value: &'a Value) -> Result<&'a Vec<Value>, SchemaError> {
    value.as_array().ok_or_else(|| wrong(path, "must be a list"))
}

fn table<'a>(path: &str, value: &'a Value) -> Result<&'a Map<String, Value>, SchemaError> {
    value.as_object().ok_or_else(|| wrong(path, "must be an object"))
}

fn texts(path: &str, value: &Value) -> Result<Vec<String>, SchemaError> {
    let text = |one: &Value| one.as_str().map(str::to_owned).ok_or_else(|| wrong(path, "must be a list of texts"));
    list(path, value)?.iter().map(text).collect()
}

fn pattern(path: &str, value: &str) -> Result<Regex, SchemaError> {
    let built = regex::RegexBuilder::new(value).size_limit(PATTERN_BYTES_MAX).build();
    built.map_err(|_| wrong(path, "is no pattern that matches in linear time (no look-around, no back references)"))
}

fn kinds(path: &str, value: &Value) -> Result<Vec<Kind>, SchemaError> {
    let names = match value.as_str() {
        Some(one) => vec![one.to_owned()],
        None => texts(path, value)?,
    };
    let kind = |name: &String| Kind::named(name).ok_or_else(|| wrong(path, format!("there is no type `{name}`")));
    names.iter().map(kind).collect()
}

impl Compiled {
    pub(super) fn new(whole: &Value) -> Result<Self, SchemaError> {
        let bytes = whole.to_string().len();
        if bytes > SCHEMA_BYTES_MAX {
            return Err(wrong("", format!("the schema has {bytes} bytes, but at most {SCHEMA_BYTES_MAX} are taken")));
        }
        let mut work = Work { whole, nodes: Vec::new(), known: HashMap::new() };
        let root = work.node("", whole, 0)?;
        Ok(Self { nodes: work.nodes, root })
    }
}

impl Work<'_> {
    fn node(&mut self, path: &str, value: &Value, depth: usize) -> Result<Id, SchemaError> {
        if let Some(known) = self.known.get(path) {
            return Ok(*known);
        }
        if self.nodes.len() >= NODES_MAX || depth > DEPTH_MAX {
            return Err(wrong(path, format!("the schema has over {NODES_MAX} parts, or is nested too deeply")));
        }
        let id = self.nodes.len();
        self.known.insert(path.to_owned(), id);
        self.nodes.push(Node::Whether(true));
        let node = match value {
            Value::Bool(whether) => Node::Whether(*whether),
            Value::Object(keywords) => Node::Rules(Box::new(self.rules(path, keywords, depth)?)),
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(wrong(path, "a schema is an object, true or false"));
            }
        };
        if let Some(place) = self.nodes.get_mut(id) {
            *place = node;
        }
        Ok(id)
    }

    fn rules(&mut self, path: &str, keywords: &Map<String, Value>, depth: usize) -> Result<Rules, SchemaError> {
        let mut rules = Rules::default();
        for (name, value) in keywords {
            let path = below(path, name);
            let known =
                scalar(&mut rules, name, &path, value)? || self.nested(&mut rules, name, &path, value, depth)?;
            if !known && !REMARKS.contains(&name.as_str()) {
                return Err(wrong(&path, "this keyword is not known here; docs/manifest.md lists those that are"));
            }
        }
        Ok(rules)
    }

    fn reference(&mut self, path: &str, value: &Value, depth: usize) -> Result<Id, SchemaError> {
        let text = value.as_str().ok_or_else(|| wrong(path, "must be a text"))?;
        let Some(pointer) = text.strip_prefix('#') else {
            return Err(wrong(path, "references lead within the schema only, such as `#/$defs/size`"));
        };
        let whole = self.whole;
        let target = whole.pointer(pointer).ok_or_else(|| wrong(path, format!("nothing is at `{text}`")))?;
        self.node(pointer, target, depth + 1)
    }

    fn all(&mut self, path: &str, value: &Value, depth: usize) -> Result<Vec<Id>, SchemaError> {
        let parts = list(path, value)?;
        if parts.is_empty() {
            return Err(wrong(path, "must not be empty"));
        }
        parts.iter().enumerate().map(|(at, part)| self.node(&below(path, &at.to_string()), part, depth + 1)).collect()
    }

    fn by_name(&mut self, path: &str, value: &Value, depth: usize) -> Result<Vec<(String, Id)>, SchemaError> {
        let one = |(name, part): (&String, &Value)| Ok((name.clone(), self.node(&below(path, name), part, depth + 1)?));
        table(path, value)?.iter().map(one).collect()
    }

    /// A keyword that holds schemas; `false` if it is not one.
    fn nested(
        &mut self,
        rules: &mut Rules,
        name: &str,
        path: &str,
        value: &Value,
        depth: usize,
    ) -> Result<bool, SchemaError> {
        match name {
            "$ref" => rules.reference = Some(self.reference(path, value, depth)?),
            "allOf" => rules.all_of = self.all(path, value, depth)?,
            "anyOf" => rules.any_of = self.all(path, value, depth)?,
            "oneOf" => rules.one_of = self.all(path, value, depth)?,
            "prefixItems" => rules.prefix_items = self.all(path, value, depth)?,
            "properties" => rules.properties = self.by_name(path, value, depth)?,
            "patternProperties" => {
                let parts = self.by_name(path, value, depth)?.into_iter();
                let one = |(text, id): (String, Id)| Ok((pattern(&below(path, &text), &text)?, id));
                rules.pattern_properties = parts.map(one).collect::<Result<_, SchemaError>>()?;
            }
            "items" | "contains" | "additionalProperties" | "propertyNames" | "not" | "if" | "then" | "else" => {
                let id = Some(self.node(path, value, depth + 1)?);
                match name {
                    "items" => rules.items = id,
                    "contains" => rules.contains = id,
                    "additionalProperties" => rules.additional = id,
                    "propertyNames" => rules.names = id,
                    "not" => rules.not = id,
                    "if" => rules.condition = id,
                    "then" => rules.then = id,
                    _ => rules.otherwise = id,
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A keyword that holds no schemas; `false` if it is not one.
fn scalar(rules: &mut Rules, name: &str, path: &str, value: &Value) -> Result<bool, SchemaError> {
    match name {
        "type" => rules.types = Some(kinds(path, value)?),
        "enum" => rules.options = Some(list(path, value)?.clone()),
        "const" => rules.options = Some(vec![value.clone()]),
        "minimum" => rules.least = Some(number(path, value)?),
        "maximum" => rules.most = Some(number(path, value)?),
        "exclusiveMinimum" => rules.above = Some(number(path, value)?),
        "exclusiveMaximum" => rules.below = Some(number(path, value)?),
        "multipleOf" => match number(path, value)? {
            step if step > 0.0 => rules.multiple_of = Some(step),
            _ => return Err(wrong(path, "must be over 0")),
        },
        "minLength" => rules.min_length = Some(count(path, value)?),
        "maxLength" => rules.max_length = Some(count(path, value)?),
        "minItems" => rules.min_items = Some(count(path, value)?),
        "maxItems" => rules.max_items = Some(count(path, value)?),
        "minProperties" => rules.min_properties = Some(count(path, value)?),
        "maxProperties" => rules.max_properties = Some(count(path, value)?),
        "uniqueItems" => rules.unique_items = value.as_bool().ok_or_else(|| wrong(path, "must be true or false"))?,
        "pattern" => {
            let text = value.as_str().ok_or_else(|| wrong(path, "must be a text"))?;
            rules.pattern = Some(pattern(path, text)?);
        }
        "required" => rules.required = texts(path, value)?,
        "dependentRequired" => {
            let one = |(name, value): (&String, &Value)| Ok((name.clone(), texts(&below(path, name), value)?));
            rules.dependent_required = table(path, value)?.iter().map(one).collect::<Result<_, SchemaError>>()?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}
