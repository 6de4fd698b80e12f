//! Between messages of graph state (LangChain's shape) and the chat vocabulary.
//!
//! Nothing is lost on the way to a model and back: reasoning and its seals,
//! arguments that are no JSON, refusals and usage all have a place in the message.

use weaver_core::{Map, Message, MessageKind, Value, message};

use crate::chat::{ChatMessage, Part, Role, Source, ToolCall};
use crate::error::Error;
use crate::stream::ChatResponse;

/// The messages of a request, from messages of graph state. Wishes to delete are
/// no messages and are passed over. Fails with a sentence that names the message
/// by its place from 1.
pub fn to_chat(messages: &[Message]) -> Result<Vec<ChatMessage>, Error> {
    let mut chat = Vec::with_capacity(messages.len());
    for (i, message) in messages.iter().enumerate() {
        let place = |problem| Error::bad_request(format!("Message {}: {problem}", i + 1));
        if let Some(message) = to_chat_message(message).map_err(place)? {
            chat.push(message);
        }
    }
    Ok(chat)
}

/// An answer as a LangChain `AIMessage`: text content (or blocks, where there are
/// sealed reasoning parts), `tool_calls`, `invalid_tool_calls`, `usage_metadata`,
/// `response_metadata`.
///
/// It has no `id`: providers' ids are not unique (Ollama's have three digits), and
/// `add_messages` replaces by id. The provider's id is `response_metadata["id"]`.
pub fn to_message(response: &ChatResponse) -> Message {
    let mut message = Message::new(MessageKind::Ai, content_of(response));
    let mut invalid = Vec::new();
    for call in response.tool_calls() {
        match call.args() {
            Ok(args) => message.tool_calls.push(message::ToolCall {
                id: call.id.clone(),
                name: call.name.clone(),
                args,
            }),
            Err(error) => invalid.push(Value::map([
                ("name", Value::str(&*call.name)),
                ("args", Value::str(&*call.arguments)),
                ("id", Value::str(&*call.id)),
                ("error", Value::str(error)),
                ("type", "invalid_tool_call".into()),
            ])),
        }
    }
    let mut put = |key: &str, value: Value| message.extra.insert(key.into(), value);
    if !invalid.is_empty() {
        put("invalid_tool_calls", Value::list(invalid));
    }
    let kwargs = additional_kwargs(response);
    if !kwargs.is_empty() {
        put("additional_kwargs", kwargs.into());
    }
    put("response_metadata", response_metadata(response));
    put("usage_metadata", usage_metadata(response));
    message
}

/// Messages of graph state, from those of a request: the other way of [`to_chat`]. Results
/// of tools that share a message are messages of their own.
pub fn from_chat(messages: &[ChatMessage]) -> Vec<Message> {
    messages.iter().flat_map(from_chat_message).collect()
}

fn from_chat_message(chat: &ChatMessage) -> Vec<Message> {
    let named = |mut message: Message| {
        message.name = chat.name.as_deref().map(Into::into);
        message
    };
    match chat.role {
        Role::System => vec![named(Message::new(MessageKind::System, blocks_of(&chat.parts)))],
        Role::User => vec![named(Message::new(MessageKind::Human, blocks_of(&chat.parts)))],
        Role::Assistant => {
            let response = ChatResponse { parts: chat.parts.clone(), ..ChatResponse::default() };
            let mut message = to_message(&response);
            for about in ["response_metadata", "usage_metadata"] {
                message.extra.shift_remove(about);
            }
            vec![named(message)]
        }
        Role::Tool => chat.parts.iter().filter_map(from_result).collect(),
    }
}

fn from_result(part: &Part) -> Option<Message> {
    let Part::ToolResult { call_id, name, content, is_error } = part else { return None };
    let mut message = Message::new(MessageKind::Tool, blocks_of(content));
    message.tool_call_id = Some(call_id.as_str().into());
    message.name = name.as_deref().map(Into::into);
    if *is_error {
        message.extra.insert("status".into(), "error".into());
    }
    Some(message)
}

