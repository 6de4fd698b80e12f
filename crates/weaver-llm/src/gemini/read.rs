//! Answers of `generateContent` to events. The chunks of a stream have the shape of
//! a whole answer.

use serde_json::{Value, json};
use weaver_core::Value as CoreValue;
use weaver_core::event::Usage;

use crate::answer::{Answer, metadata, whole_number};
use crate::dialect::{Decode, Dialect};
use crate::error::Error;
use crate::stream::{StopReason, TokenDetails, TokenUsage};

/// Reads one answer.
pub(crate) struct Decoder {
    answer: Answer,
    /// A call whose arguments come in pieces, as Vertex AI can send them.
    open: Option<OpenCall>,
}

struct OpenCall {
    index: usize,
    arguments: Value,
}

impl Decoder {
    pub fn new(answer: Answer) -> Self {
        Decoder { answer, open: None }
    }
}

impl Decode for Decoder {
    fn value(&mut self, chunk: &Value) -> Result<(), Error> {
        // At Vertex AI some proxies wrap the answer.
        let chunk = if chunk["response"].is_object() { &chunk["response"] } else { chunk };
        let known = ["candidates", "usageMetadata", "promptFeedback", "responseId", "modelVersion"];
        if known.iter().all(|key| chunk.get(key).is_none()) {
            return match self.answer.is_started() {
                true => Ok(()),
                false => Err(self.answer.unreadable("it has no `candidates`")),
            };
        }
        let (id, model) = (chunk["responseId"].as_str(), chunk["modelVersion"].as_str());
        self.answer.start(id, model, metadata(&chunk["usageMetadata"], &["serviceTier"]));
        if chunk["usageMetadata"].is_object() {
            self.answer.usage(token_usage(&chunk["usageMetadata"]));
        }
        if let Some(reason) = chunk["promptFeedback"]["blockReason"].as_str() {
            self.answer.stop(StopReason::ContentFilter, reason);
        }
        let candidates = chunk["candidates"].as_array().into_iter().flatten();
        let first = candidates.into_iter().find(|c| whole_number(&c["index"]).unwrap_or(0) == 0);
        if let Some(candidate) = first {
            for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
                self.part(part);
            }
            for key in ["groundingMetadata", "citationMetadata", "urlContextMetadata"] {
                if candidate[key].as_object().is_some_and(|found| !found.is_empty()) {
                    self.answer.native(Dialect::Gemini, &json!({key: candidate[key]}));
                }
            }
            // What was wrong with a call that the model could not write.
            if candidate["finishMessage"].is_string() && candidate["finishReason"] != "STOP" {
                let note = json!({"finishMessage": candidate["finishMessage"]});
                self.answer.native(Dialect::Gemini, &note);
            }
            self.finish_reason(candidate);
        }
        Ok(())
    }

    /// Nothing in the stream says that it is over: usage may follow the reason.
    fn is_done(&self) -> bool {
        false
    }

    fn end(&mut self) -> Result<(), Error> {
        self.close();
        self.answer.end()
    }

    fn answer(&mut self) -> &mut Answer {
        &mut self.answer
    }
}

impl Decoder {
    fn part(&mut self, part: &Value) {
        let signature = part["thoughtSignature"].as_str().filter(|s| !s.is_empty());
        let text = part["text"].as_str();
        if part["functionCall"].is_object() {
            return self.call(&part["functionCall"], signature);
        }
        let thought = part["thought"] == true;
        match text {
            Some(text) if thought => self.answer.reasoning(text, CoreValue::Null),
            Some(text) => self.answer.text(text),
            // Code that ran, what it gave, a picture.
            None if part.as_object().is_some_and(|part| part.keys().any(|k| !is_seal(k))) => {
                return self.answer.native(Dialect::Gemini, part);
            }
            None => {}
        }
        if let Some(signature) = signature {
            let on = if thought { "thought" } else { "text" };
            let seal = json!({"thought_signature": signature, "on": on});
            self.answer.reasoning("", CoreValue::from(&seal));
        }
    }

