//! A request in the words of Messages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::schema;
use crate::chat::{ChatMessage, ChatRequest, Part, Role, Source, ToolChoice};
use crate::dialect::{Dialect, Sent};
use crate::model::ModelRef;

/// A request for an answer.
pub(crate) fn write(request: &ChatRequest, model: &ModelRef, stream: bool) -> Sent {
    Sent {
        path: "/v1/messages".into(),
        body: body(request, &Claude::of(&model.model), model, stream),
    }
}

/// A request for the number of tokens of a prompt.
pub(crate) fn count(request: &ChatRequest, model: &ModelRef) -> Sent {
    let mut body = body(request, &Claude::of(&model.model), model, false);
    let kept = ["model", "messages", "system", "tools", "tool_choice", "thinking"];
    if let Some(body) = body.as_object_mut() {
        body.retain(|key, _| kept.contains(&key.as_str()));
    }
    Sent { path: "/v1/messages/count_tokens".into(), body }
}

/// Whether a model goes on from a beginning of its own answer; since 4.6 none does.
pub(crate) fn takes_beginnings(model: &str) -> bool {
    version(model.rsplit('/').next().unwrap_or(model)) < (4, 6)
}

/// What a model takes, by its name.
struct Claude {
    /// Limit of an answer when the request has none: one must be named.
    max_tokens: u32,
    /// How thinking is asked for.
    thinking: Thinking,
    /// Whether it takes sampling settings.
    samples: bool,
    /// Whether it takes a schema for its answer.
    schemas: bool,
    /// Whether it can be made to call a tool: not where it always thinks first.
    forced_calls: bool,
    /// Whether it thinks unless it is told not to.
    thinks_unasked: bool,
}

#[derive(PartialEq)]
enum Thinking {
    None,
    /// So many tokens of it.
    Budget,
    /// The model decides, by an effort.
    Adaptive,
}

impl Claude {
    fn of(model: &str) -> Self {
        let bare = model.rsplit('/').next().unwrap_or(model);
        let (major, minor) = version(bare);
        let old = Claude {
            max_tokens: 4096,
            thinking: Thinking::None,
            samples: true,
            schemas: false,
            forced_calls: true,
            thinks_unasked: false,
        };
        match (major, minor) {
            (3, 7) => Claude { max_tokens: 16_384, thinking: Thinking::Budget, ..old },
            (3, 5) => Claude { max_tokens: 8192, ..old },
            (..=3, _) => old,
            // Structured output came with Opus 4.1 and the other models of 4.5.
            (4, ..=5) => Claude {
                max_tokens: 16_384,
                thinking: Thinking::Budget,
                schemas: minor >= 5 || (minor == 1 && bare.contains("opus")),
                ..old
            },
            (4, 6) => {
                Claude { max_tokens: 16_384, thinking: Thinking::Adaptive, schemas: true, ..old }
            }
            _ => {
                let always =
                    bare.contains("fable") || (bare.contains("opus") && (major, minor) >= (5, 5));
                Claude {
                    max_tokens: 32_000,
                    thinking: Thinking::Adaptive,
                    samples: false,
                    schemas: true,
                    forced_calls: !always,
                    thinks_unasked: major >= 5 && major != u32::MAX && !always,
                }
            }
        }
    }
}

/// `claude-opus-4-7` and `claude-3-5-sonnet-20240620` to (4, 7) and (3, 5). A name
/// without a number is taken for a model of today.
fn version(model: &str) -> (u32, u32) {
    let mut numbers = model
        .split(['-', '.', '@'])
        // Longer numbers are dates.
        .filter_map(|word| word.parse::<u32>().ok().filter(|_| word.len() <= 2));
    match numbers.next() {
        Some(major) => (major, numbers.next().unwrap_or(0)),
        None => (u32::MAX, 0),
    }
}

