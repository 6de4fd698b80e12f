//! Model calls of nodes: an effect of the task, streamed as it is answered.

use tokio_util::sync::CancellationToken;
use weaver_core::event::Usage;
use weaver_core::{EventKind, Failure, FailureKind, Message, Value};
use weaver_llm::{ChatEvent, ChatRequest, ChatResponse, Gateway, ModelRef, OutputSchema};
use weaver_runtime::{EffectPolicy, EffectRequest, Fire, Spending, TaskContext};

use crate::cost;

/// Asks a model within a task: recorded, so that a rerun of the task gets the
/// same answer, and streamed to whoever watches.
pub async fn ask(
    gateway: &Gateway,
    context: &TaskContext,
    request: ChatRequest,
) -> Result<ChatResponse, Failure> {
    let model = gateway.resolve(&request.model).map_err(Failure::from)?;
    let asked = EffectRequest {
        kind: "model",
        request: request_value(&request)?,
        policy: if model.offline { EffectPolicy::Local } else { EffectPolicy::Ask },
    };
    let answer =
        context.effect(asked, |fire| fire_call(gateway, context, &model, request, fire)).await?;
    serde_json::from_value(serde_json::Value::from(&answer)).map_err(|error| {
        let message = format!("a recorded answer of a model cannot be read: {error}");
        Failure::new(FailureKind::Internal, "record_unreadable", message)
    })
}

async fn fire_call(
    gateway: &Gateway,
    context: &TaskContext,
    model: &ModelRef,
    mut request: ChatRequest,
    fire: Fire,
) -> Result<Value, Failure> {
    let spending = cost::reserve(gateway, context, model, &mut request).await?;
    let began = std::time::Instant::now();
    let name = model.to_string();
    context.emit(
        EventKind::LlmRequest,
        Value::map([("model", Value::str(&*name)), ("messages", messages_value(&request))]),
    );
    let call = weaver_llm::Call {
        cancel: CancellationToken::new(),
        earlier_tries: fire.earlier_failures + context.task().attempt.saturating_sub(1),
        budget_micros: spending.as_ref().map(Spending::amount_micros),
        ..weaver_llm::Call::default()
    };
    let mut first = None;
    let answered = async {
        let stream = gateway.chat(request, call).await?;
        let seen = |event: &ChatEvent| {
            first.get_or_insert_with(|| began.elapsed());
            show(context, event);
        };
        stream.collect(seen).await
    };
    let response = answered.await.map_err(Failure::from);
    cost::settle(spending, &response).await?;
    let response = response?;
    let mut event = context.event(EventKind::LlmResponse);
    event.duration_us = Some(began.elapsed().as_micros() as u64);
    event.usage = (response.usage.tokens != Usage::default()).then_some(response.usage.tokens);
    event.cost_micros = response.cost_micros;
    let mut data = vec![
        ("model", Value::str(name)),
        ("message", weaver_llm::convert::to_message(&response).to_value()),
        ("stop", response.stop.as_str().into()),
    ];
    let first = first.map(|first| ("first_token_us", Value::Int(first.as_micros() as i64)));
    data.extend(first);
    event.data = Value::map(data);
    context.emit_event(event);
    let json = serde_json::to_value(&response).expect("a response has a JSON form");
    Ok(Value::from(&json))
}

fn show(context: &TaskContext, event: &ChatEvent) {
    context.progress();
    let data = match event {
        ChatEvent::Text { text } => Value::map([("text", Value::str(&**text))]),
        ChatEvent::ToolCallStart { name, .. } => Value::map([("tool_call", Value::str(&**name))]),
        _ => return,
    };
    context.emit(EventKind::LlmStreamChunk, data);
}

fn request_value(request: &ChatRequest) -> Result<Value, Failure> {
    let json = serde_json::to_value(request).map_err(|error| {
        Failure::new(FailureKind::InvalidInput, "model_bad_request", error.to_string())
    })?;
    Ok(Value::from(&json))
}

fn messages_value(request: &ChatRequest) -> Value {
    let json = serde_json::to_value(&request.messages).expect("messages have a JSON form");
    Value::from(&json)
}

/// Messages as a model takes them: one value that `add_messages` would coerce, or a list.
pub fn messages_of(value: &Value) -> Result<Vec<Message>, Failure> {
    let single = match value {
        Value::List(items) => {
            let read = items.iter().map(Message::from_value).collect::<Result<Vec<_>, _>>();
            return read.map_err(bad_messages);
        }
        other => Message::from_value(other),
    };
    single.map(|message| vec![message]).map_err(bad_messages)
}

fn bad_messages(problem: String) -> Failure {
    Failure::new(FailureKind::InvalidInput, "model_bad_request", problem).with_help(
        "messages are text, messages, (role, content) pairs or dicts with role and content",
    )
}

/// A parameter of a chat model in LangChain's or OpenAI's words; others are
/// kept for the provider.
pub fn set_parameter(request: &mut ChatRequest, key: &str, value: &Value) {
    let count = || value.as_int().and_then(|n| u32::try_from(n).ok());
    match key {
        _ if value.is_null() => {}
        "temperature" => request.temperature = value.as_f64(),
        "top_p" => request.top_p = value.as_f64(),
        "max_tokens" | "max_completion_tokens" | "max_output_tokens" | "num_predict" => {
            request.max_tokens = count();
        }
        "stop" | "stop_sequences" => {
            request.stop = match value {
                Value::List(items) => {
                    items.iter().filter_map(Value::as_str).map(String::from).collect()
                }
                other => other.as_str().map(String::from).into_iter().collect(),
            };
        }
        "seed" => request.seed = value.as_int(),
        "cache_seconds" => {
            request.cache_seconds = value.as_int().and_then(|n| u64::try_from(n).ok());
        }
        "reasoning_effort" => request.reasoning_effort = value.as_str().map(String::from),
        "parallel_tool_calls" => request.parallel_tool_calls = value.as_bool(),
        "extra_body" | "model_kwargs" => {
            for (key, value) in value.as_map().into_iter().flatten() {
                request.extra.insert(key.clone(), value.clone());
            }
        }
        _ => {}
    }
}

/// A schema for structured output: a JSON Schema, or `{"name", "schema"}`.
pub fn output_schema(value: &Value) -> Result<Option<OutputSchema>, Failure> {
    let Value::Map(map) = value else {
        return match value {
            Value::Null => Ok(None),
            other => Err(Failure::new(
                FailureKind::InvalidInput,
                "model_bad_request",
                format!(
                    "an output schema must be a schema class or a dict, not {}",
                    other.type_name()
                ),
            )),
        };
    };
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    let schema = map.get("schema").filter(|schema| schema.as_map().is_some()).unwrap_or(value);
    let title = schema.get("title").and_then(Value::as_str);
    let name = text("name").or(title).unwrap_or("output").replace(' ', "_");
    Ok(Some(OutputSchema { name, schema: schema.clone(), strict: false }))
}
