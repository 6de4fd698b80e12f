//! A request in the words of Responses: items instead of messages.

use serde_json::{Value, json};
use weaver_core::Value as CoreValue;

use crate::chat::{
    ChatMessage, ChatRequest, OutputSchema, Part, Role, Source, ToolCall, ToolChoice,
    ToolDefinition,
};
use crate::convert::source_of_url;
use crate::dialect::Dialect;
use crate::inbound::chat::any_object;
use crate::inbound::fields::{Fields, shape};
use crate::inbound::{Asked, Fault, seal};

/// Reads a body. A model that speaks Responses itself gets the client's own words.
pub fn read(body: &Value) -> Result<Asked, Fault> {
    let fields = Fields::of(body)?;
    refuse(fields)?;
    let mut messages = Vec::new();
    if let Some(text) = fields.text("instructions")?.filter(|text| !text.is_empty()) {
        messages.push(ChatMessage::system(text));
    }
    match fields.get("input") {
        None => return Err(Fault::invalid("`input` is missing.").at("input")),
        Some(Value::String(text)) => messages.push(ChatMessage::user(text)),
        Some(Value::Array(_)) => {
            for message in fields.each("input", item)?.into_iter().flatten() {
                join(&mut messages, message);
            }
        }
        Some(other) => return Err(shape("input", "a text or a list", other)),
    }
    let (tools, native_tools, mut only) = tools(fields)?;
    let tool_choice = match fields.get("tool_choice") {
        None => ToolChoice::Auto,
        Some(choice) => tool_choice(choice).unwrap_or_else(|| {
            let said = "This choice is one of OpenAI's own; this model does not know it.";
            only.get_or_insert((Dialect::Responses, Fault::invalid(said).at("tool_choice")));
            ToolChoice::Auto
        }),
    };
    let reasoning = fields.object("reasoning")?;
    let effort = reasoning.map(|reasoning| reasoning.text("effort")).transpose()?.flatten();
    let request = ChatRequest {
        model: fields.need("model")?.into(),
        messages,
        tools,
        native_tools,
        tool_choice,
        parallel_tool_calls: fields.flag("parallel_tool_calls")?,
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        max_tokens: fields.count("max_output_tokens")?,
        reasoning_effort: effort.map(str::to_string),
        output: output(fields)?,
        extra: own_words(body),
        extra_for: Some(Dialect::Responses),
        ..ChatRequest::default()
    };
    Ok(Asked { request, stream: fields.flag("stream")?.unwrap_or(false), only })
}

/// The gateway keeps no conversations.
fn refuse(body: Fields) -> Result<(), Fault> {
    for key in ["previous_response_id", "conversation", "prompt"] {
        if body.get(key).is_some() {
            let said =
                "Nothing is kept here from call to call: send the whole conversation as `input`.";
            return Err(Fault::invalid(said).at(key));
        }
    }
    match body.flag("background")? {
        Some(true) => {
            Err(Fault::invalid("Answers are not made in the background: leave it out, and stream.")
                .at("background"))
        }
        _ => Ok(()),
    }
}

/// The body but for what the gateway decides. Nothing is kept at the provider, so its
/// reasoning must come sealed. Our own seals would be refused there.
fn own_words(body: &Value) -> weaver_core::Map {
    const DECIDED: &[&str] = &["model", "max_output_tokens", "stream", "store", "stream_options"];
    const SEALED: &[&str] = &["input", "instructions"];
    let items = body["input"].as_array().into_iter().flatten();
    let mut seals = items.filter_map(|item| item["encrypted_content"].as_str());
    let sealed = seals.any(seal::is_ours);
    let members = body.as_object().into_iter().flatten();
    members
        .filter(|(key, _)| !DECIDED.contains(&key.as_str()))
        .filter(|(key, value)| !(value.is_null() || sealed && SEALED.contains(&key.as_str())))
        .map(|(key, value)| (key.as_str().into(), CoreValue::from(value)))
        .collect()
}

/// What follows from the same speaker is one message of ours.
fn join(messages: &mut Vec<ChatMessage>, message: ChatMessage) {
    match messages.last_mut() {
        Some(last)
            if last.role == message.role && matches!(last.role, Role::Assistant | Role::Tool) =>
        {
            last.parts.extend(message.parts);
        }
        _ => messages.push(message),
    }
}

