//! A request in the words of `generateContent`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::chat::{ChatMessage, ChatRequest, Part, Role, Source, ToolCall, ToolChoice};
use crate::dialect::{Dialect, Sent};
use crate::model::{ModelRef, encoded};

/// Stands for the seal of a call that this provider did not make: models of the
/// third generation refuse calls without one.
const NO_SEAL: &str = "skip_thought_signature_validator";

/// A request for an answer.
pub(crate) fn write(request: &ChatRequest, model: &ModelRef, stream: bool) -> Sent {
    let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    Sent { path: path(model, verb), body: body(request, model) }
}

/// A request for the number of tokens of a prompt.
pub(crate) fn count(request: &ChatRequest, model: &ModelRef) -> Sent {
    let mut body = body(request, model);
    // Vertex AI takes the members of the request itself, the Gemini API wraps them.
    if model.base_url.contains("/publishers/") {
        if let Some(body) = body.as_object_mut() {
            body.retain(|key, _| {
                matches!(key.as_str(), "contents" | "systemInstruction" | "tools")
            });
        }
    } else {
        body["model"] = json!(format!("models/{}", model.model));
        body = json!({"generateContentRequest": body});
    }
    Sent { path: path(model, "countTokens"), body }
}

/// The path of a verb of a model.
pub(crate) fn path(model: &ModelRef, verb: &str) -> String {
    let name = &model.model;
    match name.contains('/') {
        true => format!("/{}:{verb}", encoded(name)),
        false => format!("/models/{}:{verb}", encoded(name)),
    }
}

fn body(request: &ChatRequest, model: &ModelRef) -> Value {
    let mut body = Map::new();
    let mut config = Map::new();
    let mut system: Vec<Value> = request
        .messages
        .iter()
        .filter(|message| message.role == Role::System)
        .map(ChatMessage::text)
        .filter(|text| !text.is_empty())
        .map(|text| json!({"text": text}))
        .collect();
    let third = is_third_generation(&model.model);
    if let Some(output) = &request.output {
        // Before the third generation it is either calls or a schema.
        match request.tools.is_empty() || third {
            true => {
                config.insert("responseMimeType".into(), json!("application/json"));
                config.insert("responseJsonSchema".into(), plain(Value::from(&output.schema)));
            }
            false => system.push(json!({"text": output.instructions()})),
        }
    }
    if !system.is_empty() {
        body.insert("systemInstruction".into(), json!({"parts": system}));
    }
    body.insert("contents".into(), contents(request, third).into());
    tools(request, &mut body);
    for (key, value) in [
        ("temperature", request.temperature.map(|t| json!(t))),
        ("topP", request.top_p.map(|p| json!(p))),
        ("maxOutputTokens", request.max_tokens.map(|n| json!(n))),
        ("seed", request.seed.map(|seed| json!(seed))),
        // More than five are refused.
        (
            "stopSequences",
            (!request.stop.is_empty())
                .then(|| json!(request.stop.iter().take(5).collect::<Vec<_>>())),
        ),
        ("thinkingConfig", request.reasoning_effort.as_deref().map(|e| thinking(e, &model.model))),
    ] {
        if let Some(value) = value {
            config.insert(key.into(), value);
        }
    }
    // What callers say of the configuration joins ours.
    for (key, value) in request.extra_in(Dialect::Gemini) {
        match (key, Value::from(value)) {
            ("generationConfig" | "generation_config", Value::Object(own)) => config.extend(own),
            (key, value) => {
                body.insert(key.into(), value);
            }
        }
    }
    if !config.is_empty() {
        body.insert("generationConfig".into(), Value::Object(config));
    }
    Value::Object(body)
}

fn is_third_generation(model: &str) -> bool {
    let bare = model.rsplit('/').next().unwrap_or(model);
    let digit = bare.strip_prefix("gemini-").and_then(|rest| rest.chars().next());
    // `gemini-flash-latest` and the like.
    digit.is_some_and(|c| !c.is_ascii_digit() || c >= '3')
}