/// What is said as state has it: a text, or blocks where there is more than text.
fn blocks_of(parts: &[Part]) -> Value {
    if parts.iter().all(|part| matches!(part, Part::Text { .. })) {
        return crate::chat::text_of(parts).into();
    }
    let held = |kind: &str, source: &Source| {
        let mut block = Map::new();
        block.insert("type".into(), kind.into());
        let mut put = |key: &str, text: &str| block.insert(key.into(), Value::str(text));
        match source {
            Source::Url(url) => put("url", url),
            Source::Base64 { media_type, data } => {
                put("mime_type", media_type);
                put("base64", data)
            }
        };
        block
    };
    let blocks = parts.iter().filter_map(|part| match part {
        Part::Text { text } => {
            Some(Value::map([("type", Value::str("text")), ("text", Value::str(&**text))]))
        }
        Part::Image { source, detail } => {
            let mut block = held("image", source);
            if let Some(detail) = detail {
                block.insert("detail".into(), Value::str(&**detail));
            }
            Some(block.into())
        }
        Part::File { source, name } => {
            let mut block = held("file", source);
            if let Some(name) = name {
                block.insert("filename".into(), Value::str(&**name));
            }
            Some(block.into())
        }
        _ => None,
    });
    Value::list(blocks)
}

fn to_chat_message(message: &Message) -> Result<Option<ChatMessage>, String> {
    let role = match message.kind {
        MessageKind::Human => Role::User,
        MessageKind::Ai => Role::Assistant,
        MessageKind::System => Role::System,
        MessageKind::Tool => Role::Tool,
        MessageKind::Remove => return Ok(None),
    };
    let mut parts = Vec::new();
    if role == Role::Assistant {
        parts.extend(loose_reasoning(message));
    }
    parts.extend(parts_of(&message.content)?);
    match role {
        Role::Tool => parts = vec![tool_result(message, parts)?],
        Role::Assistant => {
            parts.extend(message.tool_calls.iter().map(|call| {
                let (id, name) = (call.id.clone(), call.name.clone());
                Part::ToolCall(ToolCall { id, name, arguments: call.args.to_json() })
            }));
            parts.extend(invalid_calls(message));
        }
        Role::System | Role::User => {}
    }
    Ok(Some(ChatMessage { role, parts, name: message.name.as_deref().map(str::to_string) }))
}

fn tool_result(message: &Message, content: Vec<Part>) -> Result<Part, String> {
    let call_id = message.tool_call_id.as_deref().ok_or("a tool message needs `tool_call_id`")?;
    Ok(Part::ToolResult {
        call_id: call_id.into(),
        name: message.name.as_deref().map(str::to_string),
        content,
        is_error: message.extra.get("status").and_then(Value::as_str) == Some("error"),
    })
}

fn invalid_calls(message: &Message) -> impl Iterator<Item = Part> {
    let calls = message.extra.get("invalid_tool_calls").and_then(Value::as_list).unwrap_or(&[]);
    calls.iter().map(|call| {
        let text = |key| call.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
        Part::ToolCall(ToolCall { id: text("id"), name: text("name"), arguments: text("args") })
    })
}

fn loose_reasoning(message: &Message) -> Option<Part> {
    let kwargs = message.extra.get("additional_kwargs")?;
    let text = kwargs.get("reasoning_content")?.as_str()?;
    Some(Part::Reasoning { text: text.into(), opaque: Value::Null })
}

fn parts_of(content: &Value) -> Result<Vec<Part>, String> {
    match content {
        Value::Null => Ok(Vec::new()),
        Value::Str(text) if text.is_empty() => Ok(Vec::new()),
        Value::Str(text) => Ok(vec![Part::text(&**text)]),
        Value::List(blocks) => blocks
            .iter()
            .filter_map(|block| part_of(block).transpose())
            .collect::<Result<Vec<_>, _>>(),
        // Tools may answer with any value.
        other => Ok(vec![Part::text(other.plain().to_json())]),
    }
}

