//! Answers in the words of Chat Completions.

use serde_json::{Map, Value, json};

use crate::chat::Part;
use crate::dialect::Dialect;
use crate::inbound::{Api, Fault, Frame, Writer, seal};
use crate::stream::{AnswerHead, ChatEvent, ChatResponse, StopReason, TokenUsage};

/// A whole answer. `created` is in seconds since 1970.
pub fn whole(response: &ChatResponse, id: &str, created: u64) -> Value {
    let mut message = json!({"role": "assistant", "content": null, "refusal": null});
    let (mut refusal, mut thinking) = (String::new(), String::new());
    let (mut calls, mut details) = (Vec::new(), Vec::new());
    for part in &response.parts {
        match part {
            Part::Refusal { text } => refusal.push_str(text),
            Part::Reasoning { text, opaque } => {
                thinking.push_str(text);
                details.extend(sealed(text, opaque));
            }
            Part::ToolCall(call) => {
                let function = json!({"name": call.name, "arguments": call.arguments});
                calls.push(json!({"id": call.id, "type": "function", "function": function}));
            }
            Part::Native { dialect: Dialect::Chat, value } => own(&mut message, value),
            _ => {}
        }
    }
    let text = response.text();
    let said = response.parts.iter().any(|part| matches!(part, Part::Text { .. }));
    if said || (calls.is_empty() && refusal.is_empty()) {
        message["content"] = json!(text);
    }
    if !refusal.is_empty() {
        message["refusal"] = json!(refusal);
    }
    if !thinking.is_empty() {
        message["reasoning_content"] = json!(thinking);
    }
    for (key, list) in [("reasoning_details", details), ("tool_calls", calls)] {
        if !list.is_empty() {
            message[key] = list.into();
        }
    }
    let reason = finish_reason(response.stop, !refusal.is_empty());
    let mut body = head(&response.head, id, "chat.completion", created);
    body["choices"] =
        json!([{"index": 0, "message": message, "logprobs": null, "finish_reason": reason}]);
    body["usage"] = usage(&response.usage);
    body
}

/// An answer in pieces.
pub struct Pieces {
    id: String,
    created: u64,
    /// The members that all chunks share, once the answer has begun: the text of an
    /// object that is not closed.
    head: String,
    include_usage: bool,
    refused: bool,
    /// The thought that is being told, for its seal.
    thought: String,
    usage: TokenUsage,
}

impl Pieces {
    /// A writer of the answer `id`, begun `created` seconds after 1970.
    pub fn new(id: String, created: u64, include_usage: bool) -> Self {
        Pieces {
            id,
            created,
            head: "{".into(),
            include_usage,
            refused: false,
            thought: String::new(),
            usage: TokenUsage::default(),
        }
    }

    /// `delta` is the text of an object.
    fn chunk(&self, delta: &str, finish: Option<&str>) -> Frame {
        let head = &self.head;
        let finish = finish.map_or_else(|| "null".into(), |word| format!("\"{word}\""));
        let usage = if self.include_usage { ",\"usage\":null" } else { "" };
        let data = format!(
            "{head},\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]{usage}}}"
        );
        Frame { event: None, data }
    }
}

