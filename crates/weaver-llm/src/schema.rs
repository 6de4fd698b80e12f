//! What is wrong with a JSON Schema that a provider would refuse, and where.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::model::ModelRef;

/// What a provider asks of schemas, beyond that they are schemas.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The top must be an object.
    pub object: bool,
    /// The top may not be a choice of several schemas.
    pub one_at_top: bool,
    /// Lists must say of what.
    pub items: bool,
    /// Names of members: letters, digits, `_`, `.` and `-`, at most 64.
    pub plain_names: bool,
    /// What is required must be described.
    pub required_known: bool,
}

impl Rules {
    /// Those of a model's provider.
    pub fn of(model: &ModelRef) -> Self {
        let openai = matches!(model.provider.as_str(), "openai" | "azure");
        Rules {
            object: true,
            one_at_top: openai || model.dialect == Dialect::Anthropic,
            items: openai || model.dialect == Dialect::Gemini,
            plain_names: model.dialect == Dialect::Anthropic,
            required_known: model.dialect == Dialect::Gemini,
        }
    }
}

/// The first problem, as the end of a sentence that begins with the schema's name.
/// An empty schema stands for no arguments.
pub(crate) fn problem(schema: &weaver_core::Value, rules: Rules) -> Option<String> {
    let schema = Value::from(schema);
    if schema.is_null() || schema.as_object().is_some_and(serde_json::Map::is_empty) {
        return None;
    }
    let Some(top) = schema.as_object() else {
        return Some(format!("is no JSON object but {schema:.40}."));
    };
    if rules.object && top.get("type").is_none_or(|kind| kind != "object") {
        return Some("must have `\"type\": \"object\"` at its top.".into());
    }
    let choice =
        ["anyOf", "oneOf", "allOf", "not", "enum"].iter().find(|key| top.contains_key(**key));
    if let (true, Some(key)) = (rules.one_at_top && rules.object, choice) {
        return Some(format!(
            "has `{key}` at its top, which this provider does not take; put it into a member."
        ));
    }
    walk(&schema, &schema, "", rules, 0)
}

const TYPES: [&str; 7] = ["object", "array", "string", "number", "integer", "boolean", "null"];
const DEPTH_MAX: usize = 64;

