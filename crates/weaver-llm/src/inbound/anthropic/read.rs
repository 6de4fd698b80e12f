//! A request in the words of Messages.

use serde_json::{Value, json};
use weaver_core::Value as CoreValue;

use crate::chat::{
    ChatMessage, ChatRequest, OutputSchema, Part, Role, Source, ToolCall, ToolChoice,
    ToolDefinition,
};
use crate::dialect::Dialect;
use crate::inbound::fields::{Fields, shape};
use crate::inbound::{Asked, Fault, seal};

/// Reads a body; one that asks for a count of tokens has the same shape. A model of
/// Anthropic's gets the client's own words.
pub fn read(body: &Value) -> Result<Asked, Fault> {
    let fields = Fields::of(body)?;
    if fields.get("messages").is_none() {
        return Err(Fault::invalid("`messages` is missing.").at("messages"));
    }
    let mut messages = Vec::new();
    let system = fields.parts("system", content_block)?;
    if !system.is_empty() {
        messages.push(ChatMessage::new(Role::System, system));
    }
    for turn in fields.each("messages", turn)? {
        messages.extend(turn);
    }
    let (tools, native_tools, only) = tools(fields)?;
    let choice = fields.object("tool_choice")?;
    let parallel = choice.map(|choice| choice.flag("disable_parallel_tool_use")).transpose()?;
    let request = ChatRequest {
        model: fields.need("model")?.into(),
        messages,
        tools,
        native_tools,
        tool_choice: choice.map_or(Ok(ToolChoice::Auto), tool_choice)?,
        parallel_tool_calls: parallel.flatten().map(|disabled| !disabled),
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        max_tokens: fields.count("max_tokens")?,
        stop: fields.texts("stop_sequences")?,
        reasoning_effort: effort(fields)?,
        output: output(fields)?,
        extra: own_words(body),
        extra_for: Some(Dialect::Anthropic),
        ..ChatRequest::default()
    };
    Ok(Asked { request, stream: fields.flag("stream")?.unwrap_or(false), only })
}

/// The body but for what the gateway decides. A seal of ours in it would be refused
/// by Anthropic, so then nothing that was read is passed on unread.
fn own_words(body: &Value) -> weaver_core::Map {
    const DECIDED: &[&str] = &["model", "max_tokens", "stream"];
    const SEALED: &[&str] = &["messages", "system", "tools", "tool_choice", "thinking"];
    let sealed = body["messages"].as_array().into_iter().flatten().any(|message| {
        let blocks = message["content"].as_array().into_iter().flatten();
        blocks.filter_map(|block| block["signature"].as_str()).any(seal::is_ours)
    });
    let members = body.as_object().into_iter().flatten();
    members
        .filter(|(key, _)| !DECIDED.contains(&key.as_str()))
        .filter(|(key, value)| !(value.is_null() || sealed && SEALED.contains(&key.as_str())))
        .map(|(key, value)| (key.as_str().into(), CoreValue::from(value)))
        .collect()
}

/// One turn: results of tools are a message of their own, before the user's words.
fn turn(value: &Value) -> Result<Vec<ChatMessage>, Fault> {
    let message = Fields::of(value)?;
    let role = match message.need("role")? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        other => {
            let said = format!("`{other}` is no role: use user or assistant.");
            return Err(Fault::invalid(said).at("role"));
        }
    };
    let parts = message.parts("content", content_block)?;
    if role != Role::User {
        return Ok(vec![ChatMessage::new(role, parts)]);
    }
    let (results, words): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|part| matches!(part, Part::ToolResult { .. }));
    let turns = [(Role::Tool, results), (Role::User, words)];
    let turns = turns.into_iter().filter(|(_, parts)| !parts.is_empty());
    Ok(turns.map(|(role, parts)| ChatMessage::new(role, parts)).collect())
}

