//! The arguments that a model gives to a tool of the file.

use weaver_core::spec::ToolSpec;
use weaver_core::{Failure, FailureKind, Map, Value};

use crate::structured;

/// Code of arguments that do not fit a tool's schema.
pub const TOOL_ARGUMENTS: &str = "tool_arguments";

/// Arguments that do not fit the tool's schema are an answer, not a call.
pub fn check_arguments(spec: &ToolSpec, args: &Map) -> Result<(), Failure> {
    let schema = serde_json::Value::from(&spec.parameters);
    let Ok(validator) = jsonschema::validator_for(&schema) else { return Ok(()) };
    let args = Value::from(args.clone());
    structured::check(&validator, Ok(args.clone())).map(drop).map_err(|problem| {
        let message = format!(
            "Error invoking tool '{}' with kwargs {} with error:\n {problem}\n Please fix the error and try again.",
            spec.name,
            args.plain().to_json(),
        );
        let mut failure = Failure::new(FailureKind::Tool, TOOL_ARGUMENTS, message);
        failure.exception = Some("ToolInvocationError".into());
        failure
    })
}

/// The arguments of a call, read as pydantic reads them: what the tool does not take is left
/// out, and a number that a model wrote as text is a number.
pub fn typed_arguments(spec: &ToolSpec, args: &Value) -> Map {
    let properties = spec.parameters.get("properties");
    let property = |name: &str| properties.and_then(|all| all.get(name));
    let args = args.as_map().into_iter().flatten();
    args.filter(|(name, _)| properties.is_none() || property(name).is_some())
        .map(|(name, value)| {
            let read = property(name).and_then(|schema| typed(schema, value));
            (name.clone(), read.unwrap_or_else(|| value.clone()))
        })
        .collect()
}

/// A value as the type that a schema asks for; nothing where it cannot be, or is already.
fn typed(schema: &Value, value: &Value) -> Option<Value> {
    match (schema.get("type")?.as_str()?, value) {
        ("array", Value::List(items)) => {
            let schema = schema.get("items")?;
            let read = |item| typed(schema, item).unwrap_or_else(|| item.clone());
            Some(Value::list(items.iter().map(read)))
        }
        ("number", Value::Int(number)) => Some(Value::Float(*number as f64)),
        ("number", Value::Str(text)) => text.trim().parse().ok().map(Value::Float),
        ("integer", Value::Str(text)) => text.trim().parse().ok().map(Value::Int),
        ("integer", Value::Float(number)) if number.fract() == 0.0 && number.abs() < 2e15 => {
            Some(Value::Int(*number as i64))
        }
        ("boolean", Value::Str(text)) => match &*text.to_lowercase() {
            "true" | "yes" | "on" | "1" => Some(true.into()),
            "false" | "no" | "off" | "0" => Some(false.into()),
            _ => None,
        },
        _ => None,
    }
}
