//! Answers in the words of Messages.

use serde_json::{Value, json};
use weaver_core::Value as CoreValue;
use weaver_core::event::Usage;

use crate::chat::{Part, ToolCall};
use crate::dialect::Dialect;
use crate::inbound::blocks::{Kind, Row, Step};
use crate::inbound::{Api, Fault, Frame, Writer, seal};
use crate::stream::{AnswerHead, ChatEvent, ChatResponse, StopReason, TokenUsage};

/// A whole answer.
pub fn whole(response: &ChatResponse, id: &str) -> Value {
    let mut content: Vec<Value> = Vec::new();
    for part in &response.parts {
        match part {
            Part::Text { text } | Part::Refusal { text } => {
                content.push(json!({"type": "text", "text": text}));
            }
            Part::Reasoning { text, opaque } => content.push(thought(text, opaque)),
            Part::ToolCall(call) => content.push(tool_use(call)),
            Part::Native { dialect: Dialect::Anthropic, value } => {
                let value = Value::from(value);
                if value["type"].is_string() {
                    content.push(value);
                } else if let Some(text) = content.last_mut() {
                    text["citations"] = value["citations"].clone();
                }
            }
            _ => {}
        }
    }
    let mut message = head(&response.head, id);
    message["content"] = content.into();
    message["stop_reason"] = stop_reason(response.stop, response.raw_stop.as_deref()).into();
    message["usage"] = usage(&response.usage);
    message
}

/// An answer in pieces.
pub struct Pieces {
    id: String,
    row: Row,
    /// The place of the block that is open or comes next.
    index: usize,
    /// What begins the message waits for the next event: that may say what was sent.
    head: Option<AnswerHead>,
    usage: TokenUsage,
}

impl Pieces {
    /// A writer of the answer `id`. The message begins with an estimate of the tokens that
    /// were sent, unless the model says by then how many they are.
    pub fn new(id: String, input_estimate: u64) -> Self {
        let usage = Usage { input: input_estimate, ..Usage::default() }.into();
        Pieces { id, row: Row::default(), index: 0, head: None, usage }
    }

    fn step(&mut self, kind: &mut Option<Kind>, step: Step, out: &mut Vec<Frame>) {
        match step {
            Step::Open(opened) => {
                let block = match &opened {
                    Kind::Text | Kind::Refusal => json!({"type": "text", "text": ""}),
                    Kind::Thought => json!({"type": "thinking", "thinking": "", "signature": ""}),
                    Kind::Call { id, name } => {
                        json!({"type": "tool_use", "id": id, "name": name, "input": {}})
                    }
                };
                self.start(block, out);
                *kind = Some(opened);
            }
            Step::More(text) => {
                let delta = match kind {
                    Some(Kind::Thought) => json!({"type": "thinking_delta", "thinking": text}),
                    Some(Kind::Call { .. }) => {
                        json!({"type": "input_json_delta", "partial_json": text})
                    }
                    _ => json!({"type": "text_delta", "text": text}),
                };
                self.delta(delta, out);
            }
            Step::Close { kind: Kind::Thought, text, opaque } => {
                let signature = signature(&text, &opaque);
                if !signature.is_empty() {
                    self.delta(json!({"type": "signature_delta", "signature": signature}), out);
                }
                self.stop(out);
            }
            Step::Close { .. } => self.stop(out),
            Step::Sealed(opaque) => {
                let mut block = thought("", &opaque);
                let sealed = block.get_mut("signature").map(Value::take);
                if sealed.is_some() {
                    block["signature"] = json!("");
                }
                self.start(block, out);
                if let Some(signature) = sealed {
                    self.delta(json!({"type": "signature_delta", "signature": signature}), out);
                }
                self.stop(out);
            }
            Step::Native { dialect: Dialect::Anthropic, value } => {
                let value = Value::from(&value);
                if value["type"].is_string() {
                    self.start(value, out);
                    self.stop(out);
                } else if matches!(kind, Some(Kind::Text)) {
                    for citation in value["citations"].as_array().into_iter().flatten() {
                        self.delta(json!({"type": "citations_delta", "citation": citation}), out);
                    }
                }
            }
            Step::Native { .. } => {}
        }
    }

    fn start(&self, block: Value, out: &mut Vec<Frame>) {
        let data =
            json!({"type": "content_block_start", "index": self.index, "content_block": block});
        out.push(Frame::named("content_block_start", &data));
    }

    fn delta(&self, delta: Value, out: &mut Vec<Frame>) {
        let data = json!({"type": "content_block_delta", "index": self.index, "delta": delta});
        out.push(Frame::named("content_block_delta", &data));
    }