fn item(value: &Value) -> Result<Option<ChatMessage>, Fault> {
    let item = Fields::of(value)?;
    let said = |part| Ok(Some(ChatMessage::new(Role::Assistant, vec![part])));
    match item.text("type")?.unwrap_or("message") {
        "message" => message(item).map(Some),
        "function_call" => said(Part::ToolCall(ToolCall {
            id: item.need("call_id")?.into(),
            name: item.need("name")?.into(),
            arguments: item.text("arguments")?.unwrap_or_default().into(),
        })),
        "function_call_output" => {
            let call_id = item.need("call_id")?.into();
            let content = item.parts("output", content_part)?;
            let result = Part::ToolResult { call_id, name: None, content, is_error: false };
            Ok(Some(ChatMessage::new(Role::Tool, vec![result])))
        }
        "reasoning" => said(reasoning(item, value)?),
        "item_reference" => {
            let said = "Nothing is kept here from call to call: send the item itself.";
            Err(Fault::invalid(said).at("type"))
        }
        _ => said(Part::Native { dialect: Dialect::Responses, value: CoreValue::from(value) }),
    }
}

fn message(item: Fields) -> Result<ChatMessage, Fault> {
    let role = match item.need("role")? {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => {
            let said = format!("`{other}` is no role: use system, developer, user or assistant.");
            return Err(Fault::invalid(said).at("role"));
        }
    };
    Ok(ChatMessage::new(role, item.parts("content", content_part)?))
}

fn reasoning(item: Fields, value: &Value) -> Result<Part, Fault> {
    let texts = |key| -> Result<Vec<&str>, Fault> {
        Ok(item.list(key)?.iter().filter_map(|part| part["text"].as_str()).collect())
    };
    let sealed = item.text("encrypted_content")?.unwrap_or_default();
    if let Some((text, opaque)) = seal::open(sealed) {
        return Ok(Part::Reasoning { text, opaque });
    }
    let mut text = texts("summary")?.join("\n\n");
    if text.is_empty() {
        text = texts("content")?.join("\n\n");
    }
    let opaque = if sealed.is_empty() { CoreValue::Null } else { CoreValue::from(value) };
    Ok(Part::Reasoning { text, opaque })
}

fn content_part(value: &Value) -> Result<Part, Fault> {
    let part = Fields::of(value)?;
    let stored = |key: &str| {
        let said = "Files of a provider's store cannot be reached: send the data or an address.";
        Fault::invalid(said).at(key)
    };
    match part.need("type")? {
        "input_text" | "output_text" | "text" => Ok(Part::text(part.need("text")?)),
        "refusal" => Ok(Part::Refusal { text: part.need("refusal")?.into() }),
        "input_image" => {
            let url = part.text("image_url")?.ok_or_else(|| stored("image_url"))?;
            let detail = part.text("detail")?.map(str::to_string);
            Ok(Part::Image { source: source_of_url(url), detail })
        }
        "input_file" => {
            let name = part.text("filename")?.map(str::to_string);
            let source = match (part.text("file_data")?, part.text("file_url")?) {
                (Some(data), _) => match source_of_url(data) {
                    Source::Url(data) => {
                        Source::Base64 { media_type: "application/pdf".into(), data }
                    }
                    source => source,
                },
                (None, Some(url)) => Source::Url(url.into()),
                (None, None) => return Err(stored("file_data")),
            };
            Ok(Part::File { source, name })
        }
        "input_audio" => {
            let inside = |fault: Fault| fault.inside("input_audio");
            let audio = part.object("input_audio")?;
            let audio = audio.ok_or_else(|| shape("input_audio", "an object", &Value::Null))?;
            let media_type = format!("audio/{}", audio.need("format").map_err(inside)?);
            let data = audio.need("data").map_err(inside)?.into();
            Ok(Part::File { source: Source::Base64 { media_type, data }, name: None })
        }
        other => {
            let said = format!(
                "`{other}` cannot be sent: use input_text, input_image, input_file or input_audio."
            );
            Err(Fault::invalid(said).at("type"))
        }
    }
}

type Tools = (Vec<ToolDefinition>, Vec<CoreValue>, Option<(Dialect, Fault)>);

/// The client's functions and the tools that OpenAI runs, which only its models have.
fn tools(body: Fields) -> Result<Tools, Fault> {
    let (mut own, mut native, mut only) = (Vec::new(), Vec::new(), None);
    for (i, value) in body.list("tools")?.iter().enumerate() {
        let read = || {
            let tool = Fields::of(value)?;
            let kind = tool.need("type")?;
            if kind != "function" {
                return Ok((kind, None));
            }
            let definition = ToolDefinition {
                name: tool.need("name")?.into(),
                description: tool.text("description")?.unwrap_or_default().into(),
                parameters: tool.get("parameters").map(CoreValue::from).unwrap_or_default(),
            };
            Ok((kind, Some(definition)))
        };
        match read().map_err(|fault: Fault| fault.within("tools", i))? {
            (_, Some(definition)) => own.push(definition),
            (kind, None) => {
                let said = format!(
                    "`{kind}` is a tool that OpenAI runs; this model does not speak Responses."
                );
                only.get_or_insert((Dialect::Responses, Fault::invalid(said).within("tools", i)));
                native.push(CoreValue::from(value));
            }
        }
    }
    Ok((own, native, only))
}

