//! A request in the words of Chat Completions.

use serde_json::Value;
use weaver_core::Value as CoreValue;

use crate::chat::{
    ChatMessage, ChatRequest, OutputSchema, Part, Role, Source, ToolCall, ToolChoice,
    ToolDefinition,
};
use crate::convert::source_of_url;
use crate::dialect::Dialect;
use crate::inbound::fields::Fields;
use crate::inbound::{Asked, Fault, seal};

/// Members that we read; all others are passed on to models of the same dialect.
const READ: &[&str] = &[
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "seed",
    "reasoning_effort",
    "response_format",
    "stream",
    "stream_options",
    "n",
    "logprobs",
    "top_logprobs",
    // The gateway keeps no answers.
    "store",
];

/// Reads a body.
pub fn read(body: &Value) -> Result<Asked, Fault> {
    let body = Fields::of(body)?;
    refuse(body)?;
    let messages = body.each("messages", message)?;
    let request = ChatRequest {
        model: body.need("model")?.into(),
        messages: joined(messages),
        tools: body.each("tools", tool)?,
        tool_choice: body.get("tool_choice").map_or(Ok(ToolChoice::Auto), tool_choice)?,
        parallel_tool_calls: body.flag("parallel_tool_calls")?,
        temperature: body.number("temperature")?,
        top_p: body.number("top_p")?,
        max_tokens: body.count("max_completion_tokens")?.or(body.count("max_tokens")?),
        stop: body.texts("stop")?,
        seed: body.integer("seed")?,
        reasoning_effort: body.text("reasoning_effort")?.map(str::to_string),
        output: output(body)?,
        extra: body
            .0
            .iter()
            .filter(|(key, value)| !READ.contains(&key.as_str()) && !value.is_null())
            .map(|(key, value)| (key.as_str().into(), CoreValue::from(value)))
            .collect(),
        extra_for: Some(Dialect::Chat),
        ..ChatRequest::default()
    };
    Ok(Asked { request, stream: body.flag("stream")?.unwrap_or(false), only: None })
}

/// Whether a stream is to end with its usage.
pub fn include_usage(body: &Value) -> bool {
    body["stream_options"]["include_usage"] == true
}

/// Wishes that would change the shape of the answer and that we cannot fill.
fn refuse(body: Fields) -> Result<(), Fault> {
    let refused = |key: &str, message: &str| Err(Fault::invalid(message).at(key));
    if body.count("n")?.is_some_and(|n| n != 1) {
        return refused("n", "Only one choice is given: leave `n` out, and ask again for another.");
    }
    if body.flag("logprobs")? == Some(true) || body.count("top_logprobs")?.is_some_and(|n| n > 0) {
        return refused("logprobs", "Log probabilities are not given: leave `logprobs` out.");
    }
    for key in ["functions", "function_call"] {
        if body.get(key).is_some() {
            return refused(key, "This form is no longer taken: use `tools` and `tool_choice`.");
        }
    }
    if body.list("modalities")?.iter().any(|kind| kind == "audio") {
        return refused("modalities", "Answers are not spoken: ask for `text`.");
    }
    match body.get("messages") {
        Some(_) => Ok(()),
        None => refused("messages", "`messages` is missing."),
    }
}

fn message(value: &Value) -> Result<ChatMessage, Fault> {
    let message = Fields::of(value)?;
    let role = match message.need("role")? {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        other => {
            let said =
                format!("`{other}` is no role: use system, developer, user, assistant or tool.");
            return Err(Fault::invalid(said).at("role"));
        }
    };
    let mut parts = match role {
        Role::Assistant => thoughts(message)?,
        _ => Vec::new(),
    };
    parts.extend(message.parts("content", content_part)?);
    match role {
        Role::Tool => {
            let call_id = message.need("tool_call_id")?.into();
            parts = vec![Part::ToolResult { call_id, name: None, content: parts, is_error: false }];
        }
        Role::Assistant => {
            if let Some(text) = message.text("refusal")?.filter(|text| !text.is_empty()) {
                parts.push(Part::Refusal { text: text.into() });
            }
            parts.extend(message.each("tool_calls", call)?);
        }
        Role::System | Role::User => {}
    }
    Ok(ChatMessage { role, parts, name: message.text("name")?.map(str::to_string) })
}