fn content_block(value: &Value) -> Result<Part, Fault> {
    let block = Fields::of(value)?;
    match block.need("type")? {
        "text" => Ok(Part::text(block.need("text")?)),
        "image" => Ok(Part::Image { source: source(block)?, detail: None }),
        "document" => {
            let name = block.text("title")?.map(str::to_string);
            Ok(Part::File { source: source(block)?, name })
        }
        "thinking" => {
            let text = block.text("thinking")?.unwrap_or_default();
            let signature = block.text("signature")?.unwrap_or_default();
            if let Some((text, opaque)) = seal::open(signature) {
                return Ok(Part::Reasoning { text, opaque });
            }
            let opaque = match signature.is_empty() {
                true => CoreValue::Null,
                false => CoreValue::from(&json!({"type": "thinking", "signature": signature})),
            };
            Ok(Part::Reasoning { text: text.into(), opaque })
        }
        "redacted_thinking" => {
            Ok(Part::Reasoning { text: String::new(), opaque: CoreValue::from(value) })
        }
        "tool_use" => Ok(Part::ToolCall(ToolCall {
            id: block.need("id")?.into(),
            name: block.need("name")?.into(),
            arguments: block.get("input").map_or_else(|| "{}".into(), Value::to_string),
        })),
        "tool_result" => Ok(Part::ToolResult {
            call_id: block.need("tool_use_id")?.into(),
            name: None,
            content: block.parts("content", content_block)?,
            is_error: block.flag("is_error")?.unwrap_or(false),
        }),
        _ => Ok(Part::Native { dialect: Dialect::Anthropic, value: CoreValue::from(value) }),
    }
}

fn source(block: Fields) -> Result<Source, Fault> {
    let Some(source) = block.object("source")? else {
        return Err(Fault::invalid("`source` is missing.").at("source"));
    };
    let read = || match source.need("type")? {
        "url" => Ok(Source::Url(source.need("url")?.into())),
        "base64" => Ok(Source::Base64 {
            media_type: source.need("media_type")?.into(),
            data: source.need("data")?.into(),
        }),
        "text" => {
            use base64::Engine;
            let data = base64::engine::general_purpose::STANDARD.encode(source.need("data")?);
            Ok(Source::Base64 { media_type: "text/plain".into(), data })
        }
        other => {
            let said =
                format!("A source of type `{other}` cannot be reached: use base64, url or text.");
            Err(Fault::invalid(said).at("type"))
        }
    };
    read().map_err(|fault| fault.inside("source"))
}

type Tools = (Vec<ToolDefinition>, Vec<CoreValue>, Option<(Dialect, Fault)>);

/// The client's tools and those that Anthropic runs, which only its models have.
fn tools(body: Fields) -> Result<Tools, Fault> {
    let (mut own, mut native, mut only) = (Vec::new(), Vec::new(), None);
    for (i, value) in body.list("tools")?.iter().enumerate() {
        let tool = Fields::of(value).map_err(|fault| fault.within("tools", i))?;
        match value["type"].as_str() {
            None | Some("custom") => {
                let read = || {
                    Ok(ToolDefinition {
                        name: tool.need("name")?.into(),
                        description: tool.text("description")?.unwrap_or_default().into(),
                        parameters: tool
                            .get("input_schema")
                            .map(CoreValue::from)
                            .unwrap_or_default(),
                    })
                };
                own.push(read().map_err(|fault: Fault| fault.within("tools", i))?);
            }
            Some(kind) => {
                let said = format!(
                    "`{kind}` is a tool that Anthropic runs; this model is not Anthropic's."
                );
                only.get_or_insert((Dialect::Anthropic, Fault::invalid(said).within("tools", i)));
                native.push(CoreValue::from(value));
            }
        }
    }
    Ok((own, native, only))
}

fn tool_choice(choice: Fields) -> Result<ToolChoice, Fault> {
    let read = || match choice.need("type")? {
        "auto" => Ok(ToolChoice::Auto),
        "any" => Ok(ToolChoice::Required),
        "none" => Ok(ToolChoice::None),
        "tool" => Ok(ToolChoice::Tool(choice.need("name")?.into())),
        other => {
            let said = format!("`{other}` is no choice: use auto, any, tool or none.");
            Err(Fault::invalid(said).at("type"))
        }
    };
    read().map_err(|fault| fault.inside("tool_choice"))
}

/// How long to think, in the words that other providers have for it.
fn effort(body: Fields) -> Result<Option<String>, Fault> {
    let config = body.object("output_config")?;
    let effort = config.map(|config| config.text("effort")).transpose()?.flatten();
    if effort.is_some() {
        return Ok(effort.map(str::to_string));
    }
    let Some(thinking) = body.object("thinking")? else { return Ok(None) };
    let read = || match (thinking.need("type")?, thinking.count("budget_tokens")?) {
        ("enabled", Some(0..=2048)) => Ok(Some("low")),
        ("enabled", Some(0..=8192)) | ("adaptive", _) => Ok(Some("medium")),
        ("enabled", Some(_)) => Ok(Some("high")),
        ("enabled", None) => Err(Fault::invalid("`budget_tokens` is missing.").at("budget_tokens")),
        _ => Ok(None),
    };
    read().map(|effort| effort.map(str::to_string)).map_err(|fault: Fault| fault.inside("thinking"))
}