fn body(request: &ChatRequest, claude: &Claude, model: &ModelRef, stream: bool) -> Value {
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| {
        body.insert(key.into(), value);
    };
    let mut system = system(request);
    let mut output_config = Map::new();
    if let Some(output) = &request.output {
        let closed = schema::closed(&Value::from(&output.schema)).filter(|_| claude.schemas);
        match closed {
            Some(schema) => {
                let format = json!({"type": "json_schema", "schema": schema});
                output_config.insert("format".into(), format);
            }
            None => system.push(json!({"type": "text", "text": output.instructions()})),
        }
    }
    let mut messages = messages(request);
    if request.cache_prompt {
        mark_for_cache(&mut system, &mut messages);
    }
    put("model", json!(model.model));
    let (limit, thinking) = limits(request, claude, &messages);
    put("max_tokens", json!(limit));
    if !system.is_empty() {
        put("system", Value::Array(system));
    }
    put("messages", Value::Array(messages));
    let thinks = thinking.as_ref().is_some_and(|thinking| thinking["type"] != "disabled");
    let told_not_to = thinking.is_some() && !thinks;
    if let Some(thinking) = thinking {
        put("thinking", thinking);
    }
    if claude.thinking == Thinking::Adaptive
        && !told_not_to
        && let Some(effort) = request.reasoning_effort.as_deref().filter(|e| *e != "none")
    {
        let effort = if effort == "minimal" { "low" } else { effort };
        output_config.insert("effort".into(), json!(effort));
    }
    if !output_config.is_empty() {
        put("output_config", Value::Object(output_config));
    }
    tools(request, claude.forced_calls && !thinks, &mut put);
    if claude.samples && !thinks {
        // One of the two: newer models refuse both together. The scale ends at 1.
        match (request.temperature, request.top_p) {
            (Some(temperature), _) => put("temperature", json!(temperature.min(1.0))),
            (None, Some(top_p)) => put("top_p", json!(top_p)),
            (None, None) => {}
        }
    }
    let stops: Vec<_> = request.stop.iter().filter(|stop| !stop.trim().is_empty()).collect();
    if !stops.is_empty() {
        put("stop_sequences", json!(stops));
    }
    put("stream", json!(stream));
    for (key, value) in request.extra_in(Dialect::Anthropic) {
        put(key, Value::from(value));
    }
    Value::Object(body)
}

/// The limit of the answer and how thinking is asked for, which counts against it.
fn limits(request: &ChatRequest, claude: &Claude, messages: &[Value]) -> (u32, Option<Value>) {
    let limit = request.max_tokens.unwrap_or(claude.max_tokens);
    let off = claude.thinks_unasked.then(|| json!({"type": "disabled"}));
    // A call that was forced may not be thought about.
    let forced = matches!(request.tool_choice, ToolChoice::Required | ToolChoice::Tool(_));
    let forced = forced && !request.tools.is_empty() && claude.forced_calls;
    let effort = match request.reasoning_effort.as_deref() {
        Some("none") => return (limit, off),
        _ if forced => return (limit, off),
        None => return (limit, None),
        Some(effort) => effort,
    };
    match claude.thinking {
        Thinking::None => (limit, None),
        Thinking::Adaptive => (limit, Some(json!({"type": "adaptive"}))),
        // The middle of its calls must have its thinking in it.
        Thinking::Budget if calls_without_thinking(messages) => (limit, None),
        Thinking::Budget => {
            let budget = match effort {
                "minimal" | "low" => 2048,
                "medium" => 8192,
                _ => 16_384,
            };
            let enabled = |budget: u32| Some(json!({"type": "enabled", "budget_tokens": budget}));
            match request.max_tokens {
                None => (limit + budget, enabled(budget)),
                // Less than 1024 is refused, and the answer needs its part.
                Some(asked) if asked > 2048 => (asked, enabled(budget.min(asked / 2))),
                Some(asked) => (asked, None),
            }
        }
    }
}

fn calls_without_thinking(messages: &[Value]) -> bool {
    let last = messages.iter().rev().find(|message| message["role"] == "assistant");
    let Some(blocks) = last.and_then(|message| message["content"].as_array()) else { return false };
    let is = |block: &Value, kind: &str| block["type"] == kind;
    let goes_on = messages.last().is_some_and(|message| {
        message["content"].as_array().is_some_and(|c| c.iter().any(|b| is(b, "tool_result")))
    });
    goes_on && !blocks.iter().any(|b| is(b, "thinking") || is(b, "redacted_thinking"))
}

/// System messages, wherever they stand: most models take them only at the top.
fn system(request: &ChatRequest) -> Vec<Value> {
    let texts = request.messages.iter().filter(|message| message.role == Role::System);
    let texts = texts.map(ChatMessage::text).filter(|text| !text.trim().is_empty());
    texts.map(|text| json!({"type": "text", "text": text})).collect()
}

/// Turns of the user and the model; neighbours of one role are one turn.
fn messages(request: &ChatRequest) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in &request.messages {
        let role = match message.role {
            Role::System => continue,
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        let blocks: Vec<_> = message.parts.iter().filter_map(block).collect();
        match turns.last_mut() {
            Some((last, known)) if *last == role => known.extend(blocks),
            _ => turns.push((role, blocks)),
        }
    }
    if let Some(("assistant", blocks)) = turns.last_mut() {
        // White space at the end of a beginning to go on from is refused.
        if let Some(Value::String(text)) = blocks.last_mut().and_then(|b| b.get_mut("text")) {
            text.truncate(text.trim_end().len());
        }
    }
    turns.retain(|(_, blocks)| !blocks.is_empty());
    turns.into_iter().map(|(role, blocks)| json!({"role": role, "content": blocks})).collect()
}