/// One content block: LangChain's standard blocks, and the blocks of OpenAI and
/// Anthropic that people write by hand. `None` for blocks that repeat `tool_calls`.
fn part_of(block: &Value) -> Result<Option<Part>, String> {
    if let Some(text) = block.as_str() {
        return Ok(Some(Part::text(text)));
    }
    let text = |key: &str| block.get(key).and_then(Value::as_str).map(str::to_string);
    let kind = text("type").ok_or("a content block needs `type`")?;
    let part = match kind.as_str() {
        "text" | "input_text" | "output_text" => Part::text(text("text").unwrap_or_default()),
        "image_url" => {
            let inner = block.get("image_url");
            let url = inner.and_then(|inner| {
                inner.as_str().or_else(|| inner.get("url").and_then(Value::as_str))
            });
            let url = url.ok_or("an `image_url` block needs `image_url.url`")?;
            let detail = inner.and_then(|inner| inner.get("detail")?.as_str().map(str::to_string));
            Part::Image { source: source_of_url(url), detail }
        }
        "image" => Part::Image { source: source_of(block)?, detail: text("detail") },
        "file" | "document" | "input_file" => {
            let name = text("filename").or_else(|| text("name")).or_else(|| {
                block.get("file").and_then(|f| f.get("filename")?.as_str().map(str::to_string))
            });
            Part::File { source: source_of(block)?, name }
        }
        "reasoning" => Part::Reasoning {
            text: text("reasoning").or_else(|| text("text")).unwrap_or_default(),
            opaque: block.get("extras").cloned().unwrap_or_default(),
        },
        "thinking" | "redacted_thinking" => {
            Part::Reasoning { text: text("thinking").unwrap_or_default(), opaque: block.clone() }
        }
        "non_standard" => {
            let dialect = text("dialect").ok_or("a `non_standard` block needs `dialect`")?;
            let dialect = serde_json::from_value(serde_json::Value::String(dialect));
            Part::Native {
                dialect: dialect.map_err(|error| error.to_string())?,
                value: block.get("value").cloned().unwrap_or_default(),
            }
        }
        "refusal" => Part::Refusal { text: text("refusal").unwrap_or_default() },
        "tool_use" | "tool_call" | "function_call" => return Ok(None),
        other => return Err(format!("a content block of type `{other}` cannot be sent")),
    };
    Ok(Some(part))
}

fn source_of(block: &Value) -> Result<Source, String> {
    // The bytes are in the block itself, under `source` (Anthropic) or `file` (OpenAI).
    let inner = block.get("source").or_else(|| block.get("file")).unwrap_or(block);
    let text = |key: &str| inner.get(key).and_then(Value::as_str);
    if let Some(url) = text("url").or_else(|| text("file_data")) {
        return Ok(source_of_url(url));
    }
    let data = text("base64").or_else(|| text("data"));
    let media_type = text("mime_type").or_else(|| text("media_type"));
    match (data, media_type) {
        (Some(data), Some(media_type)) => {
            Ok(Source::Base64 { media_type: media_type.into(), data: data.into() })
        }
        (Some(_), None) => Err("a block with base64 data needs `mime_type`".into()),
        (None, _) => Err("an image or file block needs `url` or `base64`".into()),
    }
}

pub(crate) fn source_of_url(url: &str) -> Source {
    let base64 = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match base64 {
        Some((media_type, data)) => {
            Source::Base64 { media_type: media_type.into(), data: data.into() }
        }
        None => Source::Url(url.into()),
    }
}

