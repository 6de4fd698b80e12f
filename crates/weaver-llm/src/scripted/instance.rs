//! Data that fits a JSON Schema, made without a model: the smallest instance that
//! makes sense, with words and numbers of the request where they fit.

use serde_json::{Map, Value, json};

/// Depth at which optional members are left out, so that a schema that contains
/// itself comes to an end.
const DEPTH_OF_OPTIONAL: usize = 4;
/// Depth at which nothing more is made.
const DEPTH_MAX: usize = 32;

/// Which members of an object are made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Members {
    /// All of them: an answer should be full.
    All,
    /// Those that the schema requires: arguments that have defaults keep them.
    Required,
}

/// An instance of a schema. `text` is what the request is about.
pub(super) fn instance(schema: &Value, text: &str, members: Members) -> Value {
    Maker { root: schema, text, members }.make(schema, "", 0)
}

struct Maker<'a> {
    root: &'a Value,
    text: &'a str,
    members: Members,
}

impl Maker<'_> {
    fn make(&self, schema: &Value, name: &str, depth: usize) -> Value {
        if depth > DEPTH_MAX {
            return Value::Null;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let target = self.root.pointer(target.trim_start_matches('#'));
            return target.map_or(Value::Null, |target| self.make(target, name, depth + 1));
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(options) = schema.get("enum").and_then(Value::as_array) {
            return self.choose(options);
        }
        if let Some(value) = schema.get("default").filter(|value| !value.is_null()) {
            return value.clone();
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(options) = schema.get(key).and_then(Value::as_array) {
                let real = options.iter().find(|option| option["type"] != "null");
                return real.map_or(Value::Null, |option| self.make(option, name, depth + 1));
            }
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            return self.make(&merged(schema, parts, self.root), name, depth + 1);
        }
        match type_of(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, name, depth),
            "integer" => json!(self.number(schema).round() as i64),
            "number" => json!(self.number(schema)),
            // A loop that waits for `approved` or `done` should end.
            "boolean" => json!(true),
            "null" => Value::Null,
            _ => Value::String(self.string(schema, name)),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let required: Vec<&str> = schema["required"]
            .as_array()
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let all = self.members == Members::All && depth < DEPTH_OF_OPTIONAL;
        let mut object = Map::new();
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            if all || required.contains(&name.as_str()) {
                object.insert(name.clone(), self.make(member, name, depth + 1));
            }
        }
        Value::Object(object)
    }

    fn array(&self, schema: &Value, name: &str, depth: usize) -> Value {
        let least = schema["minItems"].as_u64().unwrap_or(0) as usize;
        let most = schema["maxItems"].as_u64().map_or(usize::MAX, |most| most as usize);
        let count = if depth < DEPTH_OF_OPTIONAL { least.max(1) } else { least };
        let item = schema.get("items").cloned().unwrap_or(json!({"type": "string"}));
        let items = (0..count.min(most).min(1000)).map(|_| self.make(&item, name, depth + 1));
        Value::Array(items.collect())
    }

    /// An option that the text mentions, else the first.
    fn choose(&self, options: &[Value]) -> Value {
        let text = self.text.to_lowercase();
        let mentioned = options.iter().filter_map(|option| {
            let words = option.as_str()?.to_lowercase().replace(['_', '-'], " ");
            let at = text.find(&words).filter(|_| !words.is_empty());
            let share = words.split(' ').filter(|w| w.len() > 3 && text.contains(w)).count();
            (at.is_some() || share > 0).then_some((at.is_some(), share, option))
        });
        let best = mentioned.reduce(
            |best, next| {
                if (next.0, next.1) > (best.0, best.1) { next } else { best }
            },
        );
        best.map(|(_, _, option)| option).or(options.first()).cloned().unwrap_or_default()
    }

    /// A number of the text that lies within the bounds; else the upper bound
    /// (a score that ends a loop), else the lower one, else 1.
    fn number(&self, schema: &Value) -> f64 {
        let bound = |inclusive: &str, exclusive: &str, step: f64| {
            let exclusive = schema[exclusive].as_f64().map(|limit| limit + step);
            schema[inclusive].as_f64().or(exclusive)
        };
        let step = if type_of(schema) == "integer" { 1.0 } else { 0.001 };
        let low = bound("minimum", "exclusiveMinimum", step);
        let high = bound("maximum", "exclusiveMaximum", -step);
        let fits = |n: &f64| low.is_none_or(|low| *n >= low) && high.is_none_or(|high| *n <= high);
        numbers(self.text).find(fits).or(high).or(low).unwrap_or(1.0)
    }

    fn string(&self, schema: &Value, name: &str) -> String {
        let fixed = match schema["format"].as_str() {
            Some("date") => Some("2000-01-01"),
            Some("date-time") => Some("2000-01-01T00:00:00Z"),
            Some("time") => Some("00:00:00Z"),
            Some("email") => Some("someone@example.com"),
            Some("uri" | "url") => Some("https://example.com/"),
            Some("uuid") => Some("00000000-0000-0000-0000-000000000000"),
            _ => None,
        };
        if let Some(fixed) = fixed {
            return fixed.into();
        }
        let whole = ["query", "question", "text", "input", "message", "content", "prompt"];
        let limit = if whole.contains(&name) { 400 } else { 120 };
        let mut text = super::builtin::first_sentence(self.text, limit);
        if text.is_empty() {
            text = if name.is_empty() { "text".into() } else { name.into() };
        }
        let least = schema["minLength"].as_u64().unwrap_or(0).min(10_000) as usize;
        while text.chars().count() < least {
            text.push('.');
        }
        match schema["maxLength"].as_u64() {
            Some(most) => text.chars().take(most as usize).collect(),
            None => text,
        }
    }
}

fn type_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

/// One object schema out of the parts of an `allOf`.
fn merged(schema: &Value, parts: &[Value], root: &Value) -> Value {
    let mut merged = schema.clone();
    let Some(whole) = merged.as_object_mut() else { return merged };
    whole.remove("allOf");
    for part in parts {
        let target = part["$ref"].as_str().and_then(|to| root.pointer(to.trim_start_matches('#')));
        for (key, value) in target.unwrap_or(part).as_object().into_iter().flatten() {
            match (whole.get_mut(key), value) {
                (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
                (Some(Value::Array(known)), Value::Array(more)) => known.extend(more.clone()),
                _ => {
                    whole.insert(key.clone(), value.clone());
                }
            }
        }
    }
    merged
}

/// The numbers written in a text, in order.
fn numbers(text: &str) -> impl Iterator<Item = f64> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'))
        .filter_map(|word| word.trim_end_matches('.').parse().ok())
}
