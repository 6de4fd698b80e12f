//! A request in the words of Responses: a list of items instead of messages.

use serde_json::{Map, Value, json};

use crate::chat::{ChatMessage, ChatRequest, Part, Role, Source, ToolChoice};
use crate::dialect::{Dialect, Sent};
use crate::model::{ModelRef, Profile};
use crate::openai::{audio, may_be_strict, url};

/// A request for an answer.
pub(crate) fn write(request: &ChatRequest, model: &ModelRef, stream: bool) -> Sent {
    Sent { path: "/responses".into(), body: body(request, model, stream) }
}

/// A request for the number of tokens of a prompt.
pub(crate) fn count(request: &ChatRequest, model: &ModelRef) -> Sent {
    let mut body = body(request, model, false);
    let kept = ["model", "input", "instructions", "tools", "tool_choice", "text", "reasoning"];
    if let Some(body) = body.as_object_mut() {
        body.retain(|key, _| kept.contains(&key.as_str()));
    }
    Sent { path: "/responses/input_tokens".into(), body }
}

fn body(request: &ChatRequest, model: &ModelRef, stream: bool) -> Value {
    let profile = Profile::of(&model.model);
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| {
        body.insert(key.into(), value);
    };
    put("model", json!(model.model));
    let leading = request.messages.iter().take_while(|message| message.role == Role::System);
    let instructions: Vec<_> = leading.clone().map(ChatMessage::text).collect();
    if !instructions.is_empty() {
        put("instructions", json!(instructions.join("\n\n")));
    }
    let rest = request.messages.iter().skip(instructions.len());
    put("input", rest.flat_map(items).collect());
    put("stream", json!(stream));
    // The conversation is ours; the provider need not keep it, and gives its
    // reasoning sealed instead.
    put("store", json!(false));
    if profile.reasoning {
        put("include", json!(["reasoning.encrypted_content"]));
    } else {
        for (key, value) in [("temperature", request.temperature), ("top_p", request.top_p)] {
            if let Some(value) = value {
                put(key, json!(value));
            }
        }
    }
    if let Some(effort) = request.reasoning_effort.as_ref().filter(|_| profile.reasoning) {
        put("reasoning", json!({"effort": effort}));
    }
    if let Some(limit) = request.max_tokens {
        // Less is refused.
        put("max_output_tokens", json!(limit.max(16)));
    }
    if let Some(output) = &request.output {
        let schema = Value::from(&output.schema);
        let strict = output.strict && may_be_strict(&schema);
        let format =
            json!({"type": "json_schema", "name": output.name, "schema": schema, "strict": strict});
        put("text", json!({"format": format}));
    }
    let own = request.tools.iter().map(|tool| {
        let mut parameters = Value::from(&tool.parameters);
        if parameters.as_object().is_none_or(Map::is_empty) {
            parameters = json!({"type": "object", "properties": {}});
        }
        let (name, description) = (&tool.name, &tool.description);
        // Strict is the default here, and many schemas are not fit for it.
        json!({"type": "function", "name": name, "description": description, "parameters": parameters, "strict": false})
    });
    let tools: Vec<_> = own.chain(request.native_tools.iter().map(Value::from)).collect();
    if !tools.is_empty() {
        put("tools", Value::Array(tools));
        put(
            "tool_choice",
            match &request.tool_choice {
                ToolChoice::Auto => json!("auto"),
                ToolChoice::None => json!("none"),
                ToolChoice::Required => json!("required"),
                ToolChoice::Tool(name) => json!({"type": "function", "name": name}),
            },
        );
        if let Some(parallel) = request.parallel_tool_calls {
            put("parallel_tool_calls", json!(parallel));
        }
    }
    for (key, value) in request.extra_in(Dialect::Responses) {
        put(key, Value::from(value));
    }
    Value::Object(body)
}

/// A message as items: its words together, calls and results and reasoning apart.
fn items(message: &ChatMessage) -> Vec<Value> {
    let mut items = Vec::new();
    let mut content = Vec::new();
    let role = match message.role {
        Role::System => "developer",
        Role::Assistant => "assistant",
        Role::User | Role::Tool => "user",
    };
    let flush = |content: &mut Vec<Value>, items: &mut Vec<Value>| {
        if !content.is_empty() {
            let content = std::mem::take(content);
            items.push(json!({"type": "message", "role": role, "content": content}));
        }
    };
    for part in &message.parts {
        match part {
            Part::ToolCall(call) => {
                flush(&mut content, &mut items);
                let good = call.args().is_ok() && !call.arguments.trim().is_empty();
                let arguments = if good { call.arguments.as_str() } else { "{}" };
                items.push(json!({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments}));
            }
            Part::ToolResult { call_id, content: result, .. } => {
                let media = result.iter().any(|part| !matches!(part, Part::Text { .. }));
                let output = match media {
                    true => result.iter().filter_map(|part| piece(part, Role::User)).collect(),
                    false => json!(crate::chat::text_of(result)),
                };
                items.push(
                    json!({"type": "function_call_output", "call_id": call_id, "output": output}),
                );
            }
            Part::Reasoning { opaque, .. } => {
                let item = Value::from(opaque);
                // Without the seal it could only be found in the provider's store.
                if item["type"] == "reasoning" && item["encrypted_content"].is_string() {
                    flush(&mut content, &mut items);
                    items.push(item);
                }
            }
            Part::Native { dialect: Dialect::Responses, value } => {
                let item = Value::from(value);
                if item["type"].is_string() {
                    flush(&mut content, &mut items);
                    items.push(item);
                }
            }
            part => content.extend(piece(part, message.role)),
        }
    }
    flush(&mut content, &mut items);
    items
}

fn piece(part: &Part, role: Role) -> Option<Value> {
    let kind = if role == Role::Assistant { "output_text" } else { "input_text" };
    match part {
        Part::Text { text } => Some(json!({"type": kind, "text": text})),
        Part::Refusal { text } => Some(json!({"type": "refusal", "refusal": text})),
        Part::Image { source, detail } => {
            let detail = detail.as_deref().unwrap_or("auto");
            Some(json!({"type": "input_image", "image_url": url(source), "detail": detail}))
        }
        Part::File { source: Source::Url(url), .. } => {
            Some(json!({"type": "input_file", "file_url": url}))
        }
        Part::File { source: Source::Base64 { media_type, data }, .. }
            if media_type.starts_with("audio/") =>
        {
            Some(audio(media_type, data))
        }
        Part::File { source, name } => {
            let name = name.as_deref().unwrap_or("document.pdf");
            Some(json!({"type": "input_file", "filename": name, "file_data": url(source)}))
        }
        _ => None,
    }
}