fn walk(root: &Value, schema: &Value, path: &str, rules: Rules, depth: usize) -> Option<String> {
    let at = |problem: String| {
        Some(format!("is wrong at `{}`: {problem}", if path.is_empty() { "/" } else { path }))
    };
    if depth > DEPTH_MAX {
        return at(format!("it is nested more than {DEPTH_MAX} deep."));
    }
    let object = match schema {
        Value::Bool(_) => return None,
        Value::Object(object) => object,
        other => return at(format!("a schema is an object, not {other:.40}.")),
    };
    let kinds: Vec<&Value> = match object.get("type") {
        None => Vec::new(),
        Some(Value::Array(kinds)) => kinds.iter().collect(),
        Some(kind) => vec![kind],
    };
    for kind in &kinds {
        let name = kind.as_str().unwrap_or_default();
        // Gemini's own spelling is in capitals.
        if !TYPES.contains(&name.to_lowercase().as_str()) {
            let near = crate::near::nearest(name, TYPES);
            let hint = near.map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
            return at(format!("{kind} is no type.{hint}"));
        }
    }
    if let Some(reference) = object.get("$ref") {
        let target = reference.as_str().and_then(|r| r.strip_prefix('#'));
        if target.is_none_or(|pointer| root.pointer(pointer).is_none()) {
            return at(format!("{reference} leads nowhere in this schema."));
        }
    }
    if object.get("enum").is_some_and(|list| list.as_array().is_none_or(Vec::is_empty)) {
        return at("`enum` must be a list with something in it.".into());
    }
    let is_list =
        kinds.iter().any(|kind| kind.as_str().is_some_and(|k| k.eq_ignore_ascii_case("array")));
    if rules.items
        && is_list
        && !object.contains_key("items")
        && !object.contains_key("prefixItems")
    {
        return at("a list must say with `items` of what.".into());
    }
    let members = object.get("properties");
    if let Some(problem) = required(object.get("required"), members, rules) {
        return at(problem);
    }
    for (key, value) in object {
        let inner = |name: &str| format!("{path}/{key}/{name}");
        let found = match key.as_str() {
            "properties" | "$defs" | "definitions" | "patternProperties" => match value {
                Value::Object(members) => members.iter().find_map(|(name, member)| {
                    if rules.plain_names && key == "properties" && !is_plain(name) {
                        return at(format!("`{name}` is no name for a member here; use letters, digits, `_`, `.` and `-`, at most 64."));
                    }
                    walk(root, member, &inner(name), rules, depth + 1)
                }),
                _ => at(format!("`{key}` must be an object of schemas.")),
            },
            "items" | "additionalProperties" | "not" | "contains" if !value.is_array() => {
                walk(root, value, &format!("{path}/{key}"), rules, depth + 1)
            }
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => match value {
                Value::Array(options) if !options.is_empty() => options
                    .iter()
                    .enumerate()
                    .find_map(|(i, option)| walk(root, option, &inner(&i.to_string()), rules, depth + 1)),
                _ => at(format!("`{key}` must be a list of schemas.")),
            },
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn required(list: Option<&Value>, members: Option<&Value>, rules: Rules) -> Option<String> {
    let list = match list {
        None => return None,
        Some(Value::Array(list)) => list,
        // Draft 3 wrote it at the member; servers take it for nothing.
        Some(Value::Bool(_)) => return None,
        Some(_) => return Some("`required` must be a list of names.".into()),
    };
    for name in list {
        let Some(name) = name.as_str() else {
            return Some(format!("`required` must be a list of names, and {name} is none."));
        };
        let known = members.is_some_and(|members| members.get(name).is_some());
        if rules.required_known && !known {
            return Some(format!("`{name}` is required and not described."));
        }
    }
    None
}

fn is_plain(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !name.is_empty() && name.len() <= 64 && name.chars().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Rules = Rules {
        object: true,
        one_at_top: true,
        items: true,
        plain_names: true,
        required_known: true,
    };

    fn said(schema: &str) -> String {
        problem(&weaver_core::Value::from_json(schema).unwrap(), ALL).unwrap_or_default()
    }

    #[test]
    fn the_wrong_part_is_named() {
        let of =
            |member: &str| format!(r##"{{"type":"object","properties":{{"place":{member}}}}}"##);
        for (schema, place, word) in [
            (of(r#"{"type":"strng"}"#), "/properties/place", "Did you mean `string`?"),
            (of(r#"{"type":"array"}"#), "/properties/place", "`items`"),
            (of(r#"{"type":"array","items":{"enum":[]}}"#), "/properties/place/items", "`enum`"),
            (of(r##"{"$ref":"#/$defs/x"}"##), "/properties/place", "leads nowhere"),
            (
                of(r#"{"anyOf":[{"type":"null"},{"type":"date"}]}"#),
                "/properties/place/anyOf/1",
                "date",
            ),
            (of(r#""text""#), "/properties/place", "a schema is an object"),
            (r#"{"type":"object","required":["x"]}"#.into(), "`/`", "`x` is required"),
            (r#"{"type":"object","properties":{"a b":{}}}"#.into(), "`/`", "`a b`"),
            (r#"{"type":"object","properties":[]}"#.into(), "`/`", "object of schemas"),
            (r#"{"type":"object","anyOf":[{}]}"#.into(), "top", "`anyOf`"),
            (r#"{"type":"string"}"#.into(), "top", "object"),
        ] {
            let said = said(&schema);
            assert!(said.contains(place) && said.contains(word), "{schema}: {said}");
        }
    }

    #[test]
    fn good_schemas_pass() {
        for schema in [
            "{}",
            "null",
            r##"{"type":"object","properties":{"a":{"type":["string","null"]},"b":{"$ref":"#/$defs/n"}},"required":["a"],"$defs":{"n":{"type":"object","properties":{"c":{"type":"array","items":{"$ref":"#/$defs/n"}}}}}}"##,
            r#"{"type":"object","properties":{"x":true},"additionalProperties":{"type":"integer"}}"#,
        ] {
            assert_eq!(said(schema), "", "{schema}");
        }
    }
}
