//! What comes back: a stream of events, and the answer they add up to.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use weaver_core::event::Usage;
use weaver_core::{Map, Value};

use crate::chat::{ChatMessage, Part, Role, ToolCall};
use crate::dialect::Dialect;
use crate::error::Error;
use crate::price::Price;

/// A piece of an answer, as it arrives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ChatEvent {
    /// The answer begins; always the first event.
    Start(AnswerHead),
    /// More text.
    Text {
        /// The piece.
        text: String,
    },
    /// More of the thinking that the model shows.
    Reasoning {
        /// The readable piece; may be empty.
        text: String,
        /// A whole signature or encrypted part in the provider's own shape.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        opaque: Value,
    },
    /// More of a refusal.
    Refusal {
        /// The piece.
        text: String,
    },
    /// Something of the provider's own, whole.
    Native {
        /// Whose words.
        dialect: Dialect,
        /// The piece.
        value: Value,
    },
    /// A call begins. Indices start at 0 and are dense within an answer.
    ToolCallStart {
        /// Which call of the answer.
        index: usize,
        /// [`ToolCall::id`].
        id: String,
        /// The tool's name.
        name: String,
    },
    /// More of a call's arguments, JSON text.
    ToolCallDelta {
        /// Which call of the answer.
        index: usize,
        /// The piece.
        arguments: String,
    },
    /// Tokens so far; a later one replaces an earlier one.
    Usage(TokenUsage),
    /// The answer is whole; always the last event of a good stream.
    Finish {
        /// Why it ended.
        reason: StopReason,
        /// The provider's word for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw: Option<String>,
    },
}

/// What is known of an answer before its first word.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnswerHead {
    /// The provider's id of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The model that answers, as the provider names it.
    pub model: String,
    /// The provider's name in our table.
    pub provider: String,
    /// No model was asked: the scripted offline model answers.
    pub offline: bool,
    /// Nobody was asked: the answer is one that was given before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// How often the call was tried, the good try included.
    pub attempts: u32,
    /// Everything else worth keeping, such as `system_fingerprint`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map,
}

/// Tokens of one answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// In our buckets.
    pub tokens: Usage,
    /// Parts of them that have prices of their own.
    #[serde(default, skip_serializing_if = "TokenDetails::is_none")]
    pub details: TokenDetails,
    /// The provider's own object, untouched: an answer can be priced again later.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub raw: Value,
}

/// Parts of the buckets that some providers price apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenDetails {
    /// Of the tokens written to a cache, those that it keeps longer than usual.
    pub cached_write_long: u64,
    /// Of the tokens sent, those of sound.
    pub audio_input: u64,
    /// Of those, read from a cache.
    pub audio_cached: u64,
    /// Of the tokens received, those of sound.
    pub audio_output: u64,
}

impl TokenDetails {
    fn is_none(&self) -> bool {
        *self == TokenDetails::default()
    }
}

impl From<Usage> for TokenUsage {
    fn from(tokens: Usage) -> Self {
        TokenUsage { tokens, ..TokenUsage::default() }
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It was done.
    #[default]
    End,
    /// It calls tools.
    ToolCalls,
    /// It hit the limit of tokens.
    MaxTokens,
    /// It met a stop text.
    StopText,
    /// The provider's filter cut it.
    ContentFilter,
    /// The model declined.
    Refusal,
    /// A word that we do not know; see the raw one.
    Other,
}

impl StopReason {
    /// The word in events: `end`, `tool_calls`, `max_tokens` …
    pub fn as_str(self) -> &'static str {
        match self {
            StopReason::End => "end",
            StopReason::ToolCalls => "tool_calls",
            StopReason::MaxTokens => "max_tokens",
            StopReason::StopText => "stop_text",
            StopReason::ContentFilter => "content_filter",
            StopReason::Refusal => "refusal",
            StopReason::Other => "other",
        }
    }
}

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatResponse {
    /// Who answered.
    #[serde(flatten)]
    pub head: AnswerHead,
    /// What was said, in order; neighbouring pieces of a kind are joined.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub stop: StopReason,
    /// The provider's word for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_stop: Option<String>,
    /// Tokens; zeroes where the provider counts none.
    pub usage: TokenUsage,
    /// Millionths of a US dollar, rounded up, where a price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
}

impl ChatResponse {
    /// The text parts joined.
    pub fn text(&self) -> String {
        crate::chat::text_of(&self.parts)
    }

