//! Structured output: asked for, read, checked against its schema, asked again.

use weaver_core::{Failure, FailureKind, Value};
use weaver_llm::{ChatMessage, ChatRequest, Gateway, OutputSchema};
use weaver_runtime::TaskContext;

use crate::model;

/// How often a model is told what was wrong with its answer.
const REPAIRS: usize = 2;

/// Asks a model for a value of a shape. An answer that does not fit goes back to
/// the model with the problem, twice at most.
pub async fn ask(
    gateway: &Gateway,
    context: &TaskContext,
    mut request: ChatRequest,
    output: &OutputSchema,
) -> Result<Value, Failure> {
    let schema = serde_json::Value::from(&output.schema);
    let validator = jsonschema::validator_for(&schema).map_err(|error| {
        let message = format!("the output schema `{}` is no JSON Schema: {error}", output.name);
        Failure::new(FailureKind::InvalidInput, "schema_invalid", message)
    })?;
    let mut problem = String::new();
    for _ in 0..=REPAIRS {
        let response = model::ask(gateway, context, request.clone()).await?;
        problem = match check(&validator, response.json()) {
            Ok(value) => return Ok(value),
            Err(problem) => problem,
        };
        request.messages.push(response.to_message());
        request.messages.push(ChatMessage::user(format!(
            "That answer does not fit: {problem}. Answer again with just the JSON."
        )));
    }
    let message =
        format!("the model's answer does not fit the schema `{}`: {problem}", output.name);
    Err(Failure::new(FailureKind::Model, "model_output_invalid", message))
}

/// The value, or what is wrong with it.
pub fn check(
    validator: &jsonschema::Validator,
    answer: Result<Value, String>,
) -> Result<Value, String> {
    let value = answer?;
    let instance = serde_json::Value::from(&value);
    let problems: Vec<String> = validator
        .iter_errors(&instance)
        .take(5)
        .map(|error| match error.instance_path().to_string().as_str() {
            "" => error.to_string(),
            path => format!("{path}: {error}"),
        })
        .collect();
    if problems.is_empty() { Ok(value) } else { Err(problems.join("; ")) }
}
