//! The chat vocabulary: what a caller asks for, in no provider's words.

use serde::{Deserialize, Serialize};
use weaver_core::{Map, Value};

use crate::dialect::Dialect;

/// One call of a model. Everything but `model` and `messages` may stay at its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatRequest {
    /// A model's name in any form that [`crate::Gateway::resolve`] reads: `openai/gpt-4o`,
    /// `ollama:llama3.2`, `claude`, `scripted`, `http://127.0.0.1:8000/v1#my-model`.
    pub model: String,
    /// The conversation, oldest first.
    pub messages: Vec<ChatMessage>,
    /// Tools that the model may call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolDefinition>,
    /// Whether it must, may or must not call them.
    pub tool_choice: ToolChoice,
    /// Whether one answer may hold several calls; absent leaves it to the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// Sampling temperature; left out for models that take none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling; left out for models that take none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Limit of the answer in tokens, reasoning included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Texts that end the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Sampling seed, where the provider has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// How long to think: `low`, `medium`, `high` or a provider's own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
    /// Asks for JSON of a shape instead of prose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputSchema>,
    /// Tools that the provider runs itself, in its own words: `{"type": "web_search_20250305", …}`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub native_tools: Vec<Value>,
    /// Marks the prompt for the provider's cache, where it wants that said.
    pub cache_prompt: bool,
    /// An answer that was given to the same request may be given again, if it is no older
    /// than so many seconds; absent leaves it to [`crate::Options::cache_seconds`], 0 asks anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_seconds: Option<u64>,
    /// The interface to use, where the provider has several; absent lets the model decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// Models to ask instead, in order, when this one fails before it has said anything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<String>,
    /// Names of trial features, as Anthropic's `anthropic-beta` has them; models of other
    /// dialects get the request without them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub betas: Vec<String>,
    /// Further members of the request body, in the provider's own words; they win over ours.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Map,
    /// The dialect whose words those are; models of others get the request without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_for: Option<Dialect>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// Answers of tools; its parts are [`Part::ToolResult`]s.
    Tool,
}

/// One message: a role and what it says, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub parts: Vec<Part>,
    /// The speaker's name, where several people or agents share a role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// Where it is.
        source: Source,
        /// `low`, `high` or `auto`, where the provider asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// A document.
    File {
        /// Where it is.
        source: Source,
        /// Its file name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Thinking that the model showed, kept so that it can be passed back unchanged.
    Reasoning {
        /// The readable part; may be empty.
        text: String,
        /// Signatures and encrypted parts in the provider's own shape.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        opaque: Value,
    },
    /// The model declines, in its own words.
    Refusal {
        /// The words.
        text: String,
    },
    /// The model asks for a call.
    ToolCall(ToolCall),
    /// The answer to a call.
    ToolResult {
        /// The call's [`ToolCall::id`].
        call_id: String,
        /// The tool's name, when known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Text and pictures.
        content: Vec<Part>,
        /// Whether the call failed.
        #[serde(default)]
        is_error: bool,
    },
    /// Something of one dialect's own, kept so that it can be passed back unchanged:
    /// what a provider's own tool was asked and answered, a picture that was made,
    /// where a text was found. Other dialects leave it out.
    Native {
        /// Whose words.
        dialect: Dialect,
        /// The piece.
        value: Value,
    },
}

/// Where the bytes of a picture or document are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// At an address that the provider fetches.
    Url(String),
    /// In the message.
    Base64 {
        /// `image/png`, `application/pdf` …
        media_type: String,
        /// Standard base64.
        data: String,
    },
}

/// A call that a model asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Ties the result to the call; made up (and stable) where the provider gives none.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments as the model wrote them: JSON text, not always valid.
    pub arguments: String,
}

/// A tool as the model sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolDefinition {
    /// Its name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON Schema of the arguments, an object schema.
    pub parameters: Value,
}

