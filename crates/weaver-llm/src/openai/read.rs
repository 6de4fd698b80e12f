//! Answers in the dialect's words, whole or in pieces, to events. Both forms go
//! through the same code, because servers make the same departures in both.

use std::collections::VecDeque;

use serde_json::Value;
use weaver_core::event::Usage;
use weaver_core::{Map, Value as CoreValue};

use crate::error::Error;
use crate::model::ModelRef;
use crate::stream::{AnswerHead, ChatEvent, StopReason, TokenUsage};

/// Reads one answer.
pub(super) struct Decoder {
    model: ModelRef,
    tries: u32,
    /// How many messages the request has; part of the ids that we make up.
    messages: usize,
    started: bool,
    /// The server said that nothing more comes.
    done: bool,
    calls: Vec<OpenCall>,
    refused: bool,
    finish: Option<String>,
    usage: Option<TokenUsage>,
}

/// A call whose pieces arrive.
struct OpenCall {
    /// The server's own index, where it has one.
    index: Option<u64>,
    /// The server's own id, where it has one.
    id: Option<String>,
}

type Ready = VecDeque<ChatEvent>;

impl Decoder {
    /// For the answer of a model to a request of so many messages.
    pub fn new(model: &ModelRef, tries: u32, messages: usize) -> Self {
        Decoder {
            model: model.clone(),
            tries,
            messages,
            started: false,
            done: false,
            calls: Vec::new(),
            refused: false,
            finish: None,
            usage: None,
        }
    }

    /// Whether the server said that nothing more comes.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Takes an answer in one piece.
    pub fn whole(&mut self, bytes: &[u8]) -> Result<Ready, Error> {
        let text = String::from_utf8_lossy(bytes);
        if text.trim().is_empty() {
            return Err(self.unreadable("it is empty"));
        }
        let mut ready = Ready::new();
        self.push(&text, &mut ready)?;
        self.end(&mut ready)?;
        Ok(ready)
    }

    /// Takes the data of one event, or a whole answer.
    pub fn push(&mut self, data: &str, ready: &mut Ready) -> Result<(), Error> {
        match data.trim() {
            "" => return Ok(()),
            "[DONE]" => {
                self.done = true;
                return Ok(());
            }
            _ => {}
        }
        let chunk: Value = serde_json::from_str(data).map_err(|error| {
            let shown: String = data.chars().take(80).collect();
            self.unreadable(&format!("it is not JSON ({error}): {shown}"))
        })?;
        if chunk.get("error").is_some_and(|error| !error.is_null()) {
            return Err(super::error::of_object(&self.model, &chunk));
        }
        let choices = chunk["choices"].as_array();
        if choices.is_none() && chunk["usage"].is_null() {
            // An event of a kind that we do not know, or a body that is something else.
            return match self.started || chunk.get("object").is_some() {
                true => Ok(()),
                false => Err(self.unreadable("it has no `choices`")),
            };
        }
        self.start(&chunk, ready);
        let first = choices.and_then(|choices| {
            choices.iter().find(|choice| choice["index"].as_u64().unwrap_or(0) == 0)
        });
        if let Some(choice) = first {
            let said = if choice["delta"].is_object() { "delta" } else { "message" };
            self.message(&choice[said], ready);
            if let Some(error) = choice.get("error").filter(|error| !error.is_null()) {
                return Err(super::error::of_object(&self.model, error));
            }
            self.finish_reason(choice)?;
        }
        for usage in [&chunk["usage"], &chunk["x_groq"]["usage"]] {
            if usage.is_object() {
                self.usage = Some(token_usage(usage));
            }
        }
        Ok(())
    }

    /// At the end of the bytes: the last events, or why the answer is not whole.
    pub fn end(&mut self, ready: &mut Ready) -> Result<(), Error> {
        if !self.started {
            return Err(self.unreadable("it is empty"));
        }
        if self.finish.is_none() && !self.done {
            return Err(Error::cut(&self.model.title, "the connection closed before the end"));
        }
        ready.push_back(ChatEvent::Usage(self.usage.take().unwrap_or_default()));
        let raw = self.finish.take();
        ready.push_back(ChatEvent::Finish { reason: self.stop(raw.as_deref()), raw });
        Ok(())
    }