/// Results of tools that follow each other are one message of ours.
fn joined(messages: Vec<ChatMessage>) -> Vec<ChatMessage> {
    let mut out: Vec<ChatMessage> = Vec::with_capacity(messages.len());
    for message in messages {
        match out.last_mut() {
            Some(last) if last.role == Role::Tool && message.role == Role::Tool => {
                last.parts.extend(message.parts);
            }
            _ => out.push(message),
        }
    }
    out
}

/// What an assistant message holds of thinking, as [`super::whole`] writes it.
fn thoughts(message: Fields) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    let mut theirs = Vec::new();
    for detail in message.list("reasoning_details")? {
        match detail["data"].as_str().and_then(seal::open) {
            Some((text, opaque)) => parts.push(Part::Reasoning { text, opaque }),
            None => theirs.push(detail.clone()),
        }
    }
    let plain = message.text("reasoning_content")?.or(message.text("reasoning")?).unwrap_or("");
    if !theirs.is_empty() {
        let opaque = CoreValue::from(&serde_json::json!({"reasoning_details": theirs}));
        parts.push(Part::Reasoning { text: plain.into(), opaque });
    } else if parts.is_empty() && !plain.is_empty() {
        parts.push(Part::Reasoning { text: plain.into(), opaque: CoreValue::Null });
    }
    Ok(parts)
}

fn content_part(value: &Value) -> Result<Part, Fault> {
    let part = Fields::of(value)?;
    let missing = |key: &str| Fault::invalid(format!("`{key}` is missing.")).at(key);
    match part.need("type")? {
        "text" => Ok(Part::text(part.need("text")?)),
        "refusal" => Ok(Part::Refusal { text: part.need("refusal")?.into() }),
        "image_url" => {
            let image = part.object("image_url")?.ok_or_else(|| missing("image_url"))?;
            let url = image.need("url").map_err(|fault| fault.inside("image_url"))?;
            let detail = image.text("detail")?.map(str::to_string);
            Ok(Part::Image { source: source_of_url(url), detail })
        }
        "file" => {
            let file = part.object("file")?.ok_or_else(|| missing("file"))?;
            let Some(data) = file.text("file_data")? else {
                let said = "Files of a provider's store cannot be reached: send `file_data`.";
                return Err(Fault::invalid(said).at("file"));
            };
            let source = match source_of_url(data) {
                Source::Url(data) if !data.contains("://") => {
                    Source::Base64 { media_type: "application/pdf".into(), data }
                }
                source => source,
            };
            Ok(Part::File { source, name: file.text("filename")?.map(str::to_string) })
        }
        "input_audio" => {
            let audio = part.object("input_audio")?.ok_or_else(|| missing("input_audio"))?;
            let inside = |fault: Fault| fault.inside("input_audio");
            let media_type = format!("audio/{}", audio.need("format").map_err(inside)?);
            let data = audio.need("data").map_err(inside)?.into();
            Ok(Part::File { source: Source::Base64 { media_type, data }, name: None })
        }
        other => {
            let said =
                format!("`{other}` cannot be sent: use text, image_url, input_audio or file.");
            Err(Fault::invalid(said).at("type"))
        }
    }
}

fn call(value: &Value) -> Result<Part, Fault> {
    let call = Fields::of(value)?;
    let function = call
        .object("function")?
        .ok_or_else(|| Fault::invalid("Only calls of functions are taken.").at("function"))?;
    Ok(Part::ToolCall(ToolCall {
        id: call.need("id")?.into(),
        name: function.need("name").map_err(|fault| fault.inside("function"))?.into(),
        arguments: function.text("arguments")?.unwrap_or_default().into(),
    }))
}

fn tool(value: &Value) -> Result<ToolDefinition, Fault> {
    let tool = Fields::of(value)?;
    let Some(function) = tool.object("function")? else {
        return Err(Fault::invalid("Only tools of type `function` are taken.").at("type"));
    };
    let inside = |fault: Fault| fault.inside("function");
    Ok(ToolDefinition {
        name: function.need("name").map_err(inside)?.into(),
        description: function.text("description").map_err(inside)?.unwrap_or_default().into(),
        parameters: function.get("parameters").map(CoreValue::from).unwrap_or_default(),
    })
}

