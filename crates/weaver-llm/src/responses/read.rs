//! Answers of Responses to events: items of several kinds, whole or in pieces.

use std::collections::HashMap;

use serde_json::{Value, json};
use weaver_core::Value as CoreValue;
use weaver_core::event::Usage;

use crate::answer::{Answer, metadata, whole_number};
use crate::dialect::{Decode, Dialect};
use crate::error::Error;
use crate::failure;
use crate::stream::{StopReason, TokenDetails, TokenUsage};

/// Reads one answer.
pub(crate) struct Decoder {
    answer: Answer,
    /// Items by their place in the output, as far as they have come.
    items: HashMap<u64, Item>,
    done: bool,
}

/// How far an item was read.
#[derive(Default)]
struct Item {
    /// The index of a call.
    call: Option<usize>,
    /// Something of it came in pieces, so that the whole at its end says nothing new.
    in_pieces: bool,
    /// The part of a summary that is being read.
    part: u64,
    closed: bool,
}

impl Decoder {
    pub fn new(answer: Answer) -> Self {
        Decoder { answer, items: HashMap::new(), done: false }
    }
}

impl Decode for Decoder {
    fn value(&mut self, value: &Value) -> Result<(), Error> {
        if value["object"] == "response" {
            return self.completed(value);
        }
        let at = whole_number(&value["output_index"]).unwrap_or_default();
        let delta = value["delta"].as_str().unwrap_or_default();
        match value["type"].as_str().unwrap_or_default() {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.start(&value["response"]);
            }
            "response.output_item.added" => self.open(at, &value["item"]),
            "response.output_text.delta" => {
                self.item(at).in_pieces = true;
                self.answer.text(delta);
            }
            "response.refusal.delta" => {
                self.item(at).in_pieces = true;
                self.answer.refusal(delta);
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                let part = value["summary_index"].as_u64().or(value["content_index"].as_u64());
                let item = self.item(at);
                let next = std::mem::replace(&mut item.part, part.unwrap_or(0)) != item.part;
                let first = !std::mem::replace(&mut item.in_pieces, true);
                if next && !first {
                    self.answer.reasoning("\n\n", CoreValue::Null);
                }
                self.answer.reasoning(delta, CoreValue::Null);
            }
            "response.function_call_arguments.delta" => {
                // Of a call that nobody has named yet the end will tell all.
                if let Some(call) = self.item(at).call {
                    self.item(at).in_pieces = true;
                    self.answer.arguments(call, delta);
                }
            }
            "response.output_item.done" => self.close(at, &value["item"]),
            "response.completed"
            | "response.incomplete"
            | "response.failed"
            | "response.cancelled" => return self.completed(&value["response"]),
            // What else there is repeats these or is told whole at the end of its item.
            kind if kind.starts_with("response.") => {}
            _ if self.answer.is_started() => {}
            _ if !value["type"].is_null() => {}
            _ => return Err(self.answer.unreadable("it is no response")),
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn answer(&mut self) -> &mut Answer {
        &mut self.answer
    }
}

impl Decoder {
    fn start(&mut self, response: &Value) {
        let (id, model) = (response["id"].as_str(), response["model"].as_str());
        self.answer.start(id, model, metadata(response, &["service_tier"]));
    }

    fn item(&mut self, at: u64) -> &mut Item {
        self.items.entry(at).or_default()
    }

    fn open(&mut self, at: u64, item: &Value) {
        if item["type"] == "function_call" && self.item(at).call.is_none() {
            let id = item["call_id"].as_str().or(item["id"].as_str());
            let call = self.answer.call(id, item["name"].as_str().unwrap_or_default());
            self.item(at).call = Some(call);
        }
    }

