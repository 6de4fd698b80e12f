//! A request in the dialect's words.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::chat::{ChatMessage, ChatRequest, OutputSchema, Part, Role, Source, ToolChoice};
use crate::dialect::{Dialect, Sent};
use crate::model::{ModelRef, Profile};
use crate::provider::{Effort, OutputSupport, ReasoningBack};

/// A request for an answer.
pub(crate) fn write(request: &ChatRequest, model: &ModelRef, stream: bool) -> Sent {
    Sent { path: "/chat/completions".into(), body: body(request, model, stream) }
}

fn body(request: &ChatRequest, model: &ModelRef, stream: bool) -> Value {
    let profile = Profile::of(&model.model);
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| {
        body.insert(key.into(), value);
    };
    put("model", json!(model.model));
    put("messages", Value::Array(messages(request, model)));
    put("stream", json!(stream));
    if stream && model.quirks.stream_options {
        put("stream_options", json!({"include_usage": true}));
    }
    let native = request.native_tools.iter().map(Value::from);
    let tools: Vec<_> = request.tools.iter().map(tool).chain(native).collect();
    if !tools.is_empty() {
        put("tools", Value::Array(tools));
        let choice = match model.quirks.tool_choice {
            true => tool_choice(&request.tool_choice),
            false => json!("auto"),
        };
        put("tool_choice", choice);
        if let Some(parallel) = request.parallel_tool_calls {
            put("parallel_tool_calls", json!(parallel));
        }
    }
    if !profile.reasoning {
        if let Some(temperature) = request.temperature {
            put("temperature", json!(temperature));
        }
        if let Some(top_p) = request.top_p {
            put("top_p", json!(top_p));
        }
        if !request.stop.is_empty() {
            put("stop", json!(request.stop));
        }
    }
    if let Some(limit) = request.max_tokens {
        let name = match profile.reasoning || model.quirks.max_completion_tokens {
            true => "max_completion_tokens",
            false => "max_tokens",
        };
        put(name, json!(limit));
    }
    if let Some(seed) = request.seed {
        put("seed", json!(seed));
    }
    if let Some(effort) = &request.reasoning_effort {
        let thinks = effort != "none";
        match model.quirks.effort {
            Effort::Word => put("reasoning_effort", json!(effort)),
            Effort::Object => put("reasoning", json!({"effort": effort})),
            Effort::Switch => put("enable_thinking", json!(thinks)),
            Effort::Thinking => {
                put("thinking", json!({"type": if thinks { "enabled" } else { "disabled" }}));
                if thinks {
                    put("reasoning_effort", json!(effort));
                }
            }
        }
    }
    if let Some(output) = &request.output {
        match model.quirks.output {
            OutputSupport::Schema => put("response_format", json_schema(output)),
            OutputSupport::Object => put("response_format", json!({"type": "json_object"})),
            OutputSupport::Instructions => {}
        }
    }
    for (key, value) in request.extra_in(Dialect::Chat) {
        put(key, Value::from(value));
    }
    Value::Object(body)
}

fn messages(request: &ChatRequest, model: &ModelRef) -> Vec<Value> {
    let mut out = Vec::with_capacity(request.messages.len() + 1);
    if let Some(output) = &request.output
        && model.quirks.output != OutputSupport::Schema
    {
        out.push(json!({"role": "system", "content": output.instructions()}));
    }
    let last_user = request.messages.iter().rposition(|message| message.role == Role::User);
    let last_user = last_user.unwrap_or(0);
    for (i, message) in request.messages.iter().enumerate() {
        match message.role {
            Role::System => out.push(plain("system", message)),
            Role::User => out.push(plain("user", message)),
            Role::Assistant => out.push(assistant(message, model, i > last_user)),
            Role::Tool => tool_results(message, model, &mut out),
        }
    }
    out
}

fn plain(role: &str, message: &ChatMessage) -> Value {
    named(json!({"role": role, "content": content(&message.parts)}), message)
}

