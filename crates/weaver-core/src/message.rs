//! Chat messages as they live in graph state, in LangChain's shape.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::value::{Map, TYPE_KEY, Value};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// The user.
    Human,
    /// The model.
    Ai,
    /// Instructions.
    System,
    /// The answer of a tool.
    Tool,
    /// A wish to delete the message of the same id.
    Remove,
}

impl MessageKind {
    /// The word in `type`: `human`, `ai`, `system`, `tool`, `remove`.
    pub fn as_str(self) -> &'static str {
        match self {
            MessageKind::Human => "human",
            MessageKind::Ai => "ai",
            MessageKind::System => "system",
            MessageKind::Tool => "tool",
            MessageKind::Remove => "remove",
        }
    }

    /// Reads LangChain's types and OpenAI's roles: `human` or `user`, `ai` or `assistant` …
    pub fn from_role(role: &str) -> Option<Self> {
        Some(match role {
            "human" | "user" => MessageKind::Human,
            "ai" | "assistant" => MessageKind::Ai,
            "system" | "developer" => MessageKind::System,
            "tool" => MessageKind::Tool,
            "remove" => MessageKind::Remove,
            _ => return None,
        })
    }
}

/// One call that a model asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// Ties the answer to the call.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments, a map.
    pub args: Value,
}

/// A message of graph state. Its value form is
/// `{"$type": "message", "type": "ai", "content": …, "id": …, …}`; parts that
/// are empty are left out, parts that are unknown are kept in [`Message::extra`].
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub kind: MessageKind,
    /// Text, or a list of content blocks.
    pub content: Value,
    /// Identity within a thread; `add_messages` gives one where it is missing.
    pub id: Option<Arc<str>>,
    /// The speaker's name.
    pub name: Option<Arc<str>>,
    /// Calls that the model asks for (kind `ai`).
    pub tool_calls: Vec<ToolCall>,
    /// The call that this answers (kind `tool`).
    pub tool_call_id: Option<Arc<str>>,
    /// Everything else: `status`, `artifact`, `usage_metadata`, `response_metadata` …
    pub extra: Map,
}

impl Message {
    /// A message with text.
    pub fn new(kind: MessageKind, content: impl Into<Value>) -> Self {
        Message {
            kind,
            content: content.into(),
            id: None,
            name: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
            extra: Map::new(),
        }
    }

    /// The text: the content itself, or its text blocks joined.
    pub fn text(&self) -> String {
        match &self.content {
            Value::Str(text) => text.to_string(),
            Value::List(blocks) => blocks
                .iter()
                .filter_map(|block| block.as_str().or_else(|| block.get("text")?.as_str()))
                .collect(),
            _ => String::new(),
        }
    }

    /// The value form.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        map.insert(TYPE_KEY.into(), "message".into());
        map.insert("type".into(), self.kind.as_str().into());
        map.insert("content".into(), self.content.clone());
        if let Some(id) = &self.id {
            map.insert("id".into(), id.clone().into());
        }
        if let Some(name) = &self.name {
            map.insert("name".into(), name.clone().into());
        }
        if !self.tool_calls.is_empty() {
            let calls = self.tool_calls.iter().map(ToolCall::to_value);
            map.insert("tool_calls".into(), Value::list(calls));
        }
        if let Some(id) = &self.tool_call_id {
            map.insert("tool_call_id".into(), id.clone().into());
        }
        map.extend(self.extra.iter().map(|(k, v)| (k.clone(), v.clone())));
        map.into()
    }

    /// Reads what LangGraph coerces: a message, a dict with `role` or `type`, a
    /// pair `[role, content]`, or plain text (a human message). The error is a sentence.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::Str(text) => Ok(Message::new(MessageKind::Human, Value::Str(text.clone()))),
            Value::List(pair) => match pair.as_slice() {
                [Value::Str(role), content] => Ok(Message::new(kind_of(role)?, content.clone())),
                _ => Err("a message as a tuple must be (role, content)".into()),
            },
            Value::Map(map) => from_map(map),
            other => Err(format!("cannot make a message of {}", other.type_name())),
        }
    }
}

impl ToolCall {
    /// `{"name", "args", "id", "type": "tool_call"}`.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("name", Value::str(&*self.name)),
            ("args", self.args.clone()),
            ("id", Value::str(&*self.id)),
            ("type", "tool_call".into()),
        ])
    }

    /// Reads what [`ToolCall::to_value`] writes.
    ///
    /// Errors: it has no name.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        let text = |key| value.get(key).and_then(Value::as_str);
        let name = text("name").ok_or("a tool call needs a name")?;
        let args = value.get("args").cloned().unwrap_or_else(|| Map::new().into());
        Ok(ToolCall { id: text("id").unwrap_or_default().into(), name: name.into(), args })
    }
}

fn kind_of(role: &str) -> Result<MessageKind, String> {
    MessageKind::from_role(role)
        .ok_or_else(|| format!("`{role}` is no message role; use user, assistant, system or tool"))
}

fn from_map(map: &Map) -> Result<Message, String> {
    let text = |key: &str| match map.get(key) {
        Some(Value::Str(text)) => Some(text.clone()),
        _ => None,
    };
    let role = text("type").or_else(|| text("role"));
    let role = role.ok_or("a message dict needs `role` (or `type`) and `content`")?;
    let mut message =
        Message::new(kind_of(&role)?, map.get("content").cloned().unwrap_or_else(|| "".into()));
    message.id = text("id");
    message.name = text("name");
    message.tool_call_id = text("tool_call_id");
    if let Some(calls) = map.get("tool_calls").and_then(Value::as_list) {
        message.tool_calls = calls.iter().map(ToolCall::from_value).collect::<Result<_, _>>()?;
    }
    const KNOWN: [&str; 8] =
        [TYPE_KEY, "type", "role", "content", "id", "name", "tool_call_id", "tool_calls"];
    message.extra = map
        .iter()
        .filter(|(key, value)| !KNOWN.contains(&&***key) && !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coerces_what_langgraph_coerces() {
        let pair = Value::from_json(r#"["user","hi"]"#).unwrap();
        let dict = Value::from_json(r#"{"role":"user","content":"hi"}"#).unwrap();
        for value in [pair, dict, "hi".into()] {
            assert_eq!(
                Message::from_value(&value).unwrap(),
                Message::new(MessageKind::Human, "hi")
            );
        }
        assert!(Message::from_value(&Value::Int(3)).unwrap_err().contains("int"));
    }

    #[test]
    fn value_round_trip_keeps_unknown_parts() {
        let text = r#"{"$type":"message","type":"ai","content":"","id":"a","tool_calls":[{"name":"f","args":{"x":1},"id":"c","type":"tool_call"}],"usage_metadata":{"input_tokens":3}}"#;
        let value = Value::from_json(text).unwrap();
        assert_eq!(Message::from_value(&value).unwrap().to_value().to_json(), text);
    }
}