/// Whether the model must call a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// It decides.
    #[default]
    Auto,
    /// It must not.
    None,
    /// It must call at least one.
    Required,
    /// It must call this one.
    Tool(String),
}

/// JSON of a shape, asked for instead of prose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputSchema {
    /// The shape's name: letters, digits, `_` and `-`.
    pub name: String,
    /// JSON Schema.
    pub schema: Value,
    /// Whether the provider must hold to the schema exactly (its own rules for schemas then apply).
    #[serde(default)]
    pub strict: bool,
}

impl ChatRequest {
    /// A request with messages and nothing else.
    pub fn new(model: impl Into<String>, messages: Vec<ChatMessage>) -> Self {
        ChatRequest { model: model.into(), messages, ..Default::default() }
    }

    /// The further members that a model of a dialect is sent.
    pub(crate) fn extra_in(&self, dialect: Dialect) -> impl Iterator<Item = (&str, &Value)> {
        let meant = self.extra_for.is_none_or(|wanted| wanted == dialect);
        self.extra.iter().filter(move |_| meant).map(|(key, value)| (&**key, value))
    }

    /// The text of the last user message, or nothing.
    pub fn last_user_text(&self) -> Option<String> {
        self.messages.iter().rev().find(|m| m.role == Role::User).map(ChatMessage::text)
    }
}

impl ChatMessage {
    /// A message of parts.
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        ChatMessage { role, parts, name: None }
    }

    /// Instructions.
    pub fn system(text: impl Into<String>) -> Self {
        ChatMessage::new(Role::System, vec![Part::text(text)])
    }

    /// What the user says.
    pub fn user(text: impl Into<String>) -> Self {
        ChatMessage::new(Role::User, vec![Part::text(text)])
    }

    /// What the model said.
    pub fn assistant(text: impl Into<String>) -> Self {
        ChatMessage::new(Role::Assistant, vec![Part::text(text)])
    }

    /// The answer to a call.
    pub fn tool_result(call_id: impl Into<String>, text: impl Into<String>) -> Self {
        let result = Part::ToolResult {
            call_id: call_id.into(),
            name: None,
            content: vec![Part::text(text)],
            is_error: false,
        };
        ChatMessage::new(Role::Tool, vec![result])
    }

    /// Its text parts joined, those of tool results included.
    pub fn text(&self) -> String {
        text_of(&self.parts)
    }

    /// The calls in it.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(Part::as_tool_call)
    }
}

impl OutputSchema {
    /// What a model is told that has no other way to be asked for the shape.
    pub(crate) fn instructions(&self) -> String {
        format!(
            "Answer with one JSON value and nothing else: no prose, no Markdown. It must fit this JSON Schema ({}):\n{}",
            self.name,
            self.schema.to_json()
        )
    }
}

impl Part {
    /// A text part.
    pub fn text(text: impl Into<String>) -> Self {
        Part::Text { text: text.into() }
    }

    /// The call, if this is one.
    pub fn as_tool_call(&self) -> Option<&ToolCall> {
        match self {
            Part::ToolCall(call) => Some(call),
            _ => None,
        }
    }
}

impl ToolCall {
    /// The arguments as a map; no text counts as no arguments. The error is a sentence.
    pub fn args(&self) -> Result<Value, String> {
        if self.arguments.trim().is_empty() {
            return Ok(Map::new().into());
        }
        match Value::from_json(&self.arguments) {
            Ok(value @ Value::Map(_)) => Ok(value),
            Ok(Value::Null) => Ok(Map::new().into()),
            Ok(other) => Err(format!(
                "the arguments of `{}` are a JSON {}, not an object",
                self.name,
                other.type_name()
            )),
            Err(error) => Err(format!("the arguments of `{}` are not JSON: {error}", self.name)),
        }
    }
}

/// The text parts joined; text inside tool results counts.
pub(crate) fn text_of(parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text { text: piece } => text.push_str(piece),
            Part::ToolResult { content, .. } => text.push_str(&text_of(content)),
            _ => {}
        }
    }
    text
}
