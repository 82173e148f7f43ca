//! What fits and what does not, keyword by keyword; schemas that are refused; and checks that end whatever the schema is.

use serde_json::{Value, json};

use super::*;

fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let compiled = Schema::new(schema.clone()).compile().unwrap_or_else(|error| panic!("{schema}: {error}"));
    compiled.check(value).map_err(|mismatch| mismatch.to_string())
}

#[test]
fn each_keyword_takes_what_it_should() {
    let table = [
        (json!(true), vec![json!(1), json!(null)], vec![]),
        (json!(false), vec![], vec![json!(1)]),
        (json!({"type": "integer"}), vec![json!(1), json!(1.0), json!(-3)], vec![json!(1.5), json!("1"), json!(true)]),
        (json!({"type": ["string", "null"]}), vec![json!("a"), json!(null)], vec![json!(1), json!({})]),
        (json!({"type": "number"}), vec![json!(1), json!(0.5)], vec![json!("1")]),
        (json!({"enum": [1, "a", null]}), vec![json!(1.0), json!("a"), json!(null)], vec![json!(2), json!("b")]),
        (json!({"const": {"a": [1]}}), vec![json!({"a": [1]})], vec![json!({"a": [2]})]),
        (json!({"minimum": 2, "maximum": 4}), vec![json!(2), json!(4), json!("x")], vec![json!(1.9), json!(5)]),
        (json!({"exclusiveMinimum": 2, "exclusiveMaximum": 4}), vec![json!(3)], vec![json!(2), json!(4)]),
        (json!({"multipleOf": 0.1}), vec![json!(0.3), json!(7)], vec![json!(0.25)]),
        (json!({"minLength": 2, "maxLength": 3}), vec![json!("äö"), json!("abc")], vec![json!("a"), json!("abcd")]),
        (json!({"pattern": "^[a-z]+$"}), vec![json!("abc"), json!(1)], vec![json!("aBc")]),
        (json!({"items": {"type": "integer"}}), vec![json!([]), json!([1, 2])], vec![json!([1, "2"])]),
        (
            json!({"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}),
            vec![json!(["a", 1]), json!([])],
            vec![json!([1]), json!(["a", "b"])],
        ),
        (json!({"minItems": 1, "maxItems": 2}), vec![json!([1])], vec![json!([]), json!([1, 2, 3])]),
        (json!({"uniqueItems": true}), vec![json!([1, 2, "1"])], vec![json!([1, 2, 1.0])]),
        (json!({"contains": {"const": 3}}), vec![json!([1, 3])], vec![json!([]), json!([1])]),
        (json!({"required": ["a"]}), vec![json!({"a": null})], vec![json!({}), json!({"b": 1})]),
        (
            json!({"properties": {"a": {"type": "string"}}, "additionalProperties": false}),
            vec![json!({}), json!({"a": "x"})],
            vec![json!({"a": 1}), json!({"b": 1})],
        ),
        (
            json!({"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": {"type": "string"}}),
            vec![json!({"x-a": 1, "b": "c"})],
            vec![json!({"x-a": "1"}), json!({"b": 1})],
        ),
        (json!({"propertyNames": {"maxLength": 2}}), vec![json!({"ab": 1})], vec![json!({"abc": 1})]),
        (
            json!({"minProperties": 1, "maxProperties": 1}),
            vec![json!({"a": 1})],
            vec![json!({}), json!({"a": 1, "b": 2})],
        ),
        (
            json!({"dependentRequired": {"a": ["b"]}}),
            vec![json!({"b": 1}), json!({"a": 1, "b": 2})],
            vec![json!({"a": 1})],
        ),
        (json!({"allOf": [{"minimum": 1}, {"maximum": 2}]}), vec![json!(1)], vec![json!(0), json!(3)]),
        (json!({"anyOf": [{"type": "string"}, {"minimum": 5}]}), vec![json!("a"), json!(6)], vec![json!(4)]),
        (
            json!({"oneOf": [{"type": "integer"}, {"minimum": 2}]}),
            vec![json!(1), json!(2.5)],
            vec![json!(3), json!(0.5)],
        ),
        (json!({"not": {"type": "null"}}), vec![json!(1)], vec![json!(null)]),
        (
            json!({"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}}),
            vec![json!({"a": 1, "b": 1}), json!({"c": 1})],
            vec![json!({"a": 1}), json!({})],
        ),
        (
            json!({"$defs": {"tree": {"type": "object", "properties": {"next": {"$ref": "#/$defs/tree"}}}}, "$ref": "#/$defs/tree"}),
            vec![json!({}), json!({"next": {"next": {}}})],
            vec![json!({"next": {"next": 1}})],
        ),
    ];
    for (schema, good, bad) in table {
        good.iter().for_each(|value| assert_eq!(fits(&schema, value), Ok(()), "{schema} of {value}"));
        bad.iter().for_each(|value| assert!(fits(&schema, value).is_err(), "{schema} took {value}"));
    }
}

#[test]
fn a_mismatch_names_its_place() {
    let schema = json!({"properties": {"sizes": {"items": {"properties": {"odd key": {"maximum": 3}}}}}});
    let error = fits(&schema, &json!({"sizes": [{}, {"odd key": 4}]})).unwrap_err();
    assert_eq!(error, "`$.sizes[1][\"odd key\"]` must be at most 3");
    let missing = fits(&json!({"required": ["url"]}), &json!({})).unwrap_err();
    assert_eq!(missing, "`$` must have the field `url`");
    let unknown = json!({"properties": {"a": true}, "additionalProperties": false});
    assert_eq!(fits(&unknown, &json!({"b": 1})).unwrap_err(), "`$` must not have the field `b`, which is not known");
}

#[test]
fn bytes_are_json_or_nothing() {
    let compiled = Schema::new(json!({"type": ["null", "integer"]})).compile().unwrap();
    assert!(compiled.check_bytes(b"").is_ok() && compiled.check_bytes(b" 1 ").is_ok());
    let error = compiled.check_bytes(b"not json").unwrap_err().to_string();
    assert!(error.starts_with("`$` is not JSON"), "{error}");
}

#[test]
fn what_cannot_be_used_is_refused_with_its_place() {
    let table = [
        (json!([]), "/", "an object, true or false"),
        (json!({"type": "text"}), "/type", "`text`"),
        (json!({"properties": {"a": {"typ": "string"}}}), "/properties/a/typ", "not known here"),
        (json!({"$ref": "https://example.com/schema.json"}), "/$ref", "within the schema only"),
        (json!({"$ref": "other.json#/a"}), "/$ref", "within the schema only"),
        (json!({"$ref": "#/$defs/none"}), "/$ref", "nothing is at"),
        (json!({"pattern": "(a)\\1"}), "/pattern", "linear time"),
        (json!({"pattern": "(?=a)"}), "/pattern", "linear time"),
        (json!({"pattern": "(((a{100}){100}){100}){100}"}), "/pattern", "linear time"),
        (json!({"multipleOf": 0}), "/multipleOf", "over 0"),
        (json!({"minLength": -1}), "/minLength", "not negative"),
        (json!({"anyOf": []}), "/anyOf", "empty"),
        (json!({"description": "x".repeat(SCHEMA_BYTES_MAX)}), "/", "65536"),
    ];
    for (schema, path, why) in table {
        let error = Schema::new(schema.clone()).compile().unwrap_err();
        assert_eq!(error.path, path, "{error}");
        assert!(error.why.contains(why), "{error}");
    }
}

/// Schemas that would take for ever, or the whole stack, elsewhere.
#[test]
fn every_check_ends() {
    let itself = json!({"$ref": "#"});
    let both = json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}]});
    let mut laughs = serde_json::Map::new();
    for level in 0..40 {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        laughs.insert(format!("l{level}"), json!({"allOf": [next.clone(), next]}));
    }
    laughs.insert("l40".to_owned(), json!({"type": "integer"}));
    let laughs = json!({"$defs": laughs, "$ref": "#/$defs/l0"});
    let twice = json!({"properties": {"x": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}, "required": ["y"]});
    let mut deep = json!({});
    for _ in 0..100 {
        deep = json!({"x": deep});
    }
    let many = json!({"uniqueItems": true});
    let long = Value::from((0..20_000).collect::<Vec<i32>>());
    for (schema, value) in [(itself, json!(1)), (both, json!(1)), (laughs, json!(1)), (twice, deep), (many, long)] {
        let error = fits(&schema, &value).unwrap_err();
        assert!(error.contains("too large or too deep") || error.contains("must have"), "{error}");
    }
}

#[test]
fn nested_schemas_are_bounded() {
    let mut deep = json!(true);
    for _ in 0..(DEPTH_MAX + 10) {
        deep = json!({"not": deep});
    }
    assert!(Schema::new(deep).compile().is_err());
    let wide: Vec<Value> = (0..NODES_MAX).map(|_| json!(true)).collect();
    assert!(Schema::new(json!({"anyOf": wide})).compile().is_err());
}