/// The id of a call as the provider takes it. A short one is made out of a long one
/// by a hash, so that call and result agree.
fn call_id_for<'a>(id: &'a str, model: &ModelRef) -> Cow<'a, str> {
    let is_short = id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !model.quirks.short_call_ids || is_short {
        return id.into();
    }
    // FNV-1a: ids must be the same in every process.
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{:09x}", hash & 0xf_ffff_ffff).into()
}

fn thought(part: &Part) -> Option<&str> {
    match part {
        Part::Reasoning { text, .. } => Some(text),
        _ => None,
    }
}

fn named(mut value: Value, message: &ChatMessage) -> Value {
    if let Some(name) = &message.name {
        // The interface takes no other characters.
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name: String = name.chars().map(|c| if good(c) { c } else { '_' }).take(64).collect();
        value["name"] = json!(name);
    }
    value
}

/// One text as a string, which every server takes; anything else as a list.
fn content(parts: &[Part]) -> Value {
    if let [] | [Part::Text { .. }] = parts {
        return json!(crate::chat::text_of(parts));
    }
    parts.iter().filter_map(content_part).collect()
}

fn content_part(part: &Part) -> Option<Value> {
    match part {
        Part::Text { text } => Some(json!({"type": "text", "text": text})),
        Part::Image { source, detail } => {
            let mut image = json!({"url": url(source)});
            if let Some(detail) = detail {
                image["detail"] = json!(detail);
            }
            Some(json!({"type": "image_url", "image_url": image}))
        }
        Part::File { source: Source::Base64 { media_type, data }, .. }
            if media_type.starts_with("audio/") =>
        {
            Some(audio(media_type, data))
        }
        Part::File { source, name } => {
            let file = match (source, name) {
                (Source::Base64 { .. }, name) => {
                    let name = name.as_deref().unwrap_or("document.pdf");
                    json!({"filename": name, "file_data": url(source)})
                }
                (Source::Url(address), _) => json!({"file_url": address}),
            };
            Some(json!({"type": "file", "file": file}))
        }
        Part::Reasoning { .. }
        | Part::Refusal { .. }
        | Part::ToolCall(_)
        | Part::ToolResult { .. }
        | Part::Native { .. } => None,
    }
}

/// Sound in a message; of the names of its form the interface has the short ones.
pub(crate) fn audio(media_type: &str, data: &str) -> Value {
    let format = match media_type.trim_start_matches("audio/") {
        "mpeg" => "mp3",
        "x-wav" | "wave" => "wav",
        format => format,
    };
    json!({"type": "input_audio", "input_audio": {"data": data, "format": format}})
}

pub(crate) fn url(source: &Source) -> String {
    match source {
        Source::Url(url) => url.clone(),
        Source::Base64 { media_type, data } => format!("data:{media_type};base64,{data}"),
    }
}

fn assistant(message: &ChatMessage, model: &ModelRef, since_user: bool) -> Value {
    let text = message.text();
    let calls: Vec<_> = message
        .tool_calls()
        .map(|call| {
            // Servers refuse arguments that are no JSON; `{}` keeps the call answerable.
            let good = call.args().is_ok() && !call.arguments.trim().is_empty();
            let arguments = if good { call.arguments.as_str() } else { "{}" };
            let function = json!({"name": call.name, "arguments": arguments});
            json!({"id": call_id_for(&call.id, model), "type": "function", "function": function})
        })
        .collect();
    let content = match text.is_empty() && !calls.is_empty() {
        true => Value::Null,
        false => json!(text),
    };
    let mut value = json!({"role": "assistant", "content": content});
    if !calls.is_empty() {
        value["tool_calls"] = Value::Array(calls);
    }
    for part in &message.parts {
        if let Part::Refusal { text } = part {
            value["refusal"] = json!(text);
        }
    }
    let member = match model.quirks.reasoning {
        ReasoningBack::Always(member) => Some(member),
        ReasoningBack::SinceUser(member) => since_user.then_some(member),
        ReasoningBack::No | ReasoningBack::Details => None,
    };
    let reasoning: String = message.parts.iter().filter_map(thought).collect();
    if let Some(member) = member.filter(|_| !reasoning.is_empty()) {
        value[member] = json!(reasoning);
    }
    if model.quirks.reasoning == ReasoningBack::Details {
        let details = message.parts.iter().filter_map(|part| match part {
            Part::Reasoning { opaque, .. } => {
                Value::from(opaque)["reasoning_details"].as_array().cloned()
            }
            _ => None,
        });
        let details: Vec<_> = details.flatten().collect();
        if !details.is_empty() {
            value["reasoning_details"] = details.into();
        }
    }
    named(value, message)
}

