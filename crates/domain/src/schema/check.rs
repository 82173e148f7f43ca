//! Whether a value fits a compiled schema, within a fixed number of steps.

use serde_json::{Map, Value};

use super::compile::{Compiled, Id, Kind, Node, Rules};
use super::{DEPTH_MAX, Mismatch, STEPS_MAX};

/// Bytes of a text that cost one step.
const TEXT_BYTES_PER_STEP: usize = 64;
/// How far from a multiple a number may be, as a part of one step: numbers are binary fractions.
const MULTIPLE_TOLERANCE: f64 = 1e-9;

/// One check under way.
struct Check<'a> {
    schema: &'a Compiled,
    steps: u64,
    depth: usize,
    /// Whether it must end: what was not looked at neither fits nor does not.
    is_spent: bool,
    path: Vec<Segment<'a>>,
}

/// One step into a value.
#[derive(Clone, Copy)]
enum Segment<'a> {
    Key(&'a str),
    At(usize),
}

type Fits = Result<(), Mismatch>;

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn kind_of(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Bool(_) => Kind::Boolean,
        Value::Number(number) if number.is_i64() || number.is_u64() => Kind::Integer,
        Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() == 0.0) => Kind::Integer,
        Value::Number(_) => Kind::Number,
        Value::String(_) => Kind::String,
        Value::Array(_) => Kind::Array,
        Value::Object(_) => Kind::Object,
    }
}

/// As JSON Schema has it: 1 and 1.0 are the same number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(_), Value::Number(_)) => one == other || one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

impl Compiled {
    /// Whether a value fits.
    ///
    /// # Errors
    /// [`Mismatch`] names the first place that does not fit, or that the check took too many steps.
    pub fn check(&self, value: &Value) -> Result<(), Mismatch> {
        Check { schema: self, steps: 0, depth: 0, is_spent: false, path: Vec::new() }.node(self.root, value)
    }
}

impl<'a> Check<'a> {
    fn wrong<T>(&self, why: impl Into<String>) -> Result<T, Mismatch> {
        let mut path = String::from("$");
        for segment in &self.path {
            match segment {
                Segment::Key(key) if is_plain(key) => path.push_str(&format!(".{key}")),
                Segment::Key(key) => path.push_str(&format!("[{key:?}]")),
                Segment::At(at) => path.push_str(&format!("[{at}]")),
            }
        }
        Err(Mismatch { path, why: why.into() })
    }

    fn step(&mut self, steps: usize) -> Fits {
        self.steps = self.steps.saturating_add(u64::try_from(steps).unwrap_or(u64::MAX));
        if self.is_spent || self.steps > STEPS_MAX || self.depth > DEPTH_MAX {
            self.is_spent = true;
            return self.wrong("could not be checked: schema and value together are too large or too deep");
        }
        Ok(())
    }

    fn node(&mut self, id: Id, value: &'a Value) -> Fits {
        self.depth += 1;
        let fits = match self.step(1) {
            Ok(()) => match self.schema.nodes.get(id) {
                Some(Node::Rules(rules)) => self.rules(rules, value),
                Some(Node::Whether(true)) => Ok(()),
                Some(Node::Whether(false)) | None => self.wrong("must not be there"),
            },
            spent => spent,
        };
        self.depth -= 1;
        fits
    }

    fn within(&mut self, segment: Segment<'a>, id: Id, value: &'a Value) -> Fits {
        self.path.push(segment);
        let fits = self.node(id, value);
        self.path.pop();
        fits
    }

    fn rules(&mut self, rules: &'a Rules, value: &'a Value) -> Fits {
        if let Some(reference) = rules.reference {
            self.node(reference, value)?;
        }
        self.kind(rules, value)?;
        self.option(rules, value)?;
        match value {
            Value::Number(number) => self.number(rules, number.as_f64().unwrap_or(f64::NAN))?,
            Value::String(text) => self.text(rules, text)?,
            Value::Array(items) => self.list(rules, items)?,
            Value::Object(fields) => self.object(rules, fields)?,
            Value::Null | Value::Bool(_) => {}
        }
        self.combined(rules, value)
    }

