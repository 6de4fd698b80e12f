//! Answers in the words of Responses.

use serde_json::{Value, json};
use weaver_core::Value as CoreValue;

use super::read::echoed;
use crate::dialect::Dialect;
use crate::inbound::blocks::{Kind, Row, Step};
use crate::inbound::{Api, Fault, Frame, Writer, seal};
use crate::stream::{AnswerHead, ChatEvent, ChatResponse, StopReason, TokenUsage};

/// What an answer repeats of its request, and its name if the provider gives none.
#[derive(Clone, Debug)]
pub struct Echo {
    id: String,
    created: u64,
    members: Value,
}

impl Echo {
    /// Of a request's body; `created` is in seconds since 1970.
    pub fn of(body: &Value, id: String, created: u64) -> Self {
        Echo { id, created, members: echoed(body) }
    }

    fn response(&self, head: &AnswerHead) -> Value {
        let mut response = json!({
            "id": head.id.as_deref().unwrap_or(&self.id),
            "object": "response",
            "created_at": self.created,
            "status": "in_progress",
            "background": false,
            "error": null,
            "incomplete_details": null,
            "model": head.model,
            "output": [],
            "usage": null,
        });
        for (key, value) in self.members.as_object().into_iter().flatten() {
            response[key] = value.clone();
        }
        response
    }
}

/// A whole answer.
pub fn whole(response: &ChatResponse, echo: &Echo) -> Value {
    // The same items in the same order as in pieces: there is one way to make them.
    let mut pieces = Pieces::new(echo.clone());
    response.to_events().iter().for_each(|event| pieces.event(event, &mut Vec::new()));
    pieces.response
}

/// An answer in pieces.
pub struct Pieces {
    echo: Echo,
    row: Row,
    /// The answer as far as it has come.
    response: Value,
    output: Vec<Value>,
    sequence: u64,
    /// The item that is open or comes next, in pieces.
    item_id: String,
    usage: TokenUsage,
}

impl Pieces {
    /// A writer of an answer.
    pub fn new(echo: Echo) -> Self {
        Pieces {
            echo,
            row: Row::default(),
            response: Value::Null,
            output: Vec::new(),
            sequence: 0,
            item_id: String::new(),
            usage: TokenUsage::default(),
        }
    }

    fn step(&mut self, kind: &mut Option<Kind>, step: Step, out: &mut Vec<Frame>) {
        match step {
            Step::Open(opened) => {
                self.open(&opened, out);
                *kind = Some(opened);
            }
            Step::More(text) => {
                let (event, place) = match kind {
                    Some(Kind::Thought) => {
                        ("response.reasoning_summary_text.delta", Some("summary_index"))
                    }
                    Some(Kind::Call { .. }) => ("response.function_call_arguments.delta", None),
                    Some(Kind::Refusal) => ("response.refusal.delta", Some("content_index")),
                    _ => ("response.output_text.delta", Some("content_index")),
                };
                let mut data = json!({"delta": text});
                if let Some(place) = place {
                    data[place] = json!(0);
                }
                if event == "response.output_text.delta" {
                    data["logprobs"] = json!([]);
                }
                self.of_item(event, data, out);
            }
            Step::Close { kind, text, opaque } => self.close(kind, text, &opaque, out),
            Step::Sealed(opaque) => {
                self.item_id = self.new_id("rs");
                self.add(reasoning(&self.item_id, "", &opaque), out);
            }
            Step::Native { dialect: Dialect::Responses, value } => {
                let value = Value::from(&value);
                if value["type"].is_string() {
                    self.item_id = value["id"].as_str().unwrap_or_default().into();
                    self.add(value, out);
                }
            }
            Step::Native { .. } => {}
        }
    }

    fn open(&mut self, kind: &Kind, out: &mut Vec<Frame>) {
        let prefix = match kind {
            Kind::Text | Kind::Refusal => "msg",
            Kind::Thought => "rs",
            Kind::Call { .. } => "fc",
        };
        self.item_id = self.new_id(prefix);
        let mut item = item(kind, &self.item_id, "", &CoreValue::Null);
        match kind {
            Kind::Text | Kind::Refusal => item["content"] = json!([]),
            Kind::Thought => item["summary"] = json!([]),
            Kind::Call { .. } => {}
        }
        if item.get("status").is_some() {
            item["status"] = json!("in_progress");
        }
        let at = self.output.len();
        self.say("response.output_item.added", json!({"output_index": at, "item": item}), out);
        match kind {
            Kind::Thought => {
                let part = json!({"type": "summary_text", "text": ""});
                let data = json!({"summary_index": 0, "part": part});
                self.of_item("response.reasoning_summary_part.added", data, out);
            }
            Kind::Text | Kind::Refusal => {
                let data = json!({"content_index": 0, "part": content_part(kind, "")});
                self.of_item("response.content_part.added", data, out);
            }
            Kind::Call { .. } => {}
        }
    }