    /// The calls in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(Part::as_tool_call)
    }

    /// The answer as a message, to go on with.
    pub fn to_message(&self) -> ChatMessage {
        ChatMessage::new(Role::Assistant, self.parts.clone())
    }

    /// The structured output: the text read as JSON, a Markdown fence around it
    /// taken off. The error is a sentence.
    pub fn json(&self) -> Result<Value, String> {
        let text = self.text();
        let bare = strip_fence(text.trim());
        Value::from_json(bare).map_err(|error| {
            let shown: String = bare.chars().take(80).collect();
            format!("the answer of `{}` is not JSON ({error}): {shown}", self.head.model)
        })
    }

    /// The events that add up to this answer, in large pieces; the other way of [`Assembler`].
    pub fn to_events(&self) -> Vec<ChatEvent> {
        let mut events = vec![ChatEvent::Start(self.head.clone())];
        let mut index = 0;
        for part in &self.parts {
            match part {
                Part::Text { text } => events.push(ChatEvent::Text { text: text.clone() }),
                Part::Refusal { text } => events.push(ChatEvent::Refusal { text: text.clone() }),
                Part::Reasoning { text, opaque } => {
                    events.push(ChatEvent::Reasoning { text: text.clone(), opaque: opaque.clone() })
                }
                Part::ToolCall(call) => {
                    let (id, name) = (call.id.clone(), call.name.clone());
                    events.push(ChatEvent::ToolCallStart { index, id, name });
                    let arguments = call.arguments.clone();
                    events.push(ChatEvent::ToolCallDelta { index, arguments });
                    index += 1;
                }
                Part::Native { dialect, value } => {
                    events.push(ChatEvent::Native { dialect: *dialect, value: value.clone() });
                }
                Part::Image { .. } | Part::File { .. } | Part::ToolResult { .. } => {}
            }
        }
        events.push(ChatEvent::Usage(self.usage.clone()));
        events.push(ChatEvent::Finish { reason: self.stop, raw: self.raw_stop.clone() });
        events
    }
}

fn strip_fence(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("```") else { return text };
    let Some((_language, body)) = rest.split_once('\n') else { return text };
    body.strip_suffix("```").map_or(text, str::trim)
}

/// Adds events up to an answer.
#[derive(Debug, Default)]
pub struct Assembler {
    response: ChatResponse,
    /// Where in `parts` each tool call lies.
    calls: Vec<usize>,
    finished: bool,
}

impl Assembler {
    /// Takes the next event.
    pub fn push(&mut self, event: &ChatEvent) {
        let parts = &mut self.response.parts;
        match event {
            ChatEvent::Start(head) => self.response.head = head.clone(),
            ChatEvent::Text { text } => match parts.last_mut() {
                Some(Part::Text { text: last }) => last.push_str(text),
                _ => parts.push(Part::text(text)),
            },
            ChatEvent::Refusal { text } => match parts.last_mut() {
                Some(Part::Refusal { text: last }) => last.push_str(text),
                _ => parts.push(Part::Refusal { text: text.clone() }),
            },
            ChatEvent::Reasoning { text, opaque } => match parts.last_mut() {
                Some(Part::Reasoning { text: last, opaque: seal }) if seal.is_null() => {
                    last.push_str(text);
                    *seal = opaque.clone();
                }
                _ => parts.push(Part::Reasoning { text: text.clone(), opaque: opaque.clone() }),
            },
            ChatEvent::Native { dialect, value } => {
                parts.push(Part::Native { dialect: *dialect, value: value.clone() });
            }
            ChatEvent::ToolCallStart { index, id, name } => {
                debug_assert_eq!(*index, self.calls.len(), "indices are dense");
                self.calls.push(parts.len());
                parts.push(Part::ToolCall(ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                }));
            }
            ChatEvent::ToolCallDelta { index, arguments } => {
                let place = self.calls.get(*index).and_then(|at| parts.get_mut(*at));
                if let Some(Part::ToolCall(call)) = place {
                    call.arguments.push_str(arguments);
                }
            }
            ChatEvent::Usage(usage) => self.response.usage = usage.clone(),
            ChatEvent::Finish { reason, raw } => {
                self.response.stop = *reason;
                self.response.raw_stop = raw.clone();
                self.finished = true;
            }
        }
    }

    /// What has arrived so far, whole or not.
    pub fn response(&self) -> &ChatResponse {
        &self.response
    }

    /// The answer, once [`ChatEvent::Finish`] has come; before that there is none,
    /// so a cut stream can never pass for a short answer.
    pub fn finish(self) -> Option<ChatResponse> {
        self.finished.then_some(self.response)
    }
}