    fn kind(&mut self, rules: &Rules, value: &Value) -> Fits {
        let Some(kinds) = &rules.types else { return Ok(()) };
        let found = kind_of(value);
        let fits = |kind: &Kind| *kind == found || (*kind == Kind::Number && found == Kind::Integer);
        if kinds.iter().any(fits) {
            return Ok(());
        }
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        self.wrong(format!("must be of type {}, not {}", names.join(" or "), found.name()))
    }

    fn option(&mut self, rules: &Rules, value: &Value) -> Fits {
        let Some(options) = &rules.options else { return Ok(()) };
        self.step(options.len())?;
        match options.as_slice() {
            all if all.iter().any(|option| same(option, value)) => Ok(()),
            [only] => self.wrong(format!("must be {}", shown(only))),
            all => self.wrong(format!("must be one of {}", all.iter().map(shown).collect::<Vec<_>>().join(", "))),
        }
    }

    fn number(&mut self, rules: &Rules, number: f64) -> Fits {
        match rules {
            Rules { least: Some(least), .. } if number < *least => self.wrong(format!("must be at least {least}")),
            Rules { most: Some(most), .. } if number > *most => self.wrong(format!("must be at most {most}")),
            Rules { above: Some(above), .. } if number <= *above => self.wrong(format!("must be over {above}")),
            Rules { below: Some(below), .. } if number >= *below => self.wrong(format!("must be under {below}")),
            Rules { multiple_of: Some(step), .. } => {
                let parts = number / step;
                let fits = (parts - parts.round()).abs() <= MULTIPLE_TOLERANCE * parts.abs().max(1.0);
                if fits { Ok(()) } else { self.wrong(format!("must be a multiple of {step}")) }
            }
            _ => Ok(()),
        }
    }