fn tool_choice(value: &Value) -> Option<ToolChoice> {
    match (value.as_str(), value["type"].as_str()) {
        (Some("auto"), _) => Some(ToolChoice::Auto),
        (Some("none"), _) => Some(ToolChoice::None),
        (Some("required"), _) => Some(ToolChoice::Required),
        (None, Some("function")) => {
            value["name"].as_str().map(|name| ToolChoice::Tool(name.into()))
        }
        _ => None,
    }
}

fn output(body: Fields) -> Result<Option<OutputSchema>, Fault> {
    let Some(format) =
        body.object("text")?.map(|text| text.object("format")).transpose()?.flatten()
    else {
        return Ok(None);
    };
    let read = || match format.need("type")? {
        "text" => Ok(None),
        "json_object" => Ok(Some(any_object())),
        "json_schema" => Ok(Some(OutputSchema {
            name: format.need("name")?.into(),
            schema: format.get("schema").map_or_else(|| any_object().schema, CoreValue::from),
            strict: format.flag("strict")?.unwrap_or(false),
        })),
        other => {
            let said = format!("`{other}` is no format: use text, json_object or json_schema.");
            Err(Fault::invalid(said).at("type"))
        }
    };
    read().map_err(|fault: Fault| fault.inside("text.format"))
}

/// The parameters of a request that its answer repeats.
pub(super) fn echoed(body: &Value) -> Value {
    let or = |key: &str, other: Value| match &body[key] {
        Value::Null => other,
        value => value.clone(),
    };
    json!({
        "instructions": body["instructions"],
        "max_output_tokens": body["max_output_tokens"],
        "metadata": or("metadata", json!({})),
        "parallel_tool_calls": or("parallel_tool_calls", json!(true)),
        "previous_response_id": null,
        "reasoning": or("reasoning", json!({"effort": null, "summary": null})),
        "store": false,
        "temperature": body["temperature"],
        "text": or("text", json!({"format": {"type": "text"}})),
        "tool_choice": or("tool_choice", json!("auto")),
        "tools": or("tools", json!([])),
        "top_p": body["top_p"],
        "truncation": or("truncation", json!("disabled")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_into_messages() {
        let asked = read(&json!({
            "model": "gpt-4o", "instructions": "Be brief", "max_output_tokens": 50,
            "reasoning": {"effort": "low"},
            "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}},
            "tools": [{"type": "function", "name": "look", "parameters": {"type": "object"}}],
            "tool_choice": {"type": "function", "name": "look"},
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "hi"}, {"type": "input_image", "image_url": "https://a/b.png"}]},
                {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "x"},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Looking"}]},
                {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "seen"}]
        }))
        .unwrap();
        let request = asked.request;
        let roles: Vec<_> = request.messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::Tool]);
        assert_eq!(request.messages[2].parts.len(), 3);
        assert_eq!(request.reasoning_effort.as_deref(), Some("low"));
        assert_eq!(request.tool_choice, ToolChoice::Tool("look".into()));
        assert_eq!(request.output.unwrap().name, "a");
        assert_eq!(request.max_tokens, Some(50));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_its_place() {
        let ask = |key: &str, value: Value| {
            let mut body = json!({"model": "gpt-4o", "input": "hi"});
            body[key] = value;
            read(&body)
        };
        let place = |key: &str, value: Value| ask(key, value).unwrap_err().param.unwrap();
        assert_eq!(place("previous_response_id", json!("resp_1")), "previous_response_id");
        assert_eq!(place("background", json!(true)), "background");
        assert_eq!(place("input", json!(5)), "input");
        assert_eq!(place("input", json!([{"type": "item_reference", "id": "x"}])), "input[0].type");
        assert_eq!(place("text", json!({"format": {"type": "x"}})), "text.format.type");
        assert_eq!(place("tools", json!([{"type": "function"}])), "tools[0].name");
        let options = crate::Options::from_vars(|name| name.ends_with("_KEY").then(|| "k".into()));
        let model = |name: &str| crate::model::resolve(name, &options).unwrap();
        let search = || ask("tools", json!([{"type": "web_search"}])).unwrap();
        assert_eq!(search().for_model(&model("gpt-4o")).unwrap().dialect, Some(Dialect::Responses));
        let fault = search().for_model(&model("claude-sonnet-4-5")).unwrap_err();
        assert_eq!(fault.param.as_deref(), Some("tools[0]"));
    }
}