/// The events of one answer. The first is [`ChatEvent::Start`]; the last is
/// [`ChatEvent::Finish`] or an error, never anything else. Dropping it closes the
/// connection to the provider.
pub struct ChatStream {
    inner: Pin<Box<dyn Stream<Item = Result<ChatEvent, Error>> + Send>>,
    price: Option<Price>,
}

impl ChatStream {
    pub(crate) fn new(
        inner: impl Stream<Item = Result<ChatEvent, Error>> + Send + 'static,
    ) -> Self {
        ChatStream { inner: Box::pin(inner), price: None }
    }

    pub(crate) fn with_price(self, price: Option<Price>) -> Self {
        ChatStream { price, ..self }
    }

    /// The events of an answer that is known already, as when the log is replayed.
    pub fn of(response: &ChatResponse) -> Self {
        ChatStream::new(futures::stream::iter(response.to_events().into_iter().map(Ok)))
    }

    /// Reads to the end and prices the answer, showing each event to `look` on its way.
    pub async fn collect(
        mut self,
        mut look: impl FnMut(&ChatEvent),
    ) -> Result<ChatResponse, Error> {
        let mut assembler = Assembler::default();
        while let Some(event) = self.inner.next().await {
            let event = event?;
            look(&event);
            assembler.push(&event);
        }
        let provider = assembler.response.head.provider.clone();
        let response = assembler.finish();
        let mut response =
            response.ok_or_else(|| Error::cut(&provider, "the stream ended early"))?;
        response.cost_micros = self.price.map(|price| price.cost_micros(&response.usage));
        Ok(response)
    }
}

impl Stream for ChatStream {
    type Item = Result<ChatEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.inner.as_mut().poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Source;

    #[test]
    fn an_answer_survives_the_log_and_its_own_events() {
        let seal = Value::map([("signature", Value::str("s"))]);
        let call = ToolCall { id: "c".into(), name: "f".into(), arguments: "{oops".into() };
        let response = ChatResponse {
            head: AnswerHead {
                id: Some("a1".into()),
                model: "m".into(),
                provider: "p".into(),
                attempts: 2,
                metadata: [("rule".into(), "r".into())].into_iter().collect(),
                ..AnswerHead::default()
            },
            parts: vec![
                Part::Reasoning { text: "hm".into(), opaque: seal },
                Part::text("hi"),
                Part::ToolCall(call),
            ],
            stop: StopReason::ToolCalls,
            raw_stop: Some("tool_calls".into()),
            usage: TokenUsage {
                tokens: Usage { input: 3, ..Usage::default() },
                raw: Value::map([("n", Value::Int(3))]),
                ..TokenUsage::default()
            },
            cost_micros: None,
        };
        let stored = Value::from(&serde_json::to_value(&response).unwrap());
        let read = serde_json::from_value(serde_json::Value::from(&stored)).unwrap();
        assert_eq!(response, read);
        let mut assembler = Assembler::default();
        response.to_events().iter().for_each(|event| assembler.push(event));
        assert_eq!(assembler.finish(), Some(response));
    }

    #[test]
    fn every_part_of_a_request_survives_the_log() {
        let source = Source::Base64 { media_type: "image/png".into(), data: "AA".into() };
        let result = Part::ToolResult {
            call_id: "c".into(),
            name: None,
            content: vec![Part::Image { source, detail: None }],
            is_error: true,
        };
        let message = ChatMessage::new(Role::Tool, vec![result]);
        let stored = Value::from(&serde_json::to_value(&message).unwrap());
        let read = serde_json::from_value(serde_json::Value::from(&stored)).unwrap();
        assert_eq!(message, read);
    }

    #[test]
    fn structured_output_may_come_in_a_fence() {
        for text in ["{\"a\":1}", "```json\n{\"a\":1}\n```", "  ```\n{\"a\":1}```  "] {
            let response = ChatResponse { parts: vec![Part::text(text)], ..Default::default() };
            assert_eq!(response.json().unwrap().to_json(), r#"{"a":1}"#, "{text}");
        }
    }
}