    fn start(&mut self, chunk: &Value, ready: &mut Ready) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let text =
            |key: &str| chunk[key].as_str().filter(|text| !text.is_empty()).map(str::to_string);
        let mut metadata = Map::new();
        for key in ["system_fingerprint", "service_tier", "provider"] {
            if let Some(value) = text(key) {
                metadata.insert(key.into(), value.into());
            }
        }
        ready.push_back(ChatEvent::Start(AnswerHead {
            id: text("id"),
            model: text("model").unwrap_or_else(|| self.model.model.clone()),
            provider: self.model.provider.clone(),
            offline: false,
            attempts: self.tries + 1,
            metadata,
        }));
    }

    fn message(&mut self, message: &Value, ready: &mut Ready) {
        for key in ["reasoning_content", "reasoning"] {
            if let Some(text) = message[key].as_str().filter(|text| !text.is_empty()) {
                ready.push_back(reasoning(text));
                break; // some servers send both, the same text twice
            }
        }
        match &message["content"] {
            Value::String(text) if !text.is_empty() => {
                ready.push_back(ChatEvent::Text { text: text.clone() });
            }
            Value::Array(blocks) => blocks.iter().for_each(|block| content_block(block, ready)),
            _ => {}
        }
        if let Some(text) = message["refusal"].as_str().filter(|text| !text.is_empty()) {
            self.refused = true;
            ready.push_back(ChatEvent::Refusal { text: text.into() });
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            self.tool_call(call, ready);
        }
        if message["function_call"].is_object() {
            let call = serde_json::json!({"index": 0, "function": message["function_call"]});
            self.tool_call(&call, ready);
        }
    }

    fn tool_call(&mut self, call: &Value, ready: &mut Ready) {
        let (index, function) = (call["index"].as_u64(), &call["function"]);
        let id = call["id"].as_str().filter(|id| !id.is_empty()).map(str::to_string);
        let name = function["name"].as_str().filter(|name| !name.is_empty());
        let at = match self.find(index, id.as_deref(), name) {
            Some(at) => at,
            None => {
                let at = self.calls.len();
                let made_up = || format!("call_{}_{at}", self.messages);
                ready.push_back(ChatEvent::ToolCallStart {
                    index: at,
                    id: id.clone().unwrap_or_else(made_up),
                    name: name.unwrap_or_default().into(),
                });
                self.calls.push(OpenCall { index, id });
                at
            }
        };
        let arguments = match &function["arguments"] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            // Some servers send the object itself.
            other => other.to_string(),
        };
        if !arguments.is_empty() {
            ready.push_back(ChatEvent::ToolCallDelta { index: at, arguments });
        }
    }

    /// The call that a piece belongs to. An index names one; but some servers give
    /// every call the index 0 and another id, and some give none at all.
    fn find(&self, index: Option<u64>, id: Option<&str>, name: Option<&str>) -> Option<usize> {
        let known = match (index, id) {
            (Some(index), _) => self.calls.iter().rposition(|call| call.index == Some(index))?,
            (None, Some(id)) => {
                return self.calls.iter().position(|call| call.id.as_deref() == Some(id));
            }
            (None, None) if name.is_some() => return None,
            (None, None) => self.calls.len().checked_sub(1)?,
        };
        let other_id = id.is_some() && self.calls[known].id.as_deref() != id;
        (!(other_id && name.is_some())).then_some(known)
    }

    fn finish_reason(&mut self, choice: &Value) -> Result<(), Error> {
        let Some(reason) = choice["finish_reason"].as_str() else { return Ok(()) };
        // Words that say the server failed, not that the answer is over.
        if matches!(reason, "error" | "network_error" | "insufficient_system_resource") {
            return Err(Error::Overloaded {
                provider: self.model.title.clone(),
                message: format!("the answer ended with `{reason}`"),
                status: 200,
                reset: None,
            });
        }
        if !reason.is_empty() {
            self.finish = Some(reason.into());
        }
        Ok(())
    }

    fn stop(&self, raw: Option<&str>) -> StopReason {
        match raw {
            _ if self.refused => StopReason::Refusal,
            // Some servers say `stop` after calls.
            Some("stop" | "eos" | "end_turn") | None if !self.calls.is_empty() => {
                StopReason::ToolCalls
            }
            Some("stop" | "eos" | "end_turn") | None => StopReason::End,
            Some("tool_calls" | "function_call") => StopReason::ToolCalls,
            Some("length" | "max_tokens" | "model_length" | "model_context_window_exceeded") => {
                StopReason::MaxTokens
            }
            Some("stop_sequence") => StopReason::StopText,
            Some("content_filter" | "sensitive") => StopReason::ContentFilter,
            Some("refusal") => StopReason::Refusal,
            Some(_) => StopReason::Other,
        }
    }

    fn unreadable(&self, message: &str) -> Error {
        Error::protocol(&self.model.title, message)
    }
}

fn reasoning(text: &str) -> ChatEvent {
    ChatEvent::Reasoning { text: text.into(), opaque: CoreValue::Null }
}

/// A block of content that is a list: text, or thinking that is a list again.
fn content_block(block: &Value, ready: &mut Ready) {
    match block["type"].as_str() {
        Some("thinking") => {
            let inner = block["thinking"].as_array().into_iter().flatten();
            let texts = inner.filter_map(|inner| inner["text"].as_str());
            let direct = block["thinking"].as_str();
            ready.extend(texts.chain(direct).filter(|text| !text.is_empty()).map(reasoning));
        }
        _ => {
            if let Some(text) = block["text"].as_str().or(block.as_str()) {
                ready.push_back(ChatEvent::Text { text: text.into() });
            }
        }
    }
}

/// The dialect's buckets: `prompt_tokens` counts cached tokens, `completion_tokens`
/// counts reasoning.
fn token_usage(usage: &Value) -> TokenUsage {
    let count = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64);
    let cached = count("/prompt_tokens_details/cached_tokens")
        .or_else(|| count("/prompt_cache_hit_tokens"))
        .or_else(|| count("/cached_tokens"));
    let tokens = Usage {
        input: count("/prompt_tokens").unwrap_or(0),
        cached_read: cached.unwrap_or(0),
        cached_write: count("/prompt_tokens_details/cache_write_tokens").unwrap_or(0),
        output: count("/completion_tokens").unwrap_or(0),
        reasoning: count("/completion_tokens_details/reasoning_tokens").unwrap_or(0),
    };
    TokenUsage { tokens, raw: CoreValue::from(usage) }
}
