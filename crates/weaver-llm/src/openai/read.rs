//! Answers in the dialect's words, whole or in pieces, to events. Both forms go
//! through the same code, because servers make the same departures in both.

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
    /// The server said that nothing more comes.
    done: bool,
    calls: Vec<OpenCall>,
    /// Pieces of reasoning that are passed back as they came.
    details: Vec<Value>,
}

/// A call whose pieces arrive.
struct OpenCall {
    /// Its index among ours, once its name is known.
    at: Option<usize>,
    /// Arguments that came before the name.
    early: String,
    /// The server's own index, where it has one.
    index: Option<u64>,
    /// The server's own id, where it has one.
    id: Option<String>,
}

impl Decoder {
    pub fn new(answer: Answer) -> Self {
        Decoder { answer, done: false, calls: Vec::new(), details: Vec::new() }
    }
}

impl Decode for Decoder {
    fn value(&mut self, chunk: &Value) -> Result<(), Error> {
        let choices = chunk["choices"].as_array();
        if let Some(problem) = chunk["x_groq"]["error"].as_str().filter(|text| !text.is_empty()) {
            // Why Groq stopped a stream early.
            return Err(failure::of_object(&self.answer.model, &json!({"error": problem})));
        }
        if choices.is_none() && chunk["usage"].is_null() {
            if is_bare_error(chunk) {
                return Err(failure::of_object(&self.answer.model, chunk));
            }
            // An event of a kind that we do not know, or a body that is something else.
            return match self.answer.is_started() || chunk.get("object").is_some() {
                true => Ok(()),
                false => Err(self.answer.unreadable("it has no `choices`")),
            };
        }
        let kept = ["system_fingerprint", "service_tier", "provider"];
        // Azure's first chunk tells about its filters and leaves all else empty.
        if choices.is_none_or(|choices| !choices.is_empty()) || chunk["usage"].is_object() {
            let (id, model) = (chunk["id"].as_str(), chunk["model"].as_str());
            self.answer.start(id, model, metadata(chunk, &kept));
        }
        for usage in [&chunk["usage"], &chunk["x_groq"]["usage"]] {
            if usage.is_object() {
                self.answer.usage(token_usage(usage));
            }
        }
        let first = choices.and_then(|choices| {
            choices.iter().find(|choice| whole_number(&choice["index"]).unwrap_or(0) == 0)
        });
        let Some(choice) = first else { return Ok(()) };
        self.choice(choice)?;
        // What Zhipu's search found stands beside the choices.
        if let Some(found) = chunk["web_search"].as_array().filter(|found| !found.is_empty()) {
            self.answer.native(Dialect::Chat, &json!({"web_search": found}));
        }
        // An answer in one piece has ended, whether or not the server says why.
        let is_whole = choice["message"].is_object() && chunk["object"] == "chat.completion";
        if is_whole && !self.answer.is_stopped() {
            self.answer.stop(StopReason::End, "");
        }
        Ok(())
    }

    fn done(&mut self) {
        self.done = true;
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn end(&mut self) -> Result<(), Error> {
        self.seal();
        for place in 0..self.calls.len() {
            self.begin(place, "");
        }
        if self.done && self.answer.is_started() && !self.answer.is_stopped() {
            self.answer.stop(StopReason::End, "");
        }
        self.answer.end()
    }

    fn answer(&mut self) -> &mut Answer {
        &mut self.answer
    }
}

impl Decoder {
    fn choice(&mut self, choice: &Value) -> Result<(), Error> {
        let said = if choice["delta"].is_object() { "delta" } else { "message" };
        self.message(&choice[said]);
        if let Some(error) = choice.get("error").filter(|error| !error.is_null()) {
            return Err(failure::of_object(&self.answer.model, error));
        }
        self.finish_reason(choice)
    }