fn thinking(effort: &str, model: &str) -> Value {
    if is_third_generation(model) {
        let level = match effort {
            "none" | "minimal" | "low" => "low",
            "medium" => "medium",
            _ => "high",
        };
        return json!({"thinkingLevel": level, "includeThoughts": true});
    }
    let budget = match effort {
        // The Pro models cannot leave it.
        "none" if model.contains("pro") => 128,
        "none" => 0,
        "minimal" => 512,
        "low" => 1024,
        "medium" => 8192,
        _ => 24_576,
    };
    json!({"thinkingBudget": budget, "includeThoughts": budget > 0})
}

/// Turns of the user and the model; neighbours of one role are one turn.
fn contents(request: &ChatRequest, third: bool) -> Vec<Value> {
    let names: HashMap<&str, &str> = request
        .messages
        .iter()
        .flat_map(ChatMessage::tool_calls)
        .map(|call| (call.id.as_str(), call.name.as_str()))
        .collect();
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in &request.messages {
        let (role, parts) = match message.role {
            Role::System => continue,
            Role::User => ("user", message.parts.iter().filter_map(plain_part).collect()),
            Role::Assistant => ("model", model_parts(message, third)),
            Role::Tool => ("user", results(message, &names)),
        };
        match turns.last_mut() {
            Some((last, known)) if *last == role => known.extend(parts),
            _ => turns.push((role, parts)),
        }
    }
    turns.retain(|(_, parts)| !parts.is_empty());
    turns.into_iter().map(|(role, parts)| json!({"role": role, "parts": parts})).collect()
}

/// What the model said, each seal at the part that it came with.
fn model_parts(message: &ChatMessage, third: bool) -> Vec<Value> {
    let seals: Vec<Value> = message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Reasoning { opaque, .. } => Some(Value::from(opaque)),
            _ => None,
        })
        .collect();
    let of_call = |call: &ToolCall| {
        let seal = seals.iter().find(|seal| seal["on"] == "call" && seal["call"] == *call.id);
        seal.map(|seal| seal["thought_signature"].clone())
    };
    let mut parts: Vec<Value> = Vec::new();
    let mut any_call = false;
    for part in &message.parts {
        match part {
            Part::Reasoning { opaque, .. } => {
                let seal = Value::from(opaque);
                if seal["on"] == "text" {
                    let signature = &seal["thought_signature"];
                    match parts.last_mut().filter(|last| last["text"].is_string()) {
                        Some(last) => last["thoughtSignature"] = signature.clone(),
                        None => parts.push(json!({"text": "", "thoughtSignature": signature})),
                    }
                }
            }
            Part::ToolCall(call) => {
                let mut value = json!({"functionCall": function_call(call)});
                // Only the first of several calls at a time has a seal.
                let missing = (third && !any_call).then(|| json!(NO_SEAL));
                if let Some(signature) = of_call(call).or(missing) {
                    value["thoughtSignature"] = signature;
                }
                any_call = true;
                parts.push(value);
            }
            part => parts.extend(plain_part(part)),
        }
    }
    parts
}

fn function_call(call: &ToolCall) -> Value {
    let args = call.args().map_or(json!({}), |args| Value::from(&args));
    let mut value = json!({"name": call.name, "args": args});
    if !is_made_up(&call.id) {
        value["id"] = json!(call.id);
    }
    value
}

/// Ids that we made up, or another provider did, tell this one nothing.
fn is_made_up(id: &str) -> bool {
    id.is_empty() || id.starts_with("call_") || id.starts_with("toolu_")
}