impl Writer for Pieces {
    fn event(&mut self, event: &ChatEvent, out: &mut Vec<Frame>) {
        let delta = match event {
            ChatEvent::Start(answer) => {
                let head = head(answer, &self.id, "chat.completion.chunk", self.created);
                self.head = head.to_string();
                self.head.pop();
                json!({"role": "assistant", "content": "", "refusal": null})
            }
            ChatEvent::Text { text } => {
                // Most chunks are of this kind.
                let delta = format!("{{\"content\":{}}}", Value::from(text.as_str()));
                out.push(self.chunk(&delta, None));
                return;
            }
            ChatEvent::Refusal { text } => {
                self.refused = true;
                json!({"refusal": text})
            }
            ChatEvent::Reasoning { text, opaque } => {
                self.thought.push_str(text);
                let mut delta = json!({});
                if !text.is_empty() {
                    delta["reasoning_content"] = json!(text);
                }
                if !opaque.is_null() {
                    let thought = std::mem::take(&mut self.thought);
                    delta["reasoning_details"] = sealed(&thought, opaque).into();
                }
                delta
            }
            ChatEvent::ToolCallStart { index, id, name } => {
                let function = json!({"name": name, "arguments": ""});
                json!({"tool_calls": [
                    {"index": index, "id": id, "type": "function", "function": function}]})
            }
            ChatEvent::ToolCallDelta { index, arguments } => {
                json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]})
            }
            ChatEvent::Native { dialect: Dialect::Chat, value } => {
                let mut delta = json!({});
                own(&mut delta, value);
                delta
            }
            ChatEvent::Native { .. } => return,
            ChatEvent::Usage(usage) => {
                self.usage = usage.clone();
                return;
            }
            ChatEvent::Finish { reason, .. } => {
                out.push(self.chunk("{}", Some(finish_reason(*reason, self.refused))));
                if self.include_usage {
                    let (head, usage) = (&self.head, usage(&self.usage));
                    let data = format!("{head},\"choices\":[],\"usage\":{usage}}}");
                    out.push(Frame { event: None, data });
                }
                out.push(Frame { event: None, data: "[DONE]".into() });
                return;
            }
        };
        out.push(self.chunk(&delta.to_string(), None));
    }

    fn fail(&mut self, fault: &Fault, out: &mut Vec<Frame>) {
        out.push(Frame::plain(&fault.body(Api::OpenAi, None)));
    }
}

fn head(answer: &AnswerHead, id: &str, object: &str, created: u64) -> Value {
    let id = answer.id.as_deref().unwrap_or(id);
    let mut head = json!({"id": id, "object": object, "created": created, "model": answer.model});
    for key in ["system_fingerprint", "service_tier"] {
        if let Some(text) = answer.metadata.get(key) {
            head[key] = Value::from(text);
        }
    }
    head
}

fn finish_reason(reason: StopReason, refused: bool) -> &'static str {
    match reason {
        StopReason::ToolCalls => "tool_calls",
        StopReason::MaxTokens => "length",
        StopReason::ContentFilter => "content_filter",
        // A refusal in words is an answer; without words nothing else tells of it.
        StopReason::Refusal if !refused => "content_filter",
        StopReason::End | StopReason::StopText | StopReason::Refusal | StopReason::Other => "stop",
    }
}

fn usage(usage: &TokenUsage) -> Value {
    let (tokens, details) = (&usage.tokens, &usage.details);
    json!({
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input.saturating_add(tokens.output),
        "prompt_tokens_details": {
            "cached_tokens": tokens.cached_read,
            "cache_write_tokens": tokens.cached_write,
            "audio_tokens": details.audio_input,
        },
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": details.audio_output,
        },
    })
}

/// What a provider wants back of a thought: in its own words where these are
/// Chat Completions, else sealed.
fn sealed(text: &str, opaque: &weaver_core::Value) -> Vec<Value> {
    if opaque.is_null() {
        return Vec::new();
    }
    let own = Value::from(opaque);
    match own["reasoning_details"].as_array() {
        Some(details) => details.clone(),
        None => {
            let data = seal::seal(text, opaque);
            vec![json!({"type": "reasoning.encrypted", "format": "agentweaver", "data": data})]
        }
    }
}

/// Members of a message that only some servers have: where a text was found, pictures.
fn own(message: &mut Value, value: &weaver_core::Value) {
    if let (Some(message), Value::Object(members)) = (message.as_object_mut(), Value::from(value)) {
        merge(message, members);
    }
}