    fn stop(&mut self, out: &mut Vec<Frame>) {
        let data = json!({"type": "content_block_stop", "index": self.index});
        out.push(Frame::named("content_block_stop", &data));
        self.index += 1;
    }
}

impl Writer for Pieces {
    fn event(&mut self, event: &ChatEvent, out: &mut Vec<Frame>) {
        match event {
            ChatEvent::Start(answer) => {
                self.head = Some(answer.clone());
                return;
            }
            ChatEvent::Usage(usage) => self.usage = usage.clone(),
            _ => {}
        }
        if let Some(answer) = self.head.take() {
            let mut message = head(&answer, &self.id);
            message["usage"] = usage(&self.usage);
            let data = json!({"type": "message_start", "message": message});
            out.push(Frame::named("message_start", &data));
        }
        let mut kind = self.row.open_kind().cloned();
        let mut steps = Vec::new();
        self.row.push(event, &mut steps);
        steps.into_iter().for_each(|step| self.step(&mut kind, step, out));
        if let ChatEvent::Finish { reason, raw } = event {
            let delta =
                json!({"stop_reason": stop_reason(*reason, raw.as_deref()), "stop_sequence": null});
            let data =
                json!({"type": "message_delta", "delta": delta, "usage": usage(&self.usage)});
            out.push(Frame::named("message_delta", &data));
            out.push(Frame::named("message_stop", &json!({"type": "message_stop"})));
        }
    }

    fn fail(&mut self, fault: &Fault, out: &mut Vec<Frame>) {
        out.push(Frame::named("error", &fault.body(Api::Anthropic, None)));
    }
}

fn head(answer: &AnswerHead, id: &str) -> Value {
    let id = answer.id.as_deref().unwrap_or(id);
    json!({
        "id": id, "type": "message", "role": "assistant", "model": answer.model, "content": [],
        "stop_reason": null, "stop_sequence": null,
    })
}

fn thought(text: &str, opaque: &CoreValue) -> Value {
    let own = Value::from(opaque);
    match own["type"].as_str() {
        Some("redacted_thinking") => own,
        _ => json!({"type": "thinking", "thinking": text, "signature": signature(text, opaque)}),
    }
}

/// Anthropic's own signature, or what another provider wants back in the place of one.
fn signature(text: &str, opaque: &CoreValue) -> String {
    let own = Value::from(opaque);
    match (own["type"].as_str(), own["signature"].as_str()) {
        (Some("thinking"), Some(signature)) => signature.into(),
        _ if opaque.is_null() => String::new(),
        _ => seal::seal(text, opaque),
    }
}

fn tool_use(call: &ToolCall) -> Value {
    // Arguments are not always JSON; whoever reads the call must see what was said.
    let input = call
        .args()
        .map_or_else(|_| json!({"INVALID_JSON": call.arguments}), |args| Value::from(&args));
    json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input})
}

fn stop_reason(reason: StopReason, raw: Option<&str>) -> &'static str {
    match (reason, raw) {
        (_, Some("pause_turn")) => "pause_turn",
        (_, Some("compaction")) => "compaction",
        (StopReason::MaxTokens, Some("model_context_window_exceeded")) => {
            "model_context_window_exceeded"
        }
        (StopReason::ToolCalls, _) => "tool_use",
        (StopReason::MaxTokens, _) => "max_tokens",
        (StopReason::StopText, _) => "stop_sequence",
        (StopReason::Refusal | StopReason::ContentFilter, _) => "refusal",
        (StopReason::End | StopReason::Other, _) => "end_turn",
    }
}