/// Results of calls, and the pictures in them, which stand beside.
fn results(message: &ChatMessage, names: &HashMap<&str, &str>) -> Vec<Value> {
    let mut parts = Vec::new();
    let mut media = Vec::new();
    for part in &message.parts {
        let Part::ToolResult { call_id, name, content, is_error } = part else { continue };
        let known = names.get(call_id.as_str()).map(|name| name.to_string());
        let name = known.or_else(|| name.clone()).unwrap_or_default();
        let text = crate::chat::text_of(content);
        let response = match serde_json::from_str::<Value>(&text) {
            _ if *is_error => json!({"error": text}),
            Ok(value @ Value::Object(_)) => value,
            _ => json!({"result": text}),
        };
        let mut result = json!({"name": name, "response": response});
        if !is_made_up(call_id) {
            result["id"] = json!(call_id);
        }
        parts.push(json!({"functionResponse": result}));
        let pictures = content.iter().filter(|part| !matches!(part, Part::Text { .. }));
        media.extend(pictures.filter_map(plain_part));
    }
    parts.extend(media);
    parts
}

fn plain_part(part: &Part) -> Option<Value> {
    match part {
        Part::Text { text } | Part::Refusal { text } if text.is_empty() => None,
        Part::Text { text } | Part::Refusal { text } => Some(json!({"text": text})),
        Part::Image { source, .. } => Some(file(source, "image/jpeg")),
        Part::File { source, .. } => Some(file(source, "application/pdf")),
        Part::Native { dialect: Dialect::Gemini, value } => {
            let value = Value::from(value);
            // Notes on where a text was found, and on how it ended, are no parts.
            let is_note = value.as_object().is_some_and(|members| {
                members.keys().all(|key| key.ends_with("Metadata") || key == "finishMessage")
            });
            (!is_note).then_some(value)
        }
        Part::Reasoning { .. }
        | Part::ToolCall(_)
        | Part::ToolResult { .. }
        | Part::Native { .. } => None,
    }
}

fn file(source: &Source, guess: &str) -> Value {
    match source {
        Source::Base64 { media_type, data } => {
            json!({"inlineData": {"mimeType": media_type, "data": data}})
        }
        Source::Url(url) => {
            let path = url.split(['?', '#']).next().unwrap_or(url).to_lowercase();
            let by_name = MEDIA_TYPES.iter().find(|(end, _)| path.ends_with(end));
            let media_type = by_name.map_or(guess, |(_, media_type)| media_type);
            json!({"fileData": {"mimeType": media_type, "fileUri": url}})
        }
    }
}

const MEDIA_TYPES: &[(&str, &str)] = &[
    (".png", "image/png"),
    (".webp", "image/webp"),
    (".gif", "image/gif"),
    (".heic", "image/heic"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".pdf", "application/pdf"),
    (".txt", "text/plain"),
    (".mp3", "audio/mp3"),
    (".wav", "audio/wav"),
    (".mp4", "video/mp4"),
];

fn tools(request: &ChatRequest, body: &mut Map<String, Value>) {
    let declarations: Vec<_> = request
        .tools
        .iter()
        .map(|tool| {
            let mut value = json!({"name": tool.name, "description": tool.description});
            let schema = plain(Value::from(&tool.parameters));
            // Parameters without members are refused.
            if schema["properties"].as_object().is_some_and(|members| !members.is_empty()) {
                value["parametersJsonSchema"] = schema;
            }
            value
        })
        .collect();
    let mut tools = Vec::new();
    if !declarations.is_empty() {
        tools.push(json!({"functionDeclarations": declarations}));
    }
    tools.extend(request.native_tools.iter().map(Value::from));
    if tools.is_empty() {
        return;
    }
    body.insert("tools".into(), tools.into());
    let mode = match &request.tool_choice {
        ToolChoice::Auto => return,
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
        ToolChoice::Tool(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
    };
    body.insert("toolConfig".into(), json!({"functionCallingConfig": mode}));
}

/// A schema without what only names it.
fn plain(mut schema: Value) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.retain(|key, _| !matches!(key.as_str(), "$schema" | "$id"));
    }
    schema
}