fn tool_choice(value: &Value) -> Result<ToolChoice, Fault> {
    match value.as_str() {
        Some("auto") => return Ok(ToolChoice::Auto),
        Some("none") => return Ok(ToolChoice::None),
        // Mistral's clients have a word of their own.
        Some("required" | "any") => return Ok(ToolChoice::Required),
        _ => {}
    }
    let name = value["function"]["name"].as_str();
    name.map(|name| ToolChoice::Tool(name.into())).ok_or_else(|| {
        let said = "This must be auto, none, required or {\"type\": \"function\", \"function\": {\"name\": …}}.";
        Fault::invalid(said).at("tool_choice")
    })
}

fn output(body: Fields) -> Result<Option<OutputSchema>, Fault> {
    let Some(format) = body.object("response_format")? else { return Ok(None) };
    let read = || match format.need("type")? {
        "text" => Ok(None),
        "json_object" => Ok(Some(any_object())),
        "json_schema" => {
            let Some(schema) = format.object("json_schema")? else {
                return Err(Fault::invalid("`json_schema` is missing.").at("json_schema"));
            };
            Ok(Some(OutputSchema {
                name: schema.need("name").map_err(|fault| fault.inside("json_schema"))?.into(),
                schema: schema.get("schema").map_or_else(|| any_object().schema, CoreValue::from),
                strict: schema.flag("strict")?.unwrap_or(false),
            }))
        }
        other => {
            let said = format!("`{other}` is no format: use text, json_object or json_schema.");
            Err(Fault::invalid(said).at("type"))
        }
    };
    read().map_err(|fault| fault.inside("response_format"))
}

/// Any JSON object.
pub(in crate::inbound) fn any_object() -> OutputSchema {
    let schema = CoreValue::map([("type", CoreValue::str("object"))]);
    OutputSchema { name: "json".into(), schema, strict: false }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong(body: Value) -> (String, String) {
        let fault = read(&body).unwrap_err();
        (fault.param.unwrap_or_default(), fault.message)
    }

    #[test]
    fn a_whole_conversation_is_read() {
        let asked = read(&json!({
            "model": "openai/gpt-4o", "stream": true, "stream_options": {"include_usage": true},
            "max_tokens": 9, "stop": "END", "n": 1, "user": "u1", "seed": null,
            "response_format": {"type": "json_object"},
            "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
            "tool_choice": {"type": "function", "function": {"name": "look"}},
            "messages": [
                {"role": "developer", "content": "Be brief"},
                {"role": "user", "name": "ann", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,BBBB", "filename": "a.pdf"}}]},
                {"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                    {"id": "b", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "a", "content": "1"},
                {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "2"}]}]
        }))
        .unwrap();
        let request = asked.request;
        assert!(asked.stream);
        assert_eq!((request.max_tokens, request.stop), (Some(9), vec!["END".to_string()]));
        assert_eq!(request.tool_choice, ToolChoice::Tool("look".into()));
        assert_eq!(request.extra.keys().map(|k| k.to_string()).collect::<Vec<_>>(), ["user"]);
        let roles: Vec<_> = request.messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::Tool]);
        assert_eq!(request.messages[1].parts.len(), 3);
        assert_eq!(request.messages[2].tool_calls().count(), 2);
        assert_eq!(request.messages[3].parts.len(), 2, "results in a row are one message");
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_its_place() {
        let ask = |key: &str, value: Value| {
            let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
            body[key] = value;
            wrong(body).0
        };
        assert_eq!(ask("n", json!(2)), "n");
        assert_eq!(ask("logprobs", json!(true)), "logprobs");
        assert_eq!(ask("messages", json!("hi")), "messages");
        assert_eq!(
            ask("messages", json!([{"role": "judge", "content": "hi"}])),
            "messages[0].role"
        );
        let part = |kind: &str| json!([{"role": "user", "content": [{"type": kind}]}]);
        assert_eq!(ask("messages", part("input_smell")), "messages[0].content[0].type");
        assert_eq!(ask("messages", part("input_audio")), "messages[0].content[0].input_audio");
        assert_eq!(ask("response_format", json!({"type": "xml"})), "response_format.type");
        assert_eq!(ask("tools", json!([{"type": "custom"}])), "tools[0].type");
        assert_eq!(ask("temperature", json!("hot")), "temperature");
        assert_eq!(wrong(json!({"messages": []})).0, "model");
        assert_eq!(wrong(json!({"model": "m"})).0, "messages");
        assert!(wrong(json!([])).1.contains("must be an object"));
    }
}