    fn message(&mut self, message: &Value) {
        let details =
            message["reasoning_details"].as_array().map(Vec::as_slice).unwrap_or_default();
        // Some servers send the same text under two or all three of these.
        let told = ["reasoning_content", "reasoning"]
            .iter()
            .filter_map(|key| message[*key].as_str())
            .find(|text| !text.is_empty());
        match told {
            Some(text) => self.answer.reasoning(text, CoreValue::Null),
            None => {
                for text in details.iter().filter_map(detail_text) {
                    self.answer.reasoning(text, CoreValue::Null);
                }
            }
        }
        for detail in details {
            join_detail(&mut self.details, detail);
        }
        match &message["content"] {
            Value::String(text) if !text.is_empty() => {
                self.seal();
                self.answer.text(text);
            }
            Value::Array(blocks) => blocks.iter().for_each(|block| self.content_block(block)),
            _ => {}
        }
        self.answer.refusal(message["refusal"].as_str().unwrap_or_default());
        // The spoken form of an answer: its words are the text, its sound is kept.
        if message["audio"].is_object() {
            self.answer.text(message["audio"]["transcript"].as_str().unwrap_or_default());
            self.answer.native(Dialect::Chat, &json!({"audio": message["audio"]}));
        }
        for key in ["annotations", "images", "executed_tools"] {
            if let Some(found) = message[key].as_array().filter(|found| !found.is_empty()) {
                self.answer.native(Dialect::Chat, &json!({key: found}));
            }
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            self.seal();
            self.tool_call(call);
        }
        if message["function_call"].is_object() {
            self.tool_call(&json!({"index": 0, "function": message["function_call"]}));
        }
    }

    /// A block of content that is a list: text, or thinking that is a list again.
    fn content_block(&mut self, block: &Value) {
        match block["type"].as_str() {
            Some("thinking") => {
                let inner = block["thinking"].as_array().into_iter().flatten();
                let texts = inner.filter_map(|inner| inner["text"].as_str());
                for text in texts.chain(block["thinking"].as_str()) {
                    self.answer.reasoning(text, CoreValue::Null);
                }
            }
            Some("refusal") => self.answer.refusal(block["refusal"].as_str().unwrap_or_default()),
            Some("text" | "output_text") | None => {
                let text = block["text"].as_str().or(block.as_str());
                self.answer.text(text.unwrap_or_default());
            }
            Some(_) => self.answer.native(Dialect::Chat, block),
        }
    }

    /// Closes the reasoning with what must go back to the server.
    fn seal(&mut self) {
        let details = std::mem::take(&mut self.details);
        if !details.is_empty() {
            let opaque = json!({"reasoning_details": details});
            self.answer.reasoning("", CoreValue::from(&opaque));
        }
    }

    fn tool_call(&mut self, call: &Value) {
        // A custom tool takes a text in the place of arguments.
        let (function, input) = match call["custom"].is_object() {
            true => (&call["custom"], "input"),
            false => (&call["function"], "arguments"),
        };
        let index = whole_number(&call["index"]);
        // Mistral writes the word for a call without an id.
        let id = call["id"].as_str().filter(|id| !matches!(*id, "" | "null")).map(str::to_string);
        let name = function["name"].as_str().filter(|name| !name.is_empty());
        let place = self.find(index, id.as_deref(), name).unwrap_or_else(|| {
            self.calls.push(OpenCall { at: None, early: String::new(), index, id: id.clone() });
            self.calls.len() - 1
        });
        if self.calls[place].id.is_none() {
            self.calls[place].id = id;
        }
        if let Some(name) = name {
            self.begin(place, name);
        }
        let arguments = match &function[input] {
            Value::String(text) => text.clone(),
            Value::Null => return,
            // Some servers send the object itself.
            other => other.to_string(),
        };
        match self.calls[place].at {
            Some(at) => self.answer.arguments(at, &arguments),
            None => self.calls[place].early.push_str(&arguments),
        }
    }

    /// Tells of a call, unless that was done: its name may come after its id.
    fn begin(&mut self, place: usize, name: &str) {
        let call = &mut self.calls[place];
        if call.at.is_some() {
            return;
        }
        let at = self.answer.call(call.id.as_deref(), name);
        call.at = Some(at);
        let early = std::mem::take(&mut call.early);
        self.answer.arguments(at, &early);
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
        let call = &self.calls[known];
        let is_begun = call.id.is_some() || call.at.is_some();
        let other_id = id.is_some() && is_begun && call.id.as_deref() != id;
        (!(other_id && name.is_some())).then_some(known)
    }