    fn text(&mut self, rules: &Rules, text: &str) -> Fits {
        self.step(text.len() / TEXT_BYTES_PER_STEP)?;
        if rules.min_length.is_some() || rules.max_length.is_some() {
            self.counted(text.chars().count(), rules.min_length, rules.max_length, "characters")?;
        }
        match &rules.pattern {
            Some(pattern) if !pattern.is_match(text) => {
                self.wrong(format!("must match the pattern {}", shown(&Value::from(pattern.as_str()))))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn counted(&mut self, count: usize, least: Option<u64>, most: Option<u64>, of: &str) -> Fits {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        match (least, most) {
            (Some(least), _) if count < least => self.wrong(format!("must have at least {least} {of}, not {count}")),
            (_, Some(most)) if count > most => self.wrong(format!("must have at most {most} {of}, not {count}")),
            _ => Ok(()),
        }
    }

    fn list(&mut self, rules: &'a Rules, items: &'a [Value]) -> Fits {
        self.counted(items.len(), rules.min_items, rules.max_items, "items")?;
        for (at, (item, id)) in items.iter().zip(&rules.prefix_items).enumerate() {
            self.within(Segment::At(at), *id, item)?;
        }
        if let Some(id) = rules.items {
            for (at, item) in items.iter().enumerate().skip(rules.prefix_items.len()) {
                self.within(Segment::At(at), id, item)?;
            }
        }
        if rules.unique_items {
            self.unique(items)?;
        }
        let Some(id) = rules.contains else { return Ok(()) };
        for item in items {
            if self.fits(id, item)? {
                return Ok(());
            }
        }
        self.wrong("must contain an item that fits `contains`")
    }

    fn unique(&mut self, items: &[Value]) -> Fits {
        for (at, item) in items.iter().enumerate() {
            self.step(at)?;
            if items.iter().take(at).any(|earlier| same(earlier, item)) {
                return self.wrong(format!("must have no item twice, as that at [{at}] is"));
            }
        }
        Ok(())
    }

    fn object(&mut self, rules: &'a Rules, fields: &'a Map<String, Value>) -> Fits {
        self.step(rules.required.len())?;
        if let Some(missing) = rules.required.iter().find(|name| !fields.contains_key(*name)) {
            return self.wrong(format!("must have the field `{missing}`"));
        }
        self.counted(fields.len(), rules.min_properties, rules.max_properties, "fields")?;
        for (name, needed) in rules.dependent_required.iter().filter(|(name, _)| fields.contains_key(name)) {
            if let Some(missing) = needed.iter().find(|one| !fields.contains_key(*one)) {
                return self.wrong(format!("must have the field `{missing}`, as it has `{name}`"));
            }
        }
        for (name, id) in &rules.properties {
            if let Some((name, value)) = fields.get_key_value(name) {
                self.within(Segment::Key(name), *id, value)?;
            }
        }
        let by_name = rules.additional.is_some() || rules.names.is_some() || !rules.pattern_properties.is_empty();
        if by_name { self.names(rules, fields) } else { Ok(()) }
    }

    fn names(&mut self, rules: &'a Rules, fields: &'a Map<String, Value>) -> Fits {
        for (name, value) in fields {
            self.step(1 + rules.properties.len().min(16))?;
            let mut is_named = rules.properties.iter().any(|(known, _)| known == name);
            for (pattern, id) in &rules.pattern_properties {
                self.step(name.len() / TEXT_BYTES_PER_STEP)?;
                if pattern.is_match(name) {
                    is_named = true;
                    self.within(Segment::Key(name), *id, value)?;
                }
            }
            if let Some(id) = rules.names
                && !self.fits_name(id, name)?
            {
                return self.wrong(format!("must not have a field called `{name}`"));
            }
            if let (Some(id), false) = (rules.additional, is_named) {
                self.additional(id, name, value)?;
            }
        }
        Ok(())
    }

    fn additional(&mut self, id: Id, name: &'a str, value: &'a Value) -> Fits {
        if matches!(self.schema.nodes.get(id), Some(Node::Whether(false))) {
            return self.wrong(format!("must not have the field `{name}`, which is not known"));
        }
        self.within(Segment::Key(name), id, value)
    }

    fn fits_name(&mut self, id: Id, name: &str) -> Result<bool, Mismatch> {
        let value = Value::from(name);
        let mut check =
            Check { schema: self.schema, steps: self.steps, depth: self.depth, is_spent: false, path: Vec::new() };
        let fits = check.node(id, &value).is_ok();
        (self.steps, self.is_spent) = (check.steps, check.is_spent);
        self.step(0).map(|()| fits)
    }

    /// Whether it fits; an error only where no more steps are left.
    fn fits(&mut self, id: Id, value: &'a Value) -> Result<bool, Mismatch> {
        match self.node(id, value) {
            Ok(()) => Ok(true),
            Err(spent) if self.is_spent => Err(spent),
            Err(_) => Ok(false),
        }
    }

    fn combined(&mut self, rules: &'a Rules, value: &'a Value) -> Fits {
        for id in &rules.all_of {
            self.node(*id, value)?;
        }
        self.any_of(&rules.any_of, value)?;
        self.one_of(&rules.one_of, value)?;
        if let Some(id) = rules.not
            && self.fits(id, value)?
        {
            return self.wrong("must not be what `not` describes");
        }
        let Some(condition) = rules.condition else { return Ok(()) };
        let branch = if self.fits(condition, value)? { rules.then } else { rules.otherwise };
        branch.map_or(Ok(()), |id| self.node(id, value))
    }

    /// The error of the first alternative says most where there is only one kind of mistake.
    fn any_of(&mut self, ids: &[Id], value: &'a Value) -> Fits {
        let mut first = None;
        for id in ids {
            match self.node(*id, value) {
                Ok(()) => return Ok(()),
                Err(spent) if self.is_spent => return Err(spent),
                Err(mismatch) => first = first.or(Some(mismatch)),
            }
        }
        let Some(Mismatch { path, why }) = first else { return Ok(()) };
        let alternatives = ids.len();
        Err(Mismatch { path, why: format!("{why} (or fit another of {alternatives} alternatives)") })
    }

    fn one_of(&mut self, ids: &[Id], value: &'a Value) -> Fits {
        let mut fitting = 0;
        for id in ids {
            fitting += usize::from(self.fits(*id, value)?);
        }
        match (ids.len(), fitting) {
            (0, _) | (_, 1) => Ok(()),
            (alternatives, _) => {
                self.wrong(format!("must fit exactly one of {alternatives} alternatives, not {fitting}"))
            }
        }
    }
}

/// Longest value that is shown in a message, in characters.
const SHOWN_MAX: usize = 60;

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN_MAX { text } else { text.chars().take(SHOWN_MAX).chain("…".chars()).collect() }
}
