//! JSON Schemas as Messages takes them for structured output: closed objects, and
//! none of the keywords that its grammar does not know.

use serde_json::{Map, Value, json};

/// Keywords that are refused. What they say goes into the description, so that the
/// model still reads it; whoever asked checks the answer.
const UNKNOWN: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "contains",
    "if",
    "then",
    "else",
    "not",
    "dependentRequired",
    "dependentSchemas",
];

/// The schema in the form that is taken; none when no such form says the same, as
/// with objects of any members and with schemas that contain themselves.
pub(super) fn closed(schema: &Value) -> Option<Value> {
    if contains_itself(schema) {
        return None;
    }
    close(schema)
}

fn close(schema: &Value) -> Option<Value> {
    let Some(object) = schema.as_object() else { return Some(schema.clone()) };
    let mut out = Map::new();
    let mut said = Vec::new();
    for (key, value) in object {
        let kept = match key.as_str() {
            "properties" | "$defs" | "definitions" => {
                let members = value.as_object()?.iter();
                let closed = members.map(|(name, schema)| Some((name.clone(), close(schema)?)));
                Value::Object(closed.collect::<Option<_>>()?)
            }
            "items" => close(value)?,
            "anyOf" | "allOf" => {
                value.as_array()?.iter().map(close).collect::<Option<Vec<_>>>()?.into()
            }
            // The grammar knows the other spelling.
            "oneOf" => {
                let options = value.as_array()?.iter().map(close).collect::<Option<Vec<_>>>()?;
                out.insert("anyOf".into(), options.into());
                continue;
            }
            "patternProperties" | "propertyNames" | "unevaluatedProperties" => return None,
            "additionalProperties" if value != &json!(false) => return None,
            "minItems" if value.as_u64().is_some_and(|n| n > 1) => {
                said.push(format!("{key}: {value}"));
                continue;
            }
            key if UNKNOWN.contains(&key) => {
                said.push(format!("{key}: {value}"));
                continue;
            }
            _ => value.clone(),
        };
        out.insert(key.clone(), kept);
    }
    let is_object = object.get("type").is_some_and(|kind| kind == "object");
    if is_object && !object.contains_key("properties") {
        return None;
    }
    if is_object {
        out.insert("additionalProperties".into(), json!(false));
    }
    if !said.is_empty() {
        let known = out.get("description").and_then(Value::as_str).unwrap_or_default();
        let description = format!("{known} ({})", said.join(", "));
        out.insert("description".into(), description.trim().into());
    }
    Some(Value::Object(out))
}

/// Whether a reference leads back to a schema that it is part of.
pub(crate) fn contains_itself(schema: &Value) -> bool {
    walk(schema, schema, &mut Vec::new())
}

fn walk<'a>(root: &'a Value, schema: &'a Value, path: &mut Vec<&'a str>) -> bool {
    match schema {
        Value::Array(items) => items.iter().any(|item| walk(root, item, path)),
        Value::Object(object) => {
            if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                if path.contains(&reference) || reference == "#" {
                    return true;
                }
                let Some(target) = reference.strip_prefix('#').and_then(|p| root.pointer(p)) else {
                    return false;
                };
                path.push(reference);
                let found = walk(root, target, path);
                path.pop();
                return found;
            }
            // Definitions count only where they are used.
            let used =
                object.iter().filter(|(key, _)| !matches!(key.as_str(), "$defs" | "definitions"));
            used.into_iter().any(|(_, value)| walk(root, value, path))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed_of(schema: &str) -> Option<Value> {
        closed(&serde_json::from_str(schema).unwrap())
    }

    #[test]
    fn objects_are_closed_and_limits_become_words() {
        let schema = closed_of(
            r#"{"type":"object","properties":{"n":{"type":"integer","minimum":1,"description":"Count"},"l":{"type":"array","items":{"type":"object","properties":{}}}},"required":["n"]}"#,
        )
        .unwrap();
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["l"]["items"]["additionalProperties"], false);
        assert_eq!(schema["properties"]["n"]["description"], "Count (minimum: 1)");
        assert!(schema["properties"]["n"].get("minimum").is_none());
    }

    #[test]
    fn what_the_grammar_cannot_say_has_no_form() {
        let map = r#"{"type":"object","additionalProperties":{"type":"string"}}"#;
        assert_eq!(closed_of(map), None);
        let tree = r##"{"$defs":{"n":{"type":"object","properties":{"c":{"$ref":"#/$defs/n"}}}},"$ref":"#/$defs/n"}"##;
        assert_eq!(closed_of(tree), None);
        let twice = r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/x"},"b":{"$ref":"#/$defs/x"}},"$defs":{"x":{"type":"string"}}}"##;
        assert!(closed_of(twice).is_some());
    }
}
