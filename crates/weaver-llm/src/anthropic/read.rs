//! Answers of Messages to events. A whole answer is the blocks of a stream at
//! once, and is read as such.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use weaver_core::Value as CoreValue;
use weaver_core::event::Usage;

use crate::answer::{Answer, metadata, whole_number};
use crate::dialect::{Decode, Dialect};
use crate::error::Error;
use crate::stream::{StopReason, TokenDetails, TokenUsage};

/// Reads one answer.
pub(crate) struct Decoder {
    answer: Answer,
    blocks: BTreeMap<u64, Block>,
    /// What `message_start` counted; `message_delta` repeats some of it, later and better.
    usage: Map<String, Value>,
    done: bool,
}

/// A block whose pieces arrive.
enum Block {
    Text {
        citations: Vec<Value>,
    },
    Thinking {
        signature: String,
    },
    Call {
        index: usize,
        any_arguments: bool,
        input: Value,
    },
    /// Anything else: server tools and their results, and what comes after our time.
    Native {
        value: Value,
        input: String,
        whole: bool,
    },
}

impl Decoder {
    pub fn new(answer: Answer) -> Self {
        Decoder { answer, blocks: BTreeMap::new(), usage: Map::new(), done: false }
    }
}

impl Decode for Decoder {
    fn value(&mut self, value: &Value) -> Result<(), Error> {
        let index = whole_number(&value["index"]).unwrap_or_default();
        match value["type"].as_str() {
            Some("message") => self.whole(value),
            Some("message_start") => self.start(&value["message"]),
            Some("content_block_start") => self.open(index, &value["content_block"]),
            Some("content_block_delta") => self.delta(index, &value["delta"]),
            Some("content_block_stop") => self.close(index),
            Some("message_delta") => {
                self.count(&value["usage"]);
                self.stop(&value["delta"]);
            }
            Some("message_stop") => self.done = true,
            _ if self.answer.is_started() => {}
            // `ping` may come first; a body without any type is something else.
            Some(_) => {}
            None => return Err(self.answer.unreadable("it has no `type`")),
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn end(&mut self) -> Result<(), Error> {
        let open: Vec<u64> = self.blocks.keys().copied().collect();
        open.into_iter().for_each(|index| self.close(index));
        if !self.usage.is_empty() {
            let raw = Value::Object(std::mem::take(&mut self.usage));
            self.answer.usage(token_usage(&raw));
        }
        if self.done && self.answer.is_started() && !self.answer.is_stopped() {
            // The end was said, if not why.
            self.answer.stop(StopReason::End, "");
        }
        self.answer.end()
    }

    fn answer(&mut self) -> &mut Answer {
        &mut self.answer
    }
}

impl Decoder {
    fn whole(&mut self, message: &Value) {
        self.start(message);
        for (index, block) in message["content"].as_array().into_iter().flatten().enumerate() {
            self.open(index as u64, block);
            self.close(index as u64);
        }
        self.stop(message);
        self.done = true;
    }

    fn start(&mut self, message: &Value) {
        let (id, model) = (message["id"].as_str(), message["model"].as_str());
        self.answer.start(id, model, metadata(message, &["container"]));
        self.count(&message["usage"]);
        if !self.usage.is_empty() {
            let so_far = token_usage(&Value::Object(self.usage.clone()));
            self.answer.usage_so_far(so_far);
        }
    }

    fn open(&mut self, index: u64, block: &Value) {
        let text = |key: &str| block[key].as_str().unwrap_or_default();
        let opened = match text("type") {
            "text" => {
                self.answer.text(text("text"));
                let citations = block["citations"].as_array().cloned().unwrap_or_default();
                Block::Text { citations }
            }
            "thinking" => {
                self.answer.reasoning(text("thinking"), CoreValue::Null);
                Block::Thinking { signature: text("signature").into() }
            }
            "redacted_thinking" => {
                self.answer.reasoning("", CoreValue::from(block));
                return;
            }
            "tool_use" => {
                let index = self.answer.call(block["id"].as_str(), text("name"));
                Block::Call { index, any_arguments: false, input: block["input"].clone() }
            }
            _ => Block::Native { value: block.clone(), input: String::new(), whole: true },
        };
        self.blocks.insert(index, opened);
    }

    fn delta(&mut self, index: u64, delta: &Value) {
        let text = |key: &str| delta[key].as_str().unwrap_or_default();
        match (self.blocks.get_mut(&index), text("type")) {
            (Some(Block::Native { value, .. }), "compaction_delta") => join(value, delta),
            (Some(Block::Native { whole, .. }), kind) if kind != "input_json_delta" => {
                // We cannot know how such a piece joins the block.
                *whole = false;
            }
            (_, "text_delta") => self.answer.text(text("text")),
            (_, "thinking_delta") => self.answer.reasoning(text("thinking"), CoreValue::Null),
            (Some(Block::Thinking { signature }), "signature_delta") => {
                signature.push_str(text("signature"));
            }
            (Some(Block::Call { index, any_arguments, .. }), "input_json_delta") => {
                *any_arguments |= !text("partial_json").is_empty();
                self.answer.arguments(*index, text("partial_json"));
            }
            (Some(Block::Native { input, .. }), "input_json_delta") => {
                input.push_str(text("partial_json"));
            }
            (Some(Block::Text { citations }), "citations_delta") => {
                citations.push(delta["citation"].clone());
            }
            _ => {}
        }
    }

    fn close(&mut self, index: u64) {
        match self.blocks.remove(&index) {
            Some(Block::Thinking { signature }) if !signature.is_empty() => {
                let seal = json!({"type": "thinking", "signature": signature});
                self.answer.reasoning("", CoreValue::from(&seal));
            }
            Some(Block::Call { index, any_arguments: false, input }) => {
                let input = if input.is_object() { input } else { json!({}) };
                self.answer.arguments(index, &input.to_string());
            }
            Some(Block::Text { citations }) if !citations.is_empty() => {
                self.answer.native(Dialect::Anthropic, &json!({"citations": citations}));
            }
            Some(Block::Native { mut value, input, whole: true }) => {
                if let Ok(input) = serde_json::from_str::<Value>(&input) {
                    value["input"] = input;
                }
                self.answer.native(Dialect::Anthropic, &value);
            }
            _ => {}
        }
    }

    fn count(&mut self, usage: &Value) {
        for (key, value) in usage.as_object().into_iter().flatten() {
            if !value.is_null() {
                self.usage.insert(key.clone(), value.clone());
            }
        }
    }

    fn stop(&mut self, holder: &Value) {
        let Some(raw) = holder["stop_reason"].as_str() else { return };
        let reason = match raw {
            "end_turn" => StopReason::End,
            "tool_use" => StopReason::ToolCalls,
            "max_tokens" | "model_context_window_exceeded" => StopReason::MaxTokens,
            "stop_sequence" => StopReason::StopText,
            "refusal" => StopReason::Refusal,
            // `pause_turn`: a server tool takes long; the same messages go on with it.
            _ => StopReason::Other,
        };
        self.answer.stop(reason, raw);
    }
}

/// Adds a piece to a block whose members are texts.
fn join(block: &mut Value, delta: &Value) {
    for (key, more) in delta.as_object().into_iter().flatten().filter(|(key, _)| *key != "type") {
        match (&mut block[key], more) {
            (Value::String(known), Value::String(more)) => known.push_str(more),
            (_, Value::Null) => {}
            (known, more) => *known = more.clone(),
        }
    }
}

/// The dialect's buckets: `input_tokens` leaves out what the cache read and wrote.
fn token_usage(usage: &Value) -> TokenUsage {
    let count = |pointer: &str| usage.pointer(pointer).and_then(whole_number).unwrap_or(0);
    let (read, written) =
        (count("/cache_read_input_tokens"), count("/cache_creation_input_tokens"));
    let tokens = Usage {
        input: count("/input_tokens") + read + written,
        cached_read: read,
        cached_write: written,
        output: count("/output_tokens"),
        reasoning: count("/output_tokens_details/thinking_tokens"),
    };
    let details = TokenDetails {
        cached_write_long: count("/cache_creation/ephemeral_1h_input_tokens"),
        ..TokenDetails::default()
    };
    TokenUsage { tokens, details, raw: CoreValue::from(usage) }
}