fn merge(message: &mut Map<String, Value>, members: Map<String, Value>) {
    for (key, value) in members {
        match (message.get_mut(&key), value) {
            (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
            (_, value) => {
                message.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use weaver_core::Value as CoreValue;
    use weaver_core::event::Usage;

    use super::*;
    use crate::chat::ToolCall;
    use crate::inbound::chat::read;

    fn answer(parts: Vec<Part>, stop: StopReason) -> ChatResponse {
        let tokens =
            Usage { input: 7, cached_read: 2, output: 5, reasoning: 3, ..Usage::default() };
        ChatResponse {
            head: AnswerHead { model: "m-1".into(), provider: "p".into(), ..Default::default() },
            parts,
            stop,
            usage: tokens.into(),
            ..ChatResponse::default()
        }
    }

    fn call(id: &str) -> Part {
        Part::ToolCall(ToolCall { id: id.into(), name: "f".into(), arguments: "{\"x\":1}".into() })
    }

    fn pieces(response: &ChatResponse, include_usage: bool) -> Vec<Value> {
        let mut writer = Pieces::new("c1".into(), 9, include_usage);
        let mut frames = Vec::new();
        response.to_events().iter().for_each(|event| writer.event(event, &mut frames));
        assert_eq!(frames.pop().unwrap().data, "[DONE]");
        frames.iter().map(|frame| serde_json::from_str(&frame.data).unwrap()).collect()
    }

    #[test]
    fn an_answer_whole_and_in_pieces() {
        let response = answer(vec![Part::text("hi"), call("a")], StopReason::ToolCalls);
        let body = whole(&response, "c1", 9);
        assert_eq!((&body["id"], &body["created"]), (&json!("c1"), &json!(9)));
        let choice = &body["choices"][0];
        assert_eq!(choice["finish_reason"], "tool_calls");
        assert_eq!(choice["message"]["tool_calls"][0]["function"]["arguments"], "{\"x\":1}");
        assert_eq!(body["usage"]["prompt_tokens_details"]["cached_tokens"], 2);
        assert_eq!(body["usage"]["total_tokens"], 12);
        let chunks = pieces(&response, true);
        let last = chunks.last().unwrap();
        assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &body["usage"]));
        assert!(
            chunks[0]["usage"].is_null() && chunks[0]["choices"][0]["delta"]["role"] == "assistant"
        );
        let plain = pieces(&response, false);
        assert!(plain.iter().all(|chunk| chunk.get("usage").is_none()));
        assert_eq!(plain.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
    }

    #[test]
    fn reasons_to_end_in_their_words() {
        let ended = |parts, stop| whole(&answer(parts, stop), "c", 0)["choices"][0].clone();
        assert_eq!(ended(vec![Part::text("a")], StopReason::MaxTokens)["finish_reason"], "length");
        assert_eq!(ended(vec![], StopReason::Refusal)["finish_reason"], "content_filter");
        let refused = ended(vec![Part::Refusal { text: "No".into() }], StopReason::Refusal);
        assert_eq!(
            (&refused["finish_reason"], &refused["message"]["refusal"]),
            (&json!("stop"), &json!("No"))
        );
        assert!(refused["message"]["content"].is_null());
        assert_eq!(ended(vec![], StopReason::End)["message"]["content"], "");
    }

    #[test]
    fn thoughts_come_back_as_their_provider_gave_them() {
        let thought =
            |opaque: Value| Part::Reasoning { text: "hm".into(), opaque: CoreValue::from(&opaque) };
        for opaque in [
            json!({"type": "thinking", "signature": "s"}),
            json!({"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}),
            Value::Null,
        ] {
            let parts = vec![thought(opaque), Part::text("hi"), call("a")];
            let response = answer(parts.clone(), StopReason::ToolCalls);
            let message = whole(&response, "c", 0)["choices"][0]["message"].clone();
            let body = json!({"model": "m", "messages": [message]});
            assert_eq!(read(&body).unwrap().request.messages[0].parts, parts);
            // The pieces add up to the same members.
            let chunks = pieces(&response, false);
            let mut joined = json!({"role": "assistant", "reasoning_content": "hm"});
            for chunk in &chunks {
                if let Some(details) = chunk["choices"][0]["delta"].get("reasoning_details") {
                    joined["reasoning_details"] = details.clone();
                }
            }
            assert_eq!(joined.get("reasoning_details"), message.get("reasoning_details"));
        }
    }
}
