//! The dialect of Ollama's own interface.

use serde_json::{Map, Value, json};
use weaver_core::Value as CoreValue;
use weaver_core::event::Usage;

use crate::answer::{Answer, whole_number};
use crate::chat::{ChatMessage, ChatRequest, Part, Role, Source, ToolChoice};
use crate::dialect::{Decode, Dialect, Sent};
use crate::error::Error;
use crate::model::ModelRef;
use crate::stream::{StopReason, TokenUsage};

/// A request for an answer. Pictures must be in the message: the server fetches none.
pub(crate) fn write(request: &ChatRequest, model: &ModelRef, stream: bool) -> Result<Sent, Error> {
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| {
        body.insert(key.into(), value);
    };
    put("model", json!(model.model));
    put("messages", messages(request)?.into());
    put("stream", json!(stream));
    // It has no word for a choice; without tools at least none is called.
    if !request.tools.is_empty() && request.tool_choice != ToolChoice::None {
        put("tools", request.tools.iter().map(crate::openai::tool).collect());
    }
    if let Some(output) = &request.output {
        put("format", Value::from(&output.schema));
    }
    if let Some(effort) = &request.reasoning_effort {
        // Only gpt-oss knows degrees, and it cannot leave it.
        let think = match (effort.as_str(), model.model.contains("gpt-oss")) {
            ("none" | "minimal", true) => json!("low"),
            ("none", false) => json!(false),
            (effort, true) => json!(effort),
            _ => json!(true),
        };
        put("think", think);
    }
    let mut options = Map::new();
    for (key, value) in [
        ("temperature", request.temperature.map(|t| json!(t))),
        ("top_p", request.top_p.map(|p| json!(p))),
        ("num_predict", request.max_tokens.map(|n| json!(n))),
        ("seed", request.seed.map(|seed| json!(seed))),
        ("stop", (!request.stop.is_empty()).then(|| json!(request.stop))),
    ] {
        if let Some(value) = value {
            options.insert(key.into(), value);
        }
    }
    for (key, value) in request.extra_in(Dialect::Ollama) {
        match (key, Value::from(value)) {
            ("options", Value::Object(own)) => options.extend(own),
            (key, value) => put(key, value),
        }
    }
    if !options.is_empty() {
        put("options", Value::Object(options));
    }
    Ok(Sent { path: "/api/chat".into(), body: Value::Object(body) })
}

fn messages(request: &ChatRequest) -> Result<Vec<Value>, Error> {
    let mut out = Vec::new();
    for message in &request.messages {
        let role = match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => {
                results(request, message, &mut out)?;
                continue;
            }
        };
        let mut value = json!({"role": role, "content": message.text()});
        let images = images(&message.parts)?;
        if !images.is_empty() {
            value["images"] = images.into();
        }
        let calls: Vec<_> = message
            .tool_calls()
            .map(|call| {
                let args = call.args().map_or(json!({}), |args| Value::from(&args));
                json!({"function": {"name": call.name, "arguments": args}})
            })
            .collect();
        if !calls.is_empty() {
            value["tool_calls"] = calls.into();
            let thinking: String = message.parts.iter().filter_map(thought).collect();
            if !thinking.is_empty() {
                value["thinking"] = json!(thinking);
            }
        }
        out.push(value);
    }
    Ok(out)
}

fn thought(part: &Part) -> Option<&str> {
    match part {
        Part::Reasoning { text, .. } => Some(text),
        _ => None,
    }
}

fn results(
    request: &ChatRequest,
    message: &ChatMessage,
    out: &mut Vec<Value>,
) -> Result<(), Error> {
    for part in &message.parts {
        let Part::ToolResult { call_id, name, content, .. } = part else { continue };
        let calls = request.messages.iter().flat_map(ChatMessage::tool_calls);
        let called = calls.into_iter().find(|call| call.id == *call_id).map(|call| &call.name);
        let mut value = json!({"role": "tool", "content": crate::chat::text_of(content)});
        if let Some(name) = called.or(name.as_ref()) {
            value["tool_name"] = json!(name);
        }
        let images = images(content)?;
        if !images.is_empty() {
            value["images"] = images.into();
        }
        out.push(value);
    }
    Ok(())
}

fn images(parts: &[Part]) -> Result<Vec<Value>, Error> {
    let refuse = |what: &str| {
        Error::bad_request(format!(
            "Ollama takes {what}; put the bytes into the message as base64."
        ))
    };
    let mut images = Vec::new();
    for part in parts {
        match part {
            Part::Image { source: Source::Base64 { data, .. }, .. } => images.push(json!(data)),
            Part::Image { .. } => return Err(refuse("no addresses of pictures")),
            Part::File { .. } => {
                return Err(Error::bad_request(
                    "Ollama takes no documents: send the text of it, or pictures of its pages.",
                ));
            }
            _ => {}
        }
    }
    Ok(images)
}

/// Reads one answer: lines of JSON, the last of which says `done`.
pub(crate) struct Decoder {
    answer: Answer,
    done: bool,
}

impl Decoder {
    pub fn new(answer: Answer) -> Self {
        Decoder { answer, done: false }
    }
}

impl Decode for Decoder {
    fn value(&mut self, line: &Value) -> Result<(), Error> {
        if !line["message"].is_object() && line.get("done").is_none() {
            return match self.answer.is_started() {
                true => Ok(()),
                false => Err(self.answer.unreadable("it has no `message`")),
            };
        }
        self.answer.start(None, line["model"].as_str(), Default::default());
        let message = &line["message"];
        self.answer.reasoning(message["thinking"].as_str().unwrap_or_default(), CoreValue::Null);
        self.answer.text(message["content"].as_str().unwrap_or_default());
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            let name = function["name"].as_str().unwrap_or_default();
            let index = self.answer.call(call["id"].as_str(), name);
            match &function["arguments"] {
                Value::String(text) => self.answer.arguments(index, text),
                Value::Null => self.answer.arguments(index, "{}"),
                arguments => self.answer.arguments(index, &arguments.to_string()),
            }
        }
        if line["done"] == true {
            self.finish(line);
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
    fn finish(&mut self, line: &Value) {
        let raw = line["done_reason"].as_str().unwrap_or_default();
        let reason = match raw {
            "stop" | "" => StopReason::End,
            "length" => StopReason::MaxTokens,
            _ => StopReason::Other,
        };
        let count = |key: &str| whole_number(&line[key]).unwrap_or(0);
        let tokens = Usage {
            // Absent when the whole prompt was still in the server's memory.
            input: count("prompt_eval_count"),
            output: count("eval_count"),
            ..Usage::default()
        };
        let mut raw_usage = Map::new();
        for (key, value) in line.as_object().into_iter().flatten() {
            if key.ends_with("_count") || key.ends_with("_duration") {
                raw_usage.insert(key.clone(), value.clone());
            }
        }
        let raw_usage = CoreValue::from(&Value::Object(raw_usage));
        self.answer.usage(TokenUsage { tokens, raw: raw_usage, ..TokenUsage::default() });
        self.answer.stop(reason, raw);
        self.done = true;
    }
}