fn content_of(response: &ChatResponse) -> Value {
    let sealed = |part: &Part| match part {
        Part::Reasoning { opaque, .. } => !opaque.is_null(),
        Part::Native { .. } => true,
        _ => false,
    };
    if !response.parts.iter().any(sealed) {
        return response.text().into();
    }
    let blocks = response.parts.iter().filter_map(|part| match part {
        Part::Text { text } => {
            Some(Value::map([("type", Value::str("text")), ("text", Value::str(&**text))]))
        }
        Part::Reasoning { text, opaque } => Some(Value::map([
            ("type", Value::str("reasoning")),
            ("reasoning", Value::str(&**text)),
            ("extras", opaque.clone()),
        ])),
        Part::Native { dialect, value } => Some(Value::map([
            ("type", Value::str("non_standard")),
            ("dialect", Value::str(dialect.to_string())),
            ("value", value.clone()),
        ])),
        _ => None,
    });
    Value::list(blocks)
}

fn additional_kwargs(response: &ChatResponse) -> Map {
    let mut kwargs = Map::new();
    let mut join = |key: &str, text: &str| {
        let known = kwargs.get(key).and_then(Value::as_str).unwrap_or_default();
        let joined = format!("{known}{text}");
        kwargs.insert(key.into(), joined.into());
    };
    for part in &response.parts {
        match part {
            Part::Refusal { text } => join("refusal", text),
            Part::Reasoning { text, opaque } if opaque.is_null() => join("reasoning_content", text),
            _ => {}
        }
    }
    kwargs
}

fn response_metadata(response: &ChatResponse) -> Value {
    let head = &response.head;
    let finish = response.raw_stop.as_deref().unwrap_or(response.stop.as_str());
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.into(), value);
    put("model_name", Value::str(&*head.model));
    put("model_provider", Value::str(&*head.provider));
    put("finish_reason", Value::str(finish));
    if let Some(id) = &head.id {
        put("id", Value::str(&**id));
    }
    if head.offline {
        put("offline", true.into());
    }
    if head.cached {
        put("cached", true.into());
    }
    if !response.usage.raw.is_null() {
        put("token_usage", response.usage.raw.clone());
    }
    for (key, value) in &head.metadata {
        put(key, value.clone());
    }
    map.into()
}