    fn close(&mut self, kind: Kind, text: String, opaque: &CoreValue, out: &mut Vec<Frame>) {
        match &kind {
            Kind::Thought => {
                let data = json!({"summary_index": 0, "text": text});
                self.of_item("response.reasoning_summary_text.done", data, out);
                let part = json!({"type": "summary_text", "text": text});
                let data = json!({"summary_index": 0, "part": part});
                self.of_item("response.reasoning_summary_part.done", data, out);
            }
            Kind::Call { name, .. } => {
                let data = json!({"name": name, "arguments": text});
                self.of_item("response.function_call_arguments.done", data, out);
            }
            Kind::Text | Kind::Refusal => {
                let (event, data) = match kind {
                    Kind::Refusal => ("response.refusal.done", json!({"refusal": text})),
                    _ => ("response.output_text.done", json!({"text": text, "logprobs": []})),
                };
                let mut data = data;
                data["content_index"] = json!(0);
                self.of_item(event, data, out);
                let data = json!({"content_index": 0, "part": content_part(&kind, &text)});
                self.of_item("response.content_part.done", data, out);
            }
        }
        let item = item(&kind, &self.item_id, &text, opaque);
        self.done(item, out);
    }

    /// An item that comes whole.
    fn add(&mut self, item: Value, out: &mut Vec<Frame>) {
        let at = self.output.len();
        self.say("response.output_item.added", json!({"output_index": at, "item": item}), out);
        self.done(item, out);
    }

    fn done(&mut self, item: Value, out: &mut Vec<Frame>) {
        let at = self.output.len();
        self.say("response.output_item.done", json!({"output_index": at, "item": item}), out);
        self.output.push(item);
    }

    fn finish(&mut self, reason: StopReason, out: &mut Vec<Frame>) {
        let why = match reason {
            StopReason::MaxTokens => Some("max_output_tokens"),
            StopReason::ContentFilter => Some("content_filter"),
            // Without words of its own nothing else tells of it.
            StopReason::Refusal if !self.refused_in_words() => Some("content_filter"),
            _ => None,
        };
        let (status, event) = match why {
            Some(_) => ("incomplete", "response.incomplete"),
            None => ("completed", "response.completed"),
        };
        self.response["status"] = json!(status);
        self.response["output"] = std::mem::take(&mut self.output).into();
        self.response["usage"] = usage(&self.usage);
        if let Some(why) = why {
            self.response["incomplete_details"] = json!({"reason": why});
        }
        let response = self.response.clone();
        self.say(event, json!({"response": response}), out);
    }

    fn refused_in_words(&self) -> bool {
        self.output.iter().any(|item| item["content"][0]["type"] == "refusal")
    }

    fn of_item(&mut self, event: &'static str, mut data: Value, out: &mut Vec<Frame>) {
        data["item_id"] = json!(self.item_id);
        data["output_index"] = json!(self.output.len());
        self.say(event, data, out);
    }

    fn say(&mut self, event: &'static str, mut data: Value, out: &mut Vec<Frame>) {
        data["type"] = json!(event);
        data["sequence_number"] = json!(self.sequence);
        self.sequence += 1;
        out.push(Frame::named(event, &data));
    }

    /// Names of items are unique among all answers.
    fn new_id(&self, prefix: &str) -> String {
        let answer = self.response["id"].as_str().unwrap_or_default();
        let answer = answer.rsplit('_').next().unwrap_or_default();
        format!("{prefix}_{answer}_{}", self.output.len())
    }
}

impl Writer for Pieces {
    fn event(&mut self, event: &ChatEvent, out: &mut Vec<Frame>) {
        match event {
            ChatEvent::Start(head) => {
                self.response = self.echo.response(head);
                for event in ["response.created", "response.in_progress"] {
                    let response = self.response.clone();
                    self.say(event, json!({"response": response}), out);
                }
            }
            ChatEvent::Usage(usage) => self.usage = usage.clone(),
            _ => {}
        }
        let mut kind = self.row.open_kind().cloned();
        let mut steps = Vec::new();
        self.row.push(event, &mut steps);
        steps.into_iter().for_each(|step| self.step(&mut kind, step, out));
        if let ChatEvent::Finish { reason, .. } = event {
            self.finish(*reason, out);
        }
    }

    fn fail(&mut self, fault: &Fault, out: &mut Vec<Frame>) {
        let error = fault.body(Api::OpenAi, None)["error"].take();
        let (code, message) = (error["code"].clone(), error["message"].clone());
        let data = json!({"code": code, "message": message, "param": error["param"]});
        self.say("error", data, out);
        if self.response.is_object() {
            self.response["status"] = json!("failed");
            self.response["error"] = json!({"code": code, "message": message});
            let response = self.response.clone();
            self.say("response.failed", json!({"response": response}), out);
        }
    }
}

/// An item with all that was said in it.
fn item(kind: &Kind, id: &str, text: &str, opaque: &CoreValue) -> Value {
    match kind {
        Kind::Text | Kind::Refusal => json!({
            "id": id, "type": "message", "status": "completed", "role": "assistant",
            "content": [content_part(kind, text)],
        }),
        Kind::Thought => reasoning(id, text, opaque),
        Kind::Call { id: call_id, name } => json!({
            "id": id, "type": "function_call", "status": "completed", "call_id": call_id,
            "name": name, "arguments": text,
        }),
    }
}