fn output(body: Fields) -> Result<Option<OutputSchema>, Fault> {
    let Some(config) = body.object("output_config")? else { return Ok(None) };
    let Some(format) = config.object("format")? else { return Ok(None) };
    match (format.text("type")?, format.get("schema")) {
        (Some("json_schema"), Some(schema @ Value::Object(_))) => Ok(Some(OutputSchema {
            name: "answer".into(),
            schema: CoreValue::from(schema),
            strict: true,
        })),
        (Some("json_schema"), schema) => {
            Err(shape("output_config.format.schema", "an object", schema.unwrap_or(&Value::Null)))
        }
        _ => Err(Fault::invalid("This must be `json_schema`.").at("output_config.format.type")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;

    fn resolved(name: &str) -> crate::ModelRef {
        let options = Options::from_vars(|name| name.ends_with("_KEY").then(|| "k".into()));
        crate::model::resolve(name, &options).unwrap()
    }

    fn body() -> Value {
        json!({
            "model": "claude-sonnet-4-5", "max_tokens": 100, "top_k": 5,
            "system": [{"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral"}}],
            "thinking": {"type": "enabled", "budget_tokens": 4096},
            "tools": [{"name": "look", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "tool_use", "id": "t1", "name": "look", "input": {"x": 1}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "seen", "is_error": true},
                    {"type": "text", "text": "and?"}]}]
        })
    }

    #[test]
    fn a_whole_conversation_is_read() {
        let asked = read(&body()).unwrap();
        let request = &asked.request;
        let roles: Vec<_> = request.messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::Tool, Role::User]);
        assert_eq!(request.reasoning_effort.as_deref(), Some("medium"));
        assert_eq!(request.tool_choice, ToolChoice::Required);
        assert_eq!(request.parallel_tool_calls, Some(false));
        assert_eq!(request.messages[2].tool_calls().next().unwrap().arguments, "{\"x\":1}");
    }

    #[test]
    fn an_own_model_gets_the_own_words_and_others_ours() {
        let sent = |body: &Value, name: &str| {
            let model = resolved(name);
            let request = read(body).unwrap().for_model(&model).unwrap();
            model.dialect.write(&request, &model, false).unwrap().body
        };
        let own = sent(&body(), "claude-sonnet-4-5");
        for key in ["system", "messages", "thinking", "tools", "top_k", "max_tokens"] {
            assert_eq!(own[key], body()[key], "{key}");
        }
        let other = sent(&body(), "gpt-4o");
        assert_eq!((other.get("thinking"), other.get("top_k")), (None, None));
        assert_eq!(other["messages"][0], json!({"role": "system", "content": "Be brief"}));
        // A thought of another provider's is ours to write.
        let mut mixed = body();
        let opaque =
            CoreValue::from(&json!({"thought_signature": "g", "on": "call", "call": "t1"}));
        mixed["messages"][1]["content"][0]["signature"] = json!(seal::seal("hm", &opaque));
        let own = sent(&mixed, "claude-sonnet-4-5");
        assert!(!own.to_string().contains("aw1."), "{own}");
        assert_eq!(own["top_k"], 5);
        let gemini = sent(&mixed, "gemini-2.5-flash");
        assert!(gemini.to_string().contains("\"thoughtSignature\":\"g\""), "{gemini}");
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_its_place() {
        let mut asks = body();
        asks["tools"] = json!([{"type": "web_search_20250305", "name": "web_search"}]);
        asks["tool_choice"] = Value::Null;
        assert!(read(&asks).unwrap().for_model(&resolved("claude-sonnet-4-5")).is_ok());
        let fault = read(&asks).unwrap().for_model(&resolved("gpt-4o")).unwrap_err();
        assert_eq!(fault.param.as_deref(), Some("tools[0]"));
        let ask = |pointer: &str, value: Value| {
            let mut body = body();
            *body.pointer_mut(pointer).unwrap() = value;
            read(&body).unwrap_err().param.unwrap()
        };
        assert_eq!(ask("/messages/0/role", json!("tool")), "messages[0].role");
        assert_eq!(ask("/messages/1/content/1/id", json!(7)), "messages[1].content[1].id");
        assert_eq!(ask("/thinking", json!({"type": "enabled"})), "thinking.budget_tokens");
        let image = json!({"type": "image", "source": {"type": "file", "file_id": "f"}});
        assert_eq!(ask("/messages/2/content/1", image), "messages[2].content[1].source.type");
    }
}
