//! Whether an input fits the fields of a state: told with the field and its type
//! before anything runs, where a node would fail on it somewhere.

use std::fmt::Write;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use weaver_core::spec::{FieldSpec, ReducerSpec, SchemaKind, SchemaSpec};
use weaver_core::{Map, Message, Value};

use crate::render::term;

/// Characters of a wrong value that are shown.
const SHOWN: usize = 40;

/// One sentence for each field whose value is of another type than it is annotated
/// with. Reducers of the user's own may take anything; so may `null` stand for "not
/// yet" in every state that Python does not validate.
pub fn misfits(schema: Option<&SchemaSpec>, fields: &[&FieldSpec], input: &Value) -> Vec<String> {
    let Some(given) = input.as_map() else { return Vec::new() };
    let mut found = Vec::new();
    for field in fields {
        let Some(value) = given.get(field.name.as_str()).filter(|value| value.tag().is_none())
        else {
            continue;
        };
        match &field.reducer {
            Some(ReducerSpec::AddMessages) => found.extend(message_misfit(field, value)),
            Some(ReducerSpec::Function { .. } | ReducerSpec::Delta { .. }) => {}
            Some(ReducerSpec::Channel { class, .. }) if class != "LastValue" => {}
            _ => found.extend(schema.into_iter().flat_map(|schema| of_field(schema, field, value))),
        }
    }
    found
}

/// The keys that are none of these, quoted.
pub fn unknown(keys: &[&str], given: &Map) -> Vec<String> {
    given.keys().filter(|key| !keys.contains(&&***key)).map(|key| format!("`{key}`")).collect()
}

/// Fields of a validated state that are neither given nor have a default.
pub fn missing(schema: Option<&SchemaSpec>, fields: &[&FieldSpec], input: &Value) -> Vec<String> {
    if schema.is_none_or(|schema| schema.kind != SchemaKind::Pydantic) {
        return Vec::new();
    }
    let absent = |field: &&&FieldSpec| field.required && input.get(&field.name).is_none();
    fields.iter().filter(absent).map(|field| format!("{} is missing", typed(field))).collect()
}

/// `add_messages` takes a message or a list of them.
fn message_misfit(field: &FieldSpec, value: &Value) -> Option<String> {
    let name = &field.name;
    match value {
        Value::List(items) => items.iter().enumerate().find_map(|(i, item)| {
            let why = Message::from_value(item).err()?;
            Some(format!("`{name}[{i}]` is no message: {why}"))
        }),
        Value::Map(_) | Value::Str(_) => {
            let why = Message::from_value(value).err()?;
            Some(format!("`{name}` is no message: {why}"))
        }
        other => Some(format!("`{name}` must be a list of messages, not {}", words(other))),
    }
}

fn of_field(schema: &SchemaSpec, field: &FieldSpec, value: &Value) -> Vec<String> {
    let validated = schema.kind == SchemaKind::Pydantic;
    let Some(rule) = schema.json_schema.get("properties").and_then(|all| all.get(&field.name))
    else {
        return Vec::new();
    };
    // A rule that is no JSON Schema is the parser's fault, not the user's.
    let Ok(validator) = jsonschema::validator_for(&serde_json::Value::from(rule)) else {
        return Vec::new();
    };
    let instance = serde_json::Value::from(value);
    let errors = validator.iter_errors(&instance);
    let refused = errors.filter(|error| match validated {
        true => !(is_coerced(error) || value.is_null() && !field.required),
        false => is_of_other_type(error),
    });
    refused.map(|error| sentence(field, &error)).collect()
}

/// Python itself would stumble over it; lengths, ranges and missing parts it would not see.
fn is_of_other_type(error: &ValidationError<'_>) -> bool {
    match error.kind() {
        ValidationErrorKind::Type { .. } => !error.instance().is_null(),
        ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. } => true,
        ValidationErrorKind::AnyOf { context } => {
            context.iter().all(|branch| branch.iter().any(is_of_other_type))
        }
        _ => false,
    }
}

/// pydantic reads numbers, dates and truth out of text by itself.
fn is_coerced(error: &ValidationError<'_>) -> bool {
    let from_text = error.instance().is_string() || error.instance().is_boolean();
    match error.kind() {
        ValidationErrorKind::Type { kind } => {
            let text = format!("{kind:?}").to_lowercase();
            from_text && ["integer", "number", "boolean"].iter().any(|word| text.contains(word))
        }
        ValidationErrorKind::Format { .. } => true,
        ValidationErrorKind::AnyOf { context } => {
            context.iter().any(|branch| branch.iter().all(is_coerced))
        }
        _ => false,
    }
}

/// `question: str` cannot be a number: 3
fn sentence(field: &FieldSpec, error: &ValidationError<'_>) -> String {
    let wrong = Value::from(error.instance().as_ref());
    let mut place = field.name.clone();
    for part in error.instance_path().to_string().split('/').skip(1) {
        let _ = match part.parse::<usize>() {
            Ok(index) => write!(place, "[{index}]"),
            Err(_) => write!(place, ".{part}"),
        };
    }
    let whole = place == field.name;
    match error.kind() {
        ValidationErrorKind::Type { .. } | ValidationErrorKind::AnyOf { .. } if whole => {
            format!("{} cannot be {}", typed(field), words(&wrong))
        }
        ValidationErrorKind::Type { kind } => {
            let wanted = type_words(kind);
            format!("`{place}` must be {wanted}, not {}", words(&wrong))
        }
        _ => format!("`{place}`: {error}"),
    }
}

fn type_words(kind: &jsonschema::error::TypeKind) -> String {
    let name = |kind: jsonschema::JsonType| match kind.to_string().as_str() {
        "string" => "text".to_string(),
        "integer" => "a whole number".into(),
        "number" => "a number".into(),
        "boolean" => "true or false".into(),
        "array" => "a list".into(),
        "object" => "an object".into(),
        other => other.to_string(),
    };
    match kind {
        jsonschema::error::TypeKind::Single(kind) => name(*kind),
        jsonschema::error::TypeKind::Multiple(kinds) => {
            kinds.iter().map(name).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn typed(field: &FieldSpec) -> String {
    match field.annotation.as_str() {
        "" => format!("`{}`", field.name),
        annotation => format!("`{}: {annotation}`", field.name),
    }
}

/// `a number: 3`.
fn words(value: &Value) -> String {
    let kind = json_type(value);
    match value {
        Value::Null | Value::Bool(_) => value.to_json(),
        _ => format!("{kind}: {}", term::one_line(&value.to_json(), SHOWN)),
    }
}

/// What a JSON value is called.
pub fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::Str(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "an object",
    }
}