fn usage_metadata(response: &ChatResponse) -> Value {
    let usage = response.usage.tokens;
    let count = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let mut map = vec![
        ("input_tokens", count(usage.input)),
        ("output_tokens", count(usage.output)),
        ("total_tokens", count(usage.input.saturating_add(usage.output))),
    ];
    let cached = [("cache_read", usage.cached_read), ("cache_creation", usage.cached_write)];
    let details = |buckets: &[(&'static str, u64)]| {
        let used = buckets.iter().filter(|(_, n)| *n > 0);
        Value::map(used.map(|(key, n)| (*key, count(*n))).collect::<Vec<_>>())
    };
    if cached.iter().any(|(_, n)| *n > 0) {
        map.push(("input_token_details", details(&cached)));
    }
    if usage.reasoning > 0 {
        map.push(("output_token_details", details(&[("reasoning", usage.reasoning)])));
    }
    Value::map(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{AnswerHead, StopReason, TokenUsage};
    use weaver_core::event::Usage;

    fn chat_of(json: &str) -> Result<ChatMessage, Error> {
        let message = Message::from_value(&Value::from_json(json).unwrap()).unwrap();
        to_chat(&[message]).map(|mut chat| chat.remove(0))
    }

    #[test]
    fn pictures_in_all_spellings_mean_the_same() {
        let expected = Part::Image {
            source: Source::Base64 { media_type: "image/png".into(), data: "AAAA".into() },
            detail: None,
        };
        for block in [
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}"#,
            r#"{"type":"image_url","image_url":"data:image/png;base64,AAAA"}"#,
            r#"{"type":"image","base64":"AAAA","mime_type":"image/png"}"#,
            r#"{"type":"image","source_type":"base64","data":"AAAA","mime_type":"image/png"}"#,
            r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}"#,
        ] {
            let chat = chat_of(&format!(r#"{{"role":"user","content":[{block}]}}"#)).unwrap();
            assert_eq!(chat.parts, std::slice::from_ref(&expected), "{block}");
        }
    }

    #[test]
    fn a_conversation_goes_into_state_and_comes_back() {
        let call = ToolCall { id: "c".into(), name: "f".into(), arguments: "{\"x\":1}".into() };
        let result = Part::ToolResult {
            call_id: "c".into(),
            name: Some("f".into()),
            content: vec![Part::text("seen")],
            is_error: true,
        };
        let picture = Source::Base64 { media_type: "image/png".into(), data: "AAAA".into() };
        let picture = Part::Image { source: picture, detail: Some("low".into()) };
        let file = Part::File { source: Source::Url("https://h/a.pdf".into()), name: None };
        let chat = [
            ChatMessage::system("Be brief"),
            ChatMessage::new(Role::User, vec![Part::text("Look"), picture, file]),
            ChatMessage::new(Role::Assistant, vec![Part::text("So"), Part::ToolCall(call)]),
            ChatMessage { name: Some("f".into()), ..ChatMessage::new(Role::Tool, vec![result]) },
            ChatMessage { name: Some("Ada".into()), ..ChatMessage::user("And?") },
        ];
        let state = from_chat(&chat);
        assert_eq!(state[0].content, Value::str("Be brief"), "a text stays one");
        assert!(state[2].extra.is_empty(), "{:?}", state[2].extra);
        assert_eq!(to_chat(&state).unwrap(), chat);
    }

    #[test]
    fn what_cannot_be_sent_is_named() {
        let error = chat_of(r#"{"role":"user","content":[{"type":"hologram"}]}"#).unwrap_err();
        assert!(error.to_string().contains("Message 1") && error.to_string().contains("hologram"));
        let error = chat_of(r#"{"role":"tool","content":"4"}"#).unwrap_err();
        assert!(error.to_string().contains("tool_call_id"));
    }

    #[test]
    fn an_answer_keeps_its_meaning_through_a_message_and_back() {
        let call = |id: &str, arguments: &str| {
            Part::ToolCall(ToolCall {
                id: id.into(),
                name: "f".into(),
                arguments: arguments.into(),
            })
        };
        let seal = Value::map([("signature", Value::str("xyz"))]);
        let thought = Part::Reasoning { text: "hm".into(), opaque: seal };
        let response = ChatResponse {
            head: AnswerHead { model: "m".into(), provider: "p".into(), ..Default::default() },
            parts: vec![
                thought,
                Part::text("hi"),
                Part::Native {
                    dialect: crate::Dialect::Anthropic,
                    value: Value::map([("type", Value::str("server_tool_use"))]),
                },
                call("a", r#"{"x":1}"#),
                call("b", "{oops"),
            ],
            stop: StopReason::ToolCalls,
            usage: TokenUsage {
                tokens: Usage {
                    input: 7,
                    cached_read: 2,
                    output: 5,
                    reasoning: 3,
                    ..Default::default()
                },
                ..TokenUsage::default()
            },
            ..Default::default()
        };
        let message = to_message(&response);
        assert_eq!(message.tool_calls.len(), 1, "the broken call is kept apart");
        let usage = message.extra.get("usage_metadata").unwrap().to_json();
        assert_eq!(
            usage,
            r#"{"input_tokens":7,"output_tokens":5,"total_tokens":12,"input_token_details":{"cache_read":2},"output_token_details":{"reasoning":3}}"#
        );
        let value = Message::from_value(&message.to_value()).unwrap();
        assert_eq!(to_chat(&[value]).unwrap()[0].parts, response.parts);
    }

    #[test]
    fn plain_reasoning_leaves_the_content_a_text() {
        let response = ChatResponse {
            parts: vec![
                Part::Reasoning { text: "hm".into(), opaque: Value::Null },
                Part::text("hi"),
            ],
            ..Default::default()
        };
        let message = to_message(&response);
        assert_eq!(message.content, "hi".into());
        assert_eq!(to_chat(&[message]).unwrap()[0].parts, response.parts);
    }
}