/// Tokens read from and written to a cache are not part of the input here.
fn usage(usage: &TokenUsage) -> Value {
    let tokens = &usage.tokens;
    let cached = tokens.cached_read.saturating_add(tokens.cached_write);
    json!({
        "input_tokens": tokens.input.saturating_sub(cached),
        "cache_creation_input_tokens": tokens.cached_write,
        "cache_read_input_tokens": tokens.cached_read,
        "output_tokens": tokens.output,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(opaque: Value) -> CoreValue {
        CoreValue::from(&opaque)
    }

    fn answer() -> ChatResponse {
        let call =
            |id: &str| ToolCall { id: id.into(), name: "f".into(), arguments: "{\"x\":1}".into() };
        let tokens = Usage { input: 9, cached_read: 4, output: 5, ..Usage::default() };
        ChatResponse {
            head: AnswerHead { model: "m".into(), ..AnswerHead::default() },
            parts: vec![
                Part::Reasoning {
                    text: "hm".into(),
                    opaque: sealed(json!({"type": "thinking", "signature": "s"})),
                },
                Part::Reasoning {
                    text: "".into(),
                    opaque: sealed(json!({"type": "redacted_thinking", "data": "d"})),
                },
                Part::text("hi"),
                Part::Native {
                    dialect: Dialect::Anthropic,
                    value: sealed(json!({"citations": [{"url": "u"}]})),
                },
                Part::Reasoning {
                    text: "".into(),
                    opaque: sealed(json!({"thought_signature": "g"})),
                },
                Part::ToolCall(call("a")),
                Part::ToolCall(call("b")),
            ],
            stop: StopReason::ToolCalls,
            usage: tokens.into(),
            ..ChatResponse::default()
        }
    }

    #[test]
    fn an_answer_whole_and_in_pieces_adds_up_to_the_same() {
        let response = answer();
        let body = whole(&response, "m1");
        let kinds: Vec<_> = body["content"]
            .as_array()
            .unwrap()
            .iter()
            .map(|b| b["type"].as_str().unwrap())
            .collect();
        assert_eq!(
            kinds,
            ["thinking", "redacted_thinking", "text", "thinking", "tool_use", "tool_use"]
        );
        assert_eq!(body["stop_reason"], "tool_use");
        assert_eq!(
            (&body["usage"]["input_tokens"], &body["usage"]["cache_read_input_tokens"]),
            (&json!(5), &json!(4))
        );
        let mut writer = Pieces::new("m1".into(), 7);
        let mut frames = Vec::new();
        response.to_events().iter().for_each(|event| writer.event(event, &mut frames));
        let mut built: Value = Value::Null;
        let mut arguments = String::new();
        for frame in &frames {
            let data: Value = serde_json::from_str(&frame.data).unwrap();
            assert_eq!(data["type"], frame.event.unwrap());
            let at = data["index"].as_u64().map(|at| at as usize);
            match frame.event.unwrap() {
                "message_start" => {
                    built = data["message"].clone();
                    assert_eq!(built["usage"]["input_tokens"], 7, "as was estimated");
                }
                "content_block_start" => {
                    let content = built["content"].as_array_mut().unwrap();
                    assert_eq!(Some(content.len()), at);
                    content.push(data["content_block"].clone());
                }
                "content_block_delta" => {
                    let block = &mut built["content"][at.unwrap()];
                    let delta = &data["delta"];
                    for key in ["text", "thinking", "signature"] {
                        if let Some(more) = delta[key].as_str() {
                            block[key] = json!(format!("{}{more}", block[key].as_str().unwrap()));
                        }
                    }
                    if !delta["citation"].is_null() {
                        block["citations"] = json!([delta["citation"]]);
                    }
                    arguments.push_str(delta["partial_json"].as_str().unwrap_or_default());
                }
                "content_block_stop" if !arguments.is_empty() => {
                    let input = serde_json::from_str(&std::mem::take(&mut arguments)).unwrap();
                    built["content"][at.unwrap()]["input"] = input;
                }
                "message_delta" => {
                    built["stop_reason"] = data["delta"]["stop_reason"].clone();
                    built["usage"] = data["usage"].clone();
                }
                _ => {}
            }
        }
        assert_eq!(built, body);
        assert_eq!(frames.last().unwrap().event, Some("message_stop"));
    }

    #[test]
    fn a_message_begins_with_what_is_known_of_its_tokens() {
        let mut writer = Pieces::new("m1".into(), 7);
        let mut frames = Vec::new();
        let tokens = Usage { input: 9, cached_read: 4, output: 1, ..Usage::default() };
        writer.event(&ChatEvent::Start(AnswerHead::default()), &mut frames);
        writer.event(&ChatEvent::Usage(tokens.into()), &mut frames);
        writer.event(&ChatEvent::Text { text: "hi".into() }, &mut frames);
        let begun: Value = serde_json::from_str(&frames[0].data).unwrap();
        let usage = &begun["message"]["usage"];
        assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(5), &json!(1)));
        assert_eq!(frames.len(), 3, "message, block, text: {frames:?}");
    }

    #[test]
    fn what_was_said_can_be_sent_back() {
        let response = answer();
        let body = whole(&response, "m1");
        let ask =
            json!({"model": "m", "messages": [{"role": "assistant", "content": body["content"]}]});
        let read = crate::inbound::anthropic::read(&ask).unwrap();
        let thoughts = |parts: &[Part]| -> Vec<Part> {
            parts
                .iter()
                .filter(|part| matches!(part, Part::Reasoning { .. } | Part::ToolCall(_)))
                .cloned()
                .collect()
        };
        assert_eq!(thoughts(&read.request.messages[0].parts), thoughts(&response.parts));
    }
}