fn block(part: &Part) -> Option<Value> {
    match part {
        // Empty blocks are refused.
        Part::Text { text } | Part::Refusal { text } if text.trim().is_empty() => None,
        Part::Text { text } | Part::Refusal { text } => Some(json!({"type": "text", "text": text})),
        Part::Image { source: file, .. } => Some(json!({"type": "image", "source": source(file)})),
        Part::File { source: file, name } => Some(document(file, name.as_deref())),
        Part::Reasoning { text, opaque } => {
            let seal = Value::from(opaque);
            match seal["type"].as_str() {
                Some("redacted_thinking") => Some(seal),
                Some("thinking") => {
                    let signature = &seal["signature"];
                    Some(json!({"type": "thinking", "thinking": text, "signature": signature}))
                }
                // Without this provider's own seal it would be refused.
                _ => None,
            }
        }
        Part::ToolCall(call) => {
            let input = call.args().map_or(json!({}), |args| Value::from(&args));
            let id = id(&call.id);
            Some(json!({"type": "tool_use", "id": id, "name": call.name, "input": input}))
        }
        Part::ToolResult { call_id, content, is_error, .. } => {
            let blocks: Vec<_> = content.iter().filter_map(block).collect();
            let mut result = json!({"type": "tool_result", "tool_use_id": id(call_id)});
            if !blocks.is_empty() {
                result["content"] = Value::Array(blocks);
            }
            if *is_error {
                result["is_error"] = json!(true);
            }
            Some(result)
        }
        Part::Native { dialect: Dialect::Anthropic, value } => {
            // Notes of ours on a text have no type.
            let value = Value::from(value);
            value["type"].is_string().then_some(value)
        }
        Part::Native { .. } => None,
    }
}

/// Ids of other providers may hold characters that are refused here.
fn id(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

fn source(source: &Source) -> Value {
    match source {
        Source::Url(url) => json!({"type": "url", "url": url}),
        Source::Base64 { media_type, data } => {
            let media_type = if media_type == "image/jpg" { "image/jpeg" } else { media_type };
            json!({"type": "base64", "media_type": media_type, "data": data})
        }
    }
}

fn document(file: &Source, name: Option<&str>) -> Value {
    let text = match file {
        Source::Base64 { media_type, data } if media_type.starts_with("text/") => {
            STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok())
        }
        _ => None,
    };
    let source = match text {
        Some(text) => json!({"type": "text", "media_type": "text/plain", "data": text}),
        None => source(file),
    };
    let mut block = json!({"type": "document", "source": source});
    if let Some(name) = name {
        block["title"] = json!(name);
    }
    block
}

fn tools(request: &ChatRequest, may_force: bool, put: &mut impl FnMut(&str, Value)) {
    let own = request.tools.iter().map(|tool| {
        let mut schema = Value::from(&tool.parameters);
        if schema.as_object().is_none_or(Map::is_empty) {
            schema = json!({"type": "object", "properties": {}});
        }
        json!({"name": tool.name, "description": tool.description, "input_schema": schema})
    });
    let tools: Vec<_> = own.chain(request.native_tools.iter().map(Value::from)).collect();
    if tools.is_empty() {
        return;
    }
    put("tools", Value::Array(tools));
    let mut choice = match &request.tool_choice {
        ToolChoice::None => json!({"type": "none"}),
        ToolChoice::Required if may_force => json!({"type": "any"}),
        ToolChoice::Tool(name) if may_force => json!({"type": "tool", "name": name}),
        _ => json!({"type": "auto"}),
    };
    let parallel = request.parallel_tool_calls.filter(|_| request.tool_choice != ToolChoice::None);
    if let Some(parallel) = parallel {
        choice["disable_parallel_tool_use"] = json!(!parallel);
    }
    if parallel.is_some() || request.tool_choice != ToolChoice::Auto {
        put("tool_choice", choice);
    }
}

/// Marks the ends of what stays the same from call to call.
fn mark_for_cache(system: &mut [Value], messages: &mut [Value]) {
    let last_turn = messages.last_mut().and_then(|message| message["content"].as_array_mut());
    let last_block = last_turn.and_then(|blocks| blocks.last_mut());
    for block in system.last_mut().into_iter().chain(last_block) {
        // Thinking cannot carry the mark.
        if !block["type"].as_str().unwrap_or_default().ends_with("thinking") {
            block["cache_control"] = json!({"type": "ephemeral"});
        }
    }
}
