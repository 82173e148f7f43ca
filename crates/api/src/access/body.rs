//! The namespaces that a JSON body speaks of, looked up before the handler reads it.
//!
//! Called by [`super::place`]. Guarantees: what is compared is what the handler will read: the same parser, objects only (derived types
//! also read arrays, by position), no field twice; a body that cannot be looked through is refused. The rest of it is passed over.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use tasklane_domain::Namespace;

use super::table::Said;
use crate::error::{ApiError, ApiResult};
use crate::extract::json_error;
use tasklane_api_types::ErrorCode;

const FIELD: &str = "namespace";

/// What a body says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Those that it names.
    pub(super) named: BTreeSet<Namespace>,
    /// Whether something in it names none.
    pub(super) unnamed: bool,
}

/// An object, and nothing else.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Only<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Only<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Only(PhantomData)).map(Object)
    }
}

#[derive(serde::Deserialize)]
struct One<'a> {
    #[serde(default, borrow)]
    namespace: Option<Cow<'a, str>>,
}

#[derive(serde::Deserialize)]
struct Peek<'a> {
    #[serde(default, borrow)]
    namespace: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    task: Option<Object<One<'a>>>,
    #[serde(default, borrow)]
    tasks: Vec<Object<One<'a>>>,
    #[serde(default, borrow)]
    on_complete: Option<Object<One<'a>>>,
}

impl Heard {
    fn take(&mut self, namespace: Option<&str>) -> ApiResult<()> {
        let Some(text) = namespace else {
            self.unnamed = true;
            return Ok(());
        };
        let wrong =
            |error: tasklane_domain::name::NameError| ApiError::new(ErrorCode::InvalidRequest, error.to_string());
        self.named.insert(text.parse().map_err(wrong)?);
        Ok(())
    }
}

/// Looks a body through.
pub(super) fn hear(said: Said, body: &[u8]) -> ApiResult<Heard> {
    let Object(peek) = serde_json::from_slice::<Object<Peek<'_>>>(body).map_err(|error| json_error(&error))?;
    let mut heard = Heard::default();
    match said {
        Said::Task | Said::Filter => heard.take(peek.namespace.as_deref())?,
        Said::Schedule => heard.take(peek.task.as_ref().and_then(|one| one.0.namespace.as_deref()))?,
        Said::Batch => {
            for Object(one) in peek.tasks.iter().chain(&peek.on_complete) {
                heard.take(one.namespace.as_deref())?;
            }
        }
    }
    Ok(heard)
}

/// The fields of an object, in their order and as they are, twice where they are there twice.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(All)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Fields {
    /// Names the namespace where none is named.
    fn settle(&mut self, home: &Namespace) -> serde_json::Result<()> {
        // `null` names none.
        if self.0.iter().any(|(name, value)| name == FIELD && value.get() != "null") {
            return Ok(());
        }
        self.0.retain(|(name, _)| name != FIELD);
        self.0.push((FIELD.to_owned(), to_raw_value(home)?));
        Ok(())
    }

    /// Changes what a field holds.
    fn within<T>(&mut self, field: &str, change: impl Fn(&mut T) -> serde_json::Result<()>) -> serde_json::Result<()>
    where
        T: for<'a> Deserialize<'a> + Serialize,
    {
        for (_, value) in self.0.iter_mut().filter(|(name, value)| name == field && value.get() != "null") {
            let mut inner: T = serde_json::from_str(value.get())?;
            change(&mut inner)?;
            *value = to_raw_value(&inner)?;
        }
        Ok(())
    }
}

/// The body with `home` wherever it names no namespace.
pub(super) fn settle(said: Said, body: &[u8], home: &Namespace) -> ApiResult<Vec<u8>> {
    settled(said, body, home).map_err(|error| json_error(&error))
}

fn settled(said: Said, body: &[u8], home: &Namespace) -> serde_json::Result<Vec<u8>> {
    let mut fields: Fields = serde_json::from_slice(body)?;
    match said {
        Said::Task | Said::Filter => fields.settle(home)?,
        Said::Schedule => fields.within("task", |task: &mut Fields| task.settle(home))?,
        Said::Batch => {
            fields
                .within("tasks", |tasks: &mut Vec<Fields>| tasks.iter_mut().try_for_each(|task| task.settle(home)))?;
            fields.within("on_complete", |task: &mut Fields| task.settle(home))?;
        }
    }
    serde_json::to_vec(&fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(said: Said, body: &str) -> (Vec<String>, bool) {
        let heard = hear(said, body.as_bytes()).unwrap();
        (heard.named.iter().map(ToString::to_string).collect(), heard.unnamed)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn each_kind_of_body_says_it_in_its_place() {
        assert_eq!(
            heard(Said::Task, r#"{"module":"m","payload":{"namespace":"no"},"namespace":"acme"}"#),
            (names(&["acme"]), false)
        );
        assert_eq!(heard(Said::Task, r#"{"module":"m","namespace":null}"#), (vec![], true));
        assert_eq!(heard(Said::Task, r#"{"name\u0073pace":"acme"}"#), (names(&["acme"]), false));
        let batch = r#"{"tasks":[{"namespace":"a"},{},{"namespace":"b"}],"on_complete":{"namespace":"c"}}"#;
        assert_eq!(heard(Said::Batch, batch), (names(&["a", "b", "c"]), true));
        assert_eq!(heard(Said::Schedule, r#"{"task":{"namespace":"a"},"namespace":"b"}"#), (names(&["a"]), false));
        assert_eq!(heard(Said::Filter, r#"{"all":true}"#), (vec![], true));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for body in [
            r#"{"namespace":"acme","namespace":"beta"}"#,
            r#"{"namespace":"acme","name\u0073pace":"beta"}"#,
            r#"["acme"]"#,
            r#"{"namespace":["acme"]}"#,
            r#"{"namespace":"Not a name"}"#,
            "",
            "null",
        ] {
            assert!(hear(Said::Task, body.as_bytes()).is_err(), "{body}");
        }
        for body in
            [r#"{"tasks":[["a"]]}"#, r#"{"tasks":[],"tasks":[]}"#, r#"{"tasks":[{"namespace":"a","namespace":"b"}]}"#]
        {
            assert!(hear(Said::Batch, body.as_bytes()).is_err(), "{body}");
        }
        assert!(hear(Said::Schedule, br#"{"task":["m"]}"#).is_err());
    }

    #[test]
    fn a_namespace_is_put_where_none_is_named() {
        let home: Namespace = "acme".parse().unwrap();
        let settled = |said, body: &str| String::from_utf8(settle(said, body.as_bytes(), &home).unwrap()).unwrap();
        assert_eq!(settled(Said::Task, r#"{"module":"m", "n":1.50}"#), r#"{"module":"m","n":1.50,"namespace":"acme"}"#);
        assert_eq!(settled(Said::Task, r#"{"namespace":"beta"}"#), r#"{"namespace":"beta"}"#);
        assert_eq!(settled(Said::Task, r#"{"namespace":null,"a":1,"a":2}"#), r#"{"a":1,"a":2,"namespace":"acme"}"#);
        assert_eq!(
            settled(Said::Batch, r#"{"tasks":[{"namespace":"b"},{}],"on_complete":{}}"#),
            r#"{"tasks":[{"namespace":"b"},{"namespace":"acme"}],"on_complete":{"namespace":"acme"}}"#
        );
        assert_eq!(
            settled(Said::Schedule, r#"{"task":{"module":"m"}}"#),
            r#"{"task":{"module":"m","namespace":"acme"}}"#
        );
    }
}