    /// A call, whole or in pieces. Its seal comes before it and names it, because a
    /// message keeps thoughts and calls apart.
    fn call(&mut self, call: &Value, signature: Option<&str>) {
        let name = call["name"].as_str().unwrap_or_default();
        if let (Some(open), true) = (&mut self.open, name.is_empty()) {
            join_pieces(&mut open.arguments, &call["partialArgs"]);
            if call["willContinue"] != true {
                self.close();
            }
            return;
        }
        self.close();
        let made_up = self.answer.made_up_id();
        let id = call["id"].as_str().filter(|id| !id.is_empty()).unwrap_or(&made_up);
        if let Some(signature) = signature {
            let seal = json!({"thought_signature": signature, "on": "call", "call": id});
            self.answer.reasoning("", CoreValue::from(&seal));
        }
        let index = self.answer.call(Some(id), name);
        let mut arguments = match &call["args"] {
            args if args.is_object() => args.clone(),
            _ => json!({}),
        };
        join_pieces(&mut arguments, &call["partialArgs"]);
        self.open = Some(OpenCall { index, arguments });
        if call["willContinue"] != true {
            self.close();
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.answer.arguments(open.index, &open.arguments.to_string());
        }
    }

    fn finish_reason(&mut self, candidate: &Value) {
        let Some(raw) = candidate["finishReason"].as_str() else { return };
        let reason = match raw {
            "STOP" => StopReason::End,
            "FINISH_REASON_UNSPECIFIED" => return,
            "MAX_TOKENS" => StopReason::MaxTokens,
            "SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "LANGUAGE"
            | "JAILBREAK"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "MODEL_ARMOR" => StopReason::ContentFilter,
            // Malformed and unexpected calls, and what comes after our time.
            _ => StopReason::Other,
        };
        self.answer.stop(reason, raw);
    }
}

fn is_seal(key: &str) -> bool {
    matches!(key, "thoughtSignature" | "thought" | "partMetadata")
}

/// Adds pieces of arguments: each names its place (`$.city`, `$.list[0]`) and has a
/// value, texts being continued.
fn join_pieces(arguments: &mut Value, pieces: &Value) {
    for piece in pieces.as_array().into_iter().flatten() {
        let path = piece["jsonPath"].as_str().unwrap_or_default();
        let mut place = &mut *arguments;
        for step in path.trim_start_matches('$').split(['.', '[']).filter(|step| !step.is_empty()) {
            let step = step.trim_end_matches(']').trim_matches(['\'', '"']);
            place = match step.parse::<usize>() {
                // A list is not grown by a wrong number.
                Ok(at) if at < 10_000 => {
                    if !place.is_array() {
                        *place = json!([]);
                    }
                    let list = place.as_array_mut().expect("it was made a list");
                    while list.len() <= at {
                        list.push(Value::Null);
                    }
                    &mut list[at]
                }
                Ok(_) => return,
                Err(_) => {
                    if !place.is_object() {
                        *place = json!({});
                    }
                    &mut place[step]
                }
            };
        }
        match (place, &piece["stringValue"]) {
            (Value::String(known), Value::String(more)) => known.push_str(more),
            (place, Value::String(text)) => *place = json!(text),
            (place, _) => {
                for key in ["numberValue", "boolValue"] {
                    if !piece[key].is_null() {
                        *place = piece[key].clone();
                    }
                }
            }
        }
    }
}

/// The dialect's buckets: thoughts are counted beside the answer, and what tools of
/// the provider put in beside the prompt.
fn token_usage(usage: &Value) -> TokenUsage {
    let count = |key: &str| whole_number(&usage[key]).unwrap_or(0);
    let thoughts = count("thoughtsTokenCount");
    let tokens = Usage {
        input: count("promptTokenCount") + count("toolUsePromptTokenCount"),
        cached_read: count("cachedContentTokenCount"),
        cached_write: 0,
        output: count("candidatesTokenCount") + thoughts,
        reasoning: thoughts,
    };
    let sound = |key: &str| -> u64 {
        let details = usage[key].as_array().into_iter().flatten();
        let sound = details.filter(|detail| detail["modality"] == "AUDIO");
        sound.filter_map(|detail| whole_number(&detail["tokenCount"])).sum()
    };
    let details = TokenDetails {
        audio_input: sound("promptTokensDetails"),
        audio_cached: sound("cacheTokensDetails"),
        audio_output: sound("candidatesTokensDetails"),
        ..TokenDetails::default()
    };
    TokenUsage { tokens, details, raw: CoreValue::from(usage) }
}