fn content_part(kind: &Kind, text: &str) -> Value {
    match kind {
        Kind::Refusal => json!({"type": "refusal", "refusal": text}),
        _ => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
    }
}

/// A thought: the provider's own item, or the text with the provider's part sealed.
fn reasoning(id: &str, text: &str, opaque: &CoreValue) -> Value {
    let own = Value::from(opaque);
    if own["type"] == "reasoning" {
        // Under the provider's own name, which its seal may be tied to.
        return own;
    }
    let summary = match text {
        "" => json!([]),
        text => json!([{"type": "summary_text", "text": text}]),
    };
    let mut item = json!({"id": id, "type": "reasoning", "summary": summary});
    if !opaque.is_null() {
        item["encrypted_content"] = json!(seal::seal(text, opaque));
    }
    item
}

fn usage(usage: &TokenUsage) -> Value {
    let tokens = &usage.tokens;
    json!({
        "input_tokens": tokens.input,
        "input_tokens_details": {
            "cached_tokens": tokens.cached_read, "cache_write_tokens": tokens.cached_write,
        },
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input.saturating_add(tokens.output),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Part, ToolCall};

    fn answer() -> ChatResponse {
        let opaque = CoreValue::from(&json!({"type": "thinking", "signature": "s"}));
        let call = ToolCall { id: "c1".into(), name: "f".into(), arguments: "{\"x\":1}".into() };
        ChatResponse {
            head: AnswerHead { model: "m".into(), ..AnswerHead::default() },
            parts: vec![
                Part::Reasoning { text: "hm".into(), opaque },
                Part::text("hi"),
                Part::ToolCall(call),
            ],
            stop: StopReason::ToolCalls,
            ..ChatResponse::default()
        }
    }

    fn echo() -> Echo {
        Echo::of(&json!({"model": "m", "input": "hi"}), "resp_1".into(), 9)
    }

    #[test]
    fn a_whole_answer_and_the_way_back() {
        let response = answer();
        let body = whole(&response, &echo());
        let kinds: Vec<_> = body["output"]
            .as_array()
            .unwrap()
            .iter()
            .map(|i| i["type"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["reasoning", "message", "function_call"]);
        assert_eq!((&body["status"], &body["tool_choice"]), (&json!("completed"), &json!("auto")));
        let mut input = vec![json!({"role": "user", "content": "hi"})];
        input.extend(body["output"].as_array().unwrap().clone());
        input.push(json!({"type": "function_call_output", "call_id": "c1", "output": "1"}));
        let read = super::super::read(&json!({"model": "m", "input": input})).unwrap();
        assert_eq!(read.request.messages[1].parts, response.parts);
    }

    #[test]
    fn pieces_come_in_order_and_are_numbered() {
        let mut writer = Pieces::new(echo());
        let mut frames = Vec::new();
        answer().to_events().iter().for_each(|event| writer.event(event, &mut frames));
        let data: Vec<Value> =
            frames.iter().map(|f| serde_json::from_str(&f.data).unwrap()).collect();
        for (i, data) in data.iter().enumerate() {
            assert_eq!(data["sequence_number"], i);
        }
        let names: Vec<_> = frames
            .iter()
            .map(|frame| frame.event.unwrap().trim_start_matches("response."))
            .collect();
        assert_eq!(
            names,
            [
                "created",
                "in_progress",
                "output_item.added",
                "reasoning_summary_part.added",
                "reasoning_summary_text.delta",
                "reasoning_summary_text.done",
                "reasoning_summary_part.done",
                "output_item.done",
                "output_item.added",
                "content_part.added",
                "output_text.delta",
                "output_text.done",
                "content_part.done",
                "output_item.done",
                "output_item.added",
                "function_call_arguments.delta",
                "function_call_arguments.done",
                "output_item.done",
                "completed",
            ]
        );
        assert_eq!(data[10]["item_id"], data[8]["item"]["id"]);
    }

    #[test]
    fn an_answer_that_is_cut_says_so() {
        let cut = ChatResponse { stop: StopReason::MaxTokens, ..answer() };
        let body = whole(&cut, &echo());
        assert_eq!(
            (&body["status"], &body["incomplete_details"]["reason"]),
            (&json!("incomplete"), &json!("max_output_tokens"))
        );
        let mut writer = Pieces::new(echo());
        let mut frames = Vec::new();
        writer.event(&answer().to_events()[0], &mut frames);
        writer.fail(&Fault::new(502, "model_cut", "It broke off."), &mut frames);
        let last: Value = serde_json::from_str(&frames.last().unwrap().data).unwrap();
        assert_eq!(
            (&last["type"], &last["response"]["error"]["code"]),
            (&json!("response.failed"), &json!("model_cut"))
        );
    }
}