    fn finish_reason(&mut self, choice: &Value) -> Result<(), Error> {
        let Some(raw) = choice["finish_reason"].as_str() else { return Ok(()) };
        let reason = match raw {
            "" => return Ok(()),
            // Words that say the server failed, not that the answer is over.
            "error" | "network_error" | "insufficient_system_resource" => {
                return Err(Error::Overloaded {
                    provider: self.answer.model.title.clone(),
                    message: format!("the answer ended with `{raw}`"),
                    status: 200,
                    reset: None,
                });
            }
            "stop" | "eos" | "end_turn" => StopReason::End,
            "tool_calls" | "function_call" => StopReason::ToolCalls,
            "length" | "max_tokens" | "model_length" | "model_context_window_exceeded" => {
                StopReason::MaxTokens
            }
            "stop_sequence" => StopReason::StopText,
            "content_filter" | "sensitive" => StopReason::ContentFilter,
            "refusal" => StopReason::Refusal,
            _ => StopReason::Other,
        };
        self.answer.stop(reason, raw);
        Ok(())
    }
}

/// Whether a value without choices is an error that has no `error` around its words.
fn is_bare_error(value: &Value) -> bool {
    let says = value["message"].is_string() || value["msg"].is_string();
    let has_code = !matches!(value["code"], Value::Null) && value["object"].is_null();
    says && (value["object"] == "error" || has_code)
}

/// The readable text of a piece of reasoning.
fn detail_text(detail: &Value) -> Option<&str> {
    match detail["type"].as_str()? {
        "reasoning.text" => detail["text"].as_str(),
        "reasoning.summary" => detail["summary"].as_str(),
        _ => None,
    }
}

/// Adds a piece of reasoning to those before it: the pieces of one index and type
/// are cut out of one, as texts are.
fn join_detail(details: &mut Vec<Value>, detail: &Value) {
    let same =
        |known: &&mut Value| known["type"] == detail["type"] && known["index"] == detail["index"];
    let Some(last) = details.last_mut().filter(same) else {
        return details.push(detail.clone());
    };
    for (key, value) in detail.as_object().into_iter().flatten() {
        match (&mut last[key], value) {
            (Value::String(known), Value::String(more))
                if matches!(key.as_str(), "text" | "summary" | "data") =>
            {
                known.push_str(more);
            }
            (known @ Value::Null, value) => *known = value.clone(),
            _ => {}
        }
    }
}

/// The dialect's buckets: `prompt_tokens` counts cached tokens, `completion_tokens`
/// counts reasoning.
fn token_usage(usage: &Value) -> TokenUsage {
    let count = |pointer: &str| usage.pointer(pointer).and_then(whole_number);
    let first = |pointers: &[&str]| pointers.iter().find_map(|pointer| count(pointer)).unwrap_or(0);
    let (input, output) = (first(&["/prompt_tokens"]), first(&["/completion_tokens"]));
    let reasoning = first(&["/completion_tokens_details/reasoning_tokens", "/reasoning_tokens"]);
    // xAI counts thoughts beside the answer, which shows in its total alone.
    let beside = count("/total_tokens") == Some(input + output + reasoning);
    let tokens = Usage {
        input,
        cached_read: first(&[
            "/prompt_tokens_details/cached_tokens",
            "/prompt_cache_hit_tokens",
            "/num_cached_tokens",
            "/cached_tokens",
        ]),
        cached_write: first(&[
            "/prompt_tokens_details/cache_write_tokens",
            "/prompt_tokens_details/cache_creation_input_tokens",
        ]),
        output: if beside { output + reasoning } else { output },
        reasoning,
    };
    let details = TokenDetails {
        audio_input: count("/prompt_tokens_details/audio_tokens").unwrap_or(0),
        audio_output: count("/completion_tokens_details/audio_tokens").unwrap_or(0),
        ..TokenDetails::default()
    };
    TokenUsage { tokens, details, raw: CoreValue::from(usage) }
}