/// One message for each result, and one of the user's for the pictures in them,
/// which a tool message may not hold.
fn tool_results(message: &ChatMessage, model: &ModelRef, out: &mut Vec<Value>) {
    let mut media = Vec::new();
    for part in &message.parts {
        let Part::ToolResult { call_id, content, .. } = part else { continue };
        let text = crate::chat::text_of(content);
        let id = call_id_for(call_id, model);
        out.push(json!({"role": "tool", "tool_call_id": id, "content": text}));
        media.extend(
            content.iter().filter(|part| matches!(part, Part::Image { .. } | Part::File { .. })),
        );
    }
    if !media.is_empty() {
        let parts: Vec<_> = media.into_iter().filter_map(content_part).collect();
        out.push(json!({"role": "user", "content": parts}));
    }
}

pub(crate) fn tool(tool: &crate::chat::ToolDefinition) -> Value {
    let mut parameters = Value::from(&tool.parameters);
    if parameters.as_object().is_none_or(Map::is_empty) {
        parameters = json!({"type": "object", "properties": {}});
    }
    let (name, description) = (&tool.name, &tool.description);
    let function = json!({"name": name, "description": description, "parameters": parameters});
    json!({"type": "function", "function": function})
}

fn tool_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Tool(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

fn json_schema(output: &OutputSchema) -> Value {
    let schema = Value::from(&output.schema);
    // A strict schema that breaks the rules of strict schemas is refused outright;
    // not strict, it is followed as well as the model can.
    let strict = output.strict && may_be_strict(&schema);
    let schema = json!({"name": output.name, "schema": schema, "strict": strict});
    json!({"type": "json_schema", "json_schema": schema})
}

/// Whether every object in a schema is closed and requires all of its members.
pub(crate) fn may_be_strict(schema: &Value) -> bool {
    let Some(object) = schema.as_object() else {
        return schema.as_array().is_none_or(|items| items.iter().all(may_be_strict));
    };
    let closed = match object.get("properties").and_then(Value::as_object) {
        Some(members) => {
            let required = object.get("required").and_then(Value::as_array);
            let requires =
                |name: &String| required.is_some_and(|required| required.iter().any(|r| r == name));
            object.get("additionalProperties") == Some(&Value::Bool(false))
                && members.keys().all(requires)
        }
        None => object.get("type").is_none_or(|kind| kind != "object"),
    };
    closed && !object.contains_key("default") && object.values().all(may_be_strict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{ToolCall, ToolDefinition};
    use crate::options::Options;

    fn sent(name: &str, request: &ChatRequest) -> Value {
        let options = Options::from_vars(|name| name.ends_with("_KEY").then(|| "k".into()));
        body(request, &crate::model::resolve(name, &options).unwrap(), true)
    }

    fn ask() -> ChatRequest {
        ChatRequest {
            temperature: Some(0.5),
            max_tokens: Some(9),
            ..ChatRequest::new("", vec![ChatMessage::user("hi")])
        }
    }

    #[test]
    fn settings_follow_the_model_and_the_provider() {
        let plain = sent("ollama/llama3.2", &ask());
        assert_eq!(plain["max_tokens"], 9);
        assert_eq!(plain["temperature"], 0.5);
        assert_eq!(plain["stream_options"]["include_usage"], true);
        let reasoning = sent("openai/o3-mini", &ask());
        assert_eq!(reasoning["max_completion_tokens"], 9);
        assert_eq!((reasoning.get("temperature"), reasoning.get("max_tokens")), (None, None));
        assert_eq!(sent("mistral/m", &ask()).get("stream_options"), None);
    }

    #[test]
    fn a_schema_goes_where_the_provider_wants_it() {
        let schema = r#"{"type":"object","properties":{"to":{"type":"string"}},"required":["to"],"additionalProperties":false}"#;
        let schema = weaver_core::Value::from_json(schema).unwrap();
        let output = OutputSchema { name: "Route".into(), schema, strict: true };
        let request = ChatRequest { output: Some(output), ..ask() };
        let format = &sent("openai/gpt-4o", &request)["response_format"];
        assert_eq!(format["json_schema"]["name"], "Route");
        assert_eq!(format["json_schema"]["strict"], true);
        let deepseek = sent("deepseek/deepseek-chat", &request);
        assert_eq!(deepseek["response_format"]["type"], "json_object");
        assert!(deepseek["messages"][0]["content"].as_str().unwrap().contains("\"object\""));
    }

    #[test]
    fn a_schema_is_strict_only_where_it_can_be() {
        for (schema, expected) in [
            (
                r#"{"type":"object","properties":{"a":{}},"required":["a"],"additionalProperties":false}"#,
                true,
            ),
            (r#"{"type":"object","properties":{"a":{}},"required":["a"]}"#, false),
            (r#"{"type":"object","properties":{"a":{}},"additionalProperties":false}"#, false),
            (r#"{"anyOf":[{"type":"string"},{"type":"object"}]}"#, false),
            (r#"{"type":"array","items":{"type":"string","default":"x"}}"#, false),
        ] {
            let schema: Value = serde_json::from_str(schema).unwrap();
            assert_eq!(may_be_strict(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn a_conversation_with_tools_and_pictures() {
        let call = ToolCall { id: "c1".into(), name: "look".into(), arguments: "{oops".into() };
        let picture = Source::Base64 { media_type: "image/png".into(), data: "AAAA".into() };
        let picture = Part::Image { source: picture, detail: None };
        let result = Part::ToolResult {
            call_id: "c1".into(),
            name: None,
            content: vec![Part::text("seen"), picture],
            is_error: false,
        };
        let parameters = weaver_core::Value::Null;
        let tool = ToolDefinition { name: "look".into(), description: "Looks".into(), parameters };
        let request = ChatRequest {
            tools: vec![tool],
            tool_choice: ToolChoice::Tool("look".into()),
            ..ChatRequest::new(
                "",
                vec![
                    ChatMessage::user("hi"),
                    ChatMessage::new(Role::Assistant, vec![Part::ToolCall(call)]),
                    ChatMessage::new(Role::Tool, vec![result]),
                ],
            )
        };
        let body = sent("ollama/llava", &request);
        let messages = body["messages"].as_array().unwrap();
        let roles: Vec<_> = messages.iter().map(|m| m["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["user", "assistant", "tool", "user"]);
        assert_eq!(messages[1]["content"], Value::Null);
        assert_eq!(messages[1]["tool_calls"][0]["function"]["arguments"], "{}");
        assert_eq!(messages[2]["content"], "seen");
        assert_eq!(messages[3]["content"][0]["image_url"]["url"], "data:image/png;base64,AAAA");
        assert_eq!(body["tools"][0]["function"]["parameters"]["type"], "object");
        assert_eq!(body["tool_choice"]["function"]["name"], "look");
    }

    #[test]
    fn extra_members_win() {
        let mut request = ask();
        request.extra.insert("temperature".into(), weaver_core::Value::Float(1.5));
        assert_eq!(sent("ollama/llama3.2", &request)["temperature"], 1.5);
    }
}