    /// Reads an item that is whole, as far as its pieces have not told it.
    fn close(&mut self, at: u64, item: &Value) {
        self.open(at, item);
        let known = self.item(at);
        if std::mem::replace(&mut known.closed, true) {
            return;
        }
        let (in_pieces, call) = (known.in_pieces, known.call);
        match item["type"].as_str().unwrap_or_default() {
            "message" => {
                let content = item["content"].as_array().into_iter().flatten();
                for part in content {
                    self.message_part(part, in_pieces);
                }
            }
            "function_call" => {
                if let (Some(call), false) = (call, in_pieces) {
                    let arguments = item["arguments"].as_str().filter(|text| !text.is_empty());
                    self.answer.arguments(call, arguments.unwrap_or("{}"));
                }
            }
            "reasoning" => {
                let text = if in_pieces { String::new() } else { summary(item) };
                self.answer.reasoning(&text, CoreValue::from(item));
            }
            _ => self.answer.native(Dialect::Responses, item),
        }
    }

    fn message_part(&mut self, part: &Value, in_pieces: bool) {
        if !in_pieces {
            match part["type"].as_str() {
                Some("refusal") => {
                    self.answer.refusal(part["refusal"].as_str().unwrap_or_default())
                }
                _ => self.answer.text(part["text"].as_str().unwrap_or_default()),
            }
        }
        if let Some(notes) = part["annotations"].as_array().filter(|notes| !notes.is_empty()) {
            self.answer.native(Dialect::Responses, &json!({"annotations": notes}));
        }
    }

    /// The response as it stands at its end.
    fn completed(&mut self, response: &Value) -> Result<(), Error> {
        self.start(response);
        if response["error"].is_object() {
            return Err(failure::of_object(&self.answer.model, response));
        }
        for (at, item) in response["output"].as_array().into_iter().flatten().enumerate() {
            self.close(at as u64, item);
        }
        if response["usage"].is_object() {
            self.answer.usage(token_usage(&response["usage"]));
        }
        let raw = response["status"].as_str().unwrap_or("completed");
        let why = response["incomplete_details"]["reason"].as_str();
        let reason = match (raw, why) {
            ("completed", _) => StopReason::End,
            ("incomplete", Some("content_filter")) => StopReason::ContentFilter,
            ("incomplete", Some("max_output_tokens" | "max_tokens") | None) => {
                StopReason::MaxTokens
            }
            ("failed" | "cancelled", _) => {
                return Err(Error::Overloaded {
                    provider: self.answer.model.title.clone(),
                    message: format!("the answer ended with `{raw}`"),
                    status: 200,
                    reset: None,
                });
            }
            ("queued" | "in_progress", _) => {
                return Err(self
                    .answer
                    .unreadable("it is not finished: it was asked for in the background"));
            }
            _ => StopReason::Other,
        };
        self.answer.stop(reason, raw);
        self.done = true;
        Ok(())
    }
}

/// The readable part of a reasoning item.
fn summary(item: &Value) -> String {
    let texts = |key: &str| -> Vec<&str> {
        let parts = item[key].as_array().into_iter().flatten();
        parts.filter_map(|part| part["text"].as_str()).collect()
    };
    let summary = texts("summary");
    if summary.is_empty() { texts("content").join("\n\n") } else { summary.join("\n\n") }
}

fn token_usage(usage: &Value) -> TokenUsage {
    let count = |pointer: &str| usage.pointer(pointer).and_then(whole_number).unwrap_or(0);
    let tokens = Usage {
        input: count("/input_tokens"),
        cached_read: count("/input_tokens_details/cached_tokens"),
        cached_write: count("/input_tokens_details/cache_write_tokens"),
        output: count("/output_tokens"),
        reasoning: count("/output_tokens_details/reasoning_tokens"),
    };
    let details = TokenDetails {
        audio_input: count("/input_tokens_details/audio_tokens"),
        audio_output: count("/output_tokens_details/audio_tokens"),
        ..TokenDetails::default()
    };
    TokenUsage { tokens, details, raw: CoreValue::from(usage) }
}
